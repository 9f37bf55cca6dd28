"""Target domains: the argument `X_tgt` to the rows of all targets and the domain of each."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from skdann._callers import selected_by_scikit_learn
from skdann._data.columns import check_same_names, feature_names, raise_other_width
from skdann._data.matrices import is_series, read_rows
from skdann._sklearn_compat import num_samples
from skdann.exceptions import TargetCutWarning, warn_caller


def read_targets(X_tgt, X_source, names, estimator, *, allow_nd=False):
    """Return the rows of all target domains and the domain of each, or two Nones.

    Parameters
    ----------
    X_tgt : rows of one target domain, or a tuple of such, or None
    X_source : float32 ndarray of shape (n_source, ...) or CSR
        The source rows as they were read; targets become sparse or dense as they are.
    names : ndarray of shape (n_features,) or None
        Column names of the source.
    estimator : estimator
        For its name in messages.
    allow_nd : bool, default=False
        Whether rows may have more than one dimension.

    Returns
    -------
    rows : float32 ndarray of shape (n_target, ...) or CSR, or None
    domain : int64 ndarray of shape (n_target,), or None
        1 for rows of the first target domain, 2 for the second ...
    """
    if X_tgt is None:
        return None, None
    _check_container(X_tgt, X_source.shape[0])
    if not isinstance(X_tgt, tuple):
        rows = _read_target(X_tgt, "X_tgt", X_source, names, estimator, allow_nd)
        warn_if_cut(X_tgt, X_source.shape[0])
        return rows, np.ones(rows.shape[0], dtype=np.int64)
    targets = []
    for i, rows in enumerate(X_tgt):
        targets.append(_read_target(rows, f"X_tgt[{i}]", X_source, names, estimator, allow_nd))
    domain = np.repeat(np.arange(1, len(targets) + 1), [rows.shape[0] for rows in targets])
    return _concatenated(targets), domain.astype(np.int64)


def warn_if_cut(X_tgt, n_source):
    """Warn if scikit-learn seems to have selected target rows by the numbers of source rows.

    In a fold it does so with every array that has as many rows as X; a tuple is passed whole.
    """
    if X_tgt is None or isinstance(X_tgt, tuple) or num_samples(X_tgt) != n_source:
        return
    if selected_by_scikit_learn(n_source):
        warn_caller(
            f"X_tgt has {n_source} rows, as many as X has in this fold: if it was passed with as "
            "many rows as the whole X, scikit-learn has selected target rows by the numbers of "
            "source rows, and the others are lost. Pass a tuple, X_tgt=(X_tgt,), which is passed "
            "on whole; or hold out target rows with skdann.model_selection.DomainKFold.",
            TargetCutWarning,
        )


def _check_container(X_tgt, n_source):
    """Check that it is rows, or a tuple of rows for each domain, or raise."""
    if isinstance(X_tgt, tuple):
        if not X_tgt:
            raise ValueError(
                "X_tgt is an empty tuple. A tuple means one array per target domain: pass "
                "(X_tgt,) for one target, or None to train on the source alone."
            )
        return
    if isinstance(X_tgt, list) and X_tgt and _n_dimensions(X_tgt[0]) > 1:
        raise ValueError(
            "X_tgt is a list of arrays. Several target domains are passed as a tuple: "
            "tuple(X_tgt). (Cross-validation turns a tuple with as many targets as X has rows "
            "into a list.) Rows of a single target, such as images, are passed as one array: "
            "numpy.stack(X_tgt)."
        )
    shape = _shape(X_tgt)
    if shape is None and isinstance(X_tgt, list) and X_tgt:
        shape = (len(X_tgt),) if _n_dimensions(X_tgt[0]) == 0 else None
    if shape is not None and len(shape) == 1 and shape[0] == n_source and not is_series(X_tgt):
        raise ValueError(
            "X_tgt is one-dimensional; pass weights as sample_weight=... The third argument of fit "
            f"is the rows of the target: Expected 2D array, got 1D array instead, of shape "
            f"{tuple(shape)}. Target rows of a single column are np.reshape(X_tgt, (-1, 1))."
        )


def _n_dimensions(rows) -> int:
    """Return the number of dimensions; 2 for rows of different lengths."""
    shape = _shape(rows)
    if shape is not None:
        return len(shape)
    try:
        return np.ndim(rows)
    except ValueError:
        return 2


def _concatenated(targets):
    """Return the rows of several targets one after the other."""
    if len(targets) == 1:
        return targets[0]
    if sparse.issparse(targets[0]):
        return sparse.vstack(targets, format="csr")
    return np.concatenate(targets)


def _read_target(X_tgt, argument, X_source, names, estimator, allow_nd):
    """Return the rows of one target domain, with the columns of the source, or raise."""
    _check_not_empty(X_tgt, argument)
    if argument != "X_tgt" and _n_dimensions(X_tgt) == 1 and not is_series(X_tgt):
        raise ValueError(
            f"{argument} is one-dimensional. A tuple means one two-dimensional array per target "
            "domain; pass the rows of a single target as an array or a list."
        )
    rows = read_rows(X_tgt, argument, estimator, allow_nd=allow_nd)
    check_same_names(feature_names(X_tgt, argument), names, argument)
    if rows.shape[1:] != X_source.shape[1:]:
        raise_other_width(argument, rows.shape[1:], X_source.shape[1:])
    if sparse.issparse(rows) != sparse.issparse(X_source):
        return sparse.csr_array(rows) if sparse.issparse(X_source) else rows.toarray()
    return rows


def _shape(rows):
    """Return the shape of an array or a DataFrame; None for anything else, such as a class."""
    shape = getattr(rows, "shape", None)
    return shape if isinstance(shape, tuple) else None


def _check_not_empty(X_tgt, argument):
    shape = _shape(X_tgt)
    if shape is None:
        shape = (len(X_tgt),) if isinstance(X_tgt, list) else (1,)
    if len(shape) and shape[0] == 0:
        raise ValueError(
            f"{argument} is empty (shape {tuple(shape)}): adaptation needs at least one target "
            "row. Pass X_tgt=None to train on the source alone."
        )
