"""What skorch promises to its callbacks, and to whoever holds the net or its module."""

import copy

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    LRScheduler,
    PrintLog,
    ProgressBar,
    TrainEndCheckpoint,
)
from torch import nn

from skdann import DANNClassifier
from skdann._training import notifications


def classifier(**parameters):
    settings = {"lambda_max": 1.0, "max_epochs": 4, "random_state": 0, "hidden_layer_sizes": (8,)}
    return DANNClassifier(**{**settings, **parameters})


def column(fitted, name):
    return [row[name] for row in fitted.history_]


def assert_same_weights(module, saved):
    for name, value in module.state_dict().items():
        assert torch.equal(value, saved[name]), name


class Weights(Callback):
    """Keeps the weights of each epoch."""

    def on_train_begin(self, net, **kwargs):
        self.of_epoch = []

    def on_epoch_end(self, net, **kwargs):
        self.of_epoch.append(copy.deepcopy(net.module_.state_dict()))


def used(fitted, kind):
    (callback,) = (one for _, one in fitted.net_.callbacks_ if isinstance(one, kind))
    return callback


# -- scores ----------------------------------------------------------------------------------

STILL = {"dropout": 0.0, "lr": 1e-12, "batch_size": 45}


@pytest.mark.parametrize("scaling", [None, "domain"])
def test_epoch_scoring_on_training_rows_is_the_accuracy_on_them(blobs, scaling):
    scoring = EpochScoring("accuracy", on_train=True, lower_is_better=False)
    fitted = classifier(callbacks=[scoring], input_scaling=scaling, **STILL).fit(*blobs)
    expected = accuracy_score(blobs[1], fitted.predict(blobs[0], domain="source"))
    assert 0 < expected < 1
    assert column(fitted, "accuracy") == pytest.approx([expected] * 4)
    assert column(fitted, "accuracy_best") == [True, False, False, False]


def test_with_several_members_it_is_the_mean_of_theirs(blobs):
    scoring = EpochScoring("accuracy", on_train=True, lower_is_better=False)
    fitted = classifier(callbacks=[scoring], n_members=3, **STILL).fit(*blobs)
    X = torch.from_numpy(blobs[0].astype(np.float32))
    scores = [accuracy_score(blobs[1], one(X).argmax(dim=1).numpy()) for one in fitted.module_]
    assert len(set(scores)) > 1
    assert column(fitted, "accuracy") == pytest.approx([np.mean(scores)] * 4)


@pytest.mark.parametrize("kind", [EpochScoring, BatchScoring])
@pytest.mark.parametrize("n_members", [1, 2])
def test_scores_of_rows_held_out_are_those_of_the_history(blobs, kind, n_members):
    callbacks = [kind("accuracy", lower_is_better=False, name="own")]
    fitted = classifier(
        callbacks=callbacks, early_stopping=True, validation_fraction=0.4, lr=0.1,
        n_members=n_members, max_epochs=6,
    ).fit(*blobs)  # fmt: skip
    assert len(set(column(fitted, "own"))) > 1
    assert column(fitted, "own") == pytest.approx(column(fitted, "valid_accuracy"))


def test_scores_by_probabilities_know_the_classes(blobs):
    scoring = EpochScoring("roc_auc_ovr", lower_is_better=False, name="auc")
    fitted = classifier(callbacks=[scoring], early_stopping=True, lr=0.1).fit(*blobs)
    assert 0.5 < column(fitted, "auc")[-1] <= 1


def test_without_rows_held_out_a_score_of_them_is_left_out(blobs):
    fitted = classifier(callbacks=[EpochScoring("accuracy", name="own")]).fit(*blobs)
    assert "own" not in fitted.history_[0]


# -- checkpoints, stopping, schedules, logs --------------------------------------------------


def test_a_checkpoint_of_every_epoch_ends_with_the_last_weights(blobs, tmp_path):
    saves = Checkpoint(monitor=None, dirname=tmp_path, f_params="{last_epoch[epoch]}.pt")
    fitted = classifier(callbacks=[saves, Weights()]).fit(*blobs)
    for i, expected in enumerate(used(fitted, Weights).of_epoch):
        saved = torch.load(tmp_path / f"{i + 1}.pt")
        assert all(torch.equal(value, expected[name]) for name, value in saved.items())
    assert_same_weights(fitted.module_, saved)
    assert (tmp_path / "history.json").exists() and (tmp_path / "optimizer.pt").exists()


def test_a_checkpoint_of_the_best_epoch_holds_its_weights(blobs, tmp_path):
    saves = Checkpoint(monitor="label_loss_best", dirname=tmp_path)
    # The rate grows until the loss does.
    fitted = classifier(
        callbacks=[saves, Weights()], optimizer="sgd", lr_schedule=lambda p: 3000 * p**6,
        max_epochs=8, dropout=0.0, lr=0.01,
    ).fit(*blobs)  # fmt: skip
    losses = column(fitted, "label_loss")
    best = int(np.argmin(losses))
    assert 0 < best < 7
    lowest = np.minimum.accumulate([np.inf, *losses])[:-1]
    assert column(fitted, "label_loss_best") == [bool(one) for one in losses < lowest]
    saved = torch.load(tmp_path / "params.pt")
    for name, value in used(fitted, Weights).of_epoch[best].items():
        assert torch.equal(value, saved[name])


def test_accuracies_are_best_where_they_are_highest(blobs, tmp_path):
    saves = Checkpoint(monitor="valid_accuracy_best", dirname=tmp_path)
    fitted = classifier(callbacks=[saves], early_stopping=True, lr=0.05, max_epochs=6).fit(*blobs)
    accuracies = column(fitted, "valid_accuracy")
    highest = np.maximum.accumulate([-np.inf, *accuracies])[:-1]
    assert column(fitted, "valid_accuracy_best") == [bool(one) for one in accuracies > highest]
    assert accuracies[0] < max(accuracies)


def test_only_a_callback_that_monitors_it_brings_a_flag_to_the_history(blobs):
    fitted = classifier(callbacks=[Weights()]).fit(*blobs)
    assert not any(name.endswith("_best") for name in fitted.history_[0])


def test_a_checkpoint_at_the_end_holds_what_was_trained(blobs, tmp_path):
    fitted = classifier(callbacks=[TrainEndCheckpoint(dirname=tmp_path)]).fit(*blobs)
    assert_same_weights(fitted.module_, torch.load(tmp_path / "train_end_params.pt"))


@pytest.mark.parametrize("n_members", [1, 2])
def test_a_scheduler_of_skorchs_sets_the_learning_rate(blobs, n_members):
    halves = LRScheduler(policy="StepLR", step_size=1, gamma=0.5)
    fitted = classifier(callbacks=[halves], lr=0.08, n_members=n_members).fit(*blobs)
    np.testing.assert_allclose(column(fitted, "lr"), [0.08, 0.04, 0.02, 0.01])


def test_early_stopping_of_skorchs_loads_the_best_weights(blobs):
    stops = EarlyStopping(monitor="label_loss", patience=2, load_best=True, sink=lambda text: None)
    fitted = classifier(
        callbacks=[stops, Weights()], optimizer="sgd", lr_schedule=lambda p: 3000 * p**6,
        max_epochs=8, dropout=0.0, lr=0.01,
    ).fit(*blobs)  # fmt: skip
    best = int(np.argmin(column(fitted, "label_loss")))
    assert best < len(fitted.history_) - 1
    assert_same_weights(fitted.module_, used(fitted, Weights).of_epoch[best])


def test_bars_and_tables_of_skorchs_are_shown(blobs, capsys):
    bar = ProgressBar(batches_per_epoch=2)
    fitted = classifier(callbacks=[bar, PrintLog()]).fit(*blobs)
    shown = used(fitted, ProgressBar).pbar_
    assert shown.n == 2 and "train_loss=" in shown.postfix
    table = capsys.readouterr().out
    assert "label_loss" in table and len(table.splitlines()) == 2 + 4
    classifier(callbacks=[Weights()]).fit(*blobs)
    assert capsys.readouterr() == ("", "")


# -- what a callback may do ------------------------------------------------------------------


class Watch(Callback):
    """Predicts after each epoch."""

    def __init__(self, rows):
        self.rows = rows

    def on_train_begin(self, net, **kwargs):
        self.seen = []

    def on_epoch_end(self, net, **kwargs):
        self.seen.append(net.predict_proba(self.rows))


def with_dropout(width):
    return nn.Sequential(nn.Linear(width, 8), nn.Dropout(0.5))


@pytest.mark.parametrize("features", [None, with_dropout])
def test_a_callback_may_predict_and_changes_nothing(blobs, features):
    X, y, X_tgt = blobs
    quiet = classifier(feature_extractor=features, callbacks=[Callback()]).fit(X, y, X_tgt)
    loud = classifier(feature_extractor=features, callbacks=[Watch(X_tgt)]).fit(X, y, X_tgt)
    seen = used(loud, Watch).seen
    np.testing.assert_array_equal(seen[-1], quiet.predict_proba(X_tgt))
    np.testing.assert_array_equal(seen[-1], loud.predict_proba(X_tgt))
    # Without any callback all parameters take their steps as one: other last digits.
    alone = classifier(feature_extractor=features).fit(X, y, X_tgt)
    np.testing.assert_allclose(seen[-1], alone.predict_proba(X_tgt), rtol=1e-4)
    assert np.abs(seen[0] - seen[-1]).max() > 0.01


class Shift(Callback):
    """Changes the source rows of each batch in place."""

    def on_batch_begin(self, net, batch, training, **kwargs):
        batch.X.add_(1.0)


def test_a_callback_may_change_the_source_rows_of_a_batch(blobs):
    X, y, _ = blobs
    settings = {"lambda_max": 0, "input_scaling": None}
    changed = classifier(callbacks=[Shift()], **settings).fit(X, y).predict_proba(X)
    expected = classifier(**settings).fit(X + 1.0, y).predict_proba(X)
    np.testing.assert_allclose(changed, expected, atol=1e-5)


def test_no_batch_is_prepared_for_callbacks_that_do_not_ask_for_it(blobs, monkeypatch):
    def refused(*args):
        raise AssertionError("a batch was prepared")

    monkeypatch.setattr(notifications, "LabelledRows", refused)
    classifier(callbacks=[Weights()], early_stopping=True).fit(*blobs)
    with pytest.raises(AssertionError, match="was prepared"):
        classifier(callbacks=[Shift()]).fit(*blobs)


def test_the_history_of_the_classifier_has_no_batches(blobs):
    fitted = classifier(callbacks=[EpochScoring("accuracy", on_train=True)]).fit(*blobs)
    assert all("batches" not in row for row in fitted.history_)
    assert len(fitted.net_.history[-1, "batches", :, "train_loss"]) == 2


# -- the net and its module ------------------------------------------------------------------


@pytest.fixture(params=[1, 3])
def fitted(request, blobs):
    X, y, X_tgt = blobs
    settings = {"n_members": request.param, "input_scaling": "domain", "lr": 0.01}
    return classifier(**settings).fit(X, np.array(["a", "b", "c"])[y], X_tgt)


@pytest.mark.parametrize(
    "kind",
    [np.float32, np.float64, sparse.csr_matrix, torch.tensor],
    ids=["float32", "float64", "sparse", "tensor"],
)
def test_the_net_predicts_as_the_classifier_does(fitted, blobs, kind):
    rows = kind(blobs[2])
    expected = fitted.predict_proba(blobs[2])
    got = fitted.net_.predict_proba(rows)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=1e-6)
    np.testing.assert_array_equal(
        fitted.classes_[fitted.net_.predict(rows)], fitted.predict(blobs[2])
    )
    assert np.abs(expected - fitted.predict_proba(blobs[2], domain="source")).max() > 0.01


def test_the_module_returns_label_logits_of_raw_rows(fitted, blobs):
    with torch.no_grad():
        logits = fitted.module_(torch.from_numpy(blobs[2].astype(np.float32)))
    np.testing.assert_allclose(logits.numpy(), fitted.decision_function(blobs[2]), atol=1e-6)


@pytest.mark.filterwarnings("ignore:`torch.jit.trace")
@pytest.mark.parametrize("tool", ["export", "trace"])
def test_the_module_can_be_exported_and_traced(fitted, blobs, tool):
    rows = torch.from_numpy(blobs[2].astype(np.float32))
    if tool == "export":
        made = torch.export.export(fitted.module_, (rows,)).module()
    else:
        made = torch.jit.trace(fitted.module_, rows)
    with torch.no_grad():
        logits = made(rows).numpy()
    np.testing.assert_allclose(logits, fitted.decision_function(blobs[2]), atol=1e-5)


def test_a_net_cannot_be_cloned_and_says_what_can(fitted):
    with pytest.raises(TypeError, match=r"clone\(classifier\), or .* copy.deepcopy\(net\)"):
        clone(fitted.net_)
    copied = copy.deepcopy(fitted.net_)
    assert_same_weights(copied.module_, fitted.net_.module_.state_dict())


@pytest.mark.parametrize("method", ["fit", "partial_fit", "fit_loop"])
def test_a_net_is_trained_by_its_classifier_only(fitted, blobs, method):
    before = copy.deepcopy(fitted.module_.state_dict())
    with pytest.raises(TypeError, match=r"Train the classifier .*DANNClassifier\.fit"):
        getattr(fitted.net_, method)(*blobs[:2])
    assert_same_weights(fitted.module_, before)


def test_custom_modules_predict_by_the_net_too(blobs):
    class InPlace(nn.Module):
        def forward(self, rows):
            return rows.mul_(2.0)

    rows = blobs[2].astype(np.float32)
    fitted = classifier(feature_extractor=InPlace()).fit(*blobs)
    before = rows.copy()
    np.testing.assert_allclose(
        fitted.net_.predict_proba(rows), fitted.predict_proba(blobs[2]), atol=1e-6
    )
    np.testing.assert_array_equal(rows, before)
