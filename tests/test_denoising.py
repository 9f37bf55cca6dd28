"""Denoising: the closed form is the one that it claims to be, and networks live behind it."""

import pickle

import numpy as np
import pytest
import torch
from scipy import sparse

from skdann import DANNClassifier
from skdann._data import denoising, tensors
from skdann._data.denoising import DenoisedRows, fit_denoising
from skdann._data.inputs import read_training_data

FAST = {"input_scaling": "denoised", "lambda_max": 1.0, "max_epochs": 3, "random_state": 0}


@pytest.fixture
def words():
    """Documents of 40 words, of which two topics use two halves; the target has other words.

    Words 0 to 9 tell the topic in the source. The target says the same with words 20 to 29, which
    occur together with them in a few documents of either domain.
    """
    rng = np.random.default_rng(0)

    def documents(n, own):
        y = np.arange(n) % 2
        rate = np.full((n, 40), 0.1)
        for topic in (0, 1):
            of_topic = np.flatnonzero(y == topic)[:, None]
            rate[of_topic, own + np.arange(topic * 5, topic * 5 + 5)] = 0.5
            both = of_topic[: n // 12]
            rate[both, 20 - own + np.arange(topic * 5, topic * 5 + 5)] = 0.5
        return sparse.csr_matrix(rng.poisson(rate).astype(np.float32)), y

    X, y = documents(300, 0)
    X_tgt, y_tgt = documents(240, 20)
    return X, y, X_tgt, y_tgt


def data_of(X, y, X_tgt):
    return read_training_data(X, y, X_tgt, None, class_weight=None, estimator=DANNClassifier())


def test_it_rebuilds_rows_best_on_average_over_deleted_words(words):
    X, y, X_tgt, _ = words
    fitted = fit_denoising(data_of(X, y, X_tgt))
    present = (sparse.vstack([X, X_tgt]).toarray() != 0).astype(float)
    rng = np.random.default_rng(0)

    kept = [present * (rng.random(present.shape) < 0.2) for _ in range(100)]

    def loss(weights):
        """Mean squared error over random deletions, with the penalty."""
        errors = [((one @ weights - present) ** 2).sum() for one in kept]
        return np.mean(errors) + 0.1 * present.sum(axis=0).mean() * (weights**2).sum()

    best = loss(fitted.weights)
    for other in (0.9 * fitted.weights, 1.1 * fitted.weights, np.eye(40)):
        assert best < loss(other)


def test_networks_behind_it_learn_from_words_that_occur_together(words):
    X, y, X_tgt, y_tgt = words
    settings = {"lambda_max": 0.0, "max_epochs": 40, "random_state": 0}
    raw = DANNClassifier(input_scaling=None, **settings).fit(X, y, X_tgt)
    behind = DANNClassifier(input_scaling="denoised", **settings).fit(X, y, X_tgt)
    assert behind.score(X_tgt, y_tgt) > raw.score(X_tgt, y_tgt) + 0.02


def test_the_layer_of_the_network_does_what_training_saw(words):
    X, y, X_tgt, _ = words
    fitted = DANNClassifier(**FAST).fit(X, y, X_tgt)
    layer = fitted.module_.input_scaling
    dense = torch.from_numpy(X_tgt.toarray())
    rows = DenoisedRows(sparse.csr_array(X_tgt), layer.numbers())
    np.testing.assert_allclose(layer(dense), rows[:], atol=1e-6)
    np.testing.assert_allclose(
        fitted.module_(dense).softmax(dim=1).detach(), fitted.predict_proba(X_tgt), atol=1e-6
    )
    np.testing.assert_array_equal(fitted.predict(X_tgt), fitted.predict(X_tgt.toarray()))


def test_rows_can_be_computed_step_by_step(words, monkeypatch):
    at_once = DANNClassifier(**FAST).fit(*words[:3])
    monkeypatch.setattr(tensors, "_COMPUTED_BYTES", 0)
    step_by_step = DANNClassifier(**FAST).fit(*words[:3])
    np.testing.assert_allclose(
        at_once.predict_proba(words[2]), step_by_step.predict_proba(words[2]), atol=1e-6
    )


def test_only_the_most_frequent_columns_are_used(words, monkeypatch):
    monkeypatch.setattr(denoising, "_MOST_COLUMNS", 20)
    monkeypatch.setattr(denoising, "_MOST_REBUILT", 6)
    X, y, X_tgt, _ = words
    fitted = fit_denoising(data_of(X, y, X_tgt))
    counts = np.asarray((sparse.vstack([X, X_tgt]) != 0).sum(axis=0)).ravel()
    assert counts[fitted.columns].min() >= np.delete(counts, fitted.columns).max()
    assert fitted.weights.shape == (20, 6)
    assert DANNClassifier(**FAST).fit(X, y, X_tgt).transform(X_tgt).shape == (240, 100)


def test_it_goes_on_with_the_layer_that_it_was_trained_behind(words):
    X, y, X_tgt, _ = words
    first = DANNClassifier(**FAST).partial_fit(X[:200], y[:200], X_tgt)
    before = first.module_.input_scaling.weights.clone()
    first.partial_fit(X[200:], y[200:], X_tgt)
    torch.testing.assert_close(first.module_.input_scaling.weights, before)
    warm = DANNClassifier(**FAST, warm_start=True).fit(X, y, X_tgt)
    before = warm.module_.input_scaling.weights.clone()
    warm.fit(X[:200], y[:200], X_tgt)
    torch.testing.assert_close(warm.module_.input_scaling.weights, before)


@pytest.mark.parametrize("other", [None, "source"])
def test_another_scaling_cannot_go_on_with_its_networks(words, other):
    X, y, X_tgt, _ = words
    fitted = DANNClassifier(**FAST, warm_start=True).fit(X, y, X_tgt)
    with pytest.raises(ValueError, match="input_scaling"):
        fitted.set_params(input_scaling=other).fit(X, y, X_tgt)
    raw = DANNClassifier(**{**FAST, "input_scaling": other}, warm_start=True).fit(X, y, X_tgt)
    with pytest.raises(ValueError, match="input_scaling"):
        raw.set_params(input_scaling="denoised").fit(X, y, X_tgt)


def test_ensembles_pickles_and_early_stopping(words):
    X, y, X_tgt, _ = words
    fitted = DANNClassifier(**FAST, n_members=3, early_stopping=True).fit(X, y, X_tgt)
    file = pickle.dumps(fitted)
    layers = [network.input_scaling for network in pickle.loads(file).module_]
    assert layers[0] is layers[1] is layers[2]
    np.testing.assert_array_equal(
        pickle.loads(file).predict_proba(X_tgt), fitted.predict_proba(X_tgt)
    )


def test_lambda_zero_is_the_source_only_network(words):
    """The target counts in the denoising alone: with the same layer, other rows change nothing."""
    X, y, X_tgt, _ = words
    alone = DANNClassifier(**{**FAST, "lambda_max": 0.0}).fit(X, y, X_tgt)
    turned = DANNClassifier(**{**FAST, "lambda_max": 0.0}).fit(X, y, X_tgt[::-1])
    np.testing.assert_allclose(alone.predict_proba(X_tgt), turned.predict_proba(X_tgt), atol=1e-5)
    adapted = DANNClassifier(**FAST).fit(X, y, X_tgt)
    assert np.abs(adapted.predict_proba(X_tgt) - alone.predict_proba(X_tgt)).max() > 1e-4


@pytest.mark.parametrize("change", [lambda X: X.toarray(), lambda X: -X])
def test_rows_that_are_no_counts_are_refused(words, change):
    X, y, X_tgt, _ = words
    for scaling in ("denoised", (None, "denoised")):
        settings = {**FAST, "input_scaling": scaling, "lambda_max": (0, 1)}
        if scaling == "denoised":
            settings["lambda_max"] = 1.0
        with pytest.raises(ValueError, match=r"input_scaling=.*sparse counts"):
            DANNClassifier(**settings).fit(change(X), y, change(X_tgt))
