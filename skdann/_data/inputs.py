"""Inputs: what the user passes to `fit` and to `predict`, read into what training needs.

The parts are read in files of their own: rows of any container in `matrices`, `X_tgt` in
`targets` and `y_tgt` in `target_labels`, labels, weights and groups in `labels`, column names in
`columns`. Nothing here changes
the estimator: a rejected call leaves it as it was.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from skdann._data.columns import feature_names
from skdann._data.labels import (
    encode_labels,
    label_weight,
    mean_one,
    read_groups,
    read_labels,
    read_source_domain,
    read_weight,
)
from skdann._data.listing import shortened
from skdann._data.matrices import check_finite, converted, read_rows
from skdann._data.record import TrainingData
from skdann._data.target_labels import read_target_labels
from skdann._data.targets import read_targets


def read_training_data(
    X,
    y,
    X_tgt,
    sample_weight,
    *,
    class_weight,
    estimator,
    classes=None,
    groups=None,
    y_tgt=None,
    source_domain=None,
    allow_nd=False,
):
    """Return the `TrainingData` of one call of `fit` or `partial_fit`, or raise.

    Parameters
    ----------
    X, y, X_tgt, sample_weight, y_tgt, source_domain : as in `DANNClassifier.fit`
    class_weight : as the parameter of `DANNClassifier`
    estimator : DANNClassifier
        For its name in messages.
    classes : array-like, default=None
        All labels, where `y` may hold only some of them.
    groups : array-like of shape (n_source,), default=None
        Source rows of one group, such as those of a patient, are held out together.
    allow_nd : bool, default=False
        Whether rows may be arrays of any shape, for a custom feature extractor.
    """
    X_source = read_rows(X, "X", estimator, allow_nd=allow_nd)
    names = feature_names(X)
    labels = read_labels(y, X_source.shape[0], estimator)
    all_classes, codes = encode_labels(labels, classes)
    X_target, target_domain = read_targets(X_tgt, X_source, names, estimator, allow_nd=allow_nd)
    weight = read_weight(sample_weight, X_source.shape[0])
    n_targets = 1 if target_domain is None else int(target_domain[-1])
    sources = read_source_domain(source_domain, X_source.shape[0], n_targets)
    return TrainingData(
        X_source=X_source,
        y_source=codes,
        label_weight=label_weight(weight, class_weight, labels, codes, all_classes),
        domain_weight=mean_one(weight),
        X_target=X_target,
        target_domain=target_domain,
        n_domains=1 + int(max(n_targets, 0 if sources is None else sources.max())),
        classes=all_classes,
        feature_names=names,
        groups=read_groups(groups, X_source.shape[0]),
        source_domain=sources,
        y_target=read_target_labels(y_tgt, target_domain, all_classes),
    )


def read_rows_like_fitted(X, estimator, row_shape):
    """Return rows for a fitted estimator, after scikit-learn's checks of width and names."""
    rows = converted(X, "X", estimator, allow_nd=len(row_shape) > 1)
    try:
        validate_data(estimator, X, reset=False, skip_check_array=True)
    except ValueError as error:
        # scikit-learn lists names as long as they are.
        raise ValueError(shortened(error, 600)) from error
    check_finite(rows, "X", getattr(X, "columns", None))
    if rows.shape[1:] != row_shape:
        raise ValueError(
            f"X has rows of shape {rows.shape[1:]}, but {type(estimator).__name__} was fitted on "
            f"rows of shape {row_shape}."
        )
    return rows


def domain_codes(domain: Any, n_rows: int, n_domains: int) -> Any:
    """Return what `InputScaling` takes of a caller's `domain`, or raise.

    Parameters
    ----------
    domain : "target", "source", int or array-like of int of shape (n_rows,), or None
        None and "target" mean rows of an unknown target domain.
    n_rows, n_domains : int
    """
    if domain is None or (isinstance(domain, str) and domain == "target"):
        return None
    if isinstance(domain, str) and domain == "source":
        return 0
    try:
        codes = np.asarray(domain)
    except (TypeError, ValueError):  # ragged
        codes = np.array(None)
    kind = codes.dtype.kind in "iu" and codes.shape in ((), (n_rows,))
    if not kind or codes.min(initial=0) < 0 or codes.max(initial=0) >= n_domains:
        raise ValueError(
            f"domain must be 'target', 'source', or the code of all rows or of each of the "
            f"{n_rows}: 0 for the source, 1 to {n_domains - 1} for the target domains in the order "
            f"of X_tgt; got {shortened(repr(domain))}."
        )
    if codes.ndim == 0:
        return int(codes)
    import torch  # only here: displays and metrics are imported without it

    return torch.from_numpy(codes.astype(np.int64))
