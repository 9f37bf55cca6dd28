"""Rows of any container to one array or CSR matrix of finite numbers, or a clear error.

Images of bytes stay bytes; everything else becomes float32.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from skdann._data.columns import refuse_columns, refuse_dates
from skdann._data.listing import TAKE_TARGET_ALONG, shortened
from skdann._data.lost_digits import warn_about_lost_digits
from skdann._typing import reads_as_numpy

# Of arrays with more than two dimensions this type is kept: as float32 they would need four times
# the memory. Batches are converted, one by one.
BYTES = np.dtype(np.uint8)


def read_rows(X, argument, estimator, *, allow_nd=False):
    """Return rows as an ndarray or CSR matrix of finite numbers, or raise.

    float32 input is passed on as it is, memory maps included, and so are images of bytes;
    anything else is converted once.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame} of shape (n_rows, ...)
    argument : str
        The name for messages: "X", "X_tgt" or "X_tgt[1]". Targets are read after X, so messages
        about them may say that X is without the fault.
    estimator : estimator
        For its name in messages.
    allow_nd : bool, default=False
        Whether rows may have more than one dimension.

    Returns
    -------
    ndarray of shape (n_rows, ...), float32 or `BYTES`, or float32 CSR of shape (n_rows, n_features)
    """
    rows = converted(X, argument, estimator, allow_nd=allow_nd)
    check_finite(rows, argument, getattr(X, "columns", None))
    warn_about_lost_digits(X, rows, argument)
    return rows


@reads_as_numpy
def converted(X, argument, estimator, *, allow_nd=False):
    """Return a float32 ndarray or CSR matrix, or images of bytes, of the right dimensions."""
    _refuse_what_has_no_rows(X, argument)
    _refuse_series(X, argument)
    _refuse_complex(X, argument)
    refuse_dates(X, argument)
    try:
        with np.errstate(over="ignore"):
            return check_array(
                X.detach() if getattr(X, "requires_grad", False) else X,
                accept_sparse="csr",
                dtype=BYTES if _holds_images_of_bytes(X) else np.float32,
                ensure_all_finite=False,
                allow_nd=allow_nd,
                input_name=argument,
                estimator=estimator,
            )
    except (TypeError, ValueError) as error:
        if "NAType" in str(error) and hasattr(X, "notna"):  # pandas.NA among objects: missing
            return converted(X.where(X.notna(), np.nan), argument, estimator, allow_nd=allow_nd)
        refuse_columns(X, argument, error)
        _explain_shape(X, argument, estimator, error)
        _explain_values(argument, error)
        raise


def _holds_images_of_bytes(X):
    """Tell whether this is an array or a tensor of bytes with more than two dimensions."""
    names = str(BYTES), f"torch.{BYTES}"
    return str(getattr(X, "dtype", None)) in names and len(getattr(X, "shape", ())) > 2


def _refuse_what_has_no_rows(X, argument):
    """Refuse a class, and tables and tensors whose rows don't exist yet, each with its cure."""
    if isinstance(X, type):
        raise TypeError(f"{argument} is the class {X.__name__}. Pass rows, such as an array.")
    if type(X).__name__ == "LazyFrame":
        raise TypeError(
            f"{argument} is a LazyFrame, without rows so far: pass {argument}.collect()."
        )
    if any(str(one.__module__).startswith("torch.utils.data") for one in type(X).__mro__):
        raise TypeError(
            f"{argument} is a {type(X).__name__} of torch, and rows are read from arrays: save its "
            "images once as an array of uint8, and pass numpy.load(file, mmap_mode='r'), which "
            "reads a batch at a time. The user guide does so, and makes random changes to images "
            "in a module in front of the feature extractor."
        )
    if getattr(X, "is_meta", False):
        raise TypeError(f"{argument} is a tensor on the device 'meta', which holds no values.")


def is_series(X: Any) -> bool:
    """Whether this is one column, or one row, of a DataFrame of pandas or polars."""
    return type(X).__name__ == "Series" and hasattr(X, "dtype")


def _refuse_series(X, argument):
    if is_series(X):
        raise ValueError(
            f"Expected a 2-dimensional container but got {type(X)} as {argument} instead. Pass a "
            "DataFrame containing a single row (i.e. single sample) or a single column (i.e. "
            f"single feature) instead, such as {argument}.to_frame() for a column."
        )


def _refuse_complex(X, argument):
    """Refuse complex values, which would lose their imaginary part without a word."""
    dtypes = [getattr(X, "dtype", None)]
    if hasattr(X, "columns"):
        dtypes += list(getattr(X, "dtypes", ()))  # Arrow tables have none
    for dtype in dtypes:
        if getattr(dtype, "kind", "") == "c":
            raise ValueError(
                f"Complex data not supported: {argument} has dtype {dtype}. Pass the real and the "
                "imaginary part as columns of their own."
            )


def _explain_shape(X, argument, estimator, error):
    """Raise a better error where scikit-learn's is about the number of dimensions or rows."""
    _explain_several_sources(X, argument, error)
    try:
        shape = np.shape(X)
    except ValueError:
        raise ValueError(
            f"{argument} has rows of different lengths or shapes: {shortened(error)}. All rows "
            "need the same columns."
        ) from error
    if len(shape) < 2:
        raise ValueError(
            f"Expected 2D array, got {len(shape)}D array instead: {argument} has shape {shape}. "
            f"Reshape your data either using {argument}.reshape(-1, 1) if your data has a single "
            f"feature or {argument}.reshape(1, -1) if it contains a single sample."
        ) from error
    if "Found array with dim" in str(error):
        _explain_dimensions(argument, shape, estimator, error)


def _explain_dimensions(argument, shape, estimator, error) -> NoReturn:
    """Raise for series and images without a module that takes them, and name one that does."""
    found = f"Found array with dim {len(shape)}: {argument} has shape {shape}, but"
    if argument != "X":
        raise ValueError(
            f"{found} X has two dimensions: both domains need rows of the same shape. "
            f"{_module_for(shape)}."
        ) from error
    raise ValueError(
        f"{found} without a feature_extractor {type(estimator).__name__} takes rows of one "
        f"dimension. {_module_for(shape)}; or flatten them: np.reshape(X, (len(X), -1))."
    ) from error


def _module_for(shape):
    """Return what to pass as `feature_extractor` for rows of more than one dimension."""
    networks = "feature_extractor=skdann.networks."
    grey = f", for grey images X[:, None] and {networks}MNISTFeatureExtractor"
    if len(shape) == 3:
        return (
            f"For series (channels, steps) pass {networks}TimeSeriesFeatureExtractor"
            f"{grey if min(shape[1:]) >= 16 else ''}"
        )
    if len(shape) == 4 and min(shape[2:]) >= 7:
        name = "MNIST" if min(shape[2:]) >= 16 else "SVHN"
        return f"For images (channels, height, width) pass {networks}{name}FeatureExtractor"
    return "Pass a torch module that takes them as feature_extractor"


def _explain_several_sources(X, argument, error):
    """Raise where X is a tuple or list of arrays, as the targets are given."""
    if argument != "X" or not isinstance(X, list | tuple) or not X:
        return
    if all(hasattr(part, "shape") and len(part.shape) == 2 for part in X):
        stack = "np.vstack(X)"
        if sparse.issparse(X[0]):
            stack = "scipy.sparse.vstack(X)"
        elif hasattr(X[0], "columns"):
            stack = "pd.concat(X)"
        raise ValueError(
            f"X is a {type(X).__name__} of {len(X)} arrays. Rows of several sources are passed as "
            f"one array: X={stack} and y=np.concatenate(y)."
        ) from error


def _explain_values(argument, error) -> None:
    """Raise a better error where values can't be converted to numbers."""
    said = shortened(error)
    if "could not convert" in str(error) and argument != "X":
        raise ValueError(
            f"{argument} holds values that are not numbers: {said}. X has none: encode text as in "
            f"X. {TAKE_TARGET_ALONG}"
        ) from error
    if "could not convert" in str(error):
        raise ValueError(
            f"{argument} holds values that are not numbers: {said}. Encode text first, for "
            "example with OneHotEncoder(handle_unknown='ignore') in "
            "skdann.pipeline.make_dann_pipeline."
        ) from error
    if "must be a string or a" in str(error):
        raise TypeError(f"{argument} holds values that are not numbers: {said}.") from error
    if argument not in str(error):
        raise type(error)(f"{argument}: {shortened(error, 500)}") from error


def check_finite(rows, argument, columns):
    """Check that all values are finite, or raise and say where the first is that is not."""
    values = rows.data if sparse.issparse(rows) else rows
    if values.dtype == BYTES:
        return
    with np.errstate(over="ignore", invalid="ignore"):
        flat = values.ravel(order="K") if _contiguous(values) else None
        # A sum of squares is the fastest to find, and finite for values of sane size; a sum in
        # float64 is finite exactly when all float32 are. Neither needs a copy.
        if flat is not None and np.isfinite(np.dot(flat, flat)):
            return
        if np.isfinite(values.sum(dtype=np.float64)):
            return
    _raise_not_finite(rows, values, argument, columns)


def _raise_not_finite(rows, values, argument, columns) -> NoReturn:
    bad = ~np.isfinite(values)
    n_nan = int(np.isnan(values).sum())
    found = (
        f"{argument} contains {n_nan} NaN and {int(bad.sum()) - n_nan} values that are infinity "
        f"or too large for float32; the first is {_first_position(rows, bad, columns)}."
    )
    if argument == "X":
        raise ValueError(
            f"{found} Impute or drop them first, for example with "
            "skdann.pipeline.make_dann_pipeline(SimpleImputer(), StandardScaler())."
        )
    raise ValueError(f"{found} X has none: impute or drop them as in X. {TAKE_TARGET_ALONG}")


def _contiguous(values):
    return values.flags.c_contiguous or values.flags.f_contiguous


def _first_position(rows, bad, columns):
    if sparse.issparse(rows):
        position = int(bad.argmax())
        row = int(np.searchsorted(rows.indptr, position, side="right")) - 1
        where = (row, int(rows.indices[position]))
    else:
        where = tuple(int(i) for i in np.unravel_index(bad.argmax(), bad.shape))
    if columns is not None:
        return f"in row {where[0]}, column {shortened(repr(columns[where[1]]), 60)}"
    return f"in row {where[0]}, column {where[1] if len(where) == 2 else where[1:]}"
