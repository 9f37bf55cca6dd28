"""Weights of source rows, and what they say about target rows."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse, stats
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skdann.metrics import (
    WeightedScore,
    deep_embedded_validation,
    density_ratio_weights,
    effective_sample_size,
    importance_weighted_accuracy,
)


class KnowsTheRowsItSaw(ClassifierMixin, BaseEstimator):
    """Is sure of the domain of rows it was fitted on, and calls others even."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.seen_ = set(X[:, 0].tolist())
        return self

    def predict(self, X):
        raise NotImplementedError

    def predict_proba(self, X):
        seen = np.array([value in self.seen_ for value in X[:, 0].tolist()])
        return np.where(seen[:, np.newaxis], [0.99, 0.01], [0.5, 0.5])


@pytest.fixture
def shifted():
    """Source N(0, 1), three times as many rows as target N(1, 1): the ratio is exp(x - 1 / 2)."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(6000, 1)), 1 + rng.normal(size=(2000, 1))


# -- density ratios -----------------------------------------------------------------------------


def test_ratio_by_hand_of_domains_of_different_size():
    """Ones are 2 of 8 source and 3 of 4 target rows: (3/4) / (2/8) = 3; zeros (1/4) / (6/8)."""
    X_source, X_target = np.repeat([[0], [1]], [6, 2], axis=0), [[0], [1], [1], [1]]
    tree = DecisionTreeClassifier()
    weights = density_ratio_weights(
        X_source, X_target, [[0], [1]], classifier=tree, normalize=False
    )
    assert_allclose(weights, [1 / 3, 3])
    normalised = density_ratio_weights(X_source, X_target, [[0], [1]], classifier=tree)
    assert_allclose(normalised, [0.2, 1.8])  # The mean of 1/3 and 3 is 5/3.


def test_ratio_of_two_gaussians(shifted):
    X_source, X_target = shifted
    expected = np.exp(X_source[:, 0] - 0.5)
    weights = density_ratio_weights(X_source, X_target, clip=None, normalize=False, random_state=0)
    assert weights.shape == (6000,)
    assert_allclose(np.log(weights), np.log(expected), atol=0.4)
    assert_allclose(weights.mean(), 1, atol=0.1)
    fresh = density_ratio_weights(X_source, X_target, [[-1], [0.5], [2]], normalize=False)
    assert_allclose(fresh, np.exp([-1.5, 0, 1.5]), rtol=0.15)


def test_weights_have_mean_one_and_carry_the_source_over(shifted):
    X_source, X_target = shifted
    weights = density_ratio_weights(X_source, X_target, random_state=0)
    assert_allclose(weights.mean(), 1)
    assert_allclose(weights @ X_source / len(X_source), X_target.mean(axis=0), atol=0.12)


def test_a_row_is_not_weighed_by_a_classifier_that_saw_it():
    X_source, X_target = np.arange(20.0)[:, None], np.arange(100.0, 120.0)[:, None]
    settings = {"classifier": KnowsTheRowsItSaw(), "normalize": False, "random_state": 0}
    assert_allclose(density_ratio_weights(X_source, X_target, **settings), 1)
    seen = density_ratio_weights(X_source, X_target, X_source, **settings)
    assert_allclose(seen, 1 / 99)


def test_weights_stay_in_the_order_of_the_rows(shifted):
    X_source, X_target = (rows[:500] for rows in shifted)
    weights = density_ratio_weights(X_source, X_target, random_state=0)
    assert stats.spearmanr(weights, X_source[:, 0]).statistic > 0.95
    fresh = density_ratio_weights(X_source, X_target, X_source[::-1])
    assert_allclose(fresh[::-1], density_ratio_weights(X_source, X_target, X_source))


def test_ratios_are_clipped_before_they_are_normalised():
    """Ratios 1/3 and 3, as above: 3 becomes 1."""
    X_source, X_target = [[0], [0], [0], [1]], [[0], [1], [1], [1]]
    settings = {"X": [[0], [1]], "classifier": DecisionTreeClassifier(), "clip": 1.0}
    weights = density_ratio_weights(X_source, X_target, **settings, normalize=False)
    assert_allclose(weights, [1 / 3, 1])
    assert_allclose(density_ratio_weights(X_source, X_target, **settings), [0.5, 1.5])


def test_a_row_that_is_surely_target_has_the_largest_weight():
    settings = {"classifier": DecisionTreeClassifier(), "normalize": False}
    domains = [[0], [0], [1]], [[0], [2], [2]]
    # Zeros are 2 of 3 source and 1 of 3 target rows.
    assert_allclose(density_ratio_weights(*domains, [[0], [2]], **settings), [0.5, 10])
    free = density_ratio_weights(*domains, [[0], [2]], clip=None, **settings)
    assert 1e10 < free[1] < np.inf


def test_kinds_of_input(shifted):
    X_source, X_target = (np.column_stack([rows[:99], rows[:99] ** 2]) for rows in shifted)
    expected = density_ratio_weights(X_source, X_target, random_state=0)
    frames = pd.DataFrame(X_source, columns=["a", "b"]), pd.DataFrame(X_target, columns=["a", "b"])
    assert_array_equal(density_ratio_weights(*frames, random_state=0), expected)
    as_sparse = density_ratio_weights(
        sparse.csr_matrix(X_source), sparse.csc_array(X_target), random_state=0
    )
    assert np.corrcoef(as_sparse, expected)[0, 1] > 0.95
    fresh = density_ratio_weights(X_source, X_target, sparse.csr_array(X_source))
    assert np.corrcoef(fresh, expected)[0, 1] > 0.95


def test_columns_are_standardised(shifted):
    X_source, X_target = (rows[:300] for rows in shifted)
    expected = density_ratio_weights(X_source, X_target, random_state=0)
    scaled = density_ratio_weights(1e6 * X_source, 1e6 * X_target, random_state=0)
    assert_allclose(scaled, expected, rtol=1e-4)


def test_only_random_state_none_draws_from_the_process(shifted):
    X_source, X_target = (rows[:50] for rows in shifted)
    np.random.seed(0)
    before = np.random.get_state()[2]
    first, again = (density_ratio_weights(X_source, X_target, random_state=1) for _ in range(2))
    assert_array_equal(first, again)
    assert np.random.get_state()[2] == before
    assert not np.array_equal(first, density_ratio_weights(X_source, X_target, random_state=2))


def test_the_classifier_is_cloned(shifted):
    classifier = LogisticRegression()
    for X in (None, [[0.0]]):
        density_ratio_weights(*shifted, X, classifier=classifier)
    assert not hasattr(classifier, "coef_")


def test_domains_without_overlap():
    tree, domains = DecisionTreeClassifier(), (np.zeros((5, 1)), np.ones((5, 1)))
    with pytest.raises(ValueError, match=r"X_source and X_target do not overlap: .* embedding"):
        density_ratio_weights(*domains, classifier=tree)


@pytest.mark.parametrize("clip", [0, -1, np.nan, "10"])
def test_clip_must_be_positive(clip):
    with pytest.raises(ValueError, match="clip must be a positive number, got"):
        density_ratio_weights(np.eye(5), np.eye(5), clip=clip)


def test_bad_rows_folds_and_classifiers():
    rows = np.arange(10.0).reshape(5, 2)
    with pytest.raises(ValueError, match="X_target has no rows"):
        density_ratio_weights(rows, rows[:0])
    with pytest.raises(ValueError, match="X contains NaN"):
        density_ratio_weights(rows, rows, rows * np.nan)
    with pytest.raises(ValueError, match="X has 1 columns, but X_source has 2"):
        density_ratio_weights(rows, rows, rows[:, :1])
    with pytest.raises(ValueError, match=r"cv=6 must be .* X_source has 5 rows and X_target 3"):
        density_ratio_weights(rows, rows[:3], cv=6)
    with pytest.raises(ValueError, match=r"classifier must have predict_proba, but LinearSVC\(\)"):
        density_ratio_weights(rows, rows, classifier=LinearSVC())


def test_new_rows_need_no_folds():
    even = DummyClassifier()
    assert_array_equal(density_ratio_weights([[0]], [[1]], [[0], [1]], classifier=even), 1)


# -- effective sample size ----------------------------------------------------------------------


def test_effective_sample_size_by_hand():
    assert_allclose(effective_sample_size([3, 1, 0]), (3 + 1) ** 2 / (9 + 1))
    assert_allclose(effective_sample_size(np.full(7, 0.1)), 7)
    assert_allclose(effective_sample_size(pd.Series([0, 0, 5])), 1)
    assert_allclose(effective_sample_size([1e-200, 1e-200]), 2)
    assert_allclose(effective_sample_size([1e200, 1e200]), 2)


# -- importance-weighted accuracy ---------------------------------------------------------------


def test_weighted_accuracy_by_hand():
    result = importance_weighted_accuracy(["a", "b", "b"], ["a", "a", "b"], [1, 5, 2])
    assert isinstance(result, WeightedScore)
    assert_allclose(result.score, (1 + 2) / (1 + 5 + 2))
    assert_allclose(result.effective_sample_size, 8**2 / (1 + 25 + 4))
    order = [2, 0, 1]
    turned = importance_weighted_accuracy(
        np.array(["a", "b", "b"])[order],
        np.array(["a", "a", "b"])[order],
        np.array([1, 5, 2])[order],
    )
    assert_allclose(turned, result)


def test_weighted_accuracy_approaches_that_of_the_target():
    """Covariate shift: a model that is right for small x alone loses where the target is."""
    rng = np.random.default_rng(0)
    X_source, X_target = rng.normal(size=(20_000, 1)), 1 + rng.normal(size=(20_000, 1))
    weights = density_ratio_weights(X_source, X_target, clip=100, random_state=0)
    right = np.ones(len(X_source))
    on_source = importance_weighted_accuracy(X_source[:, 0] < 0.5, right, np.ones(len(right)))
    on_target = importance_weighted_accuracy(X_source[:, 0] < 0.5, right, weights)
    assert_allclose(on_source.score, stats.norm.cdf(0.5), atol=0.02)
    assert_allclose(on_target.score, stats.norm.cdf(-0.5), atol=0.03)
    # The mean of squared ratios is e: a row in e counts.
    assert_allclose(on_target.effective_sample_size, 20_000 / np.e, rtol=0.15)


def test_weights_turn_the_order_of_two_models():
    """One model is right on 8 of 10 source rows, the other on the 2 that look like the target."""
    y, weights = np.ones(10), np.repeat([0.1, 5.0], [8, 2])
    for_source, for_target = np.repeat([1, 0], [8, 2]), np.repeat([0, 1], [8, 2])
    assert importance_weighted_accuracy(y, for_source, weights).score < 0.1
    assert importance_weighted_accuracy(y, for_target, weights).score > 0.9


# -- deep embedded validation -------------------------------------------------------------------


def test_risk_by_hand():
    """Weighted losses 2, 0 and 1 have mean 1, weights 2, 1 and 1 mean 4/3.

    Deviations are 1, -1, 0 and 2/3, -1/3, -1/3: eta is -(2/3 + 1/3) / (4/9 + 1/9 + 1/9) = -1.5.
    """
    expected = 1 - 1.5 * 4 / 3 + 1.5
    assert_allclose(deep_embedded_validation([1, 0, 1], [2, 1, 1]), expected)
    assert_allclose(deep_embedded_validation([0, 1, 1], [1, 2, 1]), expected)


def test_equal_weights_have_no_correction():
    assert_allclose(deep_embedded_validation([1, 0, 2], [0.1, 0.1, 0.1]), 0.1)
    assert_allclose(deep_embedded_validation([3], [2]), 6)


def test_weights_of_mean_one_give_the_weighted_mean():
    losses, weights = [0, 1, 2], [0.5, 0.5, 2.0]
    assert_allclose(deep_embedded_validation(losses, weights), (0 + 0.5 + 4) / 3)


def test_the_correction_lowers_the_variance():
    """True weights exp(x - 1/2) of x in N(0, 1), and a loss with mean P(x > 0) in the target."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 200))
    weights, losses = np.exp(x - 0.5), (x > 0).astype(float)
    plain = (weights * losses).mean(axis=1)
    pairs = zip(losses, weights, strict=True)
    corrected = np.array([deep_embedded_validation(*pair) for pair in pairs])
    assert corrected.std() < 0.5 * plain.std()
    assert_allclose(corrected.mean(), stats.norm.cdf(1), atol=0.02)


def test_the_better_model_has_the_lower_risk(shifted):
    X_source, X_target = shifted
    weights = density_ratio_weights(X_source, X_target, normalize=False, random_state=0)
    loses_left, loses_right = (X_source[:, 0] < 0.5) * 1.0, (X_source[:, 0] > 0.5) * 1.0
    low = deep_embedded_validation(loses_left, weights)
    high = deep_embedded_validation(loses_right, weights)
    assert_allclose([low, high], stats.norm.cdf([-0.5, 0.5]), atol=0.05)


# -- bad input ----------------------------------------------------------------------------------

ESTIMATES = [
    effective_sample_size,
    lambda weights: importance_weighted_accuracy([0, 1], [0, 1], weights),
    lambda weights: deep_embedded_validation([0, 1], weights),
]


@pytest.mark.parametrize("estimate", ESTIMATES)
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([], r"must be one number for each row, of at least one row; got shape \(0,\)"),
        ([[1.0, 2.0]], r"must be one number for each row.* got shape \(1, 2\)"),
        (["a", "b"], "must hold numbers: could not convert string"),
        ([1.0, np.nan], "contains NaN or infinity"),
        ([1.0, -2.0], "has 1 negative values, the first in row 1; weights must be >= 0"),
        ([0.0, 0.0], "is zero for every row"),
    ],
)
def test_bad_weights(estimate, weights, message):
    with pytest.raises(ValueError, match=f"^weights {message}"):
        estimate(weights)


def test_lengths_that_differ():
    with pytest.raises(ValueError, match="y_pred has 2 rows, but weights has 3"):
        importance_weighted_accuracy([0, 1, 1], [0, 1], [1, 1, 1])
    with pytest.raises(ValueError, match="y_true has 3 rows, but weights has 2"):
        importance_weighted_accuracy([0, 1, 1], [0, 1], [1, 1])
    with pytest.raises(ValueError, match="losses has 1 rows, but weights has 2"):
        deep_embedded_validation([0], [1, 1])


def test_bad_losses():
    with pytest.raises(ValueError, match="losses contains NaN or infinity"):
        deep_embedded_validation([0, np.inf], [1, 1])
