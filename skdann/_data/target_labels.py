"""Labels of target rows: the argument `y_tgt` to a code for each row, -1 for rows without one."""

from __future__ import annotations

import numpy as np

from skdann._data.labels import missing_values
from skdann._data.listing import listed, shortened
from skdann._data.record import labels_if_any


def read_target_labels(y_tgt, target_domain, classes):
    """Return int64 codes of the target rows, -1 for those without a label, or None.

    Parameters
    ----------
    y_tgt : array-like of shape (n_target,), a tuple with one for each target, or None
        None, NaN, NaT and NA mean that a row has no label; so does -1, unless it is a class.
    target_domain : int64 ndarray of shape (n_target,), or None
        Codes of the target domains, from 1.
    classes : ndarray of shape (n_classes,)
        The sorted labels of the source.

    Returns
    -------
    int64 ndarray of shape (n_target,), or None where no row has a label
    """
    if y_tgt is None:
        return None
    if target_domain is None:
        raise ValueError(
            "y_tgt has labels of target rows, but X_tgt is None. Pass the target rows as X_tgt, "
            "those without a label too; their elements of y_tgt are None or NaN."
        )
    code_of = {label: code for code, label in enumerate(classes.tolist())}
    codes = np.concatenate(
        [
            _codes(labels, name, int(n_rows), code_of)
            for name, labels, n_rows in _parts(y_tgt, np.bincount(target_domain)[1:])
        ]
    )
    return labels_if_any(codes)


def _parts(y_tgt, n_rows):
    """Return the name in messages, the labels and the number of rows of each target."""
    if not isinstance(y_tgt, tuple):
        return [("y_tgt", y_tgt, n_rows.sum())]
    if len(y_tgt) != len(n_rows):
        raise ValueError(
            f"y_tgt is a tuple of {len(y_tgt)}, but X_tgt has {len(n_rows)} target domains. A "
            "tuple has an array for each of them, with None for rows without a label."
        )
    return [(f"y_tgt[{i}]", *both) for i, both in enumerate(zip(y_tgt, n_rows, strict=True))]


def _codes(labels, name, n_rows, code_of):
    """Return the codes of one target's labels."""
    if labels is None:
        return np.full(n_rows, -1, dtype=np.int64)
    values = _as_list(labels, name)
    if len(values) != n_rows:
        raise ValueError(
            f"{name} has {len(values)} elements, but there are {n_rows} target rows. Give one for "
            "each row of X_tgt: its label, or None or NaN for a row without one."
        )
    missing = missing_values(values)
    codes = np.full(n_rows, -1, dtype=np.int64)
    unknown = []
    for i in np.flatnonzero(~missing):
        code = _code(values[i], code_of)
        if code is None:
            unknown.append(values[i])
        else:
            codes[i] = code
    if unknown:
        several = [*dict.fromkeys(map(repr, unknown))]
        raise ValueError(
            f"{name} has labels that y does not have: {shortened(', '.join(several), 200)}. The "
            f"classes are {listed([*code_of])}. Write None or NaN for rows without a label, and "
            "for rows of a class that no source row has."
        )
    return codes


def _code(value, code_of):
    """Return the code of a label, -1 for a row without one, or None for an unknown label."""
    try:
        code = code_of.get(value)
    except TypeError:  # no hash: a list, for example
        return None
    if code is None and not isinstance(value, str) and value == -1:
        return -1
    return code


def _as_list(labels, name):
    """Return the labels as a list of Python's objects, or raise."""
    if hasattr(labels, "toarray") or isinstance(labels, str | bytes | dict | set):
        raise ValueError(f"{name} must be a one-dimensional array, got {type(labels).__name__}.")
    if hasattr(labels, "to_numpy") and hasattr(labels, "dtype"):  # a Series; NA stays NA
        labels = labels.to_numpy(dtype=object) if hasattr(labels, "iloc") else labels.to_list()
    if not isinstance(labels, list):
        labels = np.asarray(labels)
    shape = np.shape(labels) if isinstance(labels, np.ndarray) else None
    if shape is not None and len(shape) == 2 and shape[1] == 1:
        labels, shape = labels.ravel(), (shape[0],)
    if shape is not None and len(shape) != 1:
        raise ValueError(
            f"{name} must be one-dimensional, got an array of shape {shape}. It takes one label "
            "for each row of X_tgt."
        )
    return labels.tolist() if isinstance(labels, np.ndarray) else labels
