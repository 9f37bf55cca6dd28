"""`n_members`: several networks in one estimator."""

import pickle

import numpy as np
import pytest
import torch
from scipy.special import softmax
from skorch.callbacks import GradientNormClipping
from torch import nn

from skdann import DANNClassifier


def classifier(**parameters):
    return DANNClassifier(
        **{"lambda_max": 1.0, "n_members": 3, "max_epochs": 5, "random_state": 0, **parameters}
    )


@pytest.fixture
def fitted(blobs):
    return classifier().fit(*blobs)


def test_the_probabilities_of_the_members_are_averaged(fitted, blobs):
    X = torch.from_numpy(blobs[0].astype(np.float32))
    with torch.no_grad():
        logits = np.stack([m.label_logits(m.embed(X)).numpy() for m in fitted.module_])
        domain = np.stack([m.domain_logits(m.embed(X)).numpy() for m in fitted.module_])
    mean = softmax(logits, axis=2).mean(axis=0)
    np.testing.assert_allclose(fitted.predict_proba(blobs[0]), mean, rtol=1e-5)
    np.testing.assert_allclose(softmax(fitted.decision_function(blobs[0]), axis=1), mean, rtol=1e-5)
    np.testing.assert_allclose(np.exp(fitted.predict_log_proba(blobs[0])), mean, rtol=1e-5)
    assert np.array_equal(fitted.predict(blobs[0]), mean.argmax(axis=1))
    np.testing.assert_allclose(
        fitted.predict_domain_proba(blobs[0]),
        softmax(domain, axis=2)[..., 1].mean(axis=0),
        rtol=1e-5,
    )


def test_the_embeddings_stand_side_by_side(fitted, blobs):
    single = classifier(n_members=1).fit(*blobs)
    embedding = fitted.transform(blobs[0])
    assert embedding.shape == (90, 300) == (90, len(fitted.get_feature_names_out()))
    np.testing.assert_allclose(embedding[:, :100], single.transform(blobs[0]), atol=1e-4)


def test_the_first_member_is_the_network_of_a_single_fit_and_the_others_differ(fitted, blobs):
    single = classifier(n_members=1).fit(*blobs)
    first, second, third = fitted.module_
    for one, other in zip(first.parameters(), single.module_.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)
    weights = [m.feature_extractor.layers[0].weight for m in (first, second, third)]
    assert all((weights[i] - weights[j]).abs().max() > 0.1 for i, j in ((0, 1), (0, 2), (1, 2)))


def test_the_record_has_means_and_each_members_figures(fitted):
    for row in fitted.history_:
        assert row["label_loss"] == pytest.approx(
            np.mean([m["label_loss"] for m in row["members"]])
        )
    assert len(fitted.history_) == 5


def test_lambda_zero_with_a_target_is_the_source_only_ensemble_to_the_last_bit(blobs):
    X, y, X_tgt = blobs
    fits = [classifier(lambda_max=0).fit(X, y, target) for target in (X_tgt, 3 * X_tgt[:40])]
    fits.append(classifier(lambda_max=0).fit(X, y))
    for other in fits[1:]:
        assert np.array_equal(fits[0].predict_proba(X_tgt), other.predict_proba(X_tgt))


def test_custom_modules_make_ensembles_too(blobs):
    def features(n_features):
        return nn.Sequential(nn.Linear(n_features, 6), nn.BatchNorm1d(6), nn.ReLU())

    fitted = classifier(feature_extractor=features).fit(*blobs)
    single = classifier(feature_extractor=features, n_members=1).fit(*blobs)
    assert fitted.transform(blobs[0]).shape == (90, 18)
    np.testing.assert_allclose(
        fitted.transform(blobs[0])[:, :6], single.transform(blobs[0]), atol=1e-5
    )


def test_each_member_stops_at_its_own_best_epoch(blobs):
    settings = {"early_stopping": True, "max_epochs": 60, "n_iter_no_change": 3, "lr": 0.01}
    fitted = classifier(**settings).fit(*blobs)
    single = classifier(**settings, n_members=1).fit(*blobs)
    assert fitted.n_iter_ >= single.n_iter_
    np.testing.assert_allclose(
        fitted.transform(blobs[0])[:, :100], single.transform(blobs[0]), atol=1e-3
    )


def test_gradients_are_clipped_by_the_norm_of_each_member_alone(blobs):
    settings = {"callbacks": [GradientNormClipping(0.1)], "optimizer": "sgd", "lr": 0.1}
    fitted = classifier(**settings).fit(*blobs)
    single = classifier(**settings, n_members=1).fit(*blobs)
    free = classifier(optimizer="sgd", lr=0.1, n_members=1).fit(*blobs)
    embedding = single.transform(blobs[0])
    np.testing.assert_allclose(fitted.transform(blobs[0])[:, :100], embedding, atol=1e-4)
    assert np.abs(free.transform(blobs[0]) - embedding).max() > 0.01


def test_partial_fit_warm_start_and_pickles_keep_all_members(blobs):
    fitted = classifier(warm_start=True).fit(*blobs).fit(*blobs)
    chunks = classifier().partial_fit(*blobs).partial_fit(*blobs)
    for one in (fitted, chunks):
        assert len(one.net_.members_) == 3
        again = pickle.loads(pickle.dumps(one))
        assert np.array_equal(again.predict_proba(blobs[0]), one.predict_proba(blobs[0]))
        again.partial_fit(*blobs)
        assert again.n_iter_ == one.n_iter_ + 1
    with pytest.raises(ValueError, match="n_members"):
        chunks.set_params(n_members=2).partial_fit(*blobs)
    with pytest.raises(ValueError, match="n_members"):
        fitted.set_params(n_members=2).fit(*blobs)


@pytest.mark.parametrize("n_members", [0, -1, 1.5, "two", None])
def test_a_number_of_members_that_is_none_is_refused(blobs, n_members):
    with pytest.raises(ValueError, match="n_members"):
        classifier(n_members=n_members).fit(*blobs)
