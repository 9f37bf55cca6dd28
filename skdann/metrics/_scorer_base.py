"""`TargetScorer`, the base class of the scorers, and `ScoredDomains`, the outputs they score."""

from __future__ import annotations

import functools
import inspect
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from skdann._callers import called_by
from skdann._notebook.shown import DocumentedMixin
from skdann._target_bound.estimator import TargetBound
from skdann._typing import Rows, Targets
from skdann.exceptions import IgnoredRowsWarning, warn_caller


class TargetScorer(DocumentedMixin, BaseEstimator):
    """Base class of the scorers that need no target labels.

    A scorer is called with a fitted estimator, source rows, their labels, and target rows. It
    returns a float; higher is better. A call changes neither the scorer nor the estimator.

    Pass a scorer as `scoring` to a search or to cross-validation, alone or in a dict of several.
    With metadata routing enabled it requests the `X_tgt` that is passed to `fit`. Without routing,
    and for ``search.score(X, y)``, build it with the target: ``InfoMaxScorer(X_tgt=(X_tgt,))``.
    A Pipeline transforms the target, so pass it as it is before the first step.

    If the methods of the estimator have a parameter `domain`, source rows are passed with
    ``domain="source"``, and several target domains with their codes.

    A subclass lists its options in `__init__` and defines ``_measure(self, domains)``, which
    computes the score from a `ScoredDomains`.

    Parameters
    ----------
    X_tgt : {array-like, sparse matrix, DataFrame} of shape (n_target, n_features), tuple of such \
or "X", default=None
        Target rows to score on; all rows of a tuple count together. They have precedence over the
        `X_tgt` of a call, which is used if this is None.

        "X" says that the rows passed as `X` are target rows. They are scored, and `y` is ignored.
        It is for :func:`~sklearn.inspection.permutation_importance` and others that change `X` and
        see what happens to the score. Scores that also need source rows refuse it.

    Warns
    -----
    IgnoredRowsWarning
        If the score does not depend on `X` and ought to: in `permutation_importance`, and where
        `X` is the target that the scorer was built with.

    See Also
    --------
    ScoredDomains : What a subclass computes its score from.
    InfoMaxScorer : A scorer to look at as an example.

    Notes
    -----
    Inside a search pass ``X_tgt=(X_tgt,)`` to `fit`. If an array happens to have as many rows as
    `X`, scikit-learn selects from it the fold's *source* test rows, and the scorer cannot notice
    that it gets a part of the target. A tuple is passed whole; the score is then computed on rows
    that the fit has seen. :class:`skdann.model_selection.DomainKFold` holds out target rows too.

    Examples
    --------
    Two columns tell the same classes, the third is noise. How much information about the class is
    lost when a column of the target is permuted?

    >>> import numpy as np
    >>> from sklearn.inspection import permutation_importance
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdann.metrics import InfoMaxScorer
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(200) % 2
    >>> X, X_tgt = rng.normal(size=(2, 200, 3))
    >>> X[:, :2] += 4 * y[:, np.newaxis]
    >>> X_tgt[:, :2] += 4 * y[:, np.newaxis]
    >>> clf = LogisticRegression().fit(X, y)
    >>> scorer = InfoMaxScorer(X_tgt="X")
    >>> found = permutation_importance(clf, X_tgt, None, scoring=scorer, random_state=0)
    >>> abs(found.importances_mean).round(1)
    array([0.2, 0.2, 0. ])

    If one column alone decides, the score hardly changes when it is permuted: each row gets the
    prediction of another. The share of predictions that change is a better measure then, and needs
    no scorer of this module:

    >>> found = permutation_importance(
    ...     clf, X_tgt, clf.predict(X_tgt), scoring="accuracy", random_state=0
    ... )
    >>> abs(found.importances_mean).round(1)
    array([0.3, 0.2, 0. ])
    """

    def __init__(self, *, X_tgt: Targets | None = None) -> None:
        self.X_tgt = X_tgt

    def __call__(
        self, estimator: Any, X: Rows, y: ArrayLike | None = None, X_tgt: Targets | None = None
    ) -> float:
        """Return the score of a fitted estimator; higher is better.

        Parameters
        ----------
        estimator : fitted classifier, Pipeline or search
            A `DANNClassifier`, or any other that has the methods that the score needs.

        X : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features)
            Source rows, in the form that `estimator` takes. Target rows if the scorer was built
            with ``X_tgt="X"``.

        y : array-like of shape (n_source,), default=None
            Their labels.

        X_tgt : array-like of shape (n_target, n_features) or tuple of such, default=None
            Target rows, of any type that `X` may have. Not needed if the scorer was built with
            some.

        Returns
        -------
        float
            The score; higher is better.

        Raises
        ------
        ValueError
            If there is no target, or no source rows or no `y` where the score needs them. If
            `X_tgt` is passed although the scorer was built with ``X_tgt="X"``.
        AttributeError
            If the estimator lacks a method that the score needs.
        """
        try:
            domains = self._domains(estimator, X, y, X_tgt)
        except ValueError as error:
            if called_by("sklearn.model_selection._validation", "_score"):
                # It would make NaN of an exception, for every candidate. What is neither a number
                # nor a str it refuses, and prints.
                return _NoScore(str(error))
            raise
        score = float(self._measure(domains))
        if not domains.used_source and self._ought_to_score(X):
            name = type(self).__name__
            warn_caller(
                f"{name} scores the X_tgt that it was built with and ignores X, which is the same "
                "target or permuted rows. If X is to be scored, as in permutation_importance, "
                f"build it as {name}(X_tgt='X').",
                IgnoredRowsWarning,
            )
        return score

    def _ought_to_score(self, X):
        """Tell whether a score that ignores X is asked to score it."""
        if self.X_tgt is None or isinstance(self.X_tgt, str):
            return False
        return _holds(self.X_tgt, X) or called_by(
            "sklearn.inspection._permutation_importance", "permutation_importance"
        )

    def _domains(self, estimator, X, y, X_tgt):
        """Return the rows to score as `ScoredDomains`, or raise if there is no target."""
        name = type(self).__name__
        if isinstance(self.X_tgt, str):
            self._check_x_alone(X_tgt)
            return ScoredDomains(estimator, None, None, X, needed_by=name)
        target = X_tgt if self.X_tgt is None else self.X_tgt
        if target is None:
            raise ValueError(
                f"{name} got no X_tgt. Build it with the target, {name}(X_tgt=(X_tgt,)); or enable "
                "metadata routing, sklearn.set_config(enable_metadata_routing=True), and pass "
                "X_tgt=(X_tgt,) to the search, in search.score(X, y, X_tgt=(X_tgt,)) too."
            )
        return ScoredDomains(estimator, X, y, target, needed_by=name)

    def _check_x_alone(self, X_tgt):
        """Raise unless the parameter is "X", and the rows of a call can only be meant as target."""
        name = type(self).__name__
        if self.X_tgt != "X":
            raise ValueError(f"X_tgt must be target rows, a tuple of such or 'X': {self.X_tgt!r}.")
        if X_tgt is not None:
            raise ValueError(
                f"{name} was built with X_tgt='X', so it takes the rows passed as X for target "
                f"rows, but it got X_tgt too. In a search or in cross-validation, where X holds "
                f"source rows, use {name}()."
            )

    def get_metadata_routing(self) -> Any:
        """Return the metadata that the scorer requests: `X_tgt`.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRequest
            What scikit-learn's routing asks for.
        """
        request = super().get_metadata_routing()
        request.score.add_request(param="X_tgt", alias=True)
        return request

    def _measure(self, domains: ScoredDomains) -> float:
        raise NotImplementedError(f"{type(self).__name__} must define _measure(self, domains).")

    def _accept_sample_weight(self):
        """Return False: a score takes no sample_weight. scikit-learn calls this without routing."""
        return False


class _NoScore:
    """What a search gets in place of a score, to print and to stop at: it is no number."""

    def __init__(self, message):
        self._message = message

    def __str__(self):
        return f"nothing: {self._message} So it returned"


class ScoredDomains:
    """A fitted estimator and its outputs for source rows and for target rows.

    Each output is computed when it is first needed, and kept.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline or search
        Of a search, its best estimator counts.
    X : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features) or None
        Source rows; None if there are only target rows.
    y : array-like of shape (n_source,) or None
        Labels of the source rows.
    X_tgt : array-like of shape (n_target, n_features) or tuple of such
        Target rows, of any type that `X` may have.
    needed_by : str
        The score that needs the outputs, named in error messages.

    Attributes
    ----------
    last : classifier
        The last step of a Pipeline, or the estimator itself.
    classes : ndarray of shape (n_classes,)
        The classes in the order of the columns of `predict_proba`.
    used_source : bool
        Whether source rows, or an output for them, have been used so far.

    See Also
    --------
    TargetScorer : Makes it, and passes it to ``_measure``.

    Examples
    --------
    A scorer of one's own, the share of target rows that are predicted to be of class 1:

    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdann.metrics import TargetScorer
    >>> class ShareOfOnes(TargetScorer):
    ...     def _measure(self, domains):
    ...         return (domains.target("predict") == 1).mean()
    >>> clf = LogisticRegression().fit([[-1.0], [1.0]], [0, 1])
    >>> ShareOfOnes()(clf, [[-1.0], [1.0]], [0, 1], X_tgt=[[-2.0], [3.0], [4.0], [5.0]])
    0.75
    """

    def __init__(
        self,
        estimator: Any,
        X: Rows | None,
        y: ArrayLike | None,
        X_tgt: Targets,
        *,
        needed_by: str,
    ) -> None:
        estimator = _inside(estimator)
        steps = estimator.steps if isinstance(estimator, Pipeline) else [(None, estimator)]
        self.last = _inside(steps[-1][1])
        self._needed_by = needed_by
        self._y = y
        self._rows_source = None if X is None else _through(steps[:-1], X)
        domains = X_tgt if isinstance(X_tgt, tuple) else (X_tgt,)
        self._rows_target = [_through(steps[:-1], rows) for rows in domains]
        self._kept = {}
        self.used_source = False

    @property
    def classes(self) -> NDArray[Any]:
        """The classes in the order of the columns of `predict_proba`."""
        return self.last.classes_

    def labels(self) -> NDArray[Any]:
        """Return the source labels.

        Returns
        -------
        ndarray of shape (n_source,)
            The `y` that was passed.

        Raises
        ------
        ValueError
            If there is none.
        """
        self._check_source()
        if self._y is None:
            raise ValueError(f"{self._needed_by} needs the labels y of the source rows X.")
        return np.asarray(self._y)

    def is_class(self) -> NDArray[np.bool_]:
        """Return which class each source row has.

        Returns
        -------
        bool ndarray of shape (n_source, n_classes)
            True in the column of the row's label; columns are in the order of `classes`.
        """
        return self.labels()[:, np.newaxis] == np.asarray(self.classes)[np.newaxis, :]

    def source(self, method: str) -> Any:
        """Return the output of a method of the estimator for the source rows.

        Parameters
        ----------
        method : str
            Its name, such as "predict_proba".

        Returns
        -------
        ndarray of shape (n_source,) or (n_source, n_outputs)
            What the method returns.
        """
        self._check_source()
        self.used_source = True
        return self._once(("source", method), lambda: self._call(method, self._rows_source, 0))

    def target(self, method: str) -> Any:
        """Return the output of a method of the estimator for the rows of all target domains.

        Parameters
        ----------
        method : str
            Its name, such as "predict_proba".

        Returns
        -------
        ndarray of shape (n_target,) or (n_target, n_outputs)
            What the method returns, of one domain after the other.
        """
        return self._once(("target", method), lambda: self._call_on_targets(method))

    def rows(self) -> tuple[Any, Any]:
        """Return source rows and target rows, transformed by the steps before the last.

        Returns
        -------
        source : {array-like, sparse matrix, DataFrame} of shape (n_source, n_columns)
            The source rows as they reach the last step.
        target : {array-like, sparse matrix, DataFrame} of shape (n_target, n_columns)
            Those of all target domains, one after the other.
        """
        self._check_source()
        self.used_source = True
        return self._rows_source, self._once("rows", lambda: stacked_rows(self._rows_target))

    def features(self, space: Literal["embedding", "input"]) -> tuple[Any, Any]:
        """Return source rows and target rows in the space of the embedding or of the inputs.

        A classifier without `transform` has no embedding; its inputs are returned.

        Parameters
        ----------
        space : {"embedding", "input"}
            What to return.

        Returns
        -------
        source : {array-like, sparse matrix, DataFrame} of shape (n_source, n_columns)
            Embedding or inputs of the source rows.
        target : {array-like, sparse matrix, DataFrame} of shape (n_target, n_columns)
            Those of all target domains, one after the other.
        """
        if space not in ("embedding", "input"):
            raise ValueError(f'space must be "embedding" or "input", got {space!r}.')
        if space == "input" or not hasattr(self.last, "transform"):
            return self.rows()
        return self.source("transform"), self.target("transform")

    def _check_source(self):
        if self._rows_source is None:
            raise ValueError(
                f"{self._needed_by} was built with X_tgt='X', so it takes X for target rows, but "
                "it needs source rows and their labels too. Build it with the target, "
                f"{self._needed_by}(X_tgt=(X_tgt,)), and pass source rows as X."
            )

    def _call_on_targets(self, method):
        # Codes of target domains are known only if the estimator was fitted with as many.
        known = getattr(self.last, "n_domains_", None) == len(self._rows_target) + 1
        codes = range(1, len(self._rows_target) + 1) if known else [None] * len(self._rows_target)
        outputs = []
        for rows, code in zip(self._rows_target, codes, strict=True):
            outputs.append(self._call(method, rows, code))
        return stacked_rows(outputs)

    def _call(self, method, rows, code):
        """Call a method of the last step; code 0 is the source, None an unknown target."""
        call = getattr(self.last, method, None)
        if call is None:
            raise AttributeError(
                f"{self._needed_by} needs {method}, which {type(self.last).__name__} doesn't have. "
                "Use a classifier that has it; CalibratedClassifierCV adds predict_proba to others."
            )
        # Other classifiers than ours do not know domains.
        if not takes(call, "domain"):
            return call(rows)
        return call(rows, domain="target" if code is None else code or "source")

    def _once(self, key, compute):
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]


def _inside(estimator):
    """Return what a search chose, and what was fitted to a target that is bound to it."""
    while True:
        if isinstance(estimator, TargetBound) and hasattr(estimator, "estimator_"):
            estimator = estimator.estimator_
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            return estimator


def _through(steps, rows):
    """Return rows transformed by fitted transformers."""
    for _, step in steps:
        if step is not None and step != "passthrough":
            rows = step.transform(rows)
    return rows


def stacked_rows(parts):
    """Concatenate tables of one kind: sparse, pandas, polars or array-like."""
    if len(parts) == 1:
        return parts[0]
    if any(sparse.issparse(part) for part in parts):
        return sparse.vstack(parts, format="csr")
    if all(hasattr(part, "iloc") for part in parts):
        import pandas as pd

        return pd.concat(parts, ignore_index=True)
    if all(hasattr(part, "vstack") for part in parts):  # polars
        return functools.reduce(lambda above, below: above.vstack(below), parts)
    return np.concatenate([np.asarray(part) for part in parts])


def _holds(target, X):
    """Tell whether X equals the target, or one element of a tuple of targets."""
    for rows in target if isinstance(target, tuple) else (target,):
        if rows is X and X is not None:
            return True
        if rows is None or sparse.issparse(rows) or sparse.issparse(X):
            continue
        if np.shape(rows) == np.shape(X) and np.array_equal(np.asarray(rows), np.asarray(X)):
            return True
    return False


def takes(method, parameter):
    """Tell whether a method names a parameter in its signature."""
    return parameter in inspect.signature(method).parameters
