"""Fits in threads, in processes and inside of searches: as one after another, without a trace."""

import os
import random
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sklearn
import torch
from joblib import Parallel, delayed, parallel_config
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

from skdann import DANNClassifier, DANNClassifierCV
from skdann._data.tensors import row_chunks
from skdann._hidden_warnings import hidden_warnings
from skdann._torch.devices import threads_for
from skdann.datasets import make_rotated_moons

FEW = {"hidden_layer_sizes": 8, "domain_classifier": 8, "max_epochs": 4, "random_state": 0}

SETTINGS = {
    "plain": {"lambda_max": 1.0},
    "chosen": {},
    "label shift": {"label_shift": "estimate", "lambda_max": 0.5},
    "custom": {
        "feature_extractor": lambda width: nn.Sequential(nn.Linear(width, 9), nn.Dropout()),
        "lambda_max": 1.0,
    },
    "ensemble": {"n_members": 2, "lambda_max": 1.0},
    "early stopping": {"early_stopping": True, "lambda_max": 1.0},
}


# Set by pytest, and by torch once its compiler is imported, which the first optimizer does.
OTHERS_VARIABLES = {"PYTEST_CURRENT_TEST", "TORCHINDUCTOR_CACHE_DIR"}


def estimators():
    """One estimator of each kind, unfitted."""
    alone = [DANNClassifier(**FEW, **settings) for settings in SETTINGS.values()]
    template = DANNClassifier(**{**FEW, "max_epochs": 2})
    return [*alone, DANNClassifierCV([0, 1], [None], cv=2, estimator=template, random_state=0)]


def counts(rows):
    return sparse.csr_array(np.maximum(np.round(rows), 0))


@pytest.fixture(scope="module")
def rows():
    X, y, X_tgt, _ = make_rotated_moons(n_samples=60, random_state=0)
    return X, y, X_tgt


def global_state():
    """What a fit finds in the process and must leave as it was, by name."""
    of_new_thread = []
    thread = threading.Thread(target=lambda: of_new_thread.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return {
        "threads of torch": (torch.get_num_threads(), *of_new_thread),
        "dtype of torch": torch.get_default_dtype(),
        "gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "deterministic": (
            torch.are_deterministic_algorithms_enabled(),
            torch.backends.cudnn.benchmark,
            torch.backends.cudnn.deterministic,
            torch.get_float32_matmul_precision(),
        ),
        "random numbers of torch": torch.get_rng_state().tolist(),
        "random numbers of numpy": str(np.random.get_state(legacy=False)),
        "random numbers of Python": random.getstate(),
        "numpy's errors": np.geterr(),
        "filters of warnings": list(warnings.filters),
        "environment": {k: v for k, v in os.environ.items() if k not in OTHERS_VARIABLES},
        "scikit-learn's settings": sklearn.get_config(),
    }


@pytest.fixture
def no_trace():
    """Fail where the test leaves something of the process changed."""
    # torch's first optimizer imports packages that add filters of warnings.
    torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    before_test = torch.get_num_threads()
    torch.set_num_threads(2)
    before = global_state()
    yield
    after = global_state()
    torch.set_num_threads(before_test)
    for name, value in before.items():
        assert after[name] == value, f"{name} changed"


# -- as one after the other ------------------------------------------------------------------


def probabilities(estimator, rows):
    fitted = clone(estimator).fit(*rows)
    return fitted.predict_proba(rows[2]), fitted.predict(rows[0], domain="source")


@pytest.fixture(scope="module")
def alone(rows):
    """What each estimator predicts after a fit with nothing at its side."""
    return [probabilities(one, rows) for one in estimators()]


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_fits_in_threads_are_the_same(rows, alone, no_trace):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one: probabilities(one, rows), estimators()))
    assert_same(found, alone)


@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)])
def test_fits_by_joblib_are_the_same(rows, alone, no_trace, backend):
    calls = [delayed(probabilities)(one, rows) for one in estimators()]
    assert_same(Parallel(n_jobs=2, backend=backend)(calls), alone)


def test_predictions_of_one_classifier_in_threads_are_the_same(rows, no_trace):
    fitted = DANNClassifier(**FEW, **SETTINGS["custom"]).fit(*rows)
    expected = fitted.predict_proba(rows[0])
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: fitted.predict_proba(rows[0]), range(12)))
    assert all(np.array_equal(one, expected) for one in found)


RARE = [("loky", 2), ("loky", -1), ("threading", -1)]


@pytest.mark.parametrize(
    ("backend", "inner"),
    [("threading", 2), *(pytest.param(*one, marks=pytest.mark.slow) for one in RARE)],
)
def test_a_search_over_fits_with_jobs_of_their_own_is_the_same(
    rows, routing, no_trace, backend, inner
):
    X, y, X_tgt = rows
    template = DANNClassifier(**{**FEW, "max_epochs": 2}).set_fit_request(X_tgt=True)

    def search(outer, inner):
        candidate = clone(template).set_params(n_jobs=inner)
        # Threads of scikit-learn's own leave compiled patterns among the filters of warnings.
        with parallel_config(backend=backend), warnings.catch_warnings():
            found = GridSearchCV(candidate, {"lr": [0.002, 0.01]}, cv=2, n_jobs=outer)
            return found.fit(X, y, X_tgt=(X_tgt,))

    one, two = search(1, 1), search(2, inner)
    for name, column in one.cv_results_.items():
        if "time" not in name:
            np.testing.assert_array_equal(column, two.cv_results_[name], err_msg=name)
    np.testing.assert_array_equal(one.predict_proba(X_tgt), two.predict_proba(X_tgt))


# -- no trace --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_fit_leaves_no_trace(rows, no_trace, kind):
    with parallel_config(backend="threading"):
        probabilities(DANNClassifier(**FEW, **SETTINGS[kind], n_jobs=2), rows)


def test_a_fit_of_sparse_rows_leaves_no_trace(rows, no_trace):
    X, y, X_tgt = rows
    probabilities(DANNClassifier(**FEW, input_scaling="denoised"), (counts(X), y, counts(X_tgt)))


def test_a_fit_that_fails_leaves_no_trace(rows, no_trace):
    with pytest.raises(ValueError, match="loss became NaN"):
        DANNClassifier(**FEW, lr=1e14, optimizer="sgd").fit(*rows)


def test_a_fit_is_the_same_whatever_is_set_globally(rows):
    """Double precision, no gradients, and seeds."""
    expected = probabilities(DANNClassifier(**FEW, lambda_max=1.0), rows)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            found = probabilities(DANNClassifier(**FEW, lambda_max=1.0), rows)
            assert not torch.is_grad_enabled()
    finally:
        torch.set_default_dtype(torch.float32)
    assert_same([found], [expected])


# -- torch's threads -------------------------------------------------------------------------


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class Block:
    """A thread that enters `threads_for`, and leaves it when told to."""

    def __init__(self, own=None):
        self.inside, self.go_on, self.seen = threading.Event(), threading.Event(), []
        self._own = own
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self.inside.wait(10)

    def _run(self):
        if self._own is not None:
            torch.set_num_threads(self._own)
        with threads_for(1):
            self.seen.append(torch.get_num_threads())
            self.inside.set()
            self.go_on.wait(10)
            self.seen.append(torch.get_num_threads())
        self.seen.append(torch.get_num_threads())

    def leave(self):
        self.go_on.set()
        self._thread.join()
        return self.seen


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_overlapping_fits_go_back_to_the_setting_in_any_order(two_threads, order):
    blocks = [Block(), Block()]
    assert [blocks[i].leave() for i in order] == [[1, 1, 2]] * 2
    assert torch.get_num_threads() == 2
    assert Block().leave() == [1, 1, 2]


def test_a_thread_that_starts_while_fits_run_has_the_users_setting(two_threads):
    blocks, seen = [Block(), Block()], []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    for block in blocks:
        block.leave()
    assert seen == [2]


def test_a_thread_goes_back_to_a_setting_of_its_own(two_threads):
    one, three = Block(own=1), Block(own=3)
    assert one.leave() == [1, 1, 1]
    assert three.leave() == [1, 1, 3]


def test_a_setting_made_by_the_user_while_a_fit_runs_stays(two_threads):
    block = Block()
    torch.set_num_threads(3)
    assert block.leave() == [1, 1, 2]
    assert global_state()["threads of torch"] == (3, 3)


# -- filters of warnings ---------------------------------------------------------------------


def test_overlapping_blocks_that_hide_warnings_leave_the_filters_as_they_were():
    before = list(warnings.filters)
    first, second = hidden_warnings(UserWarning), hidden_warnings(FutureWarning)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    warnings.warn("still hidden", FutureWarning, stacklevel=1)
    second.__exit__(None, None, None)
    assert list(warnings.filters) == before
    with pytest.raises(UserWarning):
        warnings.warn("seen again", UserWarning, stacklevel=1)


def test_only_messages_that_start_so_are_hidden():
    with hidden_warnings(UserWarning, message="known"):
        warnings.warn("known: nothing new", UserWarning, stacklevel=1)
        with pytest.raises(UserWarning, match="unknown"):
            warnings.warn("unknown", UserWarning, stacklevel=1)


def test_rows_that_may_not_be_written_to_are_read_in_silence_and_not_copied():
    X = np.arange(12, dtype=np.float32).reshape(4, 3)
    X.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ((_, tensor),) = row_chunks(X, torch.device("cpu"), copy=False)
    np.testing.assert_array_equal(tensor.numpy(), X)
    assert tensor.data_ptr() == X.__array_interface__["data"][0]
