"""Class shares of the target: by hand, and recovered from made shifts."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from skdann.metrics import estimate_class_shares

BOTH = pytest.mark.parametrize("method", ["bbse", "em"])


def blobs(shares, n_rows, seed, distance):
    """Return rows around one corner per class, and their classes."""
    rng = np.random.default_rng(seed)
    y = rng.choice(len(shares), size=n_rows, p=shares)
    return distance * np.eye(len(shares))[y] + rng.normal(size=(n_rows, len(shares))), y


def made_shift(source_shares, target_shares, n_rows=1500, distance=2.0):
    """Return what a classifier that knows the source alone says of held-out and target rows."""
    X, y = blobs(source_shares, n_rows, 0, distance)
    classifier = LogisticRegression().fit(X, y)
    X_held_out, y_held_out = blobs(source_shares, n_rows, 1, distance)
    X_target, _ = blobs(target_shares, n_rows, 2, distance)
    proba = classifier.predict_proba(X_target), classifier.predict_proba(X_held_out)
    return proba[0], y_held_out, proba[1]


# -- values by hand -----------------------------------------------------------------------------


def test_bbse_by_hand():
    """Mean predictions of class 0 are 0.8 and 0.2 in the two classes, and 0.35 in the target.

    The sum to be minimised is 2 (0.6 q + 0.2 - 0.35)^2 + 2 (1/4 + 1/2) (q - 1/2)^2.
    """
    proba_source = [[0.9, 0.1], [0.3, 0.7], [0.7, 0.3], [0.1, 0.9]]
    proba_target = [[0.5, 0.5], [0.2, 0.8]]
    q = (0.6 * 0.15 + 0.75 * 0.5) / (0.6**2 + 0.75)
    shares = estimate_class_shares(proba_target, [0, 1, 0, 1], proba_source)
    assert_allclose(shares, [q, 1 - q])


def test_em_by_hand():
    """Source shares 1/4 and 3/4, and 13 target rows (4/5, 1/5), 77 rows (1/5, 4/5).

    Shares of one half double the first class and take the second by 2/3. Rows of the first kind
    become 8/5 to 2/15, or (12/13, 1/13), those of the second 2/5 to 8/15, or (3/7, 4/7). Their mean
    is (12 + 33) / 90, one half again.
    """
    proba_target = np.repeat([[0.8, 0.2], [0.2, 0.8]], [13, 77], axis=0)
    y_source, proba_source = [0, 1, 1, 1], np.full((4, 2), 0.5)
    shares = estimate_class_shares(proba_target, y_source, proba_source, method="em")
    assert_allclose(shares, [0.5, 0.5], atol=1e-4)


def test_three_classes_equal_a_general_solver():
    proba_target, y_source, proba_source = made_shift([0.2, 0.3, 0.5], [0.7, 0.3, 0.0], n_rows=60)
    confusion = np.array([proba_source[y_source == k].mean(axis=0) for k in range(3)]).T
    source_shares = np.bincount(y_source) / 60

    def objective(q):
        residual = confusion @ q - proba_target.mean(axis=0)
        return residual @ residual + (1 / 60 + 1 / 60) * ((q - source_shares) ** 2).sum()

    expected = minimize(
        objective,
        source_shares,
        method="SLSQP",
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda q: q.sum() - 1},
        options={"ftol": 1e-14},
    ).x
    shares = estimate_class_shares(proba_target, y_source, proba_source)
    assert_allclose(shares, expected, atol=1e-5)


def test_bbse_shares_stay_in_the_simplex():
    """The target is surer of the first class than its own source rows are."""
    proba_source = np.repeat([[0.8, 0.2], [0.2, 0.8]], 500, axis=0)
    y_source = np.repeat([0, 1], 500)
    assert_array_equal(estimate_class_shares([[1.0, 0.0]] * 999, y_source, proba_source), [1, 0])


# -- made shifts --------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("source", "target"),
    [
        ([0.5, 0.5], [0.1, 0.9]),
        ([0.5, 0.5], [0.9, 0.1]),
        ([0.9, 0.1], [0.1, 0.9]),
        ([0.7, 0.3], [0.7, 0.3]),
        ([0.6, 0.3, 0.1], [0.1, 0.2, 0.7]),
        ([0.4, 0.3, 0.3], [0.6, 0.4, 0.0]),
    ],
)
def test_shares_are_recovered(method, source, target):
    shares = estimate_class_shares(*made_shift(source, target, distance=3.0), method=method)
    assert shares.shape == (len(source),)
    assert_allclose(shares.sum(), 1)
    assert shares.min() >= 0
    assert_allclose(shares, target, atol=0.05)


def test_estimates_are_nearer_than_the_mean_prediction_and_the_source():
    source, target = np.array([0.5, 0.5]), np.array([0.1, 0.9])
    arguments = made_shift(source, target, distance=1.0)
    counted = np.abs(arguments[0].mean(axis=0) - target).max()
    for method in ("bbse", "em"):
        shares = estimate_class_shares(*arguments, method=method)
        assert np.abs(shares - target).max() < 0.6 * counted


def test_bbse_forgives_an_uncalibrated_classifier_that_em_believes():
    """The classifier takes the odds of the first class for 19 times what they are."""
    proba_target, y_source, proba_source = made_shift([0.5, 0.5], [0.2, 0.8])
    lopsided = [[0.95, 0.05] * proba for proba in (proba_target, proba_source)]
    lopsided = [proba / proba.sum(axis=1, keepdims=True) for proba in lopsided]
    arguments = lopsided[0], y_source, lopsided[1]
    assert_allclose(estimate_class_shares(*arguments), [0.2, 0.8], atol=0.06)
    assert estimate_class_shares(*arguments, method="em")[0] > 0.4


@BOTH
def test_a_classifier_that_knows_nothing_leaves_the_source_shares(method):
    y_source, proba = [0, 0, 0, 0, 0, 0, 1, 1], np.tile([0.75, 0.25], (8, 1))
    assert_allclose(estimate_class_shares(proba, y_source, proba, method=method), [0.75, 0.25])


def test_few_rows_keep_shares_near_the_source():
    """Two target rows of the same class say little, two hundred say much."""
    proba_source, y_source = np.repeat([[0.9, 0.1], [0.1, 0.9]], 500, axis=0), [0] * 500 + [1] * 500
    few, many = (
        estimate_class_shares(np.repeat([[0.9, 0.1]], n_rows, axis=0), y_source, proba_source)
        for n_rows in (2, 200)
    )
    assert 0.5 < few[0] < 0.85
    assert many[0] > 0.98


# -- input --------------------------------------------------------------------------------------


@BOTH
def test_order_of_rows_and_kinds_of_input(method):
    proba_target, y_source, proba_source = made_shift([0.5, 0.3, 0.2], [0.1, 0.6, 0.3], n_rows=90)
    expected = estimate_class_shares(proba_target, y_source, proba_source, method=method)
    turned = proba_target[::-1], y_source[::-1], proba_source[::-1]
    assert_allclose(estimate_class_shares(*turned, method=method), expected)
    frames = pd.DataFrame(proba_target), pd.Series(y_source), pd.DataFrame(proba_source)
    assert_allclose(estimate_class_shares(*frames, method=method), expected)
    lists = proba_target.tolist(), y_source.tolist(), proba_source.tolist()
    assert_allclose(estimate_class_shares(*lists, method=method), expected)
    names = np.array(["ant", "bee", "cat"])
    named = proba_target, names[y_source], proba_source
    assert_allclose(estimate_class_shares(*named, classes=names, method=method), expected)


@BOTH
def test_columns_are_classes_in_sorted_order(method):
    proba_target, y_source, proba_source = made_shift([0.5, 0.5], [0.1, 0.9], n_rows=90)
    shares = estimate_class_shares(proba_target, y_source, proba_source, method=method)
    labels = np.array(["no", "yes"])[1 - y_source]
    turned = proba_target[:, ::-1], labels, proba_source[:, ::-1]
    assert_allclose(estimate_class_shares(*turned, method=method), shares[::-1])


@BOTH
def test_random_state_is_untouched(method):
    before = np.random.get_state()[1].copy()
    estimate_class_shares(*made_shift([0.5, 0.5], [0.1, 0.9], n_rows=50), method=method)
    assert (np.random.get_state()[1] == before).all()


SURE = [[1.0, 0.0], [0.0, 1.0]]


@BOTH
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"proba_target": [[0.5, 0.6]]}, "proba_target must hold probabilities .* row 0"),
        ({"proba_source": [[1.0, 0.0], [0.5, 0.4]]}, "proba_source must hold .* row 1"),
        ({"proba_target": []}, r"proba_target has shape \(0,\)"),
        ({"proba_target": [[0.2, 0.3, 0.5]]}, "proba_source has 2 columns, but proba_target has 3"),
        ({"y_source": [0, 1, 1]}, "y_source has 3 labels, but proba_source has 2 rows"),
        ({"y_source": [0, 0]}, r"there are 1 classes: \[0\]. Pass .* classes=classifier.classes_"),
        ({"y_source": [0.0, np.nan]}, "y_source contains NaN or None"),
        ({"y_source": ["a", None]}, "y_source contains NaN or None"),
        ({"y_source": [0, 0], "classes": [0, 1]}, r"No rows: \[1\]. Not in classes: \[\]"),
        ({"y_source": [0, 2], "classes": [0, 1]}, r"No rows: \[1\]. Not in classes: \[2\]"),
        ({"classes": [1, 0]}, r"classes must be sorted and without repetition, got \[1, 0\]"),
        ({"classes": [0, 1, 2]}, "proba_source has 2 columns, but there are 3 classes"),
    ],
)
def test_bad_input(method, changed, message):
    arguments = {"proba_target": SURE, "y_source": [0, 1], "proba_source": SURE} | changed
    with pytest.raises(ValueError, match=message):
        estimate_class_shares(**arguments, method=method)


def test_unknown_method():
    with pytest.raises(ValueError, match="method must be 'bbse' or 'em', got 'rlls'"):
        estimate_class_shares(SURE, [0, 1], SURE, method="rlls")
