"""Which target rows to label next."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from threadpoolctl import threadpool_limits

from skdann._data.target_labels import read_target_labels
from skdann._sklearn_compat import safe_indexing
from skdann._typing import RandomState, Rows

__all__ = ["rows_to_label"]

# Of a larger target this many rows, drawn at random, are clustered.
_MOST_ROWS = 10_000

# Embeddings have length 1. With probabilities times 2, rows of another predicted class are further
# apart than most rows of the same.
_PROBABILITY_FACTOR = 2.0


def rows_to_label(
    classifier: Any,
    X_tgt: Rows,
    n_rows: int,
    *,
    y_tgt: ArrayLike | None = None,
    domain: Any = None,
    random_state: RandomState = None,
) -> NDArray[np.intp]:
    """Choose target rows whose labels are worth more than those of random rows.

    They stand for the whole target: rows are clustered by what the classifier makes of them, their
    embedding and their class probabilities, and of each cluster the row in its middle is chosen. So
    every part of the target gets a label, whatever the classes there, and outliers don't.

    Parameters
    ----------
    classifier : estimator
        Fitted `DANNClassifier`, `DANNClassifierCV` or Pipeline that ends in one, with labels of
        some target rows or without.

    X_tgt : {array-like, sparse matrix, DataFrame} of shape (n_target, n_features)
        Rows of one target domain, as `predict` takes them. Of more than 10,000 rows, 10,000 random
        ones are considered.

    n_rows : int >= 1
        Number of rows to choose; at most as many as have no label.

    y_tgt : array-like of shape (n_target,), default=None
        Labels so far, as `fit` takes them: None or NaN for rows without one. Rows with a label are
        not chosen, and their surroundings only if the rest of the target has been covered.

    domain : int or "target", default=None
        The domain of the rows, as `predict` takes it. Pass the code where there are several
        targets.

    random_state : int, RandomState instance or None, default=None
        Determines the start of the clustering. Pass an int for the same rows at every call.

    Returns
    -------
    ndarray of int of shape (n_rows,)
        Numbers of the chosen rows, those of the largest clusters first.

    Raises
    ------
    ValueError
        If `n_rows` is not between 1 and the number of rows without a label, or if `y_tgt` does not
        fit to `X_tgt` or to the classes.

    TypeError
        If the classifier has no `transform` or no `predict_proba`.

    See Also
    --------
    skdann.DANNClassifier.fit : Takes the labels as `y_tgt`.

    Notes
    -----
    The chosen rows are no random sample. An accuracy that is estimated from their labels alone is
    biased: for an honest estimate label random rows too, and judge by these.

    Clusters of the embedding are also what [1]_ chooses by, with a weight for uncertain rows; [2]_
    takes rows that are uncertain and unlike the source. Uncertain rows are no good choice where a
    classifier is confidently wrong. ``benchmarks/few_labels.py`` compares them with random
    rows.

    References
    ----------
    .. [1] Prabhu, V. et al. (2021). Active domain adaptation via clustering uncertainty-weighted
       embeddings. ICCV.

    .. [2] Su, J.-C. et al. (2020). Active adversarial domain adaptation. WACV.

    Examples
    --------
    >>> import numpy as np
    >>> from skdann import DANNClassifier
    >>> from skdann.datasets import make_tilted_digits
    >>> from skdann.labelling import rows_to_label
    >>> X_src, y_src, X_tgt, answers = make_tilted_digits(n_source=300, random_state=0)
    >>> clf = DANNClassifier(lambda_max=0.1, max_epochs=20, random_state=0)
    >>> clf = clf.fit(X_src, y_src, X_tgt)
    >>> rows = rows_to_label(clf, X_tgt, 20, random_state=0)
    >>> rows.shape
    (20,)

    Somebody gives the answers, and the classifier is fitted with them:

    >>> y_tgt = np.full(len(X_tgt), np.nan)
    >>> y_tgt[rows] = answers[rows]
    >>> clf = clf.fit(X_src, y_src, X_tgt, y_tgt=y_tgt)
    >>> more = rows_to_label(clf, X_tgt, 5, y_tgt=y_tgt, random_state=0)
    >>> np.intersect1d(rows, more).size
    0
    """
    _check_classifier(classifier)
    X_tgt = X_tgt if hasattr(X_tgt, "shape") else np.asarray(X_tgt)
    labelled = _has_label(y_tgt, X_tgt.shape[0], classifier.classes_)
    _check_number(n_rows, labelled)
    random_state = np.random.RandomState() if random_state is None else random_state
    generator = check_random_state(random_state)
    rows = _considered(labelled, n_rows, generator)
    points = _points(classifier, safe_indexing(X_tgt, rows), domain)
    return rows[_middles(points, labelled[rows], n_rows, generator)]


def _check_classifier(classifier):
    for method in ("transform", "predict_proba"):
        if not hasattr(classifier, method):
            raise TypeError(
                f"classifier is a {type(classifier).__name__}, which has no {method}. Pass a "
                "fitted DANNClassifier, or a Pipeline that ends in one."
            )


def _has_label(y_tgt, n_target, classes):
    """Return a mask of the rows that have a label."""
    codes = read_target_labels(y_tgt, np.ones(n_target, dtype=np.int64), classes)
    return np.zeros(n_target, dtype=bool) if codes is None else codes >= 0


def _check_number(n_rows, labelled):
    n_free = np.count_nonzero(~labelled)
    if not isinstance(n_rows, (int, np.integer)) or not 1 <= n_rows <= n_free:
        raise ValueError(
            f"n_rows must be an int from 1 to {n_free}, the number of target rows without a label, "
            f"got {n_rows!r}."
        )


def _considered(labelled, n_rows, generator):
    """Return the numbers of the rows that are clustered: all, or all labelled ones and some."""
    free = np.flatnonzero(~labelled)
    if len(free) > max(_MOST_ROWS, n_rows):
        free = generator.permutation(free)[: max(_MOST_ROWS, n_rows)]
    return np.sort(np.concatenate([np.flatnonzero(labelled), free]))


def _points(classifier, X, domain):
    """Return what is clustered: embeddings of length 1, beside the class probabilities."""
    of = {} if domain is None else {"domain": domain}
    embedding = classifier.transform(X, **of)
    length = np.linalg.norm(embedding, axis=1, keepdims=True)
    probabilities = _PROBABILITY_FACTOR * classifier.predict_proba(X, **of)
    return np.concatenate([embedding / np.maximum(length, 1e-12), probabilities], axis=1)


def _middles(points, labelled, n_rows, generator):
    """Return the middle of each of the largest clusters that have no labelled row.

    There are as many clusters as there will be labelled rows, so `n_rows` of them or more have none
    yet, unless rows are equal.
    """
    n_clusters = min(len(points), n_rows + np.count_nonzero(labelled))
    clusters = KMeans(n_clusters, n_init=3, random_state=generator)
    # One thread: on a machine at work the threads of k-means wait for each other.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different rows than clusters
        distances = clusters.fit_transform(points)
    cluster_of = clusters.labels_
    covered = np.unique(cluster_of[labelled])
    open_clusters = np.setdiff1d(cluster_of, covered)
    sizes = np.bincount(cluster_of, minlength=n_clusters)[open_clusters]
    chosen = []
    for cluster in open_clusters[np.argsort(-sizes, kind="stable")][:n_rows]:
        members = np.flatnonzero(cluster_of == cluster)
        chosen.append(members[distances[members, cluster].argmin()])
    left = np.setdiff1d(np.flatnonzero(~labelled), chosen)
    more = generator.permutation(left)[: n_rows - len(chosen)]
    return np.concatenate([chosen, more]).astype(np.intp)
