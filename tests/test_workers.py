"""Candidates trained by several workers: the same result, and the rows are not copied to each."""

import os

import numpy as np
import pytest
from joblib import parallel_config
from scipy import sparse
from sklearn.base import clone
from torch import nn

from skdann import DANNClassifier, DANNClassifierCV
from skdann._choosing.cross_fit import _groups
from skdann._choosing.workers import Workers
from skdann._data.inputs import read_training_data
from skdann._training.progress import Progress
from skdann._training.settings import Settings

FEW = {"hidden_layer_sizes": 8, "domain_classifier": 8, "max_epochs": 4, "random_state": 0}


def counts(rows):
    return sparse.csr_array(np.maximum(np.round(rows), 0))


def fitted(estimator, rows, n_jobs):
    return estimator.set_params(n_jobs=n_jobs).fit(*rows)


OWN = {"feature_extractor": lambda width: nn.Sequential(nn.Linear(width, 9), nn.Dropout())}


@pytest.mark.parametrize(
    ("settings", "backend"),
    [({}, "loky"), ({}, "threading"), (OWN, "loky"), ({"label_shift": "estimate"}, "loky")],
)
def test_a_default_fit_is_the_same_for_every_number_of_jobs(tilted_digits, settings, backend):
    X, y, X_tgt = tilted_digits[:3]
    with parallel_config(backend=backend):
        one, two = (
            fitted(DANNClassifier(**FEW, **settings), (X, y, X_tgt), n_jobs) for n_jobs in (1, 2)
        )
    np.testing.assert_array_equal(two.predict_proba(X_tgt), one.predict_proba(X_tgt))
    assert two.verdict_ == one.verdict_


@pytest.mark.parametrize("of_counts", [False, True])
def test_a_search_is_the_same_for_every_number_of_jobs(tilted_digits, of_counts):
    """Counts are rebuilt by a layer that is computed once, here."""
    X, y, X_tgt, _ = tilted_digits
    rows = (counts(X), y, counts(X_tgt)) if of_counts else (X, y, X_tgt)
    scalings = [None, "denoised" if of_counts else "balanced"]
    template = DANNClassifier(**FEW)
    search = DANNClassifierCV([0, 1], scalings, cv=2, estimator=template, random_state=0)
    one, two = (fitted(clone(search), rows, n_jobs) for n_jobs in (None, 2))
    for name, column in one.cv_results_.items():
        np.testing.assert_array_equal(column, two.cv_results_[name], err_msg=name)
    np.testing.assert_array_equal(one.predict_proba(rows[2]), two.predict_proba(rows[2]))


def test_no_process_is_too_few(blobs):
    with pytest.raises(ValueError, match="n_jobs must not be 0"):
        DANNClassifier(**FEW, n_jobs=0).fit(*blobs)


def test_an_error_in_another_process_is_the_error_of_the_fit(blobs):
    before = DANNClassifier(**FEW, n_jobs=2, lr=1e14, optimizer="sgd")
    with pytest.raises(ValueError, match="The loss became NaN or infinite"):
        before.fit(*blobs)
    assert not hasattr(before, "net_")


def test_candidates_of_a_task_are_few_and_alike(blobs):
    record = read_training_data(*blobs, None, class_weight=None, estimator=DANNClassifier())
    lambdas = [0, 0.1, 0.3, 0.7, 1] * 3
    candidates = [Settings.of(DANNClassifier(lambda_max=one), record) for one in lambdas]
    groups = _groups(candidates)
    assert sorted(i for group in groups for i in group) == [*range(15)]
    assert max(map(len, groups)) <= 4 and min(map(len, groups)) >= 3
    assert all(len({lambdas[i] > 0 for i in group}) == 1 for group in groups)


class Elsewhere:
    """A task that says where it was done, and what its array was there."""

    work = 1.0

    def __init__(self, array):
        self.array = array

    def __call__(self, progress=None):
        return os.getpid(), type(self.array).__name__

    def elsewhere(self):
        return where, (self.array,)


def where(array):
    return os.getpid(), type(array).__name__


def test_large_arrays_reach_other_processes_as_memory_maps():
    progress = Progress()
    progress.expect(2)
    array = np.zeros(10**6)
    results = Workers(2, progress).results([Elsewhere(array)] * 2)
    assert {name for _, name in results} == {"memmap"}
    assert os.getpid() not in {process for process, _ in results}
    assert progress.done == 2
    here = Workers(1).results([Elsewhere(array)] * 2)
    assert here == [(os.getpid(), "ndarray")] * 2


def test_n_jobs_of_the_context_counts(monkeypatch):
    with parallel_config(n_jobs=2):
        results = Workers().results([Elsewhere(np.zeros(3))] * 2)
    assert os.getpid() not in {process for process, _ in results}
