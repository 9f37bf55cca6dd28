"""The record: validated, encoded input of one fit, and the same with some of its rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class TrainingData:
    """Validated and encoded input of one fit.

    Attributes
    ----------
    X_source : ndarray of shape (n_rows, ...), CSR of shape (n_rows, n_features), or DenoisedRows
        Of float32, or images of uint8.
    source_rows : int64 ndarray of shape (n_source,) or None
        Positions in `X_source` of the rows that are used, in the order of the fields below; None
        for all. So rows can be held out, or several fits can use the same `X_source`, without a
        copy of it.
    y_source : int64 ndarray of shape (n_source,)
        Codes: positions in `classes`.
    label_weight, domain_weight : float32 ndarray of shape (n_source,) or None
        Weights with mean 1 of source rows in the label loss (sample times class weight) and
        in the domain loss (sample weight); None where all are equal.
    X_target, target_rows : as `X_source` and `source_rows`, or None
        The rows of all target domains, one after the other.
    target_domain : int64 ndarray of shape (n_target,), or None
        1 for rows of the first target domain, 2 for the second ...; 0 is the source.
    n_domains : int
        The source and the target domains; at least 2. Further sources have the codes behind those
        of the targets.
    classes : ndarray of shape (n_classes,)
        The sorted labels.
    feature_names : ndarray of shape (n_features,) or None
    groups : int64 ndarray of shape (n_source,) or None
        Source rows of equal code are held out together or not at all.
    y_target : int64 ndarray of shape (n_target,) or None
        Codes of the target rows, -1 for those without a label; None where no row has one.
    source_domain : int64 ndarray of shape (n_source,) or None
        Codes of the domains of the source rows; None where all are of one source, 0.
    """

    X_source: np.ndarray | sparse.csr_array
    y_source: np.ndarray
    label_weight: np.ndarray | None
    domain_weight: np.ndarray | None
    X_target: np.ndarray | sparse.csr_array | None
    target_domain: np.ndarray | None
    n_domains: int
    classes: np.ndarray
    feature_names: np.ndarray | None
    source_rows: np.ndarray | None = None
    target_rows: np.ndarray | None = None
    groups: np.ndarray | None = None
    y_target: np.ndarray | None = None
    source_domain: np.ndarray | None = None

    @property
    def source_codes(self) -> np.ndarray:
        """The code of each source row's domain."""
        if self.source_domain is None:
            return np.zeros(len(self.y_source), dtype=np.int64)
        return self.source_domain

    @property
    def n_targets(self) -> int:
        """The number of target domains."""
        return 0 if self.target_domain is None else int(self.target_domain.max())

    @property
    def further_sources(self) -> np.ndarray:
        """The codes of the sources behind the first; a fold may have no row of some."""
        return np.arange(1 + self.n_targets, self.n_domains if self.X_target is not None else 0)

    @property
    def labelled_target(self) -> np.ndarray:
        """Positions of the target rows that have a label."""
        if self.y_target is None:
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero(self.y_target >= 0)

    def without_labels(self, hidden: np.ndarray) -> TrainingData:
        """Return the data without the labels of some target rows, by their positions."""
        if self.y_target is None or not len(hidden):
            return self
        y_target = self.y_target.copy()
        y_target[hidden] = -1
        return replace(self, y_target=labels_if_any(y_target))

    @property
    def row_shape(self):
        """Shape of one row: ``(n_features,)``, or for images such as ``(3, 28, 28)``."""
        return self.X_source.shape[1:]


def labels_if_any(codes: np.ndarray) -> np.ndarray | None:
    """Return the codes of target rows, or None where no row has a label."""
    return codes if (codes >= 0).any() else None


def training_fold(data: TrainingData, train: np.ndarray) -> TrainingData:
    """Return the data with some of its source rows, by their positions, and all target rows."""
    assert data.target_domain is not None
    source = np.zeros(len(data.y_source), dtype=bool)
    source[train] = True
    return selected_rows(data, source, np.ones(len(data.target_domain), dtype=bool))


def selected_rows(
    data: TrainingData, source: np.ndarray, target: np.ndarray | None
) -> TrainingData:
    """Return the data with some of its rows; `X_source` and `X_target` are shared."""
    # A selection without any target row has no target.
    X_target = target_domain = target_rows = y_target = None
    if target is not None and target.any() and data.target_domain is not None:
        X_target, target_domain = data.X_target, data.target_domain[target]
        target_rows = at_rows(data.target_rows, np.flatnonzero(target))
        y_target = None if data.y_target is None else labels_if_any(data.y_target[target])
    return replace(
        data,
        source_rows=at_rows(data.source_rows, np.flatnonzero(source)),
        y_source=data.y_source[source],
        label_weight=None if data.label_weight is None else data.label_weight[source],
        domain_weight=None if data.domain_weight is None else data.domain_weight[source],
        groups=None if data.groups is None else data.groups[source],
        source_domain=None if data.source_domain is None else data.source_domain[source],
        X_target=X_target,
        target_rows=target_rows,
        target_domain=target_domain,
        y_target=y_target,
    )


def compact(data: TrainingData, most_bytes: int) -> TrainingData:
    """Return the data with copies of the rows that are used, if these take no more memory."""
    used = [(data.X_source, data.source_rows), (data.X_target, data.target_rows)]
    if any(X is None or rows is None for X, rows in used):
        return data
    if sum(_n_bytes(X) / X.shape[0] * len(rows) for X, rows in used) > most_bytes:
        return data
    X_source, X_target = (X[rows] for X, rows in used)
    return replace(data, X_source=X_source, source_rows=None, X_target=X_target, target_rows=None)


def _n_bytes(X: np.ndarray | sparse.csr_array) -> int:
    # A stored value takes 4 bytes (float32), and its column number 4 more.
    return int(8 * X.nnz if sparse.issparse(X) else X.nbytes)


def at_rows(rows: np.ndarray | None, positions: np.ndarray) -> np.ndarray:
    """Return positions in the whole array, for positions among the used rows.

    `rows` are the used rows, as `TrainingData.source_rows`; None means that all are used.
    """
    return positions if rows is None else rows[positions]
