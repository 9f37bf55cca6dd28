"""`TargetBound`: a classifier that brings its target along, and the method that makes one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Self

from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.metrics import accuracy_score
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from skdann._notebook.shown import DocumentedMixin
from skdann._target_bound.kept_rows import KeptRows
from skdann._typing import Rows, Targets, available_if


def _inside_has(method: str) -> Callable[[Any], bool]:
    """Return a check for `available_if`: whether the estimator inside has this method."""

    def check(bound: Any) -> bool:
        getattr(getattr(bound, "estimator_", bound.estimator), method)
        return True

    return check


class TargetBound(DocumentedMixin, MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """A classifier that takes its target along, so that ``fit(X, y)`` adapts.

    Most meta-estimators can't pass `X_tgt` to the estimators that they fit. They can fit this one.
    It is made by ``estimator.with_target(X_tgt)``.

    Clones share the target's rows, without a copy. Where a meta-estimator selects columns, the same
    columns of the target are selected.

    Parameters
    ----------
    estimator : DANNClassifier, DANNClassifierCV, DANNPipeline or search of one
        Each `fit` fits a clone of it.

    X_tgt : array-like of shape (n_target, n_features) or tuple of such
        Target rows, as `estimator` takes them. ``with_target`` wraps them, so that they are short
        in print.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone; what else was fitted is there.

    classes_ : ndarray of shape (n_classes,)
        The sorted labels.

    n_features_in_ : int
        Width of `X`.

    feature_names_in_ : ndarray of shape (n_features,)
        Column names, where `X` had names that are all strings.

    adapted_, verdict_ : bool, str
        What was decided, and why; see `DANNClassifier`.

    See Also
    --------
    DANNClassifier.with_target : Makes it.
    skdann.model_selection.without_target : Takes the rows out of a meta-estimator before it is
        saved.

    Notes
    -----
    A pickle of a fitted `TargetBound` has no rows: it predicts, and must be bound anew to be fitted
    again. A pickle of one that is not fitted has them, as other processes need them.
    Meta-estimators keep the estimator that they were given, not fitted, so their files have the
    rows too: save what :func:`~skdann.model_selection.without_target` returns.

    Examples
    --------
    >>> from sklearn.ensemble import VotingClassifier
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdann import DANNClassifier
    >>> from skdann.datasets import make_rotated_moons
    >>> X_src, y_src, X_tgt, y_tgt = make_rotated_moons(n_samples=100, random_state=0)
    >>> dann = DANNClassifier(lambda_max=1.0, max_epochs=5, random_state=0).with_target(X_tgt)
    >>> vote = VotingClassifier([("dann", dann), ("linear", LogisticRegression())], voting="soft")
    >>> vote.fit(X_src, y_src).estimators_[0].estimator_.n_domains_
    2
    >>> dann
    TargetBound(X_tgt=<100 rows>,
                estimator=DANNClassifier(lambda_max=1.0, max_epochs=5,
                                         random_state=0))
    """

    # scikit-learn reads routing requests from dicts in the class.
    __metadata_request__predict = {"domain": True}  # noqa: RUF012
    __metadata_request__predict_proba = {"domain": True}  # noqa: RUF012
    __metadata_request__predict_log_proba = {"domain": True}  # noqa: RUF012
    __metadata_request__decision_function = {"domain": True}  # noqa: RUF012
    __metadata_request__score = {"domain": True}  # noqa: RUF012

    def __init__(self, estimator: Any, X_tgt: Targets | KeptRows) -> None:
        self.estimator = estimator
        self.X_tgt = X_tgt

    def fit(
        self,
        X: Rows,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit to labelled source rows, and to the target that is bound.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_source, n_columns)
            Source rows. Their columns may be some of the target's: in a DataFrame they are found by
            name, in an array by their values, if the source was bound too.

        y : array-like of shape (n_source,)
            Labels of the source rows.

        sample_weight : array-like of shape (n_source,), default=None
            Weights >= 0 of the source rows.

        groups : array-like of shape (n_source,), default=None
            Groups of source rows, which are held out together.

        Returns
        -------
        self : TargetBound
            The fitted classifier.

        Raises
        ------
        ValueError
            If it is unknown which columns of the target belong to those of `X`; if the rows were
            left out of a file; and what the estimator raises.
        """
        target = KeptRows.of(self.X_tgt).like(X)
        given = {"sample_weight": sample_weight, "groups": groups}
        given = {name: value for name, value in given.items() if value is not None}
        self.estimator_ = clone(self.estimator).fit(X, y, X_tgt=target, **given)
        return self

    @available_if(_inside_has("predict"))
    def predict(self, X: Rows, *, domain: Any = None) -> NDArray[Any]:
        """Return the label of each row; see `DANNClassifier.predict`.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_columns)
            Rows, with the columns of `fit`.

        domain : {"target", "source"}, int or array-like of int of shape (n_samples,), default=None
            Where the rows are from.

        Returns
        -------
        ndarray of shape (n_samples,)
            Elements of `classes_`.
        """
        return self._inside("predict", X, domain)

    @available_if(_inside_has("predict_proba"))
    def predict_proba(self, X: Rows, *, domain: Any = None) -> NDArray[Any]:
        """Return the probability of each class; see `DANNClassifier.predict_proba`.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_columns)
            Rows, with the columns of `fit`.

        domain : {"target", "source"}, int or array-like of int of shape (n_samples,), default=None
            Where the rows are from.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`; rows sum to 1.
        """
        return self._inside("predict_proba", X, domain)

    @available_if(_inside_has("predict_log_proba"))
    def predict_log_proba(self, X: Rows, *, domain: Any = None) -> NDArray[Any]:
        """Return the natural logarithm of `predict_proba`.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_columns)
            Rows, with the columns of `fit`.

        domain : {"target", "source"}, int or array-like of int of shape (n_samples,), default=None
            Where the rows are from.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`; values are 0 or less.
        """
        return self._inside("predict_log_proba", X, domain)

    @available_if(_inside_has("decision_function"))
    def decision_function(self, X: Rows, *, domain: Any = None) -> NDArray[Any]:
        """Return the logits; see `DANNClassifier.decision_function`.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_columns)
            Rows, with the columns of `fit`.

        domain : {"target", "source"}, int or array-like of int of shape (n_samples,), default=None
            Where the rows are from.

        Returns
        -------
        ndarray of shape (n_samples,) for two classes, else (n_samples, n_classes)
            In the order of `classes_`.
        """
        return self._inside("decision_function", X, domain)

    def score(
        self,
        X: Rows,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        domain: Any = None,
    ) -> float:
        """Return the accuracy of `predict`.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_columns)
            Rows, with the columns of `fit`.

        y : array-like of shape (n_samples,)
            True labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row, at least 0.

        domain : {"target", "source"}, int or array-like of int of shape (n_samples,), default=None
            Where the rows are from.

        Returns
        -------
        float in [0, 1]
            Share of the rows whose label is predicted correctly.
        """
        predicted = self.predict(X, domain=domain)
        return float(accuracy_score(y, predicted, sample_weight=sample_weight))

    def _inside(self, method, X, domain):
        """Return what a method of the fitted estimator returns."""
        check_is_fitted(self)
        told = {} if domain is None else {"domain": domain}
        return getattr(self.estimator_, method)(X, **told)

    @property
    def classes_(self) -> NDArray[Any]:
        """The sorted labels."""
        return self.estimator_.classes_

    @property
    def n_features_in_(self) -> int:
        """Width of `X`."""
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Column names, where `X` had names."""
        return self.estimator_.feature_names_in_

    @property
    def adapted_(self) -> bool:
        """Whether something was chosen over the network without adaptation."""
        return self.estimator_.adapted_

    @property
    def verdict_(self) -> str:
        """What was chosen, and why."""
        return self.estimator_.verdict_

    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether there is a fitted estimator inside."""
        return hasattr(self, "estimator_")

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for a file: what is fitted is saved without the target's rows."""
        state = dict(super().__getstate__())
        if "estimator_" in state:
            state["X_tgt"] = KeptRows.of(self.X_tgt).without_rows()
        return state

    def __copy__(self) -> Self:
        """Return a copy that keeps the target's rows."""
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a deep copy that shares the target's rows."""
        copied = type(self).__new__(type(self))
        copied.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return copied

    def __sklearn_tags__(self) -> Any:
        """Declare what the estimator inside takes."""
        tags, inside = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.input_tags, tags.target_tags = inside.input_tags, inside.target_tags
        tags.classifier_tags = inside.classifier_tags
        return tags


class TargetBindingMixin:
    """The method that binds a target to an estimator."""

    def with_target(self, X_tgt: Targets, X: Rows | None = None) -> TargetBound:
        """Return a classifier that takes this target along: its ``fit(X, y)`` adapts.

        For meta-estimators that can't pass `X_tgt` on; the user guide lists them. Where `fit` can
        be given `X_tgt`, pass it there.

        Parameters
        ----------
        X_tgt : array-like of shape (n_target, n_features) or tuple of such
            Target rows, as `fit` takes them.

        X : array-like of shape (n_source, n_features), default=None
            The source rows, only for what selects columns of an array: bagging with `max_features`,
            sequential feature selection and recursive feature elimination. The columns are then
            found by their values. For a DataFrame that keeps its names it is not needed.

        Returns
        -------
        TargetBound
            Not fitted; a clone of this estimator is fitted by each `fit`.

        Examples
        --------
        >>> from sklearn.ensemble import BaggingClassifier
        >>> from skdann import DANNClassifier
        >>> from skdann.datasets import make_rotated_moons
        >>> X_src, y_src, X_tgt, y_tgt = make_rotated_moons(n_samples=100, random_state=0)
        >>> dann = DANNClassifier(lambda_max=1.0, max_epochs=5).with_target(X_tgt, X_src)
        >>> bagged = BaggingClassifier(dann, n_estimators=2, max_features=0.5, random_state=0)
        >>> bagged.fit(X_src, y_src).predict(X_tgt).shape
        (100,)
        """
        return TargetBound(self, KeptRows(X_tgt, X))
