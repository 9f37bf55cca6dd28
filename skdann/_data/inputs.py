"""Inputs: what the user passes to what training needs, with every message about bad input.

Nothing here changes the estimator: a rejected call leaves it as it was.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data
from torch import Tensor

from skdann._data.labels import encode_labels, label_weight, mean_one, read_labels, read_weight
from skdann._data.moments import column_moments
from skdann._data.record import TrainingData
from skdann.exceptions import TargetScaleWarning

# What `TargetScaleWarning` is about: a scaler in front of the source but not of the target
# moves most columns by far more than a real shift does.
_WILD_SHIFT = 10.0

_WILD_SHARE = 0.25


def read_training_data(
    X,
    y,
    X_tgt,
    sample_weight,
    groups=None,
    *,
    class_weight,
    estimator,
    classes=None,
    allow_nd=False,
):
    """Return the `TrainingData` of one call of `fit` or `partial_fit`, or raise.

    Parameters
    ----------
    X, y, X_tgt, sample_weight : as in `DANNClassifier.fit`
    class_weight : as the parameter of `DANNClassifier`
    estimator : DANNClassifier
        For its name in messages.
    classes : array-like, default=None
        All labels, where `y` may hold only some of them.
    allow_nd : bool, default=False
        Whether rows may be arrays of any shape, for a custom feature extractor.
    """
    X_source = read_rows(X, "X", estimator, allow_nd=allow_nd)
    names = _feature_names(X)
    labels = read_labels(y, X_source.shape[0], estimator)
    all_classes, codes = encode_labels(labels, classes)
    X_target, target_domain = _read_targets(X_tgt, X_source, names, estimator, allow_nd)
    weight = read_weight(sample_weight, X_source.shape[0])
    return TrainingData(
        X_source=X_source,
        y_source=codes,
        label_weight=label_weight(weight, class_weight, labels, codes, all_classes),
        domain_weight=mean_one(weight),
        X_target=X_target,
        target_domain=target_domain,
        n_domains=2 if target_domain is None else 1 + int(target_domain[-1]),
        classes=all_classes,
        feature_names=names,
    )


def read_rows(X, argument, estimator, *, allow_nd=False):
    """Return rows as a float32 ndarray or CSR matrix of finite numbers, or raise.

    float32 input is passed on as it is, memory maps included; anything else is converted once.
    """
    rows = _converted(X, argument, estimator, allow_nd)
    _check_finite(rows, argument, getattr(X, "columns", None))
    return rows


def read_rows_like_fitted(X, estimator, row_shape):
    """Return rows for a fitted estimator, after scikit-learn's checks of width and names."""
    rows = _converted(X, "X", estimator, allow_nd=len(row_shape) > 1)
    validate_data(estimator, X, reset=False, skip_check_array=True)
    _check_finite(rows, "X", getattr(X, "columns", None))
    if rows.shape[1:] != row_shape:
        raise ValueError(
            f"X has rows of shape {rows.shape[1:]}, but {type(estimator).__name__} was fitted on "
            f"rows of shape {row_shape}."
        )
    return rows


def warn_about_target_scale(data):
    """Warn when many target columns lie wildly off the source's scale."""
    if data.X_target is None or len(data.row_shape) > 1 or len(data.y_source) < 2:
        return
    source_mean, source_std = column_moments(data.X_source)
    target_mean, target_std = column_moments(data.X_target)
    varies = source_std > 1e-6 * (1.0 + np.abs(source_mean))
    unit = np.where(varies, source_std, 1.0)
    off = varies & (
        (np.abs(target_mean - source_mean) > _WILD_SHIFT * unit) | (target_std > _WILD_SHIFT * unit)
    )
    if off.sum() > _WILD_SHARE * max(varies.sum(), 1):
        warnings.warn(
            f"{int(off.sum())} of {len(off)} columns of X_tgt lie more than {_WILD_SHIFT:g} "
            "standard deviations of the source off the source's columns. If X was scaled, "
            "X_tgt must pass the same scaler: in a Pipeline say "
            "make_pipeline(..., transform_input=['X_tgt']).",
            TargetScaleWarning,
            stacklevel=5,
        )


def _converted(X, argument, estimator, allow_nd):
    """Return a float32 ndarray or CSR matrix of the right number of dimensions."""
    _check_numeric_kind(X, argument)
    try:
        with np.errstate(over="ignore"):
            return check_array(
                X,
                accept_sparse="csr",
                dtype=np.float32,
                ensure_all_finite=False,
                allow_nd=allow_nd,
                input_name=argument,
                estimator=estimator,
            )
    except (TypeError, ValueError) as error:
        if "NAType" in str(error) and hasattr(X, "notna"):  # pandas.NA among objects: missing
            return _converted(X.where(X.notna(), np.nan), argument, estimator, allow_nd)
        _explain_text(X, argument, error)
        raise


def _check_numeric_kind(X, argument):
    """Refuse what would turn into numbers silently: complex values, and dates in a DataFrame."""
    dtypes = [getattr(X, "dtype", None), *getattr(X, "dtypes", ())]
    for dtype in dtypes:
        if getattr(dtype, "kind", "") == "c":
            raise ValueError(
                f"Complex data not supported: {argument} has dtype {dtype}. Pass the real and the "
                "imaginary part as columns of their own."
            )
    if any(_is_date(dtype) for dtype in dtypes):
        _refuse_columns(argument, [n for n in X.columns if _is_date(X[n].dtype)])


def _is_date(dtype):
    """Tell dates, times and durations by the names that numpy, pandas and polars give them."""
    return str(dtype).lower().startswith(("date", "time", "duration"))


def _explain_text(X, argument, error):
    """Raise a better error where columns of text are what stopped the conversion."""
    columns = _text_columns(X)
    if columns:
        _refuse_columns(argument, columns, error)
    if "could not convert" in str(error):
        raise ValueError(
            f"{argument} holds values that are not numbers: {error}. Encode text first, for "
            "example with OneHotEncoder(handle_unknown='ignore')."
        ) from error


def _refuse_columns(argument, columns, error=None):
    raise ValueError(
        f"{argument} has columns that are not numbers: {columns}. Encode them first, for "
        "example with make_pipeline(make_column_transformer((OneHotEncoder("
        f"handle_unknown='ignore'), {columns}), remainder=StandardScaler()), "
        "DANNClassifier(), transform_input=['X_tgt'])."
    ) from error


def _text_columns(X):
    """Return the names of DataFrame columns that can't be read as numbers."""
    if not hasattr(X, "columns"):
        return []
    text = []
    for name in X.columns:
        try:
            np.asarray(X[name]).astype(np.float32)
        except (TypeError, ValueError):
            text.append(name)
    return text


def _check_finite(rows, argument, columns):
    values = rows.data if sparse.issparse(rows) else rows
    with np.errstate(over="ignore", invalid="ignore"):
        flat = values.ravel(order="K") if _contiguous(values) else None
        # A sum of squares is the fastest to find, and finite for values of sane size; a sum in
        # float64 is finite exactly when all float32 are. Neither needs a copy.
        if flat is not None and np.isfinite(np.dot(flat, flat)):
            return
        if np.isfinite(values.sum(dtype=np.float64)):
            return
    bad = ~np.isfinite(values)
    n_nan = int(np.isnan(values).sum())
    raise ValueError(
        f"{argument} contains {n_nan} NaN and {int(bad.sum()) - n_nan} values that are infinity "
        f"or too large for float32; the first is {_first_position(rows, bad, columns)}. Impute "
        "or drop them first, for example with SimpleImputer() in front of the classifier."
    )


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
        return f"in row {where[0]}, column {columns[where[1]]!r}"
    return f"in row {where[0]}, column {where[1] if len(where) == 2 else where[1:]}"


def _feature_names(X):
    # A throw-away estimator: scikit-learn's rules for names, and nothing set on ours.
    probe = BaseEstimator()
    validate_data(probe, X, skip_check_array=True)
    return getattr(probe, "feature_names_in_", None)


def _read_targets(X_tgt, X_source, names, estimator, allow_nd):
    """Return the rows of all target domains and the domain of each, or two Nones."""
    if X_tgt is None:
        return None, None
    if not isinstance(X_tgt, tuple):
        rows = _read_target(X_tgt, "X_tgt", X_source, names, estimator, allow_nd)
        return rows, np.ones(rows.shape[0], dtype=np.int64)
    if not X_tgt:
        raise ValueError(
            "X_tgt is an empty tuple. A tuple means one array per target domain: pass (X_tgt,) "
            "for one target, or None to train on the source alone."
        )
    targets = [
        _read_target(rows, f"X_tgt[{i}]", X_source, names, estimator, allow_nd)
        for i, rows in enumerate(X_tgt)
    ]
    domain = np.repeat(np.arange(1, len(targets) + 1), [rows.shape[0] for rows in targets])
    return _stacked(targets), domain.astype(np.int64)


def _stacked(targets):
    if len(targets) == 1:
        return targets[0]
    if sparse.issparse(targets[0]):
        return sparse.vstack(targets, format="csr")
    return np.concatenate(targets)


def _read_target(X_tgt, argument, X_source, names, estimator, allow_nd):
    _check_not_empty(X_tgt, argument)
    if argument == "X_tgt" and isinstance(X_tgt, list) and np.ndim(X_tgt[0]) > 1:
        raise ValueError(
            "X_tgt is a list of arrays. Several target domains are passed as a tuple: "
            "tuple(X_tgt). (Cross-validation turns a tuple with as many targets as X has rows "
            "into a list.)"
        )
    if argument != "X_tgt" and np.ndim(X_tgt) == 1:
        raise ValueError(
            f"{argument} is one-dimensional. A tuple means one two-dimensional array per target "
            "domain; pass the rows of a single target as an array or a list."
        )
    rows = read_rows(X_tgt, argument, estimator, allow_nd=allow_nd)
    _check_same_names(_feature_names(X_tgt), names, argument)
    if rows.shape[1:] != X_source.shape[1:]:
        raise ValueError(
            f"{argument} has rows of shape {rows.shape[1:]}, but X has rows of shape "
            f"{X_source.shape[1:]}. Both domains need the same columns, and both must pass the "
            "same preprocessing: in a Pipeline say transform_input=['X_tgt']."
        )
    if sparse.issparse(rows) != sparse.issparse(X_source):
        return _as_kind_of(rows, X_source)
    return rows


def _as_kind_of(rows, X_source):
    """Return target rows sparse or dense as the source's are."""
    return sparse.csr_array(rows) if sparse.issparse(X_source) else rows.toarray()


def _check_not_empty(X_tgt, argument):
    shape = getattr(X_tgt, "shape", None) or (len(X_tgt) if isinstance(X_tgt, list) else 1,)
    if shape[0] == 0:
        raise ValueError(
            f"{argument} is empty (shape {tuple(shape)}): adaptation needs at least one target "
            "row. Pass X_tgt=None to train on the source alone."
        )


def _check_same_names(target_names, source_names, argument):
    if target_names is None or source_names is None:
        return
    if list(target_names) == list(source_names):
        return
    if sorted(target_names) == sorted(source_names):
        problem = "the same columns as X in another order"
        cure = f"Pass {argument}[X.columns]."
    else:
        problem = "other columns than X"
        cure = "Both domains need the same columns in the same order."
    raise ValueError(
        f"{argument} has {problem}. X has {list(source_names)}; {argument} has "
        f"{list(target_names)}. {cure}"
    )


def domain_codes(domain: Any, n_rows: int, n_domains: int) -> Tensor | int | None:
    """Return what `InputScaling` takes of a caller's `domain`, or raise.

    Parameters
    ----------
    domain : "target", "source", int or array-like of int of shape (n_rows,), or None
        None and "target" stand for rows of an unknown target domain.
    n_rows, n_domains : int
    """
    if domain is None or (isinstance(domain, str) and domain == "target"):
        return None
    if isinstance(domain, str) and domain == "source":
        return 0
    codes = np.asarray(domain)
    kind = codes.dtype.kind in "iu" and codes.shape in ((), (n_rows,))
    if not kind or codes.min(initial=0) < 0 or codes.max(initial=0) >= n_domains:
        raise ValueError(
            f"domain must be 'target', 'source', or the code of all rows or of each of the "
            f"{n_rows}: 0 for the source, 1 to {n_domains - 1} for the target domains in the order "
            f"of X_tgt; got {domain!r}."
        )
    return int(codes) if codes.ndim == 0 else torch.from_numpy(codes.astype(np.int64))
