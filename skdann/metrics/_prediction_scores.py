"""Scores of a model's predictions on target rows, without their labels."""

import math

import numpy as np
from scipy.special import entr, softmax
from sklearn.preprocessing import normalize
from sklearn.utils import check_array
from sklearn.utils.extmath import safe_sparse_dot

from skdann.metrics._domain_rows import check_positive, read_float64_rows, row_blocks

# How far float16 probabilities may be from adding up to one.
_SUM_TOLERANCE = 1e-3

# A class that is said not to occur still gets this share, so that no score is infinite.
_SMALLEST_SHARE = 1e-6


def prediction_entropy(proba):
    """Measure how unsure the predictions are, in the mean over rows.

    The mean Shannon entropy of the rows [1]_. A model that is sure of the same class everywhere
    has the best value, so compare models that are known not to collapse, or use `info_max`.

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

    References
    ----------
    .. [1] Morerio, P., Cavazza, J. and Murino, V. "Minimal-Entropy Correlation Alignment for
       Unsupervised Deep Domain Adaptation." ICLR 2018.

    Examples
    --------
    One sure row and one that is torn between two classes: ``(0 + log(2)) / 2``.

    >>> from skdann.metrics import prediction_entropy
    >>> round(prediction_entropy([[1.0, 0.0], [0.5, 0.5]]), 4)
    0.3466
    """
    return float(entr(read_proba(proba)).sum(axis=1).mean())


def info_max(proba, class_shares=None):
    """Measure how sure the predictions are, and how well they spread over the classes.

    The entropy of the mean prediction minus the mean entropy of the predictions [1]_, [2]_: the
    information that the predicted class carries about the row. It wants all classes to be equally
    frequent in the target, and prefers wrong models where they are not. Known or estimated
    `class_shares` q take the place of that wish: the first term becomes
    ``entropy(q) - KL(mean prediction, q)``, which is largest for a mean prediction of q. Equal
    shares give the same value as None.

    Parameters
    ----------
    proba : array-like of shape (n_target, n_classes)
        Class probabilities of target rows.
    class_shares : array-like of shape (n_classes,), default=None
        Expected shares of the classes in the target, as of `estimate_class_shares`; None means
        equal shares. Shares below 1e-6 are raised to it, so that the score stays finite.

    Returns
    -------
    score : float
        In nats, at most log(n_classes), for sure predictions that are spread as expected. At least
        0 with equal shares, and without lower limit with others. Higher is better.

    Raises
    ------
    ValueError
        If `proba` does not hold probabilities that add up to one in each row, or `class_shares`
        is not one share for each class.

    References
    ----------
    .. [1] Bridle, J., Heading, A. and MacKay, D. "Unsupervised Classifiers, Mutual Information and
       'Phantom Targets'." Advances in Neural Information Processing Systems 4, 1991.
    .. [2] Musgrave, K., Belongie, S. and Lim, S.-N. "Three New Validators and a Large-Scale
       Benchmark Ranking for Unsupervised Domain Adaptation." arXiv:2208.07360, 2022.

    Examples
    --------
    Sure and even predictions have entropy ``log(2) - 0``; with the same class for both rows the
    mean is as sure as the rows, ``0 - 0``:

    >>> from skdann.metrics import info_max
    >>> round(info_max([[1.0, 0.0], [0.0, 1.0]]), 4)
    0.6931
    >>> info_max([[1.0, 0.0], [1.0, 0.0]])
    0.0

    Where nine of ten rows are known to be of the first class, sameness is less bad than evenness:

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
        # entropy(q) - KL(mean, q), where -KL is the mean's entropy minus its cross-entropy to q.
        spread = entr(shares).sum() + entr(mean).sum() + mean @ np.log(shares)
    return float(spread - entr(proba).sum(axis=1).mean())


def batch_nuclear_norm(proba):
    """Measure how sure and how varied the predictions are, by the singular values.

    The sum of the singular values of the predictions [1]_, divided by its largest possible value
    ``sqrt(n_target * min(n_target, n_classes))``. It falls with unsure rows, which shorten all
    singular values, and with alike rows, which leave but one. It is largest for classes of equal
    size.

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


def corr_c(proba):
    """Measure how little the predictions mix the classes, and how evenly they use them.

    The cosine between the correlation matrix of the classes, ``proba.T @ proba / n_target``, and
    the identity matrix [1]_, [2]_. Unsure rows fill the matrix beside its diagonal, and rare
    classes make the diagonal uneven; both lower the score. It wants all classes to be equally
    frequent.

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
    correlation = proba.T @ proba  # A factor such as 1 / n_target does not turn it.
    length = np.linalg.norm(correlation) * math.sqrt(len(correlation))
    return float(np.trace(correlation) / length)


def soft_neighborhood_density(features_or_proba, *, temperature=0.05):
    """Measure how evenly a row's likeness is spread over its neighbours.

    Rows are scaled to length 1. A softmax over a row's dot products with all other rows, divided by
    the temperature, says how alike they are; the score is the mean entropy of these
    distributions [1]_. A model that lumps target rows into dense groups has a high value, and one
    that lumps them all into one has the highest: in comparisons of validators it is among the
    worst. Memory is bounded; time grows with the square of the number of rows.

    Parameters
    ----------
    features_or_proba : {array-like, sparse matrix} of shape (n_target, n_columns)
        Class probabilities of target rows, as in the paper, or other outputs; at least two rows.
    temperature : float, default=0.05
        Divides the dot products. The lower, the fewer neighbours count.

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

    References
    ----------
    .. [1] Saito, K., Kim, D., Teterwak, P., Sclaroff, S., Darrell, T. and Saenko, K. "Tune It the
       Right Way: Unsupervised Validation of Domain Adaptation via Soft Neighborhood Density."
       ICCV 2021.

    Examples
    --------
    Of three equal rows, each has two neighbours that are equally near: ``log(2)``.

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
    for block in row_blocks(n_rows, n_rows):
        likeness = safe_sparse_dot(rows[block], rows.T, dense_output=True) / temperature
        # A row is not its own neighbour.
        likeness[np.arange(len(likeness)), np.arange(n_rows)[block]] = -np.inf
        total += entr(softmax(likeness, axis=1)).sum()
    return float(total / n_rows)


def read_proba(proba, argument="proba"):
    """Return class probabilities as float64 rows that add up to exactly one, or raise."""
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
