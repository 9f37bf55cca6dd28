"""The rows of a figure: drawn at random, as an estimator or its classifier sees them."""

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from skdann._report.compared import who_chose
from skdann._sklearn_compat import num_samples, safe_indexing
from skdann.metrics._scorer_base import ScoredDomains


def as_tuple(X):
    """Return one or several domains as a tuple, or raise if there are no rows."""
    parts = X if isinstance(X, tuple) else (X,)
    if not parts or any(part is None for part in parts):
        raise ValueError(
            "X_src and X_tgt must be rows, got None. A display compares two domains: pass rows of "
            "both."
        )
    return parts


def n_rows_of(X_tgt):
    """Return the number of rows of all target domains together."""
    return sum(num_samples(one) for one in as_tuple(X_tgt))


def classifier_of(estimator):
    """Return the last step of a Pipeline or search, or the estimator itself, if it is fitted."""
    chooser = chooser_of(estimator)
    return getattr(chooser, "best_estimator_", chooser)


def chooser_of(estimator):
    """Return what has chosen among candidates: as `classifier_of`, but a DANNClassifierCV stays."""
    chooser = who_chose(estimator)
    check_is_fitted(chooser)
    return chooser


def labels_of(y, X, argument):
    """Return labels as an ndarray, of several targets one after the other, or raise."""
    parts = y if isinstance(y, tuple) else (y,)
    labels = np.concatenate([np.asarray(part).ravel() for part in parts])
    if len(labels) != n_rows_of(X):
        raise ValueError(
            f"{argument} has {len(labels)} labels, but there are {n_rows_of(X)} rows. Pass a label "
            "for each row, in the same order."
        )
    return labels


def drawn(X, most, generator):
    """Return at most so many rows of one or several domains, and which they are.

    Parameters
    ----------
    X : rows, or tuple of rows
        At least one row is drawn of each element of a tuple.
    most : int
    generator : numpy Generator

    Returns
    -------
    rows : as `X`
    which : int64 ndarray
        Positions, of a tuple in its elements one after the other.
    """
    if most < 1:
        raise ValueError(f"at most {most} rows are to be drawn: pass a number of at least 1.")
    parts = as_tuple(X)
    sizes = [num_samples(part) for part in parts]
    rows, which, before = [], [], 0
    for part, size in zip(parts, sizes, strict=True):
        share = max(1, round(min(most, sum(sizes)) * size / sum(sizes)))
        chosen = np.sort(generator.permutation(size)[:share])
        part = part.tocsr() if sparse.issparse(part) else part
        rows.append(part if len(chosen) == size else safe_indexing(part, chosen))
        which.append(before + chosen)
        before += size
    return tuple(rows) if isinstance(X, tuple) else rows[0], np.concatenate(which)


def seen_by(estimator, X_src, X_tgt, y_src=None, *, needed_by):
    """Return the outputs of a fitted estimator for rows of both domains, as `ScoredDomains`."""
    classifier_of(estimator), as_tuple(X_src), as_tuple(X_tgt)  # raise where something is missing
    return ScoredDomains(estimator, X_src, y_src, X_tgt, needed_by=needed_by)


def as_matrix(rows):
    """Return rows as a matrix or CSR; rows of more dimensions, such as images, become flat."""
    if sparse.issparse(rows):
        return sparse.csr_array(rows)
    rows = np.asarray(rows)
    return rows.reshape(len(rows), -1)


def scaled_by_network(classifier, source, targets):
    """Return the rows of both domains as the network scales them, or None if it does not.

    Parameters
    ----------
    classifier : DANNClassifier
    source : ndarray or CSR of shape (n_source, n_features)
    targets : list of such
        One for each target domain.

    Returns
    -------
    tuple of two float32 ndarrays, or None
        Source rows, and the target rows of all domains. None also where inputs are rebuilt from
        words: they are no longer the same columns.
    """
    import torch

    network = classifier.net_.members_[0]
    if not hasattr(network.input_scaling, "shift"):
        return None
    shape, device = network.input_scaling.shift.shape[1:], network.input_scaling.shift.device

    def scaled(rows, code):
        rows = rows.toarray() if sparse.issparse(rows) else rows
        tensor = torch.from_numpy(np.array(rows, dtype=np.float32).reshape(len(rows), *shape))
        rows = network.scaled(tensor.to(device), code).numpy(force=True)
        return rows.reshape(len(rows), -1)

    # Codes are known only if the classifier was fitted with as many target domains.
    known = classifier.n_domains_ == len(targets) + 1
    codes = range(1, len(targets) + 1) if known else [None] * len(targets)
    of_target = [scaled(rows, code) for rows, code in zip(targets, codes, strict=True)]
    return scaled(source, 0), np.concatenate(of_target)
