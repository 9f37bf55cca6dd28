"""Which columns of known rows an array has, found by the values in them."""

from __future__ import annotations

import numpy as np


def matched_columns(X: np.ndarray, source: np.ndarray) -> list[list[int]]:
    """Return for each column of X the columns of the source that it can have been taken from.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)
        Some rows of the source, in any order and perhaps repeated, with some of its columns.
    source : ndarray of shape (n_source, n_features)

    Returns
    -------
    list of list of int
        More than one candidate where columns of the source have the same values in these rows; none
        for a column that holds other values.
    """
    source = source.astype(X.dtype, copy=False)
    if len(X) == len(source):
        at = [_equal_columns(column, source) for column in X.T]
        if all(at):
            return at
    ordered = np.sort(source, axis=0)
    at = [_holding(column, ordered) for column in X.T]
    if all(len(candidates) == 1 for candidates in at) or not all(at):
        return at
    return _agreeing_in_rows(X, source, at)


def _equal_columns(column, source):
    return [j for j, other in enumerate(source.T) if np.array_equal(column, other, equal_nan=True)]


def _holding(column, ordered):
    """Return the columns, each sorted, that hold all values of a column."""
    values = np.unique(column)
    values = values[values == values]  # NaN is in any column
    few = values[:: max(1, len(values) // 8)]  # most columns lack one of these
    return [
        j for j, other in enumerate(ordered.T) if _all_in(few, other) and _all_in(values, other)
    ]


def _all_in(values, ordered):
    at = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return bool((ordered[at] == values).all())


def _agreeing_in_rows(X, source, at):
    """Return the candidates that agree with X row by row.

    Rows are recognised by the columns that have one candidate, where they differ in these.
    """
    sure = [i for i, candidates in enumerate(at) if len(candidates) == 1]
    if not sure:
        return at
    keys = _keys(source[:, [at[i][0] for i in sure]])
    row_of = {key: row for row, key in enumerate(keys)}
    repeated = {key for key, row in zip(keys, range(len(keys)), strict=True) if row_of[key] != row}
    here, there = [], []
    for row, key in enumerate(_keys(X[:, sure])):
        if key in row_of and key not in repeated:
            here.append(row)
            there.append(row_of[key])
    return [
        [j for j in candidates if np.array_equal(X[here, i], source[there, j], equal_nan=True)]
        for i, candidates in enumerate(at)
    ]


def _keys(rows):
    """Return each row as bytes; 0 and -0 are the same."""
    return [row.tobytes() for row in np.ascontiguousarray(rows + 0)]
