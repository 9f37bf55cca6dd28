"""Importance weights of source rows, and estimates of target accuracy and risk with them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from sklearn.utils import check_array, column_or_1d

from skdann._typing import RandomState, Rows
from skdann.metrics._distances import default_domain_classifier, predicted_out_of_fold
from skdann.metrics._domain_rows import check_positive, read_domains, stack_domains


class WeightedScore(NamedTuple):
    """A weighted mean and its effective sample size.

    Attributes
    ----------
    score : float
        The weighted mean.
    effective_sample_size : float
        In [1, n_rows]: number of equally weighted rows that would give an equally reliable mean.

    See Also
    --------
    importance_weighted_accuracy : Returns it.
    effective_sample_size : Computes its second element.

    Examples
    --------
    >>> from skdann.metrics import importance_weighted_accuracy
    >>> score, effective_sample_size = importance_weighted_accuracy([0, 1], [0, 0], [1, 1])
    >>> score, effective_sample_size
    (0.5, 2.0)
    """

    score: float
    effective_sample_size: float


def density_ratio_weights(
    X_source: Rows,
    X_target: Rows,
    X: Rows | None = None,
    *,
    classifier: Any = None,
    cv: Any = 5,
    clip: float | None = 10.0,
    normalize: bool = True,
    random_state: RandomState = None,
) -> NDArray[np.float64]:
    """Weigh source rows by how much more likely they are in the target.

    The weight of a row is the ratio of the densities, target over source. It is computed from a
    classifier that predicts the domain of a row [1]_:
    ``P(target) / P(source) * n_source / n_target``. Under covariate shift, where the label depends
    on the row in the same way in both domains, a weighted mean over source rows estimates the mean
    over target rows.

    Parameters
    ----------
    X_source : {array-like, sparse matrix} of shape (n_source, n_features)
        Source rows.
    X_target : {array-like, sparse matrix} of shape (n_target, n_features)
        Target rows with the same columns.
    X : {array-like, sparse matrix} of shape (n_rows, n_features), default=None
        Source rows to weigh, which should not be among `X_source`. None means the rows of
        `X_source`: each is weighed by a classifier that was trained without it.
    classifier : classifier with `predict_proba`, default=None
        Predicts the domain, 0 for source and 1 for target; it is cloned. Its probabilities must
        reflect the sizes of the domains, so it must not balance them by ``class_weight``. None
        means a logistic regression on standardised columns (sparse columns are divided by their
        largest absolute value).
    cv : int or cross-validation splitter, default=5
        An int is a number of shuffled folds, stratified by domain. Used only if `X` is None.
    clip : float or None, default=10.0
        Largest ratio of the densities; larger ones are set to it. None means no limit. The true
        ratios have mean 1 over the source rows, so a row counts at most 10 times as much as an
        average one.
    normalize : bool, default=True
        Whether weights are divided by their mean. `deep_embedded_validation` uses the mean as
        information and needs False.
    random_state : int, RandomState instance or None, default=None
        Determines the folds. A random `classifier` needs a `random_state` of its own.

    Returns
    -------
    weights : ndarray of shape (n_source,) or (n_rows,)
        Weights >= 0, with mean 1 if normalised, else at most `clip`.

    Raises
    ------
    ValueError
        If rows are missing, not finite or of different widths, a domain has fewer rows than there
        are folds, `clip` is not positive, the classifier has no `predict_proba`, or it gives all
        rows a probability of 0 to be target rows.

    See Also
    --------
    effective_sample_size : How reliable the weights are.
    importance_weighted_accuracy : Target accuracy, estimated with them.

    References
    ----------
    .. [1] Bickel, S., Brückner, M. and Scheffer, T. "Discriminative Learning Under Covariate
       Shift." Journal of Machine Learning Research 10, 2009.

    Examples
    --------
    A quarter of the source rows and three quarters of the target rows are 1. So the ratio of a 1
    is ``(3 / 4) / (1 / 4)``, that of a 0 ``(1 / 4) / (3 / 4)``:

    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skdann.metrics import density_ratio_weights
    >>> density_ratio_weights(
    ...     [[0], [0], [0], [1]],
    ...     [[0], [1], [1], [1]],
    ...     [[0], [1]],
    ...     classifier=DecisionTreeClassifier(),
    ...     normalize=False,
    ... ).round(2)
    array([0.33, 3.  ])
    """
    if clip is not None:
        check_positive(clip, "clip")
    if X is None:
        source, target = read_domains(X_source=X_source, X_target=X_target)
    else:
        source, target, to_weigh = read_domains(X_source=X_source, X_target=X_target, X=X)
    rows, domain = stack_domains(source, target)
    classifier = _check_probabilistic(classifier, rows)
    if X is None:
        proba = predicted_out_of_fold(classifier, rows, domain, cv, random_state, "predict_proba")
        proba = proba[domain == 0]  # (n_source, 2)
    else:
        # These rows are new to the classifier, so it needs no folds.
        proba = clone(classifier).fit(rows, domain).predict_proba(to_weigh)
    return _ratios(proba, source.shape[0] / target.shape[0], clip, normalize)


def effective_sample_size(weights: ArrayLike) -> float:
    """Return the number of equally weighted rows that would be as reliable as the weighted ones.

    Kish's formula [1]_: the squared sum of the weights over the sum of their squares.

    Parameters
    ----------
    weights : array-like of shape (n_rows,)
        Weights >= 0, not all zero. Their scale does not matter.

    Returns
    -------
    size : float
        In [1, n_rows], in rows: n_rows for equal weights, 1 if a single row has all the weight.
        Higher is more reliable.

    Raises
    ------
    ValueError
        If there are no weights, or they are negative, not finite or all zero.

    See Also
    --------
    density_ratio_weights : Weights that make source rows resemble target rows.

    References
    ----------
    .. [1] Kish, L. "Survey Sampling." Wiley, 1965.

    Examples
    --------
    ``(1 + 1 + 2)**2 / (1 + 1 + 4)``:

    >>> from skdann.metrics import effective_sample_size
    >>> round(effective_sample_size([1, 1, 2]), 4)
    2.6667
    """
    weights = _read_weights(weights)
    share = weights / weights.max()  # squares of tiny or huge weights would leave the float range
    # Kish: (sum of w)**2 / sum of w**2
    return float(share.sum() ** 2 / (share**2).sum())


def importance_weighted_accuracy(
    y_true: ArrayLike, y_pred: ArrayLike, weights: ArrayLike
) -> WeightedScore:
    """Estimate the accuracy on target rows from labelled source rows.

    This is importance-weighted validation [1]_, divided by the sum of the weights: the weight of
    the rows that are predicted correctly, as a share of all weight. The rows should not be among
    those that trained the model.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,)
        Labels of source rows.
    y_pred : array-like of shape (n_rows,)
        Predicted labels of the same rows.
    weights : array-like of shape (n_rows,)
        Weights >= 0 of the same rows, not all zero, such as those of `density_ratio_weights`.

    Returns
    -------
    result : WeightedScore
        A named tuple. `score`, a float in [0, 1]: the accuracy, higher is better.
        `effective_sample_size`, a float in [1, n_rows]: if it is a small part of the rows, few
        rows decide the score.

    Raises
    ------
    ValueError
        If lengths differ, there are no rows, or weights are negative, not finite or all zero.

    See Also
    --------
    density_ratio_weights : The weights.
    deep_embedded_validation : A risk instead of an accuracy, with less variance.
    ImportanceWeightedAccuracyScorer : The same for a fitted estimator, as a scorer.

    References
    ----------
    .. [1] Sugiyama, M., Krauledat, M. and Müller, K.-R. "Covariate Shift Adaptation by Importance
       Weighted Cross Validation." Journal of Machine Learning Research 8, 2007.

    Examples
    --------
    Weight ``1 + 2`` of 4 is on the right predictions:

    >>> from skdann.metrics import importance_weighted_accuracy
    >>> result = importance_weighted_accuracy([0, 0, 1], [0, 1, 1], [1, 1, 2])
    >>> result.score
    0.75
    >>> round(result.effective_sample_size, 4)
    2.6667
    """
    weights = _read_weights(weights)
    labels = {"y_true": column_or_1d(y_true), "y_pred": column_or_1d(y_pred)}
    for argument, values in labels.items():
        _check_length(values, argument, weights)
    score = accuracy_score(labels["y_true"], labels["y_pred"], sample_weight=weights)
    return WeightedScore(float(score), effective_sample_size(weights))


def deep_embedded_validation(losses: ArrayLike, weights: ArrayLike) -> float:
    """Estimate the risk on target rows from losses of labelled source rows.

    Deep embedded validation [1]_ is the mean weighted loss with a control variate. The true mean of
    the weights w is known to be 1, so the deviation of their sample mean from 1 can correct the
    estimate: ``mean(w * loss) + eta * (mean(w) - 1)`` with ``eta = -cov(w * loss, w) / var(w)``,
    and 0 for equal weights. The correction lowers the variance. It vanishes for weights that were
    divided by their mean. The rows should not be among those that trained the model.

    Parameters
    ----------
    losses : array-like of shape (n_rows,)
        Losses of source rows, for example 1 for a wrong prediction and 0 for a right one.
    weights : array-like of shape (n_rows,)
        Ratios of the densities, target over source, of the same rows: >= 0, not all zero and not
        divided by their mean, such as those of `density_ratio_weights` with ``normalize=False``.

    Returns
    -------
    risk : float
        In the unit of the losses. The correction can take it out of their range, even below 0.
        Lower is better.

    Raises
    ------
    ValueError
        If lengths differ, there are no rows, losses are not finite, or weights are negative, not
        finite or all zero.

    See Also
    --------
    density_ratio_weights : The weights.
    importance_weighted_accuracy : The accuracy, without the control variate.
    DeepEmbeddedValidationScorer : The same for a fitted estimator, as a scorer.

    References
    ----------
    .. [1] You, K., Wang, X., Long, M. and Jordan, M. "Towards Accurate Model Selection in Deep
       Unsupervised Domain Adaptation." ICML 2019.

    Examples
    --------
    Weighted losses 0 and 1 have mean 0.5, and eta is ``-0.125 / 0.0625``: the risk is
    ``0.5 - 2 * (0.75 - 1)``.

    >>> from skdann.metrics import deep_embedded_validation
    >>> deep_embedded_validation([0, 1], [0.5, 1.0])
    1.0
    """
    weights = _read_weights(weights)
    losses = _read_numbers(losses, "losses")
    _check_length(losses, "losses", weights)
    weighted = weights * losses
    # The slope is -eta: cov(w * loss, w) / var(w). The true mean of the weights is 1.
    correction = _slope(weights, weighted) * (weights.mean() - 1.0)
    return float(weighted.mean() - correction)


def _check_probabilistic(classifier, rows):
    """Return the classifier, or a default one that suits the rows; raise without predict_proba."""
    if classifier is None:
        return default_domain_classifier(rows)
    if not hasattr(classifier, "predict_proba"):
        raise ValueError(
            f"classifier must have predict_proba, but {classifier!r} has not. Pass one with "
            "probabilities, or wrap it in CalibratedClassifierCV."
        )
    return classifier


def _ratios(proba, size_ratio, clip, normalize):
    """Turn the probabilities of the domains into density ratios, clipped at `clip`.

    Parameters
    ----------
    proba : ndarray of shape (n_rows, 2)
        P(source) and P(target) of each row.
    size_ratio : float
        n_source / n_target. The classifier's odds are p_T(x) / p_S(x) * n_target / n_source, so
        this factor leaves the ratio of the densities.
    clip : float or None
    normalize : bool
    """
    # By Bayes' rule p_T(x) / p_S(x) = P(target | x) / P(source | x) * n_source / n_target.
    in_source = np.maximum(proba[:, 0], np.finfo(np.float64).eps)  # no division by 0
    weights = proba[:, 1] / in_source * size_ratio
    if clip is not None:
        # Clipped before the division by the mean. Otherwise one huge weight would raise the mean,
        # and a limit relative to it would rise too.
        weights = np.minimum(weights, clip)
    if not weights.any():
        raise ValueError(
            "X_source and X_target do not overlap: the classifier gives each row to be weighed a "
            "probability of 0 to be a target row. Pass an embedding in which the domains overlap, "
            "or a classifier with less extreme probabilities."
        )
    return weights / weights.mean() if normalize else weights


def _slope(x, y):
    """Return the slope of the regression of y on x, or 0 if x is constant."""
    # Weights are >= 0, so x.max() is their scale; a smaller range than this is rounding error.
    if np.ptp(x) <= 1e-12 * x.max():
        return 0.0
    centred = x - x.mean()
    # cov(x, y) / var(x): the factors 1 / n cancel.
    return (centred @ (y - y.mean())) / (centred @ centred)


def _read_weights(weights):
    """Return weights as a float64 vector, or raise if one is negative or all are zero."""
    weights = _read_numbers(weights, "weights")
    if (weights < 0).any():
        raise ValueError(
            f"weights has {int((weights < 0).sum())} negative values, the first in row "
            f"{int((weights < 0).argmax())}; weights must be >= 0."
        )
    if not weights.any():
        raise ValueError("weights is zero for every row; at least one must be positive.")
    return weights


def _read_numbers(values, argument):
    """Return a float64 vector of finite numbers, at least one."""
    try:
        numbers = check_array(
            values, dtype=np.float64, ensure_2d=False, ensure_all_finite=False, ensure_min_samples=0
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"{argument} must hold numbers: {error}") from error
    if numbers.ndim != 1 or len(numbers) == 0:
        raise ValueError(
            f"{argument} must be one number for each row, of at least one row; got shape "
            f"{numbers.shape}."
        )
    if not np.isfinite(numbers).all():
        raise ValueError(f"{argument} contains NaN or infinity; drop such rows first.")
    return numbers


def _check_length(values, argument, weights):
    if len(values) != len(weights):
        raise ValueError(
            f"{argument} has {len(values)} rows, but weights has {len(weights)}. Both belong to "
            "the same source rows, in the same order."
        )
