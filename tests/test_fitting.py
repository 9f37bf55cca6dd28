"""Several classifiers in one walk: each comes out as if fitted alone."""

import pickle

import numpy as np
import pytest

from skdann import DANNClassifier
from skdann._classifier import fit_together
from skdann._inputs import read_training_data

DIFFERENT = [
    {},
    {"lambda_max": 0},
    {"lambda_max": 0.3, "lr": 0.01},
    {"weight_decay": 0.1, "random_state": 3},
    {"input_scaling": "domain"},
    {"input_scaling": "both", "lr": 0.003},
    {"hidden_layer_sizes": (7,), "dropout": 0.2},
    {"n_members": 2},
    {"max_epochs": 3},
    {"early_stopping": True},
]


def classifier(**settings):
    return DANNClassifier(**{"max_epochs": 6, "random_state": 0, **settings})


@pytest.fixture
def record(blobs):
    return read_training_data(*blobs, None, class_weight=None, estimator=classifier())


@pytest.fixture
def together(record):
    classifiers = [classifier(**settings) for settings in DIFFERENT]
    fit_together(classifiers, [record] * len(classifiers))
    return classifiers


@pytest.mark.parametrize("i", range(len(DIFFERENT)))
def test_each_classifier_comes_out_as_if_fitted_alone(together, blobs, i):
    alone = classifier(**DIFFERENT[i]).fit(*blobs)
    expected = alone.predict_proba(blobs[2])
    np.testing.assert_allclose(together[i].predict_proba(blobs[2]), expected, atol=1e-4)
    assert together[i].n_iter_ == alone.n_iter_
    for ours, theirs in zip(together[i].history_, alone.history_, strict=True):
        assert set(ours) == set(theirs)
        for name in set(ours) - {"seconds", "members"}:
            assert ours[name] == pytest.approx(theirs[name], abs=1e-4), name


def test_a_classifier_that_was_fitted_with_others_goes_on_alone(together, blobs):
    X, y, X_tgt = blobs
    for fitted in together[:3]:
        before = fitted.predict_proba(X)
        neighbour = together[4].predict_proba(X)
        fitted.partial_fit(X, y, X_tgt)
        assert not np.array_equal(fitted.predict_proba(X), before)
        assert np.array_equal(together[4].predict_proba(X), neighbour)
    fitted.set_params(warm_start=True).fit(X, y, X_tgt)
    assert fitted.n_iter_ == 6


def test_a_pickle_holds_one_network_and_not_all(record):
    alone, many = [classifier()], [classifier(lambda_max=i / 20) for i in range(20)]
    fit_together(alone, [record])
    fit_together(many, [record] * 20)
    assert len(pickle.dumps(many[7])) < 1.2 * len(pickle.dumps(alone[0]))


def test_warm_started_classifiers_go_on_together(together, record, blobs):
    before = [fitted.history_[-1]["label_loss"] for fitted in together]
    for fitted in together:
        fitted.set_params(warm_start=True)
    fit_together(together, [record] * len(together))
    for fitted, loss in zip(together, before, strict=True):
        assert fitted.history_[0]["label_loss"] < loss + 0.1
