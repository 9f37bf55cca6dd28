"""Distances between domains: exact values, and the order of nearer and further domains."""

import math

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skdann.metrics import (
    _distances,
    _domain_rows,
    coral_distance,
    maximum_mean_discrepancy,
    proxy_a_distance,
)

DISTANCES = [proxy_a_distance, maximum_mean_discrepancy, coral_distance]
EITHER_BLOCKS = pytest.mark.parametrize("block_values", [1, 100, 2**22])


@pytest.fixture
def domains():
    """Two samples of different size whose means and spreads differ."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 3)), 0.7 + 1.5 * rng.normal(size=(60, 3))


def naive_discrepancy(X_source, X_target, bandwidth):
    def mean_kernel(left, right):
        kernel = [
            math.exp(-sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) / (2 * bandwidth**2))
            for x in left
            for y in right
        ]
        return sum(kernel) / len(kernel)

    across = mean_kernel(X_source, X_target)
    return mean_kernel(X_source, X_source) + mean_kernel(X_target, X_target) - 2 * across


def naive_median(rows):
    distances = sorted(np.linalg.norm(x - y) for i, x in enumerate(rows) for y in rows[:i])
    return distances[len(distances) // 2]


# -- proxy A-distance ---------------------------------------------------------------------------


def test_domains_of_one_distribution_have_a_small_distance():
    rows = np.random.default_rng(0).normal(size=(4000, 3))
    assert 0 <= proxy_a_distance(rows[:2000], rows[2000:], random_state=0) < 0.1


@pytest.mark.parametrize("n_target", [20, 2000])
def test_separable_domains_have_distance_two(n_target):
    rng = np.random.default_rng(0)
    X_source, X_target = rng.uniform(size=(200, 2)), 9 + rng.uniform(size=(n_target, 2))
    assert proxy_a_distance(X_source, X_target, random_state=0) == 2


def test_each_domain_counts_for_half_of_the_error():
    """A tree calls zeros source, and ones target, as they are 10 source and 40 target rows."""
    X_source = np.repeat([[0.0], [1.0]], [90, 10], axis=0)
    X_target = np.repeat([[1.0]], 40, axis=0)
    tree = DecisionTreeClassifier()
    distance = proxy_a_distance(X_source, X_target, classifier=tree, random_state=0)
    # Wrong are 10 of 100 source rows and no target row: 2 (1 - 2 (0.1 + 0) / 2).
    assert_allclose(distance, 1.8)


def test_worse_than_chance_is_chance():
    """Without shuffling, each fold is predicted from rows that lie on the other side."""
    X_source, X_target = [[0.0], [10.0]], [[10.0], [0.0]]
    nearest = KNeighborsClassifier(1)
    halves = [([0, 2], [1, 3]), ([1, 3], [0, 2])]
    assert proxy_a_distance(X_source, X_target, classifier=nearest, cv=halves) == 0


def test_sizes_of_the_domains_do_not_matter():
    """Means one standard deviation apart: the best error is P(z > 1 / 2) = 0.309."""
    rng = np.random.default_rng(0)
    X_source = rng.normal(size=(6000, 1))
    for n_target in (6000, 600):
        X_target = 1 + rng.normal(size=(n_target, 1))
        distance = proxy_a_distance(X_source, X_target, random_state=0)
        assert_allclose(distance, 2 * (1 - 2 * 0.3085), atol=0.08)


def test_folds_follow_random_state_and_splitter(domains):
    X_source, X_target = domains
    values = {proxy_a_distance(X_source, X_target, random_state=seed) for seed in (0, 0, 1, 2, 3)}
    assert 1 < len(values) <= 4
    folds = KFold(4, shuffle=True, random_state=0)
    rows, domain = np.concatenate(domains), np.repeat([0, 1], [len(X_source), len(X_target)])
    logistic = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    wrong = cross_val_predict(logistic, rows, domain, cv=folds) != domain
    error = (wrong[domain == 0].mean() + wrong[domain == 1].mean()) / 2
    assert_allclose(proxy_a_distance(X_source, X_target, cv=folds), 2 - 4 * error)


def test_the_classifier_is_cloned(domains):
    classifier = LinearSVC(class_weight="balanced", random_state=0)
    assert 0 < proxy_a_distance(*domains, classifier=classifier, random_state=0) < 2
    assert not hasattr(classifier, "coef_")


def test_columns_are_standardised(domains):
    X_source, X_target = domains[0], domains[1] + np.array([0.0, 0.0, 10.0])
    scale, offset = np.array([1e-6, 1.0, 1e6]), np.array([0.0, -1e3, 1e9])
    moved = X_source * scale + offset, X_target * scale + offset
    scaled = proxy_a_distance(*moved, random_state=0)
    assert scaled == proxy_a_distance(X_source, X_target, random_state=0)


@pytest.mark.parametrize("cv", [1, 3])
def test_folds_need_rows_of_both_domains(cv):
    with pytest.raises(ValueError, match=rf"cv={cv} must be at least 2 .* X_target 2\. Pass"):
        proxy_a_distance(np.eye(4), np.eye(4)[:2], cv=cv)


# -- maximum mean discrepancy -------------------------------------------------------------------


def test_discrepancy_by_hand():
    """Source 0 and 2, target 4, bandwidth 1.

    Within the source, pairs are at distances 0, 2, 2, 0, and across at 4 and 2.
    """
    near, far = math.exp(-4 / 2), math.exp(-16 / 2)
    expected = (2 + 2 * near) / 4 + 1 - 2 * (far + near) / 2
    value = maximum_mean_discrepancy([[0], [2]], [[4]], bandwidth=1)
    assert_allclose(value, expected)


@EITHER_BLOCKS
@pytest.mark.parametrize("offset", [0, 1e6])
def test_discrepancy_equals_a_double_loop(domains, block_values, offset, monkeypatch):
    monkeypatch.setattr(_domain_rows, "_BLOCK_VALUES", block_values)
    X_source, X_target = (rows + offset for rows in domains)
    for bandwidth in (0.5, None):
        expected = naive_discrepancy(*domains, bandwidth or naive_median(np.concatenate(domains)))
        value = maximum_mean_discrepancy(X_source, X_target, bandwidth=bandwidth)
        assert_allclose(value, expected, rtol=1e-7)


@EITHER_BLOCKS
@pytest.mark.parametrize("n_rows", [2, 3, 4, 5, 41, 42])
def test_bandwidth_is_the_median_distance(n_rows, block_values, monkeypatch):
    monkeypatch.setattr(_domain_rows, "_BLOCK_VALUES", block_values)
    rows = np.random.default_rng(n_rows).normal(size=(n_rows, 2)) ** 3
    assert_allclose(_distances._typical_distance(rows), naive_median(rows), rtol=1e-6)


@EITHER_BLOCKS
def test_bandwidth_where_most_rows_are_equal(block_values, monkeypatch):
    """Of six pairs, three are at distance 0 and three at 2: the upper of the middle ones is 2.

    With a fifth row, six of ten pairs are at distance 0: sqrt(4 * 4 / 10).
    """
    monkeypatch.setattr(_domain_rows, "_BLOCK_VALUES", block_values)
    four, five = np.array([[0.0], [0], [0], [2]]), np.array([[0.0], [0], [0], [0], [2]])
    assert_allclose(_distances._typical_distance(four), 2)
    assert_allclose(_distances._typical_distance(five), math.sqrt(4 * 4 / 10))


@pytest.mark.parametrize("value", [0.0, 0.1, -1e9])
def test_collapsed_rows_are_in_the_same_place(value):
    rows = np.full((7, 3), value)
    assert maximum_mean_discrepancy(rows, rows[:4]) == 0
    assert_allclose(_distances._typical_distance(rows), 1)


def test_collapsed_sparse_rows_are_equal_but_for_rounding():
    row = np.random.default_rng(0).normal(size=(1, 200)) + 10
    rows = sparse.csr_array(np.repeat(row, 60, axis=0))
    assert_allclose(maximum_mean_discrepancy(rows, rows[:31]), 0, atol=1e-9)


def test_further_shift_larger_discrepancy():
    rng = np.random.default_rng(0)
    X_source, X_target = rng.normal(size=(2, 200, 2))
    values = [
        maximum_mean_discrepancy(X_source, X_target + shift, bandwidth=1) for shift in range(4)
    ]
    assert values == sorted(values)
    assert values[0] < 0.02
    assert values[-1] > 0.6


def test_discrepancy_sees_a_spread_that_means_do_not():
    rng = np.random.default_rng(0)
    X_source, same, wide = rng.normal(size=(3, 300, 1)) * [[[1]], [[1]], [[3]]]
    near = maximum_mean_discrepancy(X_source, same)
    assert maximum_mean_discrepancy(X_source, wide) > 10 * near


@pytest.mark.parametrize("bandwidth", [0, -1.0, math.inf, math.nan, "wide"])
def test_bandwidth_must_be_positive(bandwidth):
    with pytest.raises(ValueError, match="bandwidth must be a positive number, got"):
        maximum_mean_discrepancy([[0]], [[1]], bandwidth=bandwidth)


# -- CORAL --------------------------------------------------------------------------------------


def test_coral_by_hand():
    """Covariances [[2, 2], [2, 2]] and [[2, -4], [-4, 8]]: differences 0, 6, 6 and -6."""
    value = coral_distance([[0, 0], [2, 2]], [[0, 0], [2, -4]])
    assert_allclose(value, (0 + 36 + 36 + 36) / (4 * 2**2))


def test_coral_is_blind_to_means_and_sees_spreads(domains):
    X_source = domains[0]
    assert_allclose(coral_distance(X_source, X_source + 100), 0, atol=1e-20)
    assert coral_distance(X_source, 2 * X_source) < coral_distance(X_source, 3 * X_source)


@pytest.mark.parametrize("argument", ["X_source", "X_target"])
def test_a_covariance_needs_two_rows(argument):
    rows = {"X_source": np.eye(2), "X_target": np.eye(2), argument: np.eye(2)[:1]}
    with pytest.raises(ValueError, match=f"{argument} has one row"):
        coral_distance(**rows)


# -- all of them --------------------------------------------------------------------------------


@pytest.mark.parametrize("distance", DISTANCES)
def test_kinds_of_input_and_order_of_rows(distance, domains):
    seeded = {"random_state": 0} if distance is proxy_a_distance else {}
    X_source, X_target = (rows.round(1) for rows in domains)
    expected = distance(X_source, X_target, **seeded)
    assert isinstance(expected, float)
    frames = [pd.DataFrame(rows, columns=list("abc")) for rows in (X_source, X_target)]
    assert_allclose(distance(*frames, **seeded), expected)
    assert_allclose(distance(X_source.tolist(), X_target.tolist(), **seeded), expected)
    as_sparse = distance(sparse.csc_matrix(X_source), sparse.csr_array(X_target), **seeded)
    half_sparse = distance(X_source, sparse.coo_array(X_target), **seeded)
    assert as_sparse == half_sparse
    # Folds follow the order of rows, and sparse rows another scaler.
    tolerance = 0.2 if seeded else 1e-9
    assert_allclose(as_sparse, expected, atol=tolerance)
    assert_allclose(distance(X_source[::-1], X_target[::-1], **seeded), expected, atol=tolerance)


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_domains_can_change_places(distance, domains):
    seeded = {"random_state": 0, "cv": 20} if distance is proxy_a_distance else {}
    there, back = distance(*domains, **seeded), distance(*domains[::-1], **seeded)
    assert_allclose(there, back, atol=0.15 if seeded else 1e-12)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("argument", ["X_source", "X_target"])
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.empty((0, 2)), "has no rows"),
        ([[1.0, np.nan]] * 9, "contains NaN or infinity. Impute"),
        (sparse.csr_array([[1.0, np.inf]] * 9), "contains NaN or infinity. Impute"),
        ([1.0, 2.0], r"must have two dimensions.* has 1\. Reshape"),
        (np.zeros((9, 3, 8, 8)), r"must have .* has 4\. Reshape .* flatten images"),
        ([["a", "b"]] * 9, "must hold numbers: could not convert string"),
    ],
)
def test_bad_rows(distance, argument, rows, message):
    good = np.arange(18.0).reshape(9, 2)
    with pytest.raises(ValueError, match=f"^{argument} {message}"):
        distance(**{"X_source": good, "X_target": good, argument: rows})


@pytest.mark.parametrize("distance", DISTANCES)
def test_domains_need_the_same_columns(distance):
    with pytest.raises(ValueError, match="X_target has 3 columns, but X_source has 2"):
        distance(np.ones((9, 2)), np.ones((9, 3)))
    frame = pd.DataFrame(np.ones((9, 2)), columns=["a", "b"])
    with pytest.raises(ValueError, match=r"another order\. Pass X_target\[X_source\.columns\]"):
        distance(frame, frame[["b", "a"]])
    with pytest.raises(ValueError, match=r"X_target lacks 1 columns of X_source: \['b'\]"):
        distance(frame, frame.rename(columns={"b": "c"}))


@pytest.mark.parametrize("distance", DISTANCES)
def test_neither_rows_nor_random_state_are_touched(distance, domains):
    seeded = {"random_state": 0} if distance is proxy_a_distance else {}
    copies = [rows.copy() for rows in domains]
    np.random.seed(0)
    before = np.random.get_state()[1].copy(), np.random.get_state()[2]
    first, again = (distance(*domains, **seeded) for _ in range(2))
    assert first == again
    assert np.random.get_state()[2] == before[1]
    assert (np.random.get_state()[1] == before[0]).all()
    for rows, copy in zip(domains, copies, strict=True):
        assert (rows == copy).all()
