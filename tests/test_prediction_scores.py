"""Scores of target predictions: exact values, ranges, and good against degenerate models."""

import math
from functools import partial

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from skdann.metrics import (
    _domain_rows,
    batch_nuclear_norm,
    corr_c,
    info_max,
    prediction_entropy,
    soft_neighborhood_density,
)

SURE = [[1.0, 0.0], [0.0, 1.0]]
SAME = [[1.0, 0.0], [1.0, 0.0]]
TORN = [[0.5, 0.5], [0.5, 0.5]]

with_shares = partial(info_max, class_shares=[0.2, 0.3, 0.5])
OF_PROBA = [prediction_entropy, info_max, with_shares, batch_nuclear_norm, corr_c]
SCORES = [*OF_PROBA, soft_neighborhood_density]


def predictions(shares, sharpness=4.0, n_rows=300, seed=0):
    """Return noisy softmax outputs of rows whose classes have these shares."""
    rng = np.random.default_rng(seed)
    classes = rng.choice(len(shares), size=n_rows, p=shares)
    logits = sharpness * np.eye(len(shares))[classes] + rng.normal(size=(n_rows, len(shares)))
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def entropy(*shares):
    return -sum(share * math.log(share) for share in shares)


# -- values by hand -----------------------------------------------------------------------------


def test_entropy_by_hand():
    assert prediction_entropy(SURE) == prediction_entropy(SAME) == 0
    assert_allclose(prediction_entropy(TORN), math.log(2))
    proba = [[0.1, 0.2, 0.7], [0.0, 0.5, 0.5]]
    assert_allclose(prediction_entropy(proba), (entropy(0.1, 0.2, 0.7) + math.log(2)) / 2)


def test_info_max_by_hand():
    assert_allclose(info_max(SURE), math.log(2))
    assert_allclose([info_max(SAME), info_max(TORN)], 0, atol=1e-15)
    # The mean of the rows is (0.6, 0.4).
    expected = entropy(0.6, 0.4) - (entropy(0.9, 0.1) + entropy(0.3, 0.7)) / 2
    assert_allclose(info_max([[0.9, 0.1], [0.3, 0.7]]), expected)


def test_info_max_with_shares_by_hand():
    """The mean is (0.6, 0.4): entropy(0.8, 0.2) - KL - mean entropy."""
    divergence = 0.6 * math.log(0.6 / 0.8) + 0.4 * math.log(0.4 / 0.2)
    unsure = (entropy(0.9, 0.1) + entropy(0.3, 0.7)) / 2
    score = info_max([[0.9, 0.1], [0.3, 0.7]], [0.8, 0.2])
    assert_allclose(score, entropy(0.8, 0.2) - divergence - unsure)


def test_equal_shares_are_the_default():
    proba = predictions([0.2, 0.3, 0.5])
    assert_allclose(info_max(proba, np.full(3, 1 / 3)), info_max(proba))


def test_a_class_that_should_not_occur_has_a_floor():
    """All rows in a class of share 0: 0 - log(1 / 1e-6) instead of minus infinity."""
    assert_allclose(info_max(SAME, [0.0, 1.0]), -math.log(1e6), atol=1e-4)
    assert_allclose(info_max(SAME, [1.0, 0.0]), 0, atol=1e-4)


def test_nuclear_norm_by_hand():
    """Singular values: SURE 1 and 1, SAME sqrt(2) and 0, TORN 1 and 0; the most is 2."""
    values = [batch_nuclear_norm(proba) for proba in (SURE, SAME, TORN)]
    assert_allclose(values, [1, math.sqrt(2) / 2, 1 / 2])
    # Three sure rows, two of the first class: sqrt(2) + 1 of sqrt(3 * 2).
    assert_allclose(batch_nuclear_norm([*SURE, [1, 0]]), (math.sqrt(2) + 1) / math.sqrt(6))
    # One row of length 1 in three classes: of sqrt(1 * 1).
    assert_allclose(batch_nuclear_norm([[0, 1, 0]]), 1)


def test_corr_c_by_hand():
    """The matrices are I / 2, diag(1, 0) and one of four quarters."""
    assert_allclose([corr_c(proba) for proba in (SURE, SAME, TORN)], [1, 1 / 2**0.5, 1 / 2**0.5])
    # (0.9, 0.1) and (0.3, 0.7) make [[0.90, 0.30], [0.30, 0.50]] before the division by 2.
    expected = (0.90 + 0.50) / (math.sqrt(0.9**2 + 2 * 0.3**2 + 0.5**2) * math.sqrt(2))
    assert_allclose(corr_c([[0.9, 0.1], [0.3, 0.7]]), expected)


def test_density_by_hand():
    """Rows at 0, 0 and 90 degrees, temperature 1: the first has likenesses 1 and 0."""
    near, far = math.e / (math.e + 1), 1 / (math.e + 1)
    expected = (2 * entropy(near, far) + math.log(2)) / 3
    rows = [[3.0, 0.0], [1.0, 0.0], [0.0, 2.0]]
    assert_allclose(soft_neighborhood_density(rows, temperature=1.0), expected)
    sharp = soft_neighborhood_density(rows)
    assert_allclose(sharp, (2 * 20 * math.exp(-20) + math.log(2)) / 3, rtol=1e-6)


def test_density_of_two_rows_is_zero_as_each_has_one_neighbour():
    assert soft_neighborhood_density(SURE) == 0


@pytest.mark.parametrize("block_values", [1, 70, 2**22])
def test_density_in_blocks_equals_a_loop(block_values, monkeypatch):
    monkeypatch.setattr(_domain_rows, "_BLOCK_VALUES", block_values)
    rows = np.random.default_rng(0).normal(size=(30, 4))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    entropies = []
    for i in range(30):
        likeness = np.exp(np.delete(unit @ unit[i], i) / 0.3)
        entropies.append(entropy(*(likeness / likeness.sum())))
    assert_allclose(soft_neighborhood_density(rows, temperature=0.3), np.mean(entropies))


def test_density_takes_embeddings_sparse_and_with_empty_rows():
    rows = np.maximum(np.random.default_rng(0).normal(size=(20, 3)), 0)
    rows[0] = 0
    dense = soft_neighborhood_density(rows)
    assert_allclose(soft_neighborhood_density(sparse.csr_array(rows)), dense)
    assert_allclose(soft_neighborhood_density(7 * rows), dense)


def test_rounded_rows_are_divided_by_their_sum():
    assert_allclose(prediction_entropy([[0.333, 0.333, 0.333]]), math.log(3))
    assert_allclose(corr_c(np.multiply(SURE, 0.9995)), 1)


# -- good against degenerate models -------------------------------------------------------------


def test_a_sure_model_has_less_entropy_than_a_torn_one():
    sure, torn = predictions([0.5, 0.5], sharpness=6), predictions([0.5, 0.5], sharpness=1)
    assert prediction_entropy(sure) < prediction_entropy(torn) - 0.2


@pytest.mark.parametrize("score", [info_max, batch_nuclear_norm, corr_c])
@pytest.mark.parametrize(
    "degenerate",
    [
        predictions([0.98, 0.01, 0.01], sharpness=9),
        predictions([0.3, 0.3, 0.4], sharpness=0.5),
        predictions([0.5, 0.5, 0.0]),
    ],
    ids=["collapsed", "unsure", "blind to a class"],
)
def test_a_good_model_beats_a_degenerate_one(score, degenerate):
    assert score(predictions([0.3, 0.3, 0.4])) > score(degenerate) + 0.05


def test_groups_are_denser_than_scattered_rows():
    rng = np.random.default_rng(0)
    grouped = np.eye(3)[np.arange(60) % 3] + 0.01 * rng.normal(size=(60, 3))
    assert soft_neighborhood_density(grouped) > soft_neighborhood_density(rng.normal(size=(60, 3)))


def test_shares_tell_the_true_model_where_classes_are_uneven():
    """Nine of ten target rows are of the first class; the other model evens them out."""
    true, even = predictions([0.9, 0.1], 6.0), predictions([0.5, 0.5], 6.0)
    assert info_max(true) < info_max(even)
    assert info_max(true, [0.9, 0.1]) > info_max(even, [0.9, 0.1])


# -- all of them --------------------------------------------------------------------------------


@pytest.mark.parametrize("score", SCORES)
def test_order_of_rows_and_kinds_of_input(score):
    proba = predictions([0.2, 0.3, 0.5], n_rows=50)
    expected = score(proba)
    assert isinstance(expected, float)
    assert_allclose(score(proba[::-1]), expected)
    assert_allclose(score(pd.DataFrame(proba, columns=["a", "b", "c"])), expected)
    assert_allclose(score(proba.tolist()), expected)
    assert_allclose(score(proba.astype(np.float32)), expected, rtol=1e-5)
    assert_allclose(score(proba.astype(np.float16)), expected, rtol=1e-2)


@pytest.mark.parametrize("score", SCORES)
def test_order_of_classes(score):
    proba, order = predictions([0.2, 0.3, 0.5], n_rows=50), [2, 0, 1]
    if score is with_shares:
        turned = info_max(proba[:, order], np.array([0.2, 0.3, 0.5])[order])
        assert_allclose(turned, score(proba))
        assert not np.isclose(score(proba[:, order]), score(proba))
    else:
        assert_allclose(score(proba[:, order]), score(proba))


@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("n_rows", [2, 40])
@pytest.mark.parametrize("sharpness", [0, 1, 30])
def test_ranges(n_classes, n_rows, sharpness):
    shares = np.full(n_classes, 1 / n_classes)
    proba, most, room = predictions(shares, sharpness, n_rows), math.log(n_classes), 1e-9
    assert -room <= prediction_entropy(proba) <= most + room
    assert -room <= info_max(proba) <= most + room
    assert info_max(proba, np.arange(n_classes) / np.arange(n_classes).sum()) <= most + room
    assert 0 < batch_nuclear_norm(proba) <= 1 + room
    assert 1 / math.sqrt(n_classes) - room <= corr_c(proba) <= 1 + room
    assert -room <= soft_neighborhood_density(proba) <= math.log(n_rows - 1) + room


@pytest.mark.parametrize("score", OF_PROBA)
@pytest.mark.parametrize(
    ("proba", "message"),
    [
        ([[0.5, 0.5, 0.1], [0.2, 0.3, 0.5]], "row 0 has smallest value 0.1 and sum 1.1. Pass"),
        ([[0.2, 0.3, 0.5], [1.2, 0.0, -0.2]], "row 1 has smallest value -0.2 and sum 1. Pass"),
        ([[0.2, 0.3, np.nan]], "contains NaN or infinity. Pass what predict_proba returns"),
        (np.empty((0, 3)), r"has shape \(0, 3\), but needs at least one row"),
        ([0.2, 0.3, 0.5], r"has shape \(3,\), but .* two columns. Pass"),
        ([[1.0], [1.0]], r"has shape \(2, 1\), but .* two columns. Pass"),
        ([["a", "b", "c"]], "must hold numbers: .* Pass what predict_proba returns"),
        (sparse.csr_array([[0.2, 0.3, 0.5]]), "must hold numbers: Sparse .* Pass"),
    ],
)
def test_bad_probabilities(score, proba, message):
    with pytest.raises(ValueError, match=f"^proba .*{message}"):
        score(proba)


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ([0.5, 0.2, 0.3], r"one share for each of the 2 columns of proba; got shape \(3,\)"),
        (0.5, r"got shape \(\)"),
        ([0.5, 0.6], "add up to 1"),
        ([1.5, -0.5], "probabilities >= 0"),
        ([np.nan, 1.0], "contains NaN"),
    ],
)
def test_bad_shares(shares, message):
    with pytest.raises(ValueError, match=f"^class_shares .*{message}"):
        info_max(SURE, shares)


def test_bad_input_of_the_density():
    with pytest.raises(ValueError, match="features_or_proba has one row"):
        soft_neighborhood_density([[1.0, 0.0]])
    with pytest.raises(ValueError, match="features_or_proba contains NaN"):
        soft_neighborhood_density([[1.0, 0.0], [np.nan, 0.0]])
    with pytest.raises(ValueError, match="temperature must be a positive number, got 0"):
        soft_neighborhood_density(SURE, temperature=0)


@pytest.mark.parametrize("score", SCORES)
def test_neither_rows_nor_random_state_are_touched(score):
    proba = predictions([0.2, 0.3, 0.5], n_rows=50)
    copy, before = proba.copy(), np.random.get_state()[1].copy()
    assert score(proba) == score(proba)
    assert (proba == copy).all()
    assert (np.random.get_state()[1] == before).all()
