"""Checkpoints: a fit that is killed anywhere and called again ends as if it had never been."""

import functools
import os
import pickle
import time
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from joblib import parallel_config
from scipy import sparse
from skorch.callbacks import Callback, LRScheduler
from torch import nn

from skdann import CheckpointWarning, DANNClassifier, DANNClassifierCV
from skdann._data.batches import DomainBatches
from skdann._torch.randomness import RandomStreams
from skdann._training import checkpoints, snapshot
from skdann._training.checkpoints import Checkpoints
from skdann._training.digest import digest
from skdann._training.optimizers import JointAdam

FEW = {"hidden_layer_sizes": 8, "domain_classifier": 8, "max_epochs": 5, "random_state": 0}


class Killed(BaseException):
    """Stands for a SIGKILL: nobody catches it."""


@pytest.fixture
def rows():
    """X, y and X_tgt of three classes; the last batches of an epoch are filled up."""
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    X = (rng.normal(size=(90, 5)) + 2 * np.eye(5)[y]).astype(np.float32)
    return X, y, X[:70] + 0.5


@pytest.fixture
def kill(monkeypatch):
    """Write after each epoch, and kill the process after so many files from now on."""
    left = [None]
    whole = checkpoints._write_whole

    def write(*arguments):
        whole(*arguments)
        if left[0] is not None:
            left[0] -= 1
            if left[0] == 0:
                raise Killed

    monkeypatch.setattr(checkpoints, "_write_whole", write)
    monkeypatch.setattr(checkpoints, "_SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "_TIMES_AS_LONG", 0.0)

    def after(files):
        left[0] = files

    return after


def survived(make, rows, kill, files):
    """Return a fit that is killed after every so many files until it ends, and the kills."""
    for kills in range(1000):
        kill(files)
        try:
            return make().fit(*rows), kills
        except Killed:
            continue
    raise AssertionError("a fit that never ends")


def assert_same(one, other):
    """Compare what a fit leaves, to the last bit; seconds may differ."""
    ours, others = (_left_by(fitted) for fitted in (one, other))
    assert ours.pop("told") == others.pop("told")
    torch.testing.assert_close(ours, others, rtol=0, atol=0, equal_nan=True)


def _left_by(fitted):
    best = getattr(fitted, "best_estimator_", fitted)
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in best.history_]
    optimizer = best.net_.optimizer_.state_dict()
    table = getattr(fitted, "cv_results_", {})
    return {
        "weights": dict(best.module_.state_dict()),
        "optimizer": {str(k): v for k, v in optimizer["state"].items()},
        "rates": [group["lr"] for group in optimizer["param_groups"]],
        "told": [rows, getattr(fitted, "verdict_", "")],
        "done": best.net_.done_,
        "table": {k: v for k, v in table.items() if k.startswith(("mean_test", "expected"))},
    }


class Noisy(nn.Module):
    """Features with running means, torch's own dropout, and a count outside the state dict."""

    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, 6), nn.BatchNorm1d(6), nn.Dropout(0.3))
        self.calls = 0

    def forward(self, X):
        self.calls += 1
        return self.layers(X) * (1 + 0.01 * (self.calls % 7))


class Meddler(Callback):
    """Keeps the net, and changes a learning rate by what it has counted."""

    def on_train_begin(self, net, **kwargs):
        self.net, self.count = net, 0

    def on_epoch_end(self, net, **kwargs):
        self.count += 1
        assert self.net is net
        self.net.optimizer_.param_groups[0]["lr"] = 0.01 / self.count


def halves(rows):
    X, y, X_tgt = rows
    return X, y, (X_tgt[:30], X_tgt[30:])


def counts(rows):
    X, y, X_tgt = rows
    return tuple(sparse.csr_array(np.maximum(np.round(one), 0)) for one in (X, X_tgt)), y


CASES = {
    "auto": {},
    "plain": {"lambda_max": 1.0},
    "source only": {"lambda_max": 0},
    "ensemble": {"lambda_max": 1.0, "n_members": 3},
    "early stopping": {
        "lambda_max": 1.0, "early_stopping": True, "n_iter_no_change": 2, "max_epochs": 30,
        "n_members": 2, "lr": 0.05,
    },
    "shares": {"label_shift": "estimate", "lambda_max": 1.0},
    "shares, auto": {"label_shift": "estimate", "max_epochs": 3},
    "sgd": {"lambda_max": 1.0, "optimizer": "sgd", "lr_schedule": "annealed", "lr": 0.1},
    "adamw": {"lambda_max": 1.0, "optimizer": functools.partial(torch.optim.AdamW, amsgrad=True)},
    "multilinear": {"lambda_max": 1.0, "conditioning": "multilinear"},
    "custom": {"lambda_max": 1.0, "feature_extractor": Noisy},
    "custom, auto": {"feature_extractor": Noisy, "max_epochs": 3},
    "callbacks": {"lambda_max": 1.0, "callbacks": [Meddler()], "n_members": 2},
    "scheduler": {"lambda_max": 1.0, "callbacks": [LRScheduler("StepLR", step_size=2)]},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_fit_that_is_killed_ends_as_an_undisturbed_one(case, rows, kill, tmp_path):
    settings = FEW | CASES[case]
    undisturbed = DANNClassifier(**settings).fit(*rows)
    make = functools.partial(DANNClassifier, **settings, checkpoint_dir=tmp_path)
    fitted, kills = survived(make, rows, kill, 5 if "auto" in case else 2)
    assert kills >= 2
    assert_same(fitted, undisturbed)
    assert not list(tmp_path.iterdir())


class WithLabels(DANNClassifier):
    """With labels of some target rows, and two sources."""

    def fit(self, X, y, X_tgt):
        labels = np.where(np.arange(len(X_tgt)) % 5, -1, np.arange(len(X_tgt)) % 2)
        return super().fit(X, y, X_tgt, y_tgt=labels, source_domain=np.arange(len(X)) % 2)


@pytest.mark.parametrize("settings", [{"lambda_max": 1.0, "n_members": 2}, {"max_epochs": 3}])
def test_labels_of_target_rows_and_several_sources(settings, rows, kill, tmp_path):
    settings = {**FEW, **settings}
    expected = WithLabels(**settings).fit(*rows)
    fitted, kills = survived(
        lambda: WithLabels(**settings, checkpoint_dir=tmp_path), rows, kill, files=1
    )
    assert kills > 1
    assert_same(fitted, expected)
    plain = DANNClassifier(**settings).fit(*rows)
    with pytest.raises(AssertionError):
        assert_same(plain, expected)


def test_several_targets(rows, kill, tmp_path):
    settings = FEW | {"lambda_max": 1.0}
    undisturbed = DANNClassifier(**settings).fit(*halves(rows))
    make = functools.partial(DANNClassifier, **settings, checkpoint_dir=tmp_path)
    fitted, kills = survived(make, halves(rows), kill, 2)
    assert kills >= 2
    assert_same(fitted, undisturbed)


@pytest.mark.parametrize("scaling", [None, "denoised"])
def test_sparse_rows(scaling, rows, kill, tmp_path):
    (X, X_tgt), y = counts(rows)
    settings = FEW | {"lambda_max": 1.0, "input_scaling": scaling}
    undisturbed = DANNClassifier(**settings).fit(X, y, X_tgt)
    make = functools.partial(DANNClassifier, **settings, checkpoint_dir=tmp_path)
    fitted, kills = survived(make, (X, y, X_tgt), kill, 2)
    assert kills >= 2
    assert_same(fitted, undisturbed)


def test_sparse_rows_of_many_columns_that_stay_sparse(rows, kill, tmp_path):
    rng = np.random.default_rng(0)
    X, X_tgt = (
        sparse.random_array((60, 5000), density=0.002, rng=rng, format="csr", dtype=np.float32)
        for _ in range(2)
    )
    settings = FEW | {"lambda_max": 1.0, "input_scaling": None}
    undisturbed = DANNClassifier(**settings).fit(X, rows[1][:60], X_tgt)
    make = functools.partial(DANNClassifier, **settings, checkpoint_dir=tmp_path)
    fitted, kills = survived(make, (X, rows[1][:60], X_tgt), kill, 2)
    assert kills >= 2
    assert_same(fitted, undisturbed)


@pytest.mark.parametrize("refit", ["best", "ensemble"])
def test_a_search_that_is_killed_ends_as_an_undisturbed_one(refit, rows, kill, tmp_path):
    settings = {"cv": 2, "refit": refit, "estimator": DANNClassifier(**FEW | {"max_epochs": 3})}
    settings |= {"lambdas": [0, 1], "input_scalings": ["source", "balanced"]}
    undisturbed = DANNClassifierCV(**settings).fit(*rows)
    make = functools.partial(DANNClassifierCV, **settings, checkpoint_dir=tmp_path)
    fitted, kills = survived(make, rows, kill, 4)
    assert kills >= 5
    assert_same(fitted, undisturbed)


def test_a_search_takes_the_folder_of_its_estimator(rows, kill, tmp_path):
    template = DANNClassifier(**FEW, checkpoint_dir=tmp_path)
    kill(1)
    with pytest.raises(Killed):
        DANNClassifierCV([0, 1], ["source"], cv=2, estimator=template).fit(*rows)
    assert len(list(tmp_path.iterdir())) == 1


def test_tasks_that_are_done_are_not_done_again_by_any_number_of_jobs(
    rows, kill, tmp_path, monkeypatch
):
    undisturbed = DANNClassifier(**FEW).fit(*rows)
    kill(20)
    with pytest.raises(Killed):
        DANNClassifier(**FEW, checkpoint_dir=tmp_path).fit(*rows)
    done = {path.name for path in tmp_path.rglob("*.skdann") if "training" not in path.name}
    assert done
    kill(None)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.rglob("*.skdann")}
    seen = {}
    finish = Checkpoints.finish

    def look(saved):
        seen.update({one.name: one.stat().st_mtime_ns for one in tmp_path.rglob("*.skdann")})
        finish(saved)

    monkeypatch.setattr(Checkpoints, "finish", look)
    with parallel_config(backend="threading"):
        fitted = DANNClassifier(**FEW, checkpoint_dir=tmp_path, n_jobs=2).fit(*rows)
    assert_same(fitted, undisturbed)
    assert {name: seen[name] for name in done} == {name: before[name] for name in done}


def test_a_warm_start_that_is_killed(rows, kill, tmp_path):
    first = DANNClassifier(**FEW, lambda_max=1.0, warm_start=True).fit(*rows)
    stored = pickle.dumps(first)

    def make():
        return pickle.loads(stored).set_params(checkpoint_dir=tmp_path)

    undisturbed = pickle.loads(stored).fit(*rows)
    fitted, kills = survived(make, rows, kill, 2)
    assert kills == 2
    assert_same(fitted, undisturbed)


# -- every part of the state counts --------------------------------------------------------------


def forgotten(*arguments, **others):
    """Put nothing back."""


def _only_weights(net, state):
    with torch.no_grad():
        for name, value in snapshot._tensors(net).items():
            value.copy_(state["weights"][name])


def _without_best(callback):
    return {"best_": callback.best_, "waited_": callback.waited_}


FAULTS = {
    "generators": (RandomStreams, "go_on_from", forgotten, "plain"),
    "modules' generators": (RandomStreams, "go_on_from", forgotten, "custom"),
    "rest of a shuffle": (DomainBatches, "go_on_from", forgotten, "plain"),
    "moments": (JointAdam, "take_over", JointAdam.forget, "plain"),
    "momentum": (snapshot, "_put_back_numbers", _only_weights, "sgd"),
    "best weights": (snapshot, "_best", _without_best, "early stopping"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_put_back_is_noticed(fault, rows, kill, tmp_path, monkeypatch):
    """A test of the tests above: each of these faults turns one of them red."""
    owner, name, wrong, case = FAULTS[fault]
    settings = FEW | CASES[case]
    undisturbed = DANNClassifier(**settings).fit(*rows)
    monkeypatch.setattr(owner, name, wrong)
    make = functools.partial(DANNClassifier, **settings, checkpoint_dir=tmp_path)
    with pytest.raises((AssertionError, IndexError, AttributeError)):
        assert_same(survived(make, rows, kill, 2)[0], undisturbed)


# -- bad files -----------------------------------------------------------------------------------


def _files(folder):
    return sorted(folder.rglob("*.skdann"), key=lambda path: len(path.name))


def _cut(path, others):
    path.write_bytes(path.read_bytes()[:-1])


def _changed(path, others):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _empty(path, others):
    path.write_bytes(b"")


def _foreign(path, others):
    path.write_bytes(b"something else" * 1000)


def _exchanged(path, others):
    path.write_bytes(others[0].read_bytes())


def _folder(path, others):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [_cut, _changed, _empty, _foreign, _exchanged, _folder])
@pytest.mark.filterwarnings("ignore::skdann.exceptions.CheckpointWarning")
def test_a_bad_file_is_never_used(harm, rows, kill, tmp_path):
    settings = FEW | {"max_epochs": 3, "input_scaling": "source"}
    undisturbed = DANNClassifier(**settings).fit(*rows)
    classifier = DANNClassifier(**settings, checkpoint_dir=tmp_path)
    kill(8)
    with pytest.raises(Killed):
        classifier.fit(*rows)
    for path in reversed(_files(tmp_path)):
        harm(path, [other for other in _files(tmp_path) if other != path])
    kill(None)
    with pytest.warns(CheckpointWarning, match="is of no use, and this part of the fit starts"):
        classifier.fit(*rows)
    assert_same(classifier, undisturbed)


class Bomb:
    """An object whose loading leaves a trace."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_files_of_a_fit_without_callbacks_run_no_code(rows, kill, tmp_path):
    """Also a file with the right checksum; with callbacks there is a trace."""
    for case, runs in (("plain", False), ("callbacks", True)):
        classifier = DANNClassifier(**FEW | CASES[case], checkpoint_dir=tmp_path / case)
        kill(1)
        with pytest.raises(Killed):
            classifier.fit(*rows)
        kill(None)
        (path,) = _files(tmp_path / case)
        trace = tmp_path / f"trace of {case}"
        Checkpoints(path.parent, path.name.removesuffix(".skdann")).write(Bomb(trace))
        with nullcontext() if runs else pytest.warns(CheckpointWarning, match="is of no use"):
            classifier.fit(*rows)
        assert trace.exists() is runs


def test_a_write_that_fails_is_a_warning(rows, kill, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError("No space left on device")

    undisturbed = DANNClassifier(**FEW).fit(*rows)
    monkeypatch.setattr(os, "replace", full)
    with pytest.warns(CheckpointWarning, match="goes on without: No space left"):
        fitted = DANNClassifier(**FEW, checkpoint_dir=tmp_path).fit(*rows)
    assert_same(fitted, undisturbed)
    assert not list(tmp_path.iterdir())


def test_a_process_that_is_killed_while_it_writes_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "file"
    checkpoints._write_whole(path, b"before")

    def killed(descriptor):
        (unfinished,) = tmp_path.glob("*.tmp")
        os.link(unfinished, tmp_path / "half.tmp")  # a SIGKILL would leave it
        raise Killed

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(Killed):
        checkpoints._write_whole(path, b"after")
    assert path.read_bytes() == b"before"
    checkpoints._clean(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2  # another process may still be writing it
    long_ago = time.time() - 3600
    os.utime(tmp_path / "half.tmp", (long_ago, long_ago))
    checkpoints._clean(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


# -- which fit a file belongs to -----------------------------------------------------------------


def _one_row(rows):
    X = rows[0].copy()
    X[3, 3] += 1
    return X, *rows[1:]


def _target(rows):
    return rows[0], rows[1], rows[2][::-1]


@pytest.mark.parametrize(
    ("change", "settings"),
    [
        (_one_row, {}),
        (_target, {}),
        (tuple, {"random_state": 1}),
        (tuple, {"lr": 0.002}),
        (tuple, {"n_members": 2}),
        (tuple, {"callbacks": [Meddler()]}),
        (tuple, {"feature_extractor": Noisy}),
    ],
)
def test_another_fit_finds_nothing(change, settings, rows, kill, tmp_path):
    kill(3)
    with pytest.raises(Killed):
        DANNClassifier(**FEW, lambda_max=1.0, checkpoint_dir=tmp_path).fit(*rows)
    left = _files(tmp_path)
    other = FEW | {"lambda_max": 1.0} | settings
    kill(None)
    rows = change(rows)
    fitted = DANNClassifier(**other, checkpoint_dir=tmp_path).fit(*rows)
    assert_same(fitted, DANNClassifier(**other).fit(*rows))
    assert _files(tmp_path) == left


def test_the_same_fit_twice_at_once(rows, kill, tmp_path, monkeypatch):
    """While one writes, the other ends, and removes the folder."""
    classifier, twin = (DANNClassifier(**FEW, checkpoint_dir=tmp_path) for _ in range(2))
    write, count = Checkpoints.write, [0]

    def meanwhile(*arguments, **others):
        count[0] += 1
        if count[0] == 4:
            twin.fit(*rows)
        write(*arguments, **others)

    monkeypatch.setattr(Checkpoints, "write", meanwhile)
    assert_same(classifier.fit(*rows), twin)
    assert not list(tmp_path.iterdir())


def test_an_interrupted_fit_leaves_its_files_for_the_next(rows, kill, tmp_path):
    undisturbed = DANNClassifier(**FEW, lambda_max=1.0).fit(*rows)
    classifier = DANNClassifier(**FEW, lambda_max=1.0, checkpoint_dir=tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "write", _interrupt_after(3))
        with pytest.warns(UserWarning, match="interrupted"):
            classifier.fit(*rows)
    assert classifier.n_iter_ == 3
    assert_same(classifier.fit(*rows), undisturbed)
    assert not list(tmp_path.iterdir())


def _interrupt_after(n_files):
    write, count = Checkpoints.write, [0]

    def interrupting(*arguments, **others):
        write(*arguments, **others)
        count[0] += 1
        if count[0] == n_files:
            raise KeyboardInterrupt

    return interrupting


def _local_class():
    class Local(nn.Linear):
        pass

    return Local


def test_digests_tell_values_apart():
    layer = nn.Linear(2, 2)
    several = [
        1, 1.0, "1", b"1", None, True, (1,), [1], [[1]], {1: 2}, {1}, np.arange(3), np.arange(3.0),
        np.arange(4).reshape(2, 2), np.array(["a", 1], dtype=object), torch.arange(3), layer,
        nn.Linear(2, 2), Noisy, Noisy(3), lambda x: x + 1, lambda x: x + 2, nn.Linear, Meddler(),
        functools.partial(nn.Linear, 2), torch.relu, sparse.csr_array(np.eye(3)), layer.forward,
        torch.tensor(1.0), _local_class(), slice(3),
    ]  # fmt: skip
    found = [digest(one) for one in several]
    assert len(set(found)) == len(several)
    assert [digest(one) for one in several] == found
    assert digest(_local_class()) == digest(_local_class())
    around = []
    around.append(around)
    assert digest(around) != digest([])


# -- what the user is told -----------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [DANNClassifier, DANNClassifierCV])
def test_it_needs_a_random_state(estimator, rows, tmp_path):
    with pytest.raises(ValueError, match=r"random_state is None.*such as random_state=0"):
        estimator(checkpoint_dir=tmp_path).fit(*rows)


def test_a_folder_that_cannot_be_made(rows, tmp_path):
    (tmp_path / "file").touch()
    classifier = DANNClassifier(**FEW, checkpoint_dir=tmp_path / "file")
    with pytest.raises(ValueError, match=r"checkpoint_dir='.*file' can't be used.*or None"):
        classifier.fit(*rows)


class Stubborn(Callback):
    """A callback that can't be pickled, sooner or later."""

    def __init__(self, at_once):
        self.at_once = at_once
        self.file = (lambda: None) if at_once else None

    def on_epoch_end(self, net, **kwargs):
        self.file = lambda: None


def test_callbacks_that_cannot_be_pickled(rows, kill, tmp_path):
    few = FEW | {"lambda_max": 1.0, "checkpoint_dir": tmp_path}
    with pytest.raises(ValueError, match="callbacks: Stubborn can't be pickled"):
        DANNClassifier(**few, callbacks=[Stubborn(True)]).fit(*rows)
    with pytest.warns(CheckpointWarning, match=r"can't be written.*lambda"):
        DANNClassifier(**few, callbacks=[Stubborn(False)]).fit(*rows)
    extractor = _local_class()(5, 4)
    with pytest.raises(ValueError, match="feature_extractor: Local can't be pickled"):
        DANNClassifier(**few, feature_extractor=extractor).fit(*rows)


# -- what it costs -------------------------------------------------------------------------------


def test_time_decides_when_to_write(rows, kill, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(checkpoints, "_write_whole", lambda *arguments: written.append(1))
    monkeypatch.setattr(checkpoints, "_SECONDS", 3600.0)
    DANNClassifier(**FEW, lambda_max=1.0, checkpoint_dir=tmp_path).fit(*rows)
    assert not written
    saved = Checkpoints(tmp_path, seconds=10)
    assert saved.pause() == saved.pause(took=0.0) == 10
    monkeypatch.setattr(checkpoints, "_TIMES_AS_LONG", 20)
    assert saved.pause(took=2.0) == 40


def test_without_a_folder_nothing_is_looked_at(rows, monkeypatch):
    def never(*arguments):
        raise AssertionError

    monkeypatch.setattr(checkpoints, "digest", never)
    monkeypatch.setattr(snapshot, "check_pickles", never)
    DANNClassifier(**FEW | {"max_epochs": 1}).fit(*rows)


def test_partial_fit_writes_nothing(rows, kill, tmp_path):
    DANNClassifier(**FEW, checkpoint_dir=tmp_path).partial_fit(*rows)
    assert not list(tmp_path.iterdir())
