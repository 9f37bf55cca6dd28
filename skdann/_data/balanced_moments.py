"""Balanced moments: mean and deviation of a target, with the class shares of the source.

A domain scaled by its own mean and deviation loses what the domains differ in, and with it a
difference in class shares, which is no drift. Here target rows are weighed so that their predicted
classes have the source's shares, and only what is left counts as drift.
"""

import numpy as np

from skdann._data.linear_model import chosen_rows, drawn_rows, fitted, scaled
from skdann._data.moments import column_moments, pooled
from skdann._data.record import at_rows

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
    source_at, target_at = drawn_rows(data, code)
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
    X_source = chosen_rows(data.X_source, source_rows)
    X_target = chosen_rows(data.X_target, target_rows)

    def classifier(moments):
        return fitted(scaled(X_source, moments), y, weight)

    of_both = pooled(of_source, of_target)
    probabilities = classifier(of_both).predict_proba(scaled(X_target, of_both))
    by_source = classifier(of_source)
    moments = of_target
    for _ in range(_ROUNDS):
        row_weight = _row_weights(probabilities, shares)
        moments = column_moments(data.X_target, target_rows, row_weight)
        probabilities = by_source.predict_proba(scaled(X_target, moments))
    return moments


def source_moments(data, code, *, balanced):
    """Return mean and deviation of the rows of one of several sources.

    Parameters
    ----------
    data : TrainingData
    code : int
        Of the source.
    balanced : bool
        Whether its rows are weighed so that its classes have the shares that they have in all
        sources together.

    Returns
    -------
    mean, deviation : float64 ndarray of shape row_shape
    """
    y, weight = data.y_source, np.ones(len(data.y_source))
    if data.domain_weight is not None:
        weight = data.domain_weight.astype(np.float64)
    own = np.where(data.source_codes == code, weight, 0.0)
    if not own.any():  # in a fold without a row of it
        own = weight
    elif balanced:
        of_all, of_own = np.bincount(y, weight), np.bincount(y, own)
        own = own * np.divide(of_all, of_own, out=np.zeros_like(of_own), where=of_own > 0)[y]
    at = np.flatnonzero(own)
    return column_moments(data.X_source, at_rows(data.source_rows, at), own[at])


def _row_weights(probabilities, shares):
    """Return weights with which the predicted classes have these shares."""
    predicted = np.maximum(probabilities.mean(axis=0), _LEAST_SHARE)
    return np.minimum(probabilities @ (shares / predicted), _LARGEST_WEIGHT)
