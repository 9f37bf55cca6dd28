"""Distances between source and target rows: proxy A-distance, MMD and CORAL."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler
from sklearn.utils.extmath import row_norms

from skdann._typing import RandomState, Rows
from skdann.metrics._domain_rows import (
    check_positive,
    fits_in_a_block,
    read_domains,
    row_blocks,
    stack_domains,
)

# A squared distance below this share of the largest possible one may be a rounding error.
_ROUNDING = 1e-12

_N_TREES = 30


def proxy_a_distance(
    X_source: Rows,
    X_target: Rows,
    *,
    classifier: Any = None,
    cv: Any = 5,
    random_state: RandomState = None,
) -> float:
    """Measure how well a classifier can predict the domain of a row.

    The proxy A-distance [1]_ is ``2 * (1 - 2 * error)``, where `error` is the cross-validated
    error of a classifier that predicts the domain, source or target. Each domain counts for half of
    the error, however many rows it has. An error above one half is no better than chance and counts
    as one half.

    Parameters
    ----------
    X_source : {array-like, sparse matrix} of shape (n_source, n_features)
        Source rows, for example the embedding that a fitted network makes of them.
    X_target : {array-like, sparse matrix} of shape (n_target, n_features)
        Target rows with the same columns.
    classifier : classifier, default=None
        Predicts the domain, 0 for source and 1 for target; it is cloned. Where the domains differ
        in size, it should give both the same weight, for example by ``class_weight="balanced"``.
        None means a balanced logistic regression on standardised columns (sparse columns are
        divided by their largest absolute value). It detects that the means of columns have moved,
        but not that distributions with the same means differ in shape.
    cv : int or cross-validation splitter, default=5
        An int is a number of shuffled folds, stratified by domain.
    random_state : int, RandomState instance or None, default=None
        Determines the folds. A random `classifier` needs a `random_state` of its own.

    Returns
    -------
    distance : float
        In [0, 2], without unit: 0 if the classifier is no better than chance, 2 if it makes no
        error. Lower is closer.

    Raises
    ------
    ValueError
        If rows are missing, not finite or of different widths, or a domain has fewer rows than
        there are folds.

    See Also
    --------
    maximum_mean_discrepancy : Any difference, without a classifier.
    ProxyADistanceScorer : The same for a fitted estimator, as a scorer.

    References
    ----------
    .. [1] Ben-David, S., Blitzer, J., Crammer, K. and Pereira, F. "Analysis of Representations for
       Domain Adaptation." Advances in Neural Information Processing Systems 19, 2006.

    Examples
    --------
    There is a gap between the domains, so the error is 0 and the distance ``2 * (1 - 2 * 0)``:

    >>> from skdann.metrics import proxy_a_distance
    >>> proxy_a_distance([[0], [1], [2]], [[97], [98], [99]], cv=3)
    2.0
    """
    source, target = read_domains(X_source=X_source, X_target=X_target)
    rows, domain = stack_domains(source, target)
    if classifier is None:
        classifier = default_domain_classifier(rows, class_weight="balanced")
    wrong = predicted_out_of_fold(classifier, rows, domain, cv, random_state) != domain
    return distance_of_errors(wrong[domain == 0], wrong[domain == 1])


def maximum_mean_discrepancy(
    X_source: Rows, X_target: Rows, *, bandwidth: float | None = None
) -> float:
    """Measure how far apart the domains' means are in the space of a Gaussian kernel.

    This is the biased estimate of the squared maximum mean discrepancy [1]_: the mean kernel value
    over all pairs of source rows, plus that over all pairs of target rows, minus twice that over
    all pairs of a source and a target row. Pairs of a row with itself are included. The kernel is
    ``exp(-distance**2 / (2 * bandwidth**2))``. All pairs are used, without sampling; memory is
    bounded, and time grows with the square of the number of rows.

    Parameters
    ----------
    X_source : {array-like, sparse matrix} of shape (n_source, n_features)
        Source rows. Columns should be on one scale.
    X_target : {array-like, sparse matrix} of shape (n_target, n_features)
        Target rows with the same columns.
    bandwidth : float, default=None
        Width of the kernel, in the unit of the rows. None means the median distance between two
        rows, source and target taken together (of two middle distances the larger). If so many rows
        are equal that the median is 0, it is the root mean square distance. Set a number to compare
        several embeddings on one scale.

    Returns
    -------
    discrepancy : float
        In [0, 2], without unit: 0 for the same rows in both domains. Lower is closer.

    Raises
    ------
    ValueError
        If rows are missing, not finite or of different widths, or `bandwidth` is not a positive
        number.

    See Also
    --------
    proxy_a_distance : The difference that a classifier finds.
    MMDScorer : The same for a fitted estimator, as a scorer.

    References
    ----------
    .. [1] Gretton, A., Borgwardt, K. M., Rasch, M. J., Schölkopf, B. and Smola, A. "A Kernel
       Two-Sample Test." Journal of Machine Learning Research 13, 2012.

    Examples
    --------
    Two rows at distance 2, which is the median: ``1 + 1 - 2 * exp(-1 / 2)``.

    >>> from skdann.metrics import maximum_mean_discrepancy
    >>> round(maximum_mean_discrepancy([[0.0]], [[2.0]]), 4)
    0.7869
    """
    source, target = read_domains(X_source=X_source, X_target=X_target)
    if not sparse.issparse(source):
        # euclidean_distances subtracts squares, which loses digits far from the origin.
        centre = np.concatenate([source, target]).mean(axis=0)
        source, target = source - centre, target - centre
    if bandwidth is None:
        bandwidth = _typical_distance(stack_domains(source, target)[0])
    else:
        check_positive(bandwidth, "bandwidth")
    # MMD**2 = mean k(s, s') + mean k(t, t') - 2 * mean k(s, t). Rounding can make it negative.
    within = _mean_kernel(source, source, bandwidth) + _mean_kernel(target, target, bandwidth)
    return max(float(within - 2.0 * _mean_kernel(source, target, bandwidth)), 0.0)


def coral_distance(X_source: Rows, X_target: Rows) -> float:
    """Measure how much the covariances of the two domains differ.

    The sum of the squared differences between the two covariance matrices, divided by
    ``4 * n_features**2``, as in Deep CORAL [1]_. A shift of the means does not change it. Memory
    grows with the square of the number of columns.

    Parameters
    ----------
    X_source : {array-like, sparse matrix} of shape (n_source, n_features)
        Source rows, at least two. Columns should be on one scale.
    X_target : {array-like, sparse matrix} of shape (n_target, n_features)
        Target rows with the same columns, at least two.

    Returns
    -------
    distance : float
        In [0, inf), in the columns' unit to the fourth power: 0 for equal covariances. Lower is
        closer.

    Raises
    ------
    ValueError
        If rows are missing, not finite or of different widths, or a domain has a single row.

    See Also
    --------
    maximum_mean_discrepancy : Sees other differences than variances and correlations, too.
    CoralScorer : The same for a fitted estimator, as a scorer.

    References
    ----------
    .. [1] Sun, B. and Saenko, K. "Deep CORAL: Correlation Alignment for Deep Domain Adaptation."
       ECCV 2016 Workshops, 2016.

    Examples
    --------
    Variances 2 and 8 in one column: ``(2 - 8)**2 / 4``.

    >>> from skdann.metrics import coral_distance
    >>> coral_distance([[0.0], [2.0]], [[0.0], [4.0]])
    9.0
    """
    source, target = read_domains(X_source=X_source, X_target=X_target)
    for name, rows in (("X_source", source), ("X_target", target)):
        if rows.shape[0] < 2:
            raise ValueError(f"{name} has one row, but a covariance needs at least two.")
    # Squared Frobenius norm of C_S - C_T, divided by 4 * d**2.
    difference = _covariance(source) - _covariance(target)
    return float(np.sum(difference**2) / (4.0 * len(difference) ** 2))


def default_domain_classifier(rows, class_weight=None):
    """Return a pipeline of a scaler and a logistic regression; sparse rows stay sparse."""
    scaler = MaxAbsScaler() if sparse.issparse(rows) else StandardScaler()
    return make_pipeline(scaler, LogisticRegression(max_iter=1000, class_weight=class_weight))


def domain_forest(random_state):
    """Return a classifier that sees differences that no linear one sees."""
    return ExtraTreesClassifier(
        _N_TREES, min_samples_leaf=5, class_weight="balanced", random_state=random_state
    )


def predicted_out_of_fold(classifier, rows, domain, cv, random_state, method="predict"):
    """Return what a classifier says of the domain of each row, trained without its fold."""
    folds = _domain_folds(domain, cv, random_state)
    # With routing, scikit-learn 1.6 needs params to be a dict.
    return cross_val_predict(classifier, rows, domain, cv=folds, method=method, params={})


def distance_of_errors(source, target):
    """Return the proxy A-distance, by which rows of each domain are taken for the other's."""
    # The mean of the two domains' error rates: a larger domain does not count more.
    error = (source.mean() + target.mean()) / 2
    return 2.0 * (1.0 - 2.0 * min(float(error), 0.5))


def _domain_folds(domain, cv, random_state):
    """Return shuffled folds with rows of both domains in each, or the splitter that was passed.

    `domain` is an ndarray of 0 for source and 1 for target rows.
    """
    if not isinstance(cv, numbers.Integral):
        return cv
    n_source, n_target = np.bincount(domain)
    if not 2 <= cv <= min(n_source, n_target):
        raise ValueError(
            f"cv={cv} must be at least 2 and at most the rows of the smaller domain: X_source has "
            f"{n_source} rows and X_target {n_target}. Pass another cv, or more rows."
        )
    return StratifiedKFold(cv, shuffle=True, random_state=random_state)


def _covariance(rows):
    """Return the unbiased covariance matrix of the columns, (n_columns, n_columns)."""
    n_rows = rows.shape[0]
    mean = np.asarray(rows.mean(axis=0)).reshape(1, -1)
    if sparse.issparse(rows):
        # Centring would make the rows dense, so (X.T @ X - n * mean.T @ mean) / (n - 1).
        return ((rows.T @ rows).toarray() - n_rows * mean.T @ mean) / (n_rows - 1)
    centred = rows - mean
    return centred.T @ centred / (n_rows - 1)


def _squared_distances(left, right):
    """Yield the squared distances between rows, a block of `left` at a time."""
    for block in row_blocks(left.shape[0], right.shape[0]):
        yield euclidean_distances(left[block], right, squared=True)


def _mean_kernel(left, right, bandwidth):
    """Return the mean value of the Gaussian kernel over all pairs of a left and a right row."""
    total = 0
    for squared in _squared_distances(left, right):
        total = total + np.exp(squared / (-2.0 * bandwidth**2)).sum()
    return total / (left.shape[0] * right.shape[0])


def _typical_distance(rows):
    """Return the median distance between two rows; where it is 0, their root mean square."""
    n_rows = rows.shape[0]
    n_pairs = n_rows * (n_rows - 1) // 2
    # A squared distance is at most four times the longest row's square; five leaves room for
    # rounding.
    largest = 5.0 * float(row_norms(rows, squared=True).max())
    # The matrix of distances holds a 0 for each row with itself, and each pair twice. So the
    # median of the pairs comes after n_rows zeros and twice the smaller half of the pairs.
    squared = _ranked_distance(rows, n_rows + 2 * (n_pairs // 2), largest)
    if squared <= _ROUNDING * largest:
        # Each pair is in the matrix twice, hence 2 * n_pairs.
        squared = sum(block.sum() for block in _squared_distances(rows, rows)) / (2 * n_pairs)
    # All rows are equal: any bandwidth gives the kernel value 1.
    return math.sqrt(squared) if squared > _ROUNDING * largest else 1.0


def _ranked_distance(rows, rank, largest):
    """Return the squared distance at position `rank` in the sorted order of all distances.

    All distances may not fit in memory. So a histogram of 1024 bins shows which bin contains the
    position. That bin is divided again, until the distances in it are few enough to be sorted.

    Parameters
    ----------
    rows : ndarray or CSR array of shape (n_rows, n_features)
    rank : int
        In [0, n_rows**2), 0 for the smallest.
    largest : float
        Upper bound of the squared distances.
    """
    low, high = 0.0, largest  # the distance that is looked for lies in between
    n_below = 0  # distances below `low`
    while high - low > _ROUNDING * largest:
        counts, edges = _histogram(rows, low, high)
        n_up_to_bin = n_below + np.cumsum(counts)
        # The first bin up to which there are more than `rank` distances.
        chosen = int(np.searchsorted(n_up_to_bin, rank, side="right"))
        low, high = edges[chosen], edges[chosen + 1]
        n_below = int(n_up_to_bin[chosen] - counts[chosen])
        if fits_in_a_block(counts[chosen]):
            inside = _distances_between(rows, low, high)
            return float(np.partition(inside, rank - n_below)[rank - n_below])
    return float(low)  # more equal distances than can be sorted


def _distances_between(rows, low, high):
    """Return the squared distances between all rows that lie in [low, high]."""
    inside = []
    for distances in _squared_distances(rows, rows):
        inside.append(distances[(distances >= low) & (distances <= high)])
    return np.concatenate(inside)


def _histogram(rows, low, high):
    """Return how many squared distances fall in each of 1024 bins, and the edges of the bins.

    Distances outside [low, high] are not counted.
    """
    counts = 0  # becomes an array of shape (1024,)
    for distances in _squared_distances(rows, rows):
        in_block, edges = np.histogram(distances, bins=1024, range=(low, high))
        counts = counts + in_block
    return counts, edges
