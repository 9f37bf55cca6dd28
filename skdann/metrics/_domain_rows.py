"""Rows of source and target for the metrics: read as float64, stacked, and cut into blocks."""

import math
import numbers

import numpy as np
from scipy import sparse
from sklearn.utils import check_array, gen_batches

# Largest block of a matrix with a number for each pair of rows: 32 MB of float64.
_BLOCK_VALUES = 2**22


def read_domains(**domains):
    """Return one float64 matrix per argument, with the same columns; all CSR if one is sparse.

    The arguments are the rows by their name in messages, such as ``X_source=X``.
    """
    rows = [read_float64_rows(X, argument) for argument, X in domains.items()]
    first = next(iter(domains))
    # The first argument is what the others are compared with.
    names, width = _column_names(domains[first]), rows[0].shape[1]
    for (argument, X), matrix in zip(domains.items(), rows, strict=True):
        if matrix.shape[1] != width:
            raise ValueError(
                f"{argument} has {matrix.shape[1]} columns, but {first} has {width}. Rows of both "
                "domains need the same columns, and the same preprocessing."
            )
        _check_same_names(_column_names(X), argument, names, first)
    if any(sparse.issparse(matrix) for matrix in rows):
        return [sparse.csr_array(matrix) for matrix in rows]
    return rows


def read_float64_rows(X, argument):
    """Return rows as a float64 ndarray or CSR matrix of finite numbers, or raise."""
    n_dimensions = 2 if sparse.issparse(X) else _n_dimensions(X, argument)
    if n_dimensions != 2:
        raise ValueError(
            f"{argument} must have two dimensions, rows and columns, but has {n_dimensions}. "
            "Reshape a single column by X.reshape(-1, 1), and flatten images, or pass their "
            "embedding."
        )
    dtypes = X.dtypes if hasattr(X, "dtypes") else [getattr(X, "dtype", None)]
    if any(getattr(one, "kind", None) in ("m", "M") for one in dtypes):
        raise ValueError(
            f"{argument} must hold numbers: dates and durations are none. Pass days, for example."
        )
    try:
        if getattr(X, "requires_grad", False):  # a tensor
            X = X.detach()
        rows = check_array(
            X, accept_sparse="csr", dtype=np.float64, ensure_all_finite=False, ensure_min_samples=0
        )
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{argument} must hold numbers: {str(error).splitlines()[0][:300]}"
        ) from error
    if rows.shape[0] == 0:
        raise ValueError(f"{argument} has no rows; pass at least one.")
    if not np.isfinite(rows.data if sparse.issparse(rows) else rows).all():
        raise ValueError(
            f"{argument} contains NaN or infinity. Impute or drop such rows first, for example "
            "with SimpleImputer()."
        )
    return rows


def _n_dimensions(X, argument):
    """Return the number of dimensions, or raise where rows have different lengths."""
    try:
        return np.ndim(X)
    except ValueError as error:
        raise ValueError(
            f"{argument} has rows of different lengths: {str(error)[:200]} Pass a table of rows "
            "of equal length."
        ) from error


def stack_domains(source, target):
    """Return the rows of both domains, and the domain of each: 0 for source, 1 for target."""
    domain = np.repeat([0, 1], [source.shape[0], target.shape[0]])
    if sparse.issparse(source):
        return sparse.vstack([source, target], format="csr"), domain
    return np.concatenate([source, target]), domain


def with_short_indices(rows):
    """Return CSR with indices of 32 bits, which forests require; dense rows stay as they are."""
    if sparse.issparse(rows):
        rows.indices, rows.indptr = rows.indices.astype(np.int32), rows.indptr.astype(np.int32)
    return rows


def row_blocks(n_rows, n_columns):
    """Yield slices of the rows of a matrix, in blocks of at most 32 MB (or one row)."""
    yield from gen_batches(n_rows, max(1, _BLOCK_VALUES // n_columns))


def fits_in_a_block(n_values):
    """Tell whether this many float64 values may be held in memory at once."""
    return n_values <= _BLOCK_VALUES


def check_positive(value, argument):
    """Raise if the value is not a positive, finite number."""
    if not (isinstance(value, numbers.Real) and 0 < value < math.inf):
        raise ValueError(f"{argument} must be a positive number, got {value!r}.")


def _check_same_names(names, argument, first_names, first):
    """Raise if two tables of the same width have other columns, or the same in another order."""
    if not names or not first_names or names == first_names:
        return
    missing = [name for name in first_names if name not in names]
    if missing:
        raise ValueError(
            f"{argument} lacks {len(missing)} columns of {first}: {missing[:10]}. Rows of both "
            "domains need the same columns, in the same order."
        )
    raise ValueError(
        f"{argument} has the same columns as {first} in another order. Pass "
        f"{argument}[{first}.columns]."
    )


def _column_names(X):
    return list(getattr(X, "columns", ()))  # empty for arrays
