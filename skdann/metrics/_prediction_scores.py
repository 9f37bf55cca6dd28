"""Scores of predicted probabilities for target rows: entropy, information and others."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr, softmax
from sklearn.preprocessing import normalize
from sklearn.utils import check_array
from sklearn.utils.extmath import safe_sparse_dot

from skdann._typing import Rows
from skdann.metrics._domain_rows import check_positive, read_float64_rows, row_blocks

# The sum of a row of probabilities may be this far from 1, as sums of float16 values are.
_SUM_TOLERANCE = 1e-3

# The share of a class that is expected not to occur: with 0 a score could be infinite.
_SMALLEST_SHARE = 1e-6


def prediction_entropy(proba: ArrayLike) -> float:
    """Measure how unsure the predictions are.

    The mean over the rows of the Shannon entropy of their probabilities [1]_. A model that predicts
    one class for all rows, with certainty, has the best value. `info_max` gives it a bad one.

    Parameters
    ----------
    proba : array-like of shape (n_target, n_classes)
        Class probabilities of target rows.

    Returns
    -------
    entropy : float
        In [0, log(n_classes)], in nats. Lower is better.

    Raises
    ------
    ValueError
        If `proba` does not hold probabilities that add up to one in each row.

    See Also
    --------
    info_max : Also asks that not all rows are of one class.
    EntropyScorer : Minus this, as a scorer.

    References
    ----------
    .. [1] Morerio, P., Cavazza, J. and Murino, V. "Minimal-Entropy Correlation Alignment for
       Unsupervised Deep Domain Adaptation." ICLR 2018.

    Examples
    --------
    One sure row and one that is undecided between two classes: ``(0 + log(2)) / 2``.

    >>> from skdann.metrics import prediction_entropy
    >>> round(prediction_entropy([[1.0, 0.0], [0.5, 0.5]]), 4)
    0.3466
    """
    return float(entr(read_proba(proba)).sum(axis=1).mean())


def info_max(proba: ArrayLike, class_shares: ArrayLike | None = None) -> float:
    """Measure how sure the predictions are, and how well they spread over the classes.

    The entropy of the mean prediction minus the mean entropy of the predictions [1]_, [2]_. This is
    the mutual information of the row and its predicted class. It is largest if all classes are
    predicted equally often, so where classes differ in frequency it prefers wrong models. Pass
    known or estimated `class_shares` q then: the first term becomes
    ``entropy(q) - KL(mean prediction, q)``, which is largest if the mean prediction is q. Equal
    shares give the same value as None.

    Parameters
    ----------
    proba : array-like of shape (n_target, n_classes)
        Class probabilities of target rows.
    class_shares : array-like of shape (n_classes,), default=None
        Expected shares of the classes in the target, such as those of `estimate_class_shares`;
        None means equal shares. Shares below 1e-6 are set to 1e-6, so that the score is finite.

    Returns
    -------
    score : float
        In nats. The largest value, at most log(n_classes), is that of sure predictions with the
        expected class shares. The smallest is 0 for equal shares; for others there is no lower
        limit. Higher is better.

    Raises
    ------
    ValueError
        If `proba` does not hold probabilities that add up to one in each row, or `class_shares`
        is not one share for each class.

    See Also
    --------
    prediction_entropy : How unsure the predictions are, by itself.
    estimate_class_shares : Shares for `class_shares`.
    InfoMaxScorer : The same, as a scorer.

    References
    ----------
    .. [1] Bridle, J., Heading, A. and MacKay, D. "Unsupervised Classifiers, Mutual Information and
       'Phantom Targets'." Advances in Neural Information Processing Systems 4, 1991.
    .. [2] Musgrave, K., Belongie, S. and Lim, S.-N. "Three New Validators and a Large-Scale
       Benchmark Ranking for Unsupervised Domain Adaptation." arXiv:2208.07360, 2022.

    Examples
    --------
    For sure predictions of two classes the score is ``log(2) - 0``; with the same class for both
    rows the mean prediction is as sure as the rows, ``0 - 0``:

    >>> from skdann.metrics import info_max
    >>> round(info_max([[1.0, 0.0], [0.0, 1.0]]), 4)
    0.6931
    >>> info_max([[1.0, 0.0], [1.0, 0.0]])
    0.0

    If nine of ten rows are known to be of the first class, predicting it for both rows is better
    than predicting one row of each class:

    >>> shares = [0.9, 0.1]
    >>> same, even = [[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]
    >>> info_max(same, shares) > info_max(even, shares)
    True
    """
    proba = read_proba(proba)
    mean = proba.mean(axis=0)
    if class_shares is None:
        spread = entr(mean).sum()
    else:
        shares = _read_shares(class_shares, len(mean))
        # entropy(q) - KL(mean, q), with -KL(mean, q) = entropy(mean) + sum(mean * log(q)).
        spread = entr(shares).sum() + entr(mean).sum() + mean @ np.log(shares)
    return float(spread - entr(proba).sum(axis=1).mean())


def batch_nuclear_norm(proba: ArrayLike) -> float:
    """Measure how sure and how varied the predictions are, by their nuclear norm.

    The sum of the singular values of the matrix of predictions [1]_, divided by its largest
    possible value ``sqrt(n_target * min(n_target, n_classes))``. Unsure rows are short vectors and
    make all singular values smaller; equal rows leave only one singular value above 0. The score is
    largest for sure predictions of classes of equal size.

    Parameters
    ----------
    proba : array-like of shape (n_target, n_classes)
        Class probabilities of target rows.

    Returns
    -------
    score : float
        In (0, 1]: 1 for sure predictions of all classes equally often. Higher is better.

    Raises
    ------
    ValueError
        If `proba` does not hold probabilities that add up to one in each row.

    See Also
    --------
    info_max : The same idea, for classes of any size.
    BatchNuclearNormScorer : The same, as a scorer.

    References
    ----------
    .. [1] Cui, S., Wang, S., Zhuo, J., Li, L., Huang, Q. and Tian, Q. "Towards Discriminability and
       Diversity: Batch Nuclear-Norm Maximization Under Label Insufficient Situations." CVPR 2020.

    Examples
    --------
    The singular values of two equal rows are ``sqrt(2)`` and 0, and the largest sum is
    ``sqrt(2 * 2)``:

    >>> from skdann.metrics import batch_nuclear_norm
    >>> round(batch_nuclear_norm([[1.0, 0.0], [1.0, 0.0]]), 4)
    0.7071
    """
    proba = read_proba(proba)
    largest = math.sqrt(proba.shape[0] * min(proba.shape))
    return float(np.linalg.svd(proba, compute_uv=False).sum() / largest)


def corr_c(proba: ArrayLike) -> float:
    """Measure how little the predictions mix the classes, and how evenly they use them.

    The cosine between the correlation matrix of the classes, ``proba.T @ proba / n_target``, and
    the identity matrix [1]_, [2]_. Unsure rows put weight off the diagonal, and classes of
    different size make the diagonal uneven; both lower the score. It is largest if all classes are
    predicted equally often.

    Parameters
    ----------
    proba : array-like of shape (n_target, n_classes)
        Class probabilities of target rows.

    Returns
    -------
    score : float
        In [1 / sqrt(n_classes), 1]: 1 for sure predictions of all classes equally often. Higher is
        better.

    Raises
    ------
    ValueError
        If `proba` does not hold probabilities that add up to one in each row.

    See Also
    --------
    info_max : The same idea, for classes of any size.
    CorrCScorer : The same, as a scorer.

    References
    ----------
    .. [1] Tu, W., Deng, W., Gedeon, T. and Zheng, L. "Assessing Model Out-of-distribution
       Generalization with Softmax Prediction Probability Baselines and A Correlation Method."
       OpenReview, 2023.
    .. [2] Tu, W., Deng, W., Zheng, L. and Gedeon, T. "What Does Softmax Probability Tell Us about
       Classifiers Ranking Across Diverse Test Conditions?" arXiv:2406.09908, 2024.

    Examples
    --------
    Two rows of the same class: the matrix has a single 1, so the cosine is ``1 / (1 * sqrt(2))``.

    >>> from skdann.metrics import corr_c
    >>> round(corr_c([[1.0, 0.0], [1.0, 0.0]]), 4)
    0.7071
    >>> round(corr_c([[1.0, 0.0], [0.0, 1.0]]), 4)
    1.0
    """
    proba = read_proba(proba)
    correlation = proba.T @ proba  # the cosine is the same without the factor 1 / n_target
    length = np.linalg.norm(correlation) * math.sqrt(len(correlation))
    return float(np.trace(correlation) / length)


def soft_neighborhood_density(features_or_proba: Rows, *, temperature: float = 0.05) -> float:
    """Measure how densely target rows with similar predictions lie together.

    Rows are scaled to length 1. A softmax over a row's dot products with all other rows, divided by
    the temperature, is a distribution over its neighbours; the score is the mean entropy of these
    distributions [1]_. It is high for predictions in dense groups, and highest if all rows are in
    one group: in comparisons of such scores it is among the worst. Memory is bounded; time grows
    with the square of the number of rows.

    Parameters
    ----------
    features_or_proba : {array-like, sparse matrix} of shape (n_target, n_columns)
        Class probabilities of target rows, as in the paper, or other outputs; at least two rows.
    temperature : float, default=0.05
        Divides the dot products. The lower it is, the fewer neighbours have weight.

    Returns
    -------
    density : float
        In [0, log(n_target - 1)], in nats. Higher is better. It grows with the number of rows, so
        compare models on the same rows.

    Raises
    ------
    ValueError
        If there are fewer than two rows, or values that are not finite, or `temperature` is not a
        positive number.

    See Also
    --------
    info_max : A score that is more often right.
    SoftNeighborhoodDensityScorer : The same, as a scorer.

    References
    ----------
    .. [1] Saito, K., Kim, D., Teterwak, P., Sclaroff, S., Darrell, T. and Saenko, K. "Tune It the
       Right Way: Unsupervised Validation of Domain Adaptation via Soft Neighborhood Density."
       ICCV 2021.

    Examples
    --------
    Each of three equal rows has two equally near neighbours: ``log(2)``.

    >>> from skdann.metrics import soft_neighborhood_density
    >>> round(soft_neighborhood_density([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1]]), 4)
    0.6931
    """
    check_positive(temperature, "temperature")
    rows = normalize(read_float64_rows(features_or_proba, "features_or_proba"))
    n_rows = rows.shape[0]
    if n_rows < 2:
        raise ValueError("features_or_proba has one row, but neighbours need at least two rows.")
    total = 0.0
    # A block of similarities has shape (n_block, n_rows): all of them may not fit in memory.
    for block in row_blocks(n_rows, n_rows):
        similarity = safe_sparse_dot(rows[block], rows.T, dense_output=True) / temperature
        # A row is not its own neighbour.
        similarity[np.arange(len(similarity)), np.arange(n_rows)[block]] = -np.inf
        # The entropy of a row's distribution over its neighbours.
        total += entr(softmax(similarity, axis=1)).sum()
    return float(total / n_rows)


def read_proba(proba, argument="proba"):
    """Return class probabilities as float64, each row divided by its sum, or raise."""
    cure = "Pass what predict_proba returns: a row for each sample, a column for each class."
    try:
        rows = check_array(
            proba,
            dtype=np.float64,
            ensure_2d=False,
            ensure_all_finite=False,
            ensure_min_samples=0,
            ensure_min_features=0,
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"{argument} must hold numbers: {error}. {cure}") from error
    if rows.ndim != 2 or rows.shape[0] < 1 or rows.shape[1] < 2:
        raise ValueError(
            f"{argument} has shape {rows.shape}, but needs at least one row and two columns. {cure}"
        )
    if not np.isfinite(rows).all():
        raise ValueError(f"{argument} contains NaN or infinity. {cure}")
    off = (rows < 0).any(axis=1) | (np.abs(rows.sum(axis=1) - 1.0) > _SUM_TOLERANCE)
    if off.any():
        row = int(off.argmax())
        raise ValueError(
            f"{argument} must hold probabilities >= 0 that add up to 1 in each row, but row {row} "
            f"has smallest value {rows[row].min():.4g} and sum {rows[row].sum():.4g}. {cure}"
        )
    return rows / rows.sum(axis=1, keepdims=True)


def _read_shares(class_shares, n_classes):
    """Return expected class shares, none of them zero."""
    if np.shape(class_shares) != (n_classes,):
        raise ValueError(
            f"class_shares must be one share for each of the {n_classes} columns of proba; got "
            f"shape {np.shape(class_shares)}."
        )
    shares = np.maximum(read_proba([class_shares], "class_shares")[0], _SMALLEST_SHARE)
    return shares / shares.sum()
