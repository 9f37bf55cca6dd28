"""Mean and standard deviation of columns, and what scaling by them takes."""

import math

import numpy as np
from scipy import sparse

# Rows are summed up in blocks of about this much memory, of at least 64 rows.
_BLOCK_BYTES = 4 * 2**20

# Scaled values are cut here: a column that hardly varies in the rows its statistics come from
# would otherwise drown the others in rows where it does.
LARGEST_SCALED_VALUE = 8.0

# A deviation below this share of the column's size is rounding of float32: numbers that should be
# equal differ by one unit in the last place, and their deviation is at most half of it. Columns of
# a large offset, such as times within an hour, lie not far above it.
_CONSTANT = float(np.finfo(np.float32).eps)

# The sums over sparse columns lose digits where a column is far from 0, and leave this much.
_ROUNDING_OF_SPARSE = 1e-6


def column_moments(X, rows=None, weight=None):
    """Return mean and standard deviation of each column, without a copy of all dense rows.

    Parameters
    ----------
    X : ndarray of shape (n, ...) or CSR
    rows : int64 ndarray of shape (n_rows,), default=None
        Which rows count; None for all.
    weight : ndarray of shape (n_rows,), default=None
        Their weights, with a sum above 0.

    Returns
    -------
    mean, deviation : float64 ndarray of shape X.shape[1:]
    """
    n_rows = X.shape[0] if rows is None else len(rows)
    # Weights with sum 1: then mean = sum(share * x), and variance = sum(share * x**2) - mean**2.
    share = np.full(n_rows, 1.0 / n_rows) if weight is None else weight / np.sum(weight)
    total = square = 0.0
    origin = None
    size = max(64, _BLOCK_BYTES // (8 * math.prod(X.shape[1:])))
    for start in range(0, n_rows, size):
        at = slice(start, start + size)
        block = X[at if rows is None else rows[at]]
        if sparse.issparse(block):
            # Values that are not stored are 0 and add nothing to either sum.
            shares, values = share[at][_row_of_each(block)], block.data.astype(np.float64)
            total += np.bincount(block.indices, shares * values, minlength=X.shape[1])
            square += np.bincount(block.indices, shares * values**2, minlength=X.shape[1])
            continue
        block = block.reshape(len(block), -1).astype(np.float64)
        # Shifted by the first row: a large mean would cost digits in the difference of squares.
        origin = block[0].copy() if origin is None else origin
        block -= origin
        total += share[at] @ block
        square += share[at] @ np.square(block, out=block)
    # Rounding can make the variance of a constant column negative.
    deviation = np.sqrt(np.maximum(square - total**2, 0.0)).reshape(X.shape[1:])
    mean = total if origin is None else total + origin
    if origin is None:
        deviation[deviation < _ROUNDING_OF_SPARSE * np.abs(mean)] = 0.0
    return mean.reshape(X.shape[1:]), deviation


def pooled(source, target):
    """Return mean and deviation of both domains together, each with half the weight.

    As in a batch, a domain with more rows does not count more. Each domain is given as its mean
    and deviation.
    """
    (mean_s, std_s), (mean_t, std_t) = source, target
    mean, gap = (mean_s + mean_t) / 2, (mean_s - mean_t) / 2
    return mean, np.sqrt((std_s**2 + std_t**2) / 2 + gap**2)


def inverse_deviation(mean, deviation):
    """Return 1 / deviation of each column; 0 for a column that is constant, up to rounding."""
    smallest = np.finfo(np.float32).tiny  # its inverse is the largest that float32 can hold
    varies = (deviation > _CONSTANT * (np.abs(mean) + smallest)) & (deviation > smallest)
    return np.divide(1.0, deviation, out=np.zeros_like(deviation), where=varies)


def _row_of_each(csr):
    """Return the row number of each stored value."""
    return np.repeat(np.arange(csr.shape[0]), np.diff(csr.indptr))
