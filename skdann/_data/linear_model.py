"""Logistic regression on a sample of rows: class predictions in a fraction of a network's time."""

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from skdann._data.moments import LARGEST_SCALED_VALUE, inverse_deviation
from skdann._hidden_warnings import hidden_warnings

# This many rows and values of a domain are enough.
_MOST_ROWS, _MOST_VALUES, _LEAST_ROWS = 5000, 5_000_000, 200
_ITERATIONS = 150


def drawn_rows(data, code=None):
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


def chosen_rows(X, rows):
    """Return rows of an array as a matrix."""
    chosen = X[rows]
    return chosen if sparse.issparse(chosen) else chosen.reshape(chosen.shape[0], -1)


def scaled(X, moments):
    """Return rows as `InputScaling` scales them: sparse ones are not shifted."""
    mean, deviation = (values.reshape(-1) for values in moments)
    factor = inverse_deviation(mean, deviation)
    if sparse.issparse(X):
        divided = sparse.csr_array(X.multiply(factor[None]))
        np.clip(divided.data, -LARGEST_SCALED_VALUE, LARGEST_SCALED_VALUE, out=divided.data)
        return divided
    return np.clip((X - mean) * factor, -LARGEST_SCALED_VALUE, LARGEST_SCALED_VALUE)


def fitted(X, y, weight=None):
    """Return a logistic regression."""
    with hidden_warnings(ConvergenceWarning):
        # Predictions of a fit that is nearly done are as good.
        return LogisticRegression(max_iter=_ITERATIONS).fit(X, y, sample_weight=weight)


def predicted_proba(model, X, rows, moments, n_classes):
    """Return class probabilities of rows of an array, by codes from 0 to ``n_classes - 1``.

    A few rows at a time, so that no scaled copy of all is made.
    """
    probabilities = np.zeros((len(rows), n_classes))
    for start in range(0, len(rows), _MOST_ROWS):
        at = slice(start, start + _MOST_ROWS)
        X_scaled = scaled(chosen_rows(X, rows[at]), moments)
        probabilities[at, model.classes_] = model.predict_proba(X_scaled)
    return probabilities
