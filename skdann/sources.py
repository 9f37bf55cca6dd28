"""Several sources: one table of them all, and cross-validation that leaves out one at a time."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.model_selection import LeaveOneGroupOut, cross_validate
from sklearn.utils import check_array, check_consistent_length, indexable
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from skdann._data.columns import feature_names
from skdann._data.listing import listed
from skdann._sklearn_compat import num_samples, safe_indexing
from skdann._typing import Rows, Targets
from skdann.metrics._scorer_base import stacked_rows
from skdann.model_selection import AlignedTarget

__all__ = ["HeldOutSource", "LeaveOneSourceOut", "leave_one_source_out", "stack_sources"]


# -- one table -------------------------------------------------------------------------------


def stack_sources(
    X: Sequence[Rows], y: Sequence[ArrayLike], names: Sequence[Hashable] | None = None
) -> tuple[Any, NDArray[Any], NDArray[Any]]:
    """Return several sources as one table, with the labels and the source of each row.

    Parameters
    ----------
    X : list of {array-like, sparse matrix, DataFrame} of shape (n_rows, n_features)
        The rows of each source, all of one kind and with the same columns. Columns of DataFrames
        may be in another order; they get that of the first.

    y : list of array-like of shape (n_rows,)
        The labels of each source.

    names : list of str or int, default=None
        A name for each source, all different. None means 0, 1 and so on.

    Returns
    -------
    X : {ndarray, sparse matrix, DataFrame} of shape (n_source, n_features)
        All rows, source after source. Sparse rows become CSR, DataFrames get a new index.

    y : ndarray of shape (n_source,)
        Their labels.

    source_domain : ndarray of shape (n_source,)
        The name of each row's source.

    Raises
    ------
    ValueError
        If the lists have different lengths, if sources have other columns or other kinds of
        tables than the first, if some labels are text and others numbers, or if two sources have
        the same name.

    See Also
    --------
    leave_one_source_out : What `source_domain` is good for.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdann.sources import stack_sources
    >>> north = pd.DataFrame({"age": [41, 60], "dose": [2.0, 1.5]})
    >>> south = pd.DataFrame({"dose": [0.5], "age": [35]})
    >>> X, y, source_domain = stack_sources([north, south], [[0, 1], [0]], ["north", "south"])
    >>> X
       age  dose
    0   41   2.0
    1   60   1.5
    2   35   0.5
    >>> y, source_domain
    (array([0, 1, 0]), array(['north', 'north', 'south'], dtype='<U5'))
    """
    tables, labels = list(X), [np.asarray(of_source) for of_source in y]
    names = list(range(len(tables))) if names is None else list(names)
    _check_lists(tables, labels, names)
    source_domain = np.repeat(np.array(names), [len(of_source) for of_source in labels])
    return stacked_rows(_with_same_columns(tables)), np.concatenate(labels), source_domain


def _check_lists(tables, labels, names):
    """Raise where the lists don't belong together."""
    if not tables:
        raise ValueError("X is empty. Pass a list with the rows of each source.")
    if not len(tables) == len(labels) == len(names):
        raise ValueError(
            f"X has {len(tables)} sources, y {len(labels)} and names {len(names)}. Pass three "
            "lists with one element for each source."
        )
    if len(set(names)) < len(names):
        raise ValueError(f"names has the same name twice: {listed(names)}. Pass different names.")
    for i, (table, of_source) in enumerate(zip(tables, labels, strict=True)):
        if of_source.ndim != 1 or num_samples(table) != len(of_source):
            raise ValueError(
                f"X[{i}] has {num_samples(table)} rows, but y[{i}] has shape {of_source.shape}. "
                "Pass one label for each row."
            )
    kinds = {of_source.dtype.kind in "US" for of_source in labels if of_source.dtype.kind != "O"}
    if len(kinds) > 1:
        raise ValueError(
            "y has text labels for some sources and numbers for others, so no class would have "
            "rows of all. Give every source labels of one kind."
        )


def _with_same_columns(tables):
    """Return the tables with the columns of the first in its order, or raise."""
    tables = [X if hasattr(X, "shape") else np.asarray(X) for X in tables]
    first, width = feature_names(tables[0]), tables[0].shape[1:]
    alike = [tables[0]]
    for i, X in enumerate(tables[1:], start=1):
        if type(X) is not type(tables[0]) and not (
            sparse.issparse(X) and sparse.issparse(alike[0])
        ):
            raise ValueError(
                f"X[{i}] is a {type(X).__name__}, but X[0] is a {type(alike[0]).__name__}. "
                "Convert all sources to the same kind of table."
            )
        names = feature_names(X)
        if first is not None and names is not None:
            _check_names(i, list(names), list(first))
            X = X[list(first)]
        elif X.shape[1:] != width:
            raise ValueError(
                f"X[{i}] has rows of shape {X.shape[1:]}, but X[0] of shape {width}. All sources "
                "need the same columns."
            )
        alike.append(X)
    return alike


def _check_names(i, names, first):
    """Raise where a table has other columns than the first."""
    lacks = [name for name in first if name not in set(names)]
    surplus = [name for name in names if name not in set(first)]
    differences = []
    if lacks:
        differences.append(f"lacks columns of X[0]: {listed(lacks)}")
    if surplus:
        differences.append(f"has columns that X[0] lacks: {listed(surplus)}")
    if differences:
        raise ValueError(
            f"X[{i}] {' and '.join(differences)}. Keep the columns that all sources have."
        )


# -- cross-validation ------------------------------------------------------------------------


class HeldOutSource(AlignedTarget):
    """Target domains of a search, in whose folds the source that was left out is the target.

    Made by :meth:`LeaveOneSourceOut.align_target`. It is the tuple of target domains that a search
    refits with. When scikit-learn indexes it with the rows of a fold, it returns the rows of the
    sources that are *not* among them.

    Parameters
    ----------
    targets : tuple of {array-like, sparse matrix, DataFrame} of shape (n_target, n_features)
        One element per target domain; may be empty.

    X : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features)
        The rows of all sources.

    sources : ndarray of int of shape (n_source,)
        The source of each row.

    Attributes
    ----------
    shape : tuple of one int
        ``(n_source,)``, so that scikit-learn takes it for a parameter with a row for each row of
        `X`.

    See Also
    --------
    LeaveOneSourceOut : The splitter that it belongs to.

    Examples
    --------
    >>> import numpy as np
    >>> from skdann.sources import LeaveOneSourceOut
    >>> X = np.arange(6.0)[:, None]
    >>> target = LeaveOneSourceOut().align_target(X, ["a", "a", "b", "b", "c", "c"])
    >>> target[np.array([0, 1, 4, 5])][0].ravel()
    array([2., 3.])
    """

    def __new__(cls, targets: tuple[Rows, ...], X: Rows, sources: ArrayLike) -> Self:
        """Make the tuple of `targets`, and keep the rows of the sources."""
        self = super().__new__(cls, targets, sources, ())
        self._X = X
        return self

    def __getnewargs__(self) -> tuple[Any, ...]:
        """Return the arguments of `__new__`, for `pickle` and `copy`."""
        return tuple(self), self._X, self._source_folds

    def _targets_for(self, rows):
        """Return the rows of the sources that these are not from.

        Rows of one of three or more sources are the test rows of a split, which a scorer gets: then
        it is this source.
        """
        present = np.unique(self._source_folds[np.asarray(rows)])
        n_sources = self._source_folds.max() + 1
        if len(present) == n_sources:
            raise ValueError(
                "X_tgt was aligned with sources of which one is left out, but a split has rows of "
                "all. Pass list(LeaveOneSourceOut().split(X, y, source_domain)) as cv."
            )
        is_test = len(present) == 1 and n_sources > 2
        wanted = np.isin(self._source_folds, present, invert=not is_test)
        return (safe_indexing(self._X, np.flatnonzero(wanted)),)


class LeaveOneSourceOut(LeaveOneGroupOut):
    """Splits in each of which another source plays the target.

    Target accuracy can't be measured without target labels. Where several labelled sources exist,
    each can be left out in turn: a classifier is fitted on the others, with the rows of this one as
    its unlabelled target, and scored on its labels. If your target differs from the sources about
    as much as they differ from each other, the mean is an honest estimate.

    The splits are those of :class:`~sklearn.model_selection.LeaveOneGroupOut`. What is added is
    `align_target`, by which `cross_validate` and searches pass the source left out as target.

    See Also
    --------
    leave_one_source_out : Does it all in one call.
    skdann.model_selection.DomainKFold : Folds of one source and one target.

    Notes
    -----
    A scorer that requests `X_tgt` by metadata routing gets the source left out. With two sources
    only, a split's test rows can't be told from the training rows of the other split, and such a
    scorer would get the wrong one: use scorers that need no target, such as the accuracy.

    Examples
    --------
    Search with leave-one-source-out. `X_tgt` is the target of the last fit.

    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdann import DANNClassifier
    >>> from skdann.datasets import make_rotated_moons
    >>> from skdann.sources import LeaveOneSourceOut, stack_sources
    >>> sources = [make_rotated_moons(60, rotation=d, random_state=0)[2:] for d in (0, 10, 20)]
    >>> X, y, source_domain = stack_sources(*zip(*sources))
    >>> X_tgt, _ = make_rotated_moons(60, rotation=30, random_state=1)[2:]
    >>> cv = LeaveOneSourceOut()
    >>> search = GridSearchCV(
    ...     DANNClassifier(max_epochs=5, random_state=0), {"lambda_max": [0.0, 0.3]},
    ...     cv=list(cv.split(X, y, source_domain)),
    ... )
    >>> search.fit(X, y, X_tgt=cv.align_target(X, source_domain, X_tgt)).n_splits_
    3
    """

    def align_target(
        self, X: Rows, source_domain: ArrayLike, X_tgt: Targets | None = None
    ) -> HeldOutSource:
        """Return a target that becomes, in each split, the source that is left out.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features)
            The rows of all sources.

        source_domain : array-like of shape (n_source,)
            The source of each row.

        X_tgt : {array-like, sparse matrix, DataFrame} of shape (n_target, n_features), default=None
            The target of the fit with which a search ends, or a tuple of targets. None is enough
            for `cross_validate`, and for a search with ``refit=False``.

        Returns
        -------
        HeldOutSource
            Pass it as `X_tgt` where the splits are passed as `cv`.

        Raises
        ------
        ValueError
            If there are fewer than two sources.

        Examples
        --------
        >>> import numpy as np
        >>> from skdann.sources import LeaveOneSourceOut
        >>> X, source_domain = np.arange(4.0)[:, None], [1, 1, 2, 3]
        >>> cv = LeaveOneSourceOut()
        >>> target = cv.align_target(X, source_domain)
        >>> for train, test in cv.split(X, groups=source_domain):
        ...     print(train, target[train][0].ravel())
        [2 3] [0. 1.]
        [0 1 3] [2.]
        [0 1 2] [3.]
        """
        codes, _ = _sources_of(X, source_domain)
        if X_tgt is None:
            X_tgt = ()
        targets = X_tgt if isinstance(X_tgt, tuple) else (X_tgt,)
        return HeldOutSource(targets, indexable(X)[0], codes)


def _sources_of(X, source_domain):
    """Return the code of each row's source, and the names of the sources."""
    names = check_array(source_domain, ensure_2d=False, dtype=None, input_name="source_domain")
    check_consistent_length(X, names)
    sources, codes = np.unique(names, return_inverse=True)
    if len(sources) < 2:
        raise ValueError(
            f"source_domain has one source only, {listed(sources.tolist())}, so none can be left "
            "out. Pass rows of at least two sources."
        )
    return codes, sources


def leave_one_source_out(
    estimator: Any,
    X: Rows,
    y: ArrayLike,
    source_domain: ArrayLike,
    *,
    scoring: Any = None,
    params: Mapping[str, Any] | None = None,
    n_jobs: int | None = None,
) -> dict[str, NDArray[Any]]:
    """Leave out each source in turn: adapt the others to it, and score on its labels.

    Parameters
    ----------
    estimator : estimator
        A `DANNClassifier`, `DANNClassifierCV`, a Pipeline or search that takes `X_tgt`. One that
        takes no `X_tgt`, such as `LogisticRegression`, is fitted on the other sources alone, for
        comparison.

    X : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features)
        The rows of all sources.

    y : array-like of shape (n_source,)
        Their labels.

    source_domain : array-like of shape (n_source,)
        The source of each row, by any labels; at least two different ones. With three or more,
        `fit` gets it too, if the estimator takes it.

    scoring : str, callable, list, tuple or dict, default=None
        As in :func:`~sklearn.model_selection.cross_validate`; None is the accuracy.

    params : dict, default=None
        Further parameters of `fit`, such as ``sample_weight``. Those with a value for each row of
        `X` are cut along with it.

    n_jobs : int, default=None
        Number of fits at the same time.

    Returns
    -------
    dict of str to ndarray of shape (n_sources,)
        As of `cross_validate`: ``fit_time``, ``score_time``, and ``test_score`` or one
        ``test_<name>`` for each scorer. And ``source``, the name of the source left out.

    Raises
    ------
    ValueError
        If there are fewer than two sources.

    See Also
    --------
    LeaveOneSourceOut : The splits, for searches.

    Examples
    --------
    >>> from skdann import DANNClassifier
    >>> from skdann.datasets import make_rotated_moons
    >>> from skdann.sources import leave_one_source_out, stack_sources
    >>> sources = [make_rotated_moons(60, rotation=d, random_state=0)[2:] for d in (0, 10, 20)]
    >>> X, y, source_domain = stack_sources(*zip(*sources), names=["north", "middle", "south"])
    >>> clf = DANNClassifier(lambda_max=0.3, max_epochs=20, random_state=0)
    >>> scores = leave_one_source_out(clf, X, y, source_domain)
    >>> for source, score in zip(scores["source"], scores["test_score"]):
    ...     print(source, score > 0.7)
    middle True
    north True
    south True
    """
    cv = LeaveOneSourceOut()
    target = cv.align_target(X, source_domain)
    _, sources = _sources_of(X, source_domain)
    of_fit = {"X_tgt": target}
    if len(sources) > 2:
        of_fit["source_domain"] = np.asarray(source_domain)
    of_fit = {name: value for name, value in of_fit.items() if _takes(estimator, name)}
    scores = cross_validate(
        estimator, X, y,
        cv=list(cv.split(X, y, source_domain)), scoring=scoring, n_jobs=n_jobs,
        params={**of_fit, **(params or {})}, error_score="raise",
    )  # fmt: skip
    return {"source": sources, **scores}


def _takes(estimator, name):
    """Tell whether an estimator's `fit` takes or passes on a parameter."""
    routing = get_routing_for_object(estimator)
    return has_fit_parameter(estimator, name) or name in routing.consumes("fit", [name])
