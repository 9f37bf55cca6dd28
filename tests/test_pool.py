"""The pool's fits: which records they get, and what is left out of them."""

import numpy as np
import pytest

from skdann import DANNClassifier
from skdann._choosing import cross_fit as _pool
from skdann._choosing.cross_fit import cross_fit
from skdann._data.inputs import read_training_data
from skdann._training import fit_together as _fitting


@pytest.fixture
def record(blobs):
    return read_training_data(*blobs, None, class_weight=None, estimator=DANNClassifier())


@pytest.fixture
def folds(record):
    odd = np.arange(len(record.y_source)) % 2 == 1
    return [(np.flatnonzero(one), np.flatnonzero(~one)) for one in (odd, ~odd)]


def candidates(**settings):
    return [
        DANNClassifier(lambda_max=one, max_epochs=6, random_state=0, **settings) for one in (0, 1)
    ]


def test_only_at_lambda_zero_no_batch_brings_target_rows(record, folds, monkeypatch):
    seen = []

    def fit(classifiers, records, trial):
        _fitting.fit_together(classifiers, records, trial)
        seen.append([one.lambda_max == 0 for one in classifiers])
        for fitted, at_zero in zip(classifiers, seen[-1], strict=True):
            assert ("domain_loss" in fitted.history_[0]) == (not at_zero)

    monkeypatch.setattr(_pool, "fit_together", fit)
    cross_fit(candidates(), record, folds)
    assert [len(one) for one in seen] == [4, 4] and all(any(one) for one in seen)


@pytest.mark.parametrize("scaling", ["both", "domain"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_what_the_pool_leaves_out_changes_no_probability(
    record, folds, monkeypatch, scaling, early_stopping
):
    pool = candidates(input_scaling=scaling, early_stopping=early_stopping)
    short = cross_fit(pool, record, folds)
    monkeypatch.setattr(_fitting, "learns_from_target", lambda settings: True)
    whole = cross_fit(pool, record, folds)
    for of_one, expected in zip(short, whole, strict=True):
        for fold, twin in zip(of_one, expected, strict=True):
            for name in ("source_proba", "target_proba", "reverse_proba"):
                got, wanted = getattr(fold, name), getattr(twin, name)
                np.testing.assert_allclose(got, wanted, atol=1e-6, err_msg=name)


def test_a_way_back_leaves_the_fitted_classifier_as_it_was(blobs):
    X, y, X_tgt = blobs
    state = np.random.RandomState(3)
    fitted = DANNClassifier(lambda_max=1.0, max_epochs=3, random_state=state).fit(X, y, X_tgt)
    before, drawn = fitted.predict_proba(X), state.get_state()[1].copy()
    _pool.reversed_classifier(fitted, len(X_tgt)).fit(X_tgt, fitted.predict(X_tgt), X)
    np.testing.assert_array_equal(fitted.predict_proba(X), before)
    np.testing.assert_array_equal(state.get_state()[1], drawn)
    assert fitted.max_epochs == 3 and not fitted.warm_start
