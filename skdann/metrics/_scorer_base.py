"""The base of all scorers: who is given which rows, and what an estimator makes of them."""

import functools
import inspect

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline


class TargetScorer(BaseEstimator):
    """Base of all scorers here: who is given which rows.

    A scorer is called with a fitted estimator, source rows, their labels and the target, and
    returns a number of which more is better. It changes neither itself nor the estimator.

    In a search or in cross-validation it is passed as `scoring`, alone or in a dict of several.
    With metadata routing enabled it asks for the `X_tgt` that `fit` is given, by itself.
    Without, and for ``search.score(X, y)``, build it with the target.

    The target comes as the user has it: the scorer passes it through the steps of a Pipeline.
    Where the estimator asks which domain rows are from (``domain``), source rows are announced
    as such, and so are several target domains.

    A subclass defines ``_measure(self, domains)``, which returns the score from
    `ScoredDomains`, and lists its options in `__init__`.

    Parameters
    ----------
    X_tgt : {array-like, sparse matrix, DataFrame} of shape (n_target, n_features), default=None
        Target rows to score on, or a tuple of such, of which the rows count together. It has
        precedence over the `X_tgt` of a call. None takes the latter.

    Notes
    -----
    Inside a search pass ``X_tgt=(X_tgt,)`` to `fit`. scikit-learn cuts an array that happens to
    have as many rows as `X` by the fold's *source* test rows; the scorer is given a part of
    the target then and can't know. With the tuple the score is on rows that the fit has seen;
    :class:`skdann.model_selection.DomainKFold` leaves them out.
    """

    def __init__(self, *, X_tgt=None):
        self.X_tgt = X_tgt

    def __call__(self, estimator, X, y=None, X_tgt=None):
        """Return the score of a fitted estimator; greater is better.

        Parameters
        ----------
        estimator : fitted classifier, Pipeline or search
            A `DANNClassifier` or any other that has the methods which the score is made of.

        X : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features)
            Source rows, as `estimator` takes them.

        y : array-like of shape (n_source,), default=None
            Their labels.

        X_tgt : as `X` with n_target rows, or a tuple of such, default=None
            Target rows, as `estimator` takes them. Not needed if the scorer was built with some.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If there is no target, or no `y` where the score needs it.
        AttributeError
            If the estimator lacks a method that the score needs.
        """
        name = type(self).__name__
        target = X_tgt if self.X_tgt is None else self.X_tgt
        if target is None:
            raise ValueError(
                f"{name} got no X_tgt. Build it with the target, {name}(X_tgt=(X_tgt,)); or enable "
                "metadata routing, sklearn.set_config(enable_metadata_routing=True), and pass "
                "X_tgt=(X_tgt,) to the search, in search.score(X, y, X_tgt=(X_tgt,)) too."
            )
        return float(self._measure(ScoredDomains(estimator, X, y, target, needed_by=name)))

    def get_metadata_routing(self):
        """Return the request for `X_tgt`.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRequest
        """
        request = super().get_metadata_routing()
        request.score.add_request(param="X_tgt", alias=True)
        return request

    def _measure(self, domains):
        raise NotImplementedError(f"{type(self).__name__} must define _measure(self, domains).")

    def _accept_sample_weight(self):
        """Tell scikit-learn, which asks without routing, that there is no sample_weight."""
        return False


class ScoredDomains:
    """A fitted estimator, and what it makes of source rows and of target rows.

    Every output is computed once, so several scores can share one object.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline or search
    X : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features)
    y : array-like of shape (n_source,) or None
    X_tgt : as `X` with n_target rows, or a tuple of such
    needed_by : str
        Who asks, for messages.

    Attributes
    ----------
    last : classifier
        The last step, or the estimator itself.
    classes : ndarray of shape (n_classes,)
    """

    def __init__(self, estimator, X, y, X_tgt, *, needed_by):
        estimator = getattr(estimator, "best_estimator_", estimator)
        steps = estimator.steps if isinstance(estimator, Pipeline) else [(None, estimator)]
        self.last = steps[-1][1]
        self._needed_by = needed_by
        self._y = y
        self._rows_source = _through(steps[:-1], X)
        domains = X_tgt if isinstance(X_tgt, tuple) else (X_tgt,)
        self._rows_target = [_through(steps[:-1], rows) for rows in domains]
        self._kept = {}

    @property
    def classes(self):
        """The classes in the order of the columns of `predict_proba`."""
        return self.last.classes_

    def labels(self):
        """Return `y` as an ndarray, or raise if there is none."""
        if self._y is None:
            raise ValueError(f"{self._needed_by} needs the labels y of the source rows X.")
        return np.asarray(self._y)

    def is_class(self):
        """Return whether each source row is of each class: bool of shape (n_source, n_classes)."""
        return self.labels()[:, np.newaxis] == np.asarray(self.classes)[np.newaxis, :]

    def source(self, method):
        """Return what a method of the estimator makes of the source rows."""
        return self._once(("source", method), lambda: self._call(method, self._rows_source, 0))

    def target(self, method):
        """Return what a method of the estimator makes of the rows of all target domains."""
        return self._once(("target", method), lambda: self._call_on_targets(method))

    def rows(self):
        """Return source rows and target rows, as the steps in front of the last make them."""
        return self._rows_source, self._once("rows", lambda: _stack(self._rows_target))

    def features(self, space):
        """Return source rows and target rows in a space: "embedding" or "input"."""
        if space not in ("embedding", "input"):
            raise ValueError(f'space must be "embedding" or "input", got {space!r}.')
        if space == "input" or not hasattr(self.last, "transform"):
            return self.rows()
        return self.source("transform"), self.target("transform")

    def _call_on_targets(self, method):
        known = getattr(self.last, "n_domains_", None) == len(self._rows_target) + 1
        codes = range(1, len(self._rows_target) + 1) if known else [None] * len(self._rows_target)
        return _stack(
            [
                self._call(method, rows, code)
                for rows, code in zip(self._rows_target, codes, strict=True)
            ]
        )

    def _call(self, method, rows, code):
        """Call a method of the last step; `code` is the domain, None for an unknown target."""
        call = getattr(self.last, method, None)
        if call is None:
            raise AttributeError(
                f"{self._needed_by} needs {method}, which {type(self.last).__name__} doesn't have. "
                "Use a classifier that has it; CalibratedClassifierCV adds predict_proba to others."
            )
        if not takes(call, "domain"):
            return call(rows)
        return call(rows, domain="target" if code is None else code or "source")

    def _once(self, key, compute):
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]


def _through(steps, rows):
    """Return rows as fitted transformers make them."""
    for _, step in steps:
        if step is not None and step != "passthrough":
            rows = step.transform(rows)
    return rows


def _stack(parts):
    """Return one table of the rows of several."""
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


def takes(method, parameter):
    """Tell whether a method names a parameter in its signature."""
    return parameter in inspect.signature(method).parameters
