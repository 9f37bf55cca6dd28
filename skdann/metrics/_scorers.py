"""Scorers for searches and cross-validation that need no target labels."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skdann._typing import RandomState, Targets
from skdann.metrics._class_shares import estimate_class_shares
from skdann.metrics._distances import coral_distance, maximum_mean_discrepancy, proxy_a_distance
from skdann.metrics._importance import (
    deep_embedded_validation,
    density_ratio_weights,
    importance_weighted_accuracy,
)
from skdann.metrics._prediction_scores import (
    batch_nuclear_norm,
    corr_c,
    info_max,
    prediction_entropy,
    soft_neighborhood_density,
)
from skdann.metrics._scorer_base import ScoredDomains, TargetScorer

Space: TypeAlias = Literal["embedding", "input"]


class ProxyADistanceScorer(TargetScorer):
    """Minus the proxy A-distance: high if a classifier cannot predict the domain of a row.

    It depends on the features only. A constant embedding has the best score and is useless, so
    combine it with a score of the predictions.

    Parameters
    ----------
    X_tgt : array-like of shape (n_target, n_features) or tuple of such, default=None
        Target rows to score on. None takes those of the call; see `TargetScorer`.

    space : {"embedding", "input"}, default="embedding"
        What to compare: the output of the estimator's `transform`, or its inputs (in a Pipeline,
        after the steps in front of it). A classifier without `transform` is scored on its inputs.

    classifier : classifier, default=None
        Predicts the domain; None is a balanced logistic regression.

    cv : int or splitter, default=5
        Folds for that classifier.

    random_state : int, RandomState instance or None, default=0
        Determines the folds. By default they are the same for all candidates of a search.

    See Also
    --------
    skdann.metrics.proxy_a_distance : The distance, and the reference.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdann.metrics import ProxyADistanceScorer
    >>> X, y = np.arange(20.0)[:, None], np.repeat([0, 1], 10)
    >>> clf = LogisticRegression().fit(X, y)
    >>> ProxyADistanceScorer()(clf, X, y, X_tgt=X + 100)
    -2.0
    """

    def __init__(
        self,
        *,
        X_tgt: Targets | None = None,
        space: Space = "embedding",
        classifier: Any = None,
        cv: Any = 5,
        random_state: RandomState = 0,
    ) -> None:
        super().__init__(X_tgt=X_tgt)
        self.space = space
        self.classifier = classifier
        self.cv = cv
        self.random_state = random_state

    def _measure(self, domains: ScoredDomains) -> float:
        features = domains.features(self.space)
        return -proxy_a_distance(
            *features,
            classifier=self.classifier,
            cv=self.cv,
            random_state=copy.deepcopy(self.random_state),
        )


class MMDScorer(TargetScorer):
    """Minus the squared maximum mean discrepancy between the domains.

    Parameters
    ----------
    X_tgt : array-like of shape (n_target, n_features) or tuple of such, default=None
        Target rows to score on. None takes those of the call; see `TargetScorer`.

    space : {"embedding", "input"}, default="embedding"
        See `ProxyADistanceScorer`.

    bandwidth : float, default=None
        Width of the Gaussian kernel. None is the median distance between two rows. It differs
        between the candidates of a search, so their scores are not on one scale.

    See Also
    --------
    skdann.metrics.maximum_mean_discrepancy : The distance, and the reference.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdann.metrics import MMDScorer
    >>> X, y = np.arange(20.0)[:, None], np.repeat([0, 1], 10)
    >>> clf = LogisticRegression().fit(X, y)
    >>> MMDScorer()(clf, X, X_tgt=X + 1) > MMDScorer()(clf, X, X_tgt=X + 5)
    True
    """

    def __init__(
        self,
        *,
        X_tgt: Targets | None = None,
        space: Space = "embedding",
        bandwidth: float | None = None,
    ) -> None:
        super().__init__(X_tgt=X_tgt)
        self.space = space
        self.bandwidth = bandwidth

    def _measure(self, domains: ScoredDomains) -> float:
        return -maximum_mean_discrepancy(*domains.features(self.space), bandwidth=self.bandwidth)


class CoralScorer(TargetScorer):
    """Minus the distance between the covariances of the domains.

    Parameters
    ----------
    X_tgt : array-like of shape (n_target, n_features) or tuple of such, default=None
        Target rows to score on. None takes those of the call; see `TargetScorer`.

    space : {"embedding", "input"}, default="embedding"
        See `ProxyADistanceScorer`.

    See Also
    --------
    skdann.metrics.coral_distance : The distance, and the reference.

    Examples
    --------
    Variances 2 and 8 in one column: ``(2 - 8)**2 / 4``.

    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdann.metrics import CoralScorer
    >>> clf = LogisticRegression().fit([[0.0], [2.0]], [0, 1])
    >>> CoralScorer()(clf, [[0.0], [2.0]], X_tgt=[[0.0], [4.0]])
    -9.0
    """

    def __init__(self, *, X_tgt: Targets | None = None, space: Space = "embedding") -> None:
        super().__init__(X_tgt=X_tgt)
        self.space = space

    def _measure(self, domains: ScoredDomains) -> float:
        return -coral_distance(*domains.features(self.space))


class _ImportanceScorer(TargetScorer):
    """Base class of the two scorers that weigh source rows by density ratios."""

    def __init__(
        self,
        *,
        X_tgt: Targets | None = None,
        space: Space = "embedding",
        classifier: Any = None,
        cv: Any = 5,
        clip: float | None = 10.0,
        random_state: RandomState = 0,
    ) -> None:
        super().__init__(X_tgt=X_tgt)
        self.space = space
        self.classifier = classifier
        self.cv = cv
        self.clip = clip
        self.random_state = random_state

    def _weights(self, domains, *, normalize):
        """Return a weight for each source row, a float64 ndarray of shape (n_source,)."""
        features = domains.features(self.space)
        return density_ratio_weights(
            *features,
            classifier=self.classifier,
            cv=self.cv,
            clip=self.clip,
            normalize=normalize,
            random_state=copy.deepcopy(self.random_state),
        )


class ImportanceWeightedAccuracyScorer(_ImportanceScorer):
    """Accuracy on the source rows, weighted by their density ratio of target over source.

    In a comparison on 64 pairs of domains it was no better for choosing a model than no choice at
    all; see the user guide, "Choosing without target labels".

    Parameters
    ----------
    X_tgt : array-like of shape (n_target, n_features) or tuple of such, default=None
        Target rows to score on. None takes those of the call; see `TargetScorer`.

    space : {"embedding", "input"}, default="embedding"
        Where the densities are compared; see `ProxyADistanceScorer`. With "input" the weights are
        the same for all candidates of a search that share the steps before the classifier.

    classifier : classifier with `predict_proba`, default=None
        Predicts the domain; None is a logistic regression.

    cv : int or splitter, default=5
        Folds for that classifier: each row is weighed by one that was trained without it.

    clip : float or None, default=10.0
        Largest ratio of the densities; None for no limit.

    random_state : int, RandomState instance or None, default=0
        Determines the folds.

    See Also
    --------
    skdann.metrics.density_ratio_weights : The weights.
    skdann.metrics.importance_weighted_accuracy : The score, and the reference.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdann.metrics import ImportanceWeightedAccuracyScorer
    >>> X, y = np.arange(20.0)[:, None], np.repeat([0, 1], 10)
    >>> clf = LogisticRegression().fit(X, y)
    >>> ImportanceWeightedAccuracyScorer()(clf, X, y, X_tgt=X + 3)
    1.0
    """

    def _measure(self, domains: ScoredDomains) -> float:
        weights = self._weights(domains, normalize=True)
        predicted = domains.source("predict")
        return importance_weighted_accuracy(domains.labels(), predicted, weights).score


class DeepEmbeddedValidationScorer(_ImportanceScorer):
    """Minus the risk on target rows, estimated by deep embedded validation.

    Parameters
    ----------
    X_tgt : array-like of shape (n_target, n_features) or tuple of such, default=None
        Target rows to score on. None takes those of the call; see `TargetScorer`.

    loss : {"log", "zero_one"}, default="log"
        Loss of a source row: minus the logarithm of the probability of its label, or 1 for a
        wrong prediction and 0 for a right one.

    space : {"embedding", "input"}, default="embedding"
        Where the densities are compared; see `ProxyADistanceScorer`.

    classifier : classifier with `predict_proba`, default=None
        Predicts the domain; None is a logistic regression.

    cv : int or splitter, default=5
        Folds for that classifier: each row is weighed by one that was trained without it.

    clip : float or None, default=10.0
        Largest ratio of the densities; None for no limit.

    random_state : int, RandomState instance or None, default=0
        Determines the folds.

    See Also
    --------
    skdann.metrics.deep_embedded_validation : The risk, and the reference.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdann.metrics import DeepEmbeddedValidationScorer
    >>> X, y = np.arange(20.0)[:, None], np.repeat([0, 1], 10)
    >>> clf = LogisticRegression().fit(X, y)
    >>> abs(DeepEmbeddedValidationScorer(loss="zero_one")(clf, X, y, X_tgt=X + 3))
    0.0
    """

    def __init__(
        self,
        *,
        X_tgt: Targets | None = None,
        loss: Literal["log", "zero_one"] = "log",
        space: Space = "embedding",
        classifier: Any = None,
        cv: Any = 5,
        clip: float | None = 10.0,
        random_state: RandomState = 0,
    ) -> None:
        super().__init__(
            X_tgt=X_tgt,
            space=space,
            classifier=classifier,
            cv=cv,
            clip=clip,
            random_state=random_state,
        )
        self.loss = loss

    def _measure(self, domains: ScoredDomains) -> float:
        losses = self._losses(domains)
        return -deep_embedded_validation(losses, self._weights(domains, normalize=False))

    def _losses(self, domains):
        """Return the loss of each source row, a float64 ndarray of shape (n_source,)."""
        if self.loss == "zero_one":
            return (np.asarray(domains.source("predict")) != domains.labels()).astype(float)
        if self.loss != "log":
            raise ValueError(f'loss must be "log" or "zero_one", got {self.loss!r}.')
        proba = np.asarray(domains.source("predict_proba"), dtype=float)
        # is_class is True only in the column of the row's label, so the sum picks that column.
        proba_of_label = (proba * domains.is_class()).sum(axis=1)
        # A probability of 0 would make the loss infinite.
        return -np.log(np.maximum(proba_of_label, np.finfo(np.float32).eps))


class EntropyScorer(TargetScorer):
    """Minus the mean entropy of the predictions for target rows: high if they are sure.

    A classifier that predicts one class for all rows, with certainty, has the best score.
    `InfoMaxScorer` gives it a bad one.

    Parameters
    ----------
    X_tgt : array-like of shape (n_target, n_features), tuple of such or "X", default=None
        Target rows to score on. None takes those of the call, "X" the rows passed as `X`; see
        `TargetScorer`.

    See Also
    --------
    skdann.metrics.prediction_entropy : The entropy, and the reference.

    Examples
    --------
    Predictions are sure for rows far from the boundary, and unsure near it:

    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdann.metrics import EntropyScorer
    >>> X, y = [[-1.0], [1.0]], [0, 1]
    >>> clf, scorer = LogisticRegression().fit(X, y), EntropyScorer()
    >>> scorer(clf, X, y, X_tgt=[[-9.0], [9.0]]) > scorer(clf, X, y, X_tgt=[[0.1], [-0.1]])
    True
    """

    def _measure(self, domains: ScoredDomains) -> float:
        return -prediction_entropy(domains.target("predict_proba"))


class InfoMaxScorer(TargetScorer):
    """Mutual information of target rows and their predicted classes.

    It is high if the prediction for each row is sure and the rows are not all of one class.

    Parameters
    ----------
    X_tgt : array-like of shape (n_target, n_features), tuple of such or "X", default=None
        Target rows to score on. None takes those of the call, "X" the rows passed as `X`; see
        `TargetScorer`. "X" needs `class_shares` that are given or None.

    class_shares : {"source", "estimate"}, array-like of shape (n_classes,) or None, default=None
        Expected shares of the classes in the target: those in `y`, those that
        `estimate_class_shares` finds from the predictions for source and target rows, or given
        shares in the order of `classes_`. None means equal shares.

    See Also
    --------
    skdann.metrics.info_max : The score, and the reference.
    skdann.metrics.estimate_class_shares : The method of "estimate", and its assumption.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdann.metrics import InfoMaxScorer
    >>> X, y = [[-1.0], [1.0]], [0, 1]
    >>> clf, scorer = LogisticRegression().fit(X, y), InfoMaxScorer()
    >>> scorer(clf, X, y, X_tgt=[[-9.0], [9.0]]) > scorer(clf, X, y, X_tgt=[[9.0], [9.0]])
    True
    """

    def __init__(
        self,
        *,
        X_tgt: Targets | None = None,
        class_shares: Literal["source", "estimate"] | Sequence[float] | NDArray[Any] | None = None,
    ) -> None:
        super().__init__(X_tgt=X_tgt)
        self.class_shares = class_shares

    def _measure(self, domains: ScoredDomains) -> float:
        shares = self.class_shares
        if isinstance(shares, str):
            shares = self._shares_of_source(domains)
        return info_max(domains.target("predict_proba"), class_shares=shares)

    def _shares_of_source(self, domains):
        if self.class_shares == "source":
            return domains.is_class().mean(axis=0)
        if self.class_shares == "estimate":
            return estimate_class_shares(
                domains.target("predict_proba"),
                domains.labels(),
                domains.source("predict_proba"),
                classes=domains.classes,
            )
        raise ValueError(
            'class_shares must be "source", "estimate", an array with one share per class, or '
            f"None, got {self.class_shares!r}."
        )


class BatchNuclearNormScorer(TargetScorer):
    """Nuclear norm of the predictions for target rows: high if they are sure and varied.

    Parameters
    ----------
    X_tgt : array-like of shape (n_target, n_features), tuple of such or "X", default=None
        Target rows to score on. None takes those of the call, "X" the rows passed as `X`; see
        `TargetScorer`.

    See Also
    --------
    skdann.metrics.batch_nuclear_norm : The score, and the reference.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdann.metrics import BatchNuclearNormScorer
    >>> X, y = [[-1.0], [1.0]], [0, 1]
    >>> clf, scorer = LogisticRegression().fit(X, y), BatchNuclearNormScorer()
    >>> scorer(clf, X, y, X_tgt=[[-9.0], [9.0]]) > scorer(clf, X, y, X_tgt=[[9.0], [9.0]])
    True
    """

    def _measure(self, domains: ScoredDomains) -> float:
        return batch_nuclear_norm(domains.target("predict_proba"))


class CorrCScorer(TargetScorer):
    """Corr-C of the predictions for target rows: high if they are sure and use all classes.

    Parameters
    ----------
    X_tgt : array-like of shape (n_target, n_features), tuple of such or "X", default=None
        Target rows to score on. None takes those of the call, "X" the rows passed as `X`; see
        `TargetScorer`.

    See Also
    --------
    skdann.metrics.corr_c : The score, and the reference.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdann.metrics import CorrCScorer
    >>> X, y = [[-1.0], [1.0]], [0, 1]
    >>> clf, scorer = LogisticRegression().fit(X, y), CorrCScorer()
    >>> scorer(clf, X, y, X_tgt=[[-9.0], [9.0]]) > scorer(clf, X, y, X_tgt=[[0.1], [-0.1]])
    True
    """

    def _measure(self, domains: ScoredDomains) -> float:
        return corr_c(domains.target("predict_proba"))


class SoftNeighborhoodDensityScorer(TargetScorer):
    """Soft neighbourhood density: how densely target rows with similar predictions lie together.

    In comparisons of such scores it is among the worst.

    Parameters
    ----------
    X_tgt : array-like of shape (n_target, n_features), tuple of such or "X", default=None
        Target rows to score on. None takes those of the call, "X" the rows passed as `X`; see
        `TargetScorer`.

    temperature : float > 0, default=0.05
        The lower it is, the fewer neighbours of a row have weight.

    See Also
    --------
    skdann.metrics.soft_neighborhood_density : The score, and the reference.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdann.metrics import SoftNeighborhoodDensityScorer
    >>> X, y = [[-1.0], [1.0]], [0, 1]
    >>> clf = LogisticRegression().fit(X, y)
    >>> scorer = SoftNeighborhoodDensityScorer()
    >>> scorer(clf, X, y, X_tgt=[[1.0]] * 4) > scorer(clf, X, y, X_tgt=[[-2], [-0.1], [0.2], [3]])
    True
    """

    def __init__(self, *, X_tgt: Targets | None = None, temperature: float = 0.05) -> None:
        super().__init__(X_tgt=X_tgt)
        self.temperature = temperature

    def _measure(self, domains: ScoredDomains) -> float:
        proba = domains.target("predict_proba")
        return soft_neighborhood_density(proba, temperature=self.temperature)
