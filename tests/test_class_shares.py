"""Label shift while training: class shares of the target, and the weights of source rows."""

import numpy as np
import pytest
import torch
from scipy import sparse
from torch import nn
from watched_modules import Built

from skdann import DANNClassifier
from skdann._data.batches import Batch
from skdann._data.inputs import read_training_data
from skdann._training.class_weights import (
    ClassWeights,
    class_weights,
    shares_of_source,
)
from skdann.exceptions import SourceOnlyWarning
from skdann.metrics._class_shares import shares_by_confusion

X = np.arange(16.0).reshape(8, 2)
Y = np.array(["a", "b", "c", "b", "a", "b", "b", "b"])
FEW = {"lambda_max": 1.0, "max_epochs": 2, "random_state": 0}


def record(y=Y, weight=None, target=True, classes=None):
    rows = np.arange(2.0 * len(y)).reshape(-1, 2)
    estimator, X_tgt = DANNClassifier(), rows + 1 if target else None
    return read_training_data(
        rows, y, X_tgt, weight, class_weight=None, estimator=estimator, classes=classes
    )


def shifted(seed=0, n_rows=400, share=0.1):
    """Two classes that overlap, half and half in the source and one to nine in the target."""
    rng = np.random.default_rng(seed)
    y, y_tgt = np.arange(n_rows) % 2, (rng.uniform(size=n_rows) > share).astype(int)
    rows, rows_tgt = (rng.normal(size=(n_rows, 2)) + 2 * one[:, None] for one in (y, y_tgt))
    return rows, y, rows_tgt, y_tgt


# -- shares before training ------------------------------------------------------------------


def test_the_source_has_the_shares_of_its_rows():
    np.testing.assert_allclose(shares_of_source(record()), [2 / 8, 5 / 8, 1 / 8])


def test_sample_weights_count_in_the_shares_of_the_source():
    weight = np.where(Y == "a", 3.0, 1.0)
    np.testing.assert_allclose(shares_of_source(record(weight=weight)), [6 / 12, 5 / 12, 1 / 12])


def test_a_class_that_has_no_row_has_no_share():
    shares = shares_of_source(record(classes=["a", "b", "c", "d"]))
    np.testing.assert_allclose(shares, [2 / 8, 5 / 8, 1 / 8, 0])


@pytest.mark.parametrize(
    "bad",
    [
        [0.5, 0.5],
        [[0.2, 0.5, 0.3]],
        [-0.1, 0.8, 0.3],
        [0.2, 0.5, 0.4],
        [0.2, 0.5, np.nan],
        [0.2, 0.5, "many"],
        {"a": 0.5, "b": 0.5},
        {"a": 0.2, "b": 0.5, "d": 0.3},
        {"a": 0.2, "b": 0.5, "c": 0.3, "d": 0.0},
        {"a": 0.2, "b": 0.5, "c": None},
        {"a": 0.2, "b": 0.5, "c": 0.4},
        "guess",
        0.5,
    ],
    ids=repr,
)
def test_unfit_shares_are_refused_and_leave_the_classifier_as_it_was(bad):
    clf = DANNClassifier(**FEW).fit(X, Y, X + 1)
    before = vars(clf.set_params(label_shift=bad)).copy()
    with pytest.raises(ValueError, match="label_shift"):
        clf.fit(X, Y, X + 1)
    assert vars(clf) == before
    with pytest.raises(ValueError, match="label_shift"):
        (fresh := DANNClassifier(label_shift=bad, **FEW)).fit(X, Y, X + 1)
    assert not hasattr(fresh, "classes_")


# -- weights ---------------------------------------------------------------------------------


def test_weights_times_the_shares_of_the_source_are_those_of_the_target():
    data, target = record(weight=np.where(Y == "a", 3.0, 1.0)), torch.tensor([0.2, 0.5, 0.3])
    weights = class_weights(target, data)
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights * torch.from_numpy(shares_of_source(data)).float(), target)


def test_a_class_without_source_rows_weighs_nothing():
    data = record(classes=["a", "b", "c", "d"])
    weights = class_weights(torch.tensor([0.2, 0.5, 0.1, 0.2]), data)
    torch.testing.assert_close(weights, torch.tensor([0.8, 0.8, 0.8, 0.0]))


def batch_of(label_weight=None, domain_weight=None, target=True):
    """Two networks, two source rows and three target rows."""
    y, domain = torch.tensor([[0, 1], [2, 2]]), torch.tensor([[0, 0, 1, 1, 1]] * 2)
    return Batch(torch.zeros(2, 5, 2), y, label_weight, domain if target else None, domain_weight)


def weigh(batch):
    # Shares of the source 1/4, 5/8, 1/8: weights 2, 0.8, 0 and 1, 1, 1.
    shares = [torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.25, 0.625, 0.125])]
    return ClassWeights(shares, [record(), record()])(batch)


def test_only_source_rows_are_weighed_in_both_losses():
    batch = weigh(batch_of())
    torch.testing.assert_close(batch.label_weight, torch.tensor([[2, 0.8], [1, 1]]))
    expected = torch.tensor([[2, 0.8, 1, 1, 1], [1, 1, 1, 1, 1]])
    torch.testing.assert_close(batch.domain_weight, expected)


def test_weights_that_are_there_already_are_multiplied():
    label, domain = torch.tensor([[3.0, 5.0], [7.0, 0.0]]), torch.arange(10.0).view(2, 5)
    batch = weigh(batch_of(label, domain))
    torch.testing.assert_close(batch.label_weight, torch.tensor([[6.0, 4.0], [7.0, 0.0]]))
    expected = torch.tensor([[0, 0.8, 2, 3, 4], [5, 6, 7, 8, 9]])
    torch.testing.assert_close(batch.domain_weight, expected)


def test_without_target_rows_there_is_only_the_label_loss():
    batch = weigh(batch_of(target=False))
    torch.testing.assert_close(batch.label_weight, torch.tensor([[2, 0.8], [1, 1]]))
    assert batch.domain is batch.domain_weight is None


# -- estimates -------------------------------------------------------------------------------

CONFUSION = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.2], [0.1, 0.1, 0.7]])
SHIFTED = np.array([0.1, 0.3, 0.6])


def predictions(n_source, n_target):
    """Return what would be said of rows of three equal classes, and of the shifted target."""
    codes = np.arange(n_source) % 3
    return record(codes), CONFUSION.T[codes], np.tile(CONFUSION @ SHIFTED, (n_target, 1))


def shares_by_held_out(held_out, of_held_out, of_target):
    shares = shares_of_source(held_out)
    return shares_by_confusion(of_held_out, held_out.y_source, of_target, shares)


def test_shares_are_recovered_from_the_confusion():
    held_out, of_held_out, of_target = predictions(3000, 9000)
    found = shares_by_held_out(held_out, of_held_out, of_target)
    np.testing.assert_allclose(found, SHIFTED, atol=0.02)


def test_with_few_rows_they_stay_near_those_of_the_source():
    errors = []
    for n_rows in (3, 30, 3000):
        held_out, of_held_out, of_target = predictions(n_rows, n_rows)
        found = shares_by_held_out(held_out, of_held_out, of_target)
        assert found.sum() == pytest.approx(1)
        errors.append(abs(found - 1 / 3).max())
    assert errors[0] < 0.1 < errors[1] < errors[2]


def test_a_class_of_which_no_row_is_held_out_gives_no_nan():
    held_out, of_held_out, of_target = predictions(300, 300)
    held_out = record(np.where(held_out.y_source == 2, 0, held_out.y_source), classes=range(3))
    found = shares_by_held_out(held_out, of_held_out, of_target)
    assert np.isfinite(found).all() and (found >= 0).all() and found.sum() == pytest.approx(1)


# -- end to end ------------------------------------------------------------------------------


def test_shifted_shares_are_found_and_cost_no_accuracy():
    rows, y, rows_tgt, y_tgt = shifted()
    settings = {"lambda_max": 1.0, "max_epochs": 15, "lr": 0.004, "random_state": 0}
    plain = DANNClassifier(**settings).fit(rows, y, rows_tgt)
    clf = DANNClassifier(label_shift="estimate", **settings).fit(rows, y, rows_tgt)
    np.testing.assert_allclose(clf.target_shares_, [0.1, 0.9], atol=0.1)
    assert plain.target_shares_ is None
    assert clf.score(rows_tgt, y_tgt) >= plain.score(rows_tgt, y_tgt)


def test_the_estimate_is_made_by_two_networks_each_on_one_half_of_the_source_alone():
    built = Built()
    rows, y, rows_tgt, _ = shifted()
    settings = {**FEW, "batch_size": 1000, "target_information": 0.5, "feature_extractor": built}
    DANNClassifier(label_shift="estimate", **settings).fit(rows, y, rows_tgt)
    source, target = (set(one[:, 0].astype(np.float32).tolist()) for one in (rows, rows_tgt))
    one, other, last = ([set(step) for step in e.steps] for e in built.extractors)
    assert len(one[0]) == len(other[0]) == 200
    assert not one[0] & other[0] and one[0] | other[0] == source
    assert all(step == one[0] for step in one) and all(step == other[0] for step in other)
    assert all(step == source | target for step in last)


def test_no_row_is_held_out_for_the_estimate():
    rows, y, rows_tgt, _ = shifted()
    estimated = DANNClassifier(label_shift="estimate", **FEW).fit(rows, y, rows_tgt)
    given = DANNClassifier(label_shift=estimated.target_shares_, **FEW).fit(rows, y, rows_tgt)
    np.testing.assert_allclose(
        estimated.predict_proba(rows_tgt), given.predict_proba(rows_tgt), atol=1e-5
    )


def test_equal_candidates_share_an_estimate():
    built = Built()
    rows, y, rows_tgt, _ = shifted(n_rows=90)
    settings = {"max_epochs": 2, "random_state": 0, "feature_extractor": built}
    DANNClassifier(label_shift="estimate", **settings).fit(rows, y, rows_tgt)
    n_estimates = (len(built.extractors) - 3 - 1) / 2  # besides three candidates and the last fit
    # On the way there one with and one without target rows in the batches, three on the way back.
    assert n_estimates == 2  # one for all candidates, one for the last fit


def test_chunks_are_no_base_for_an_estimate():
    rows, y, rows_tgt, _ = shifted()
    clf = DANNClassifier(label_shift="estimate")
    with pytest.raises(ValueError, match="partial_fit never sees"):
        clf.partial_fit(rows, y, rows_tgt)
    assert not hasattr(clf, "classes_")
    clf.set_params(label_shift=[0.1, 0.9]).partial_fit(rows, y, rows_tgt)
    np.testing.assert_allclose(clf.target_shares_, [0.1, 0.9], rtol=1e-6)


def test_classes_of_one_row_leave_the_shares_of_the_source():
    rows = np.random.default_rng(0).normal(size=(4, 3))
    clf = DANNClassifier(label_shift="estimate", **FEW).fit(rows, list("abcd"), rows + 0.1)
    np.testing.assert_allclose(clf.target_shares_, [0.25] * 4)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_shares_that_are_given_stay_as_they_are(early_stopping):
    rows, y, rows_tgt, _ = shifted()
    settings = {**FEW, "early_stopping": early_stopping, "max_epochs": 4}
    clf = DANNClassifier(label_shift={1: 0.7, 0: 0.3}, **settings).fit(rows, y, rows_tgt)
    np.testing.assert_allclose(clf.target_shares_, [0.3, 0.7], rtol=1e-6)


def test_shares_of_the_source_change_nothing_and_others_the_predictions(blobs):
    same, plain, shifts = (
        DANNClassifier(label_shift=shares, **FEW).fit(*blobs).predict_proba(blobs[2])
        for shares in ([1 / 3] * 3, None, [0.8, 0.1, 0.1])
    )
    np.testing.assert_allclose(same, plain, atol=1e-4)
    assert shifts[:, 0].mean() > plain[:, 0].mean() + 0.02


def test_without_a_target_nothing_is_estimated():
    rows, y, *_ = shifted()
    with pytest.warns(SourceOnlyWarning) as caught:
        clf = DANNClassifier(label_shift="estimate", **FEW).fit(rows, y)
    assert len(caught) == 1
    assert clf.target_shares_ is None
    assert "valid_accuracy" not in clf.history_[-1]


def test_the_members_of_an_ensemble_share_an_estimate():
    rows, y, rows_tgt, _ = shifted()
    clf = DANNClassifier(label_shift="estimate", n_members=2, **FEW).fit(rows, y, rows_tgt)
    for member in clf.net_.members_:
        np.testing.assert_allclose(clf.target_shares_, member.target_shares.numpy(), atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"n_members": 2},
        {"early_stopping": True, "n_iter_no_change": 3},
        {"lambda_max": 0},
        {"lambda_max": "auto"},
        {"feature_extractor": lambda n: nn.Sequential(nn.Linear(n, 8), nn.ReLU())},
    ],
    ids=["members", "early-stopping", "lambda-0", "lambda-auto", "general-path"],
)
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_shares_are_estimated_with_other_options_too(changes, kind):
    rows, y, rows_tgt, _ = shifted(n_rows=200)
    settings = {**FEW, "max_epochs": 8, "lr": 0.02, "input_scaling": None, **changes}
    clf = DANNClassifier(label_shift="estimate", **settings).fit(kind(rows), y, kind(rows_tgt))
    assert clf.target_shares_.shape == (2,)
    assert clf.target_shares_.sum() == pytest.approx(1, abs=1e-5)
    assert clf.target_shares_[0] < 0.35
    assert np.isfinite(clf.predict_proba(rows_tgt)).all()
