"""`KeptRows`: the target of an estimator, shared by its clones, with the columns that `X` has."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy import sparse

from skdann._sklearn_compat import num_samples, safe_indexing
from skdann._target_bound.matched_columns import matched_columns


class KeptRows:
    """Rows that clones and copies of an estimator share. They are short in print.

    Parameters
    ----------
    X_tgt : rows of one target domain, or a tuple of such
    X : rows, default=None
        The source rows, where columns are to be found by their values.
    """

    def __init__(self, X_tgt: Any, X: Any = None) -> None:
        if X_tgt is None:
            raise ValueError("with_target needs the rows of the target, got X_tgt=None.")
        domains = X_tgt if isinstance(X_tgt, tuple) else (X_tgt,)
        self.domains: tuple[Any, ...] | None = tuple(map(_table, domains))
        self.source = None if X is None else _table(X)
        self.shown = " + ".join(f"{num_samples(rows):,}" for rows in self.domains) + " rows"
        self._check_source()

    @classmethod
    def of(cls, X_tgt: Any) -> KeptRows:
        """Return what keeps these rows, which may be one already."""
        return X_tgt if isinstance(X_tgt, cls) else cls(X_tgt)

    def __repr__(self) -> str:
        """Say how many rows there are."""
        return f"<{self.shown}>"

    def __copy__(self) -> Self:
        """Return itself: it never changes."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return itself: a clone would otherwise have a copy of all rows."""
        return self

    def without_rows(self) -> KeptRows:
        """Return what says that there were rows, and has none."""
        other = object.__new__(KeptRows)
        other.domains = other.source = None
        other.shown = self.shown if self.domains is None else f"{self.shown}, not kept"
        return other

    def like(self, X: Any) -> tuple[Any, ...]:
        """Return the target domains with the columns of X, or raise.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_rows, n_columns)
        """
        if self.domains is None:
            raise ValueError(
                "The target's rows are not kept in files of a fitted estimator, nor by "
                "without_target. To fit again, bind it anew: "
                "estimator.with_target(X_tgt), or set_params(X_tgt=X_tgt)."
            )
        names = _names(X)
        if names is not None and all(_names(rows) is not None for rows in self.domains):
            return tuple(_named(rows, names) for rows in self.domains)
        if self.source is not None and not sparse.issparse(X):
            return self._by_content(np.asarray(X))
        width, own_width = np.shape(X)[1:], np.shape(self.domains[0])[1:]
        if width != own_width:
            raise ValueError(
                f"X has rows of shape {width}, and the target that is bound to this estimator has "
                f"{own_width}. If columns were selected, bind the source too, so that the target's "
                "can be found: estimator.with_target(X_tgt, X). If columns were added, as by "
                "ClassifierChain or passthrough=True, the target lacks them: this can't work."
            )
        return self.domains

    def _by_content(self, X):
        """Return the target domains with the columns of the source that X has."""
        at = matched_columns(X, np.asarray(self.source))
        unknown = [i for i, candidates in enumerate(at) if not candidates]
        if unknown:
            raise ValueError(
                f"Columns {unknown[:10]} of X hold values that no column of the bound source has: "
                "with_target(X_tgt, X) needs the rows X as they reach this estimator, and all of "
                "them. Put steps that change them inside, as a make_dann_pipeline."
            )
        self._check_interchangeable(at)
        columns = [candidates[0] for candidates in at]
        if columns == list(range(np.shape(self.source)[1])):
            return self.domains
        return tuple(safe_indexing(rows, columns, axis=1) for rows in self.domains)

    def _check_interchangeable(self, at):
        """Raise if a column of X can be one of several that differ in the target."""
        for i, (first, *others) in enumerate(at):
            for other in others:
                for rows in self.domains:
                    one, two = (np.ravel(_dense_column(rows, j)) for j in (first, other))
                    if not np.array_equal(one, two):
                        raise ValueError(
                            f"Column {i} of X has the values of columns {first} and {other} of the "
                            "bound source, which differ in the target, so it is unknown which to "
                            "take. Drop one of the two beforehand."
                        )

    def _check_source(self):
        if self.source is None:
            return
        width = np.shape(self.source)[1]
        if sparse.issparse(self.source) or any(np.shape(t)[1] != width for t in self.domains):
            raise ValueError(
                f"with_target(X_tgt, X) needs the source rows X, dense and with the columns of "
                f"X_tgt; X has the shape {np.shape(self.source)}. A sparse X can't have its "
                "columns selected: bind the target alone."
            )


def _table(rows):
    """Return rows that have a shape."""
    return rows if hasattr(rows, "shape") else np.asarray(rows)


def _names(rows):
    """Return the column names of a DataFrame, or None."""
    columns = getattr(rows, "columns", None)
    return None if columns is None else list(columns)


def _named(rows, names):
    """Return the columns of these names, or raise."""
    own = _names(rows)
    if own == names:
        return rows
    lacking = [name for name in names if name not in own]
    if lacking:
        raise ValueError(
            f"The target that is bound to this estimator lacks columns of X: {lacking[:10]}. Bind "
            "a target with the columns of X, before the steps in front of this estimator or behind "
            "them as X is."
        )
    return rows[names]


def _dense_column(rows, j):
    column = safe_indexing(rows, [j], axis=1)
    return column.toarray() if sparse.issparse(column) else np.asarray(column)
