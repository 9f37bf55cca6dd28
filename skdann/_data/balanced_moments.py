"""Balanced moments: mean and deviation of a target, as if its classes were as frequent as the
source's.

A domain scaled by its own mean and deviation loses what the domains differ in, and with it a
difference in class shares, which is no drift. Here target rows are weighed so that their predicted
classes have the source's shares, and only what is left counts as drift.
"""

import warnings

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from skdann._data.moments import LARGEST_SCALED_VALUE, column_moments, inverse_deviation, pooled
from skdann._data.record import at_rows

# A logistic regression predicts the classes; this many rows and values of a domain are enough.
_MOST_ROWS, _MOST_VALUES, _LEAST_ROWS = 5000, 5_000_000, 200
_ITERATIONS = 150

# The first prediction is made behind the statistics of both domains. Each round predicts anew.
_ROUNDS = 2

# A row's weight is bounded: a class that is hardly predicted must not hang on a few rows.
_LEAST_SHARE, _LARGEST_WEIGHT = 0.02, 20.0


def balanced_moments(data, code=None):
    """Return mean and deviation of target rows, weighed to the class shares of the source.

    Parameters
    ----------
    data : TrainingData
        With target rows.
    code : int, default=None
        Of the target domain; None for the rows of all.

    Returns
    -------
    mean, deviation : float64 ndarray of shape row_shape
    """
    source_at, target_at = _drawn_rows(data, code)
    y, weight = data.y_source[source_at], None
    if data.domain_weight is not None:
        weight = data.domain_weight[source_at]
        source_at, y, weight = source_at[weight > 0], y[weight > 0], weight[weight > 0]
    source_rows = at_rows(data.source_rows, source_at)
    target_rows = at_rows(data.target_rows, target_at)
    of_source = column_moments(data.X_source, source_rows, weight)
    of_target = column_moments(data.X_target, target_rows)
    shares = np.bincount(y, weight) / (len(y) if weight is None else weight.sum())
    shares = shares[shares > 0]
    if len(shares) < 2:
        return of_target
    X_source, X_target = _rows(data.X_source, source_rows), _rows(data.X_target, target_rows)

    def classifier(moments):
        return _logistic_regression(_scaled(X_source, moments), y, weight)

    of_both = pooled(of_source, of_target)
    probabilities = classifier(of_both).predict_proba(_scaled(X_target, of_both))
    by_source = classifier(of_source)
    moments = of_target
    for _ in range(_ROUNDS):
        row_weight = _row_weights(probabilities, shares)
        moments = column_moments(data.X_target, target_rows, row_weight)
        probabilities = by_source.predict_proba(_scaled(X_target, moments))
    return moments


def _drawn_rows(data, code):
    """Return positions of source and target rows, at random where there are more than needed."""
    n_columns = int(np.prod(data.row_shape))
    if sparse.issparse(data.X_source):
        n_columns = max(1, data.X_source.nnz // data.X_source.shape[0])
    most = min(_MOST_ROWS, max(_LEAST_ROWS, _MOST_VALUES // n_columns))
    target = np.arange(len(data.target_domain))
    if code is not None:
        target = target[data.target_domain == code]
    generator = np.random.default_rng(0)
    return [
        rows if len(rows) <= most else np.sort(generator.permutation(rows)[:most])
        for rows in (np.arange(len(data.y_source)), target)
    ]


def _rows(X, rows):
    chosen = X[rows]
    return chosen if sparse.issparse(chosen) else chosen.reshape(len(rows), -1)


def _scaled(X, moments):
    """Return rows as `InputScaling` scales them: sparse ones are not shifted."""
    mean, deviation = (values.reshape(-1) for values in moments)
    factor = inverse_deviation(mean, deviation)
    if sparse.issparse(X):
        scaled = X.multiply(factor[None]).tocsr()
        np.clip(scaled.data, -LARGEST_SCALED_VALUE, LARGEST_SCALED_VALUE, out=scaled.data)
        return scaled
    return np.clip((X - mean) * factor, -LARGEST_SCALED_VALUE, LARGEST_SCALED_VALUE)


def _logistic_regression(X, y, weight):
    with warnings.catch_warnings():
        # Predictions of a fit that is nearly done are as good.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(max_iter=_ITERATIONS).fit(X, y, sample_weight=weight)


def _row_weights(probabilities, shares):
    """Return weights with which the predicted classes have these shares."""
    predicted = np.maximum(probabilities.mean(axis=0), _LEAST_SHARE)
    return np.minimum(probabilities @ (shares / predicted), _LARGEST_WEIGHT)
