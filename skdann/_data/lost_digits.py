"""Columns whose values lie so close together that float32 takes many of them for equal."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from skdann._data.listing import listed
from skdann.exceptions import PrecisionWarning, warn_caller

# Columns are looked at in this many rows.
_ROWS = 2000

# float32 resolves a column well enough if its range is above this share of its size: 256 steps.
_ENOUGH = 256 * float(np.finfo(np.float32).eps)

# A deviation below this share is rounding of float64, of values that are meant to be equal.
_ROUNDING = 1e-12

# Fewer distinct values than this share are left: then a warning.
_LEFT = 0.9


def warn_about_lost_digits(X: Any, rows: Any, argument: str) -> None:
    """Warn if many values of a column became equal when they were converted to float32.

    Parameters
    ----------
    X : array-like or DataFrame of shape (n_rows, n_features)
        Rows as they were passed.
    rows : float32 ndarray of shape (n_rows, ...) or CSR
        The same rows, converted.
    argument : str
        Their name in the message.
    """
    if rows is X or sparse.issparse(rows) or rows.ndim != 2 or len(rows) < 2:
        return
    few = np.linspace(0, len(rows) - 1, min(_ROWS, len(rows))).astype(int)
    converted = rows[few].astype(np.float64)
    size = np.abs(converted).max(axis=0)
    suspect = np.flatnonzero(np.ptp(converted, axis=0) < _ENOUGH * size)
    names = getattr(X, "columns", None)
    lost = []
    for column in suspect:
        given = _column(X, column, few)
        if given is not None and _merged(given, rows[few, column]):
            lost.append(int(column) if names is None else names[column])
    if lost:
        warn_caller(
            f"{argument} has columns whose values differ by too little for float32, in which the "
            f"network computes: {listed(lost)}. Many distinct values became equal. Subtract a "
            "number from each, the same in X and X_tgt, such as the source's mean; or use "
            "skdann.pipeline.make_dann_pipeline(StandardScaler(), ...), which does so in float64.",
            PrecisionWarning,
        )


def _column(X, column, rows):
    """Return some values of one column as they were passed; None if they are unknown."""
    try:
        if hasattr(X, "columns"):
            values = np.asarray(X[X.columns[column]])[rows]
        else:
            values = (X if isinstance(X, np.ndarray) else np.asarray(X))[rows, column]
        if values.dtype.kind in "iu":
            return values
        return values.astype(np.float64)
    except (TypeError, ValueError, IndexError):
        return None


def _merged(given, converted):
    """Tell whether values that were distinct, beyond rounding, are fewer in float32."""
    if given.ndim != 1 or given.dtype.itemsize < 4:
        return False
    # From the first value on: the deviation of large numbers would lose digits, too.
    apart = (given - given.min()).astype(np.float64)
    if apart.std() <= _ROUNDING * np.abs(converted.astype(np.float64)).max():
        return False
    return len(np.unique(converted)) < _LEFT * len(np.unique(given))
