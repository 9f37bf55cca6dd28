"""Balanced scaling: a drift is undone, a difference in class shares is not taken for one."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from skdann import DANNClassifier
from skdann._data.balanced_moments import balanced_moments
from skdann._data.inputs import read_training_data
from skdann._data.moments import column_moments

CENTRES = np.array([[-2.0, 0.0, 1.0], [2.0, 1.0, 1.0]])


def rows(counts, seed):
    """Return rows of two separate classes with these counts."""
    y = np.repeat([0, 1], counts)
    return np.random.default_rng(seed).normal(size=(len(y), 3)) * 0.5 + CENTRES[y], y


def data_of(X, y, X_tgt, sample_weight=None):
    return read_training_data(
        X, y, X_tgt, sample_weight, class_weight=None, estimator=DANNClassifier()
    )


def difference(moments, others):
    return max(np.abs(a - b).max() for a, b in zip(moments, others, strict=True))


@pytest.mark.parametrize("counts", [(300, 300), (500, 100), (60, 540)])
def test_other_class_shares_are_no_drift(counts):
    X, y = rows((300, 300), 0)
    X_tgt, _ = rows(counts, 1)
    got = balanced_moments(data_of(X, y, X_tgt))
    assert difference(got, column_moments(X)) < 0.3
    if counts[0] != counts[1]:  # while its own moments would be far from the source's
        assert difference(column_moments(X_tgt), column_moments(X)) > 0.8


@pytest.mark.parametrize("counts", [(300, 300), (450, 150)])
def test_a_drift_is_undone_whatever_the_shares(counts):
    X, y = rows((300, 300), 0)
    X_tgt, y_tgt = rows(counts, 1)
    factor, offset = np.array([2.0, 1.0, 0.5]), np.array([1.0, -2.0, 0.0])
    mean, deviation = balanced_moments(data_of(X, y, X_tgt * factor + offset))
    wanted = column_moments(X)
    assert difference(((mean - offset) / factor, deviation / factor), wanted) < 0.2
    drifted = DANNClassifier(
        input_scaling="balanced", lambda_max=0.0, max_epochs=20, lr=0.01, random_state=0
    ).fit(X, y, X_tgt * factor + offset)
    assert drifted.score(X_tgt * factor + offset, y_tgt) > 0.95


def test_source_rows_are_scaled_by_the_source():
    X, y = rows((300, 300), 0)
    X_tgt, _ = rows((500, 100), 1)
    scaling = (
        DANNClassifier(input_scaling="balanced", lambda_max=0.0, max_epochs=1)
        .fit(X, y, X_tgt + 3)
        .module_.input_scaling
    )
    np.testing.assert_allclose(scaling.shift[0], X.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(1 / scaling.factor[0], X.std(axis=0), rtol=1e-4)
    assert (scaling.shift[1] - scaling.shift[0] > 1).all()


def test_each_target_domain_is_balanced_by_itself():
    X, y = rows((300, 300), 0)
    first, second = rows((250, 50), 1)[0], rows((50, 250), 2)[0] + 1
    data = data_of(X, y, (first, second))
    mean_first, mean_second = (balanced_moments(data, code)[0] for code in (1, 2))
    assert np.abs(mean_first - X.mean(axis=0)).max() < 0.2
    assert np.abs(mean_second - 1 - X.mean(axis=0)).max() < 0.4


def test_weights_of_source_rows_change_the_shares_to_restore():
    X, y = rows((300, 300), 0)
    X_tgt, _ = rows((300, 300), 1)
    weight = np.where(y == 0, 9.0, 1.0)
    mean, _ = balanced_moments(data_of(X, y, X_tgt, weight))
    wanted, _ = column_moments(X, weight=weight)
    assert np.abs(mean - wanted).max() < 0.4
    even, _ = balanced_moments(data_of(X, y, X_tgt))
    assert np.abs(even - wanted).max() > 1.2


def test_rows_of_weight_zero_do_not_count():
    X, y = rows((300, 300), 0)
    X_tgt, _ = rows((300, 300), 1)
    X[y == 0] += 100 * (np.arange(300) % 2)[:, None]  # every other row of class 0 is absurd
    weight = np.where(X[:, 0] > 50, 0.0, 1.0)
    mean, _ = balanced_moments(data_of(X, y, X_tgt, weight))
    assert np.abs(mean).max() < 3


def test_with_a_single_class_that_counts_the_targets_own_moments_are_taken():
    X, y = rows((300, 300), 0)
    X_tgt, _ = rows((100, 100), 1)
    data = replace(data_of(X, y, X_tgt), domain_weight=(2.0 * (y == 0)).astype(np.float32))
    assert difference(balanced_moments(data), column_moments(X_tgt.astype(np.float32))) < 1e-5


def test_it_is_bounded_where_a_class_is_missing_in_the_target():
    X, y = rows((300, 300), 0)
    X_tgt, _ = rows((300, 0), 1)
    mean, deviation = balanced_moments(data_of(X, y, X_tgt))
    assert np.isfinite(mean).all() and np.abs(mean).max() < 4 and (deviation < 4).all()


def test_sparse_rows_are_divided_only():
    rng = np.random.default_rng(0)
    X = sparse.random(200, 30, 0.2, "csr", random_state=0, dtype=np.float32)
    X_tgt = 2 * sparse.random(100, 30, 0.2, "csr", random_state=1, dtype=np.float32)
    y = rng.integers(0, 2, 200)
    fitted = DANNClassifier(input_scaling="balanced", lambda_max=0.0, max_epochs=1).fit(X, y, X_tgt)
    assert not fitted.module_.input_scaling.shift.any()
    ratio = fitted.module_.input_scaling.factor[0] / fitted.module_.input_scaling.factor[1]
    assert 1.5 < float(ratio.median()) < 2.5


def test_the_same_rows_give_the_same_moments():
    X, y = rows((4000, 4000), 0)  # more than are used: the drawing is fixed
    X_tgt, _ = rows((4000, 2000), 1)
    one, other = (balanced_moments(data_of(X, y, X_tgt)) for _ in range(2))
    assert difference(one, other) == 0
    assert difference(one, column_moments(X)) < 0.15
