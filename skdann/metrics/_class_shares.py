"""Estimates of the class shares of the target from predicted probabilities."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls
from sklearn.utils import column_or_1d

from skdann.metrics._prediction_scores import read_proba


def shares_by_confusion(
    source: np.ndarray, codes: np.ndarray, target: np.ndarray, source_shares: np.ndarray
) -> np.ndarray:
    """Return the target's class shares by how source rows of each class are predicted.

    Parameters
    ----------
    source : ndarray of shape (n_source, n_classes)
        Class probabilities of source rows.
    codes : int ndarray of shape (n_source,)
        Their true classes.
    target : ndarray of shape (n_target, n_classes)
        Class probabilities of target rows.
    source_shares : ndarray of shape (n_classes,)
    """
    # Column k is the mean prediction for the source rows of class k: the matrix A of
    # `estimate_class_shares`. A class without such a row counts as always recognised.
    confusion = np.eye(len(source_shares))
    for code in np.unique(codes):
        confusion[:, code] = source[codes == code].mean(axis=0)
    # The sampling variance of a share is about 1 / n for each of the two samples.
    noise = 1.0 / len(source) + 1.0 / len(target)
    predicted = target.mean(axis=0, dtype=np.float64)
    return _regularised_shares(confusion, predicted, source_shares, noise)


def _regularised_shares(
    confusion: np.ndarray, predicted: np.ndarray, source_shares: np.ndarray, noise: float
) -> np.ndarray:
    """Return the shares q >= 0 with sum 1 that best explain the mean prediction for the target.

    They minimise ``sum((confusion @ q - predicted)**2) + noise * sum((q - source_shares)**2)``.
    As q has sum 1, ``confusion @ q - predicted`` equals ``C @ q``, where C is the confusion with
    `predicted` subtracted from each column, and ``q - source_shares`` can be written in the same
    way. In this form only the proportions of q matter. The last row (sum = 1) fixes its scale, and
    the result is normalised at the end.

    Parameters
    ----------
    confusion : ndarray of shape (n_classes, n_classes)
        Column k is the mean prediction for rows of class k.
    predicted : ndarray of shape (n_classes,)
        Mean prediction for the target.
    source_shares : ndarray of shape (n_classes,)
    noise : float
        Weight of the regularisation towards `source_shares`.
    """
    # Three blocks of rows: (confusion - predicted), sqrt(noise) * (I - source_shares), and ones.
    # The right side is 0 for the first two blocks and 1 for the last.
    regulariser = np.sqrt(noise) * (np.eye(len(predicted)) - source_shares[:, np.newaxis])
    mixture = confusion - predicted[:, np.newaxis]
    rows = np.vstack([mixture, regulariser, np.ones(len(predicted))])
    shares, _ = nnls(rows, np.append(np.zeros(len(rows) - 1), 1.0))
    return shares / shares.sum()


# Of the method "em": it stops when no share changes by more than the tolerance.
_MAX_STEPS = 1000

_TOLERANCE = 1e-6


def estimate_class_shares(
    proba_target: ArrayLike,
    y_source: ArrayLike,
    proba_source: ArrayLike,
    *,
    classes: ArrayLike | None = None,
    method: Literal["bbse", "em"] = "bbse",
) -> NDArray[np.float64]:
    """Estimate the shares of the classes in the target from a source-trained classifier.

    Both methods assume label shift: the classes differ in frequency between the domains, but rows
    of the same class have the same distribution in both.

    "bbse" [1]_ looks for shares q such that the mean predictions for the source classes, mixed in
    the proportions q, give the mean prediction for the target. The classifier may be inaccurate and
    uncalibrated, as its errors are measured on the source rows. In the spirit of [2]_, the least
    squares are regularised towards the source's shares p. Let the columns of A be the mean
    predictions for the source classes, and b the mean prediction for the target. Then q minimises
    ``sum((A @ q - b)**2) + (1 / n_source + 1 / n_target) * sum((q - p)**2)`` among shares >= 0 with
    sum 1. With few rows, or a classifier that hardly distinguishes the classes, q stays near p.

    "em" [3]_ starts from p and repeats two steps, at most 1000 times: it corrects the target
    predictions for the present shares, and takes their mean as the new shares. It has less variance
    but needs a calibrated classifier, trained on rows with the shares of `y_source`. It does not
    use `proba_source`.

    Parameters
    ----------
    proba_target : array-like of shape (n_target, n_classes)
        Class probabilities of target rows.
    y_source : array-like of shape (n_source,)
        Labels of source rows. The classifier should not have been trained on these rows.
    proba_source : array-like of shape (n_source, n_classes)
        Class probabilities of the same source rows.
    classes : array-like of shape (n_classes,), default=None
        Labels of the columns, sorted as in `classes_`. None means the labels in `y_source`.
    method : {"bbse", "em"}, default="bbse"
        See above.

    Returns
    -------
    shares : ndarray of shape (n_classes,)
        Shares of the classes in the target: in [0, 1], with sum 1.

    Raises
    ------
    ValueError
        If probabilities do not add up to one, lengths or numbers of classes differ, a class has no
        source row, or `method` is unknown.

    See Also
    --------
    skdann.DANNClassifier : Its ``label_shift="estimate"`` weighs source rows by such shares.
    info_max : A score that can take the shares.

    References
    ----------
    .. [1] Lipton, Z., Wang, Y.-X. and Smola, A. "Detecting and Correcting for Label Shift with
       Black Box Predictors." ICML 2018.
    .. [2] Azizzadenesheli, K., Liu, A., Yang, F. and Anandkumar, A. "Regularized Learning for
       Domain Adaptation Under Label Shifts." ICLR 2019.
    .. [3] Saerens, M., Latinne, P. and Decaestecker, C. "Adjusting the Outputs of a Classifier to
       New a Priori Probabilities: A Simple Procedure." Neural Computation 14(1), 2002.

    Examples
    --------
    The classifier is right for 80 % of the source rows of each class and predicts "ham" for 26 % of
    the target rows. From ``0.8 * q + 0.2 * (1 - q) = 0.26`` follows that 10 % of the target is ham:

    >>> import numpy as np
    >>> from skdann.metrics import estimate_class_shares
    >>> ham, spam = [1.0, 0.0], [0.0, 1.0]
    >>> y_source = np.repeat(["ham", "spam"], 5000)
    >>> proba_source = np.repeat([ham, spam, ham, spam], [4000, 1000, 1000, 4000], axis=0)
    >>> proba_target = np.repeat([ham, spam], [2600, 7400], axis=0)
    >>> estimate_class_shares(proba_target, y_source, proba_source).round(2)
    array([0.1, 0.9])
    """
    if method not in ("bbse", "em"):
        raise ValueError(f"method must be 'bbse' or 'em', got {method!r}.")
    target = read_proba(proba_target, "proba_target")
    source = read_proba(proba_source, "proba_source")
    codes = _read_codes(y_source, classes, target, source)
    source_shares = np.bincount(codes) / len(codes)
    if method == "em":
        return _expectation_maximization(target, source_shares)
    return shares_by_confusion(source, codes, target, source_shares)


def _expectation_maximization(target, source_shares):
    """Return the shares to which correcting predictions and averaging them converges."""
    shares = source_shares
    for _ in range(_MAX_STEPS):
        # Bayes' rule with the new priors; then the mean over the rows is the next estimate.
        corrected = target * (shares / source_shares)
        previous = shares
        shares = (corrected / corrected.sum(axis=1, keepdims=True)).mean(axis=0)
        if np.abs(shares - previous).max() < _TOLERANCE:
            break
    return shares


def _read_codes(y_source, classes, target, source):
    """Return the column of each source label, after checking that shapes and classes fit."""
    labels = column_or_1d(y_source)
    if len(labels) != len(source):
        raise ValueError(
            f"y_source has {len(labels)} labels, but proba_source has {len(source)} rows. Both "
            "belong to the same source rows, in the same order."
        )
    if source.shape[1] != target.shape[1]:
        raise ValueError(
            f"proba_source has {source.shape[1]} columns, but proba_target has {target.shape[1]}. "
            "Pass probabilities of the same classifier, with one column for each class."
        )
    found = _found_labels(labels)
    columns = found if classes is None else column_or_1d(classes)
    _check_columns(found, columns, source.shape[1])
    return np.searchsorted(columns, labels)


def _found_labels(labels):
    """Return the sorted labels, or raise if one is missing or can't be compared."""
    try:
        found = np.unique(labels)
        complete = not (found != found).any()  # NaN differs from itself
    except TypeError:
        complete = False
    if not complete:
        raise ValueError(
            "y_source contains NaN or None, or labels that cannot be sorted. Drop rows without a "
            "label, and convert the labels to one type, such as str."
        )
    return found


def _check_columns(found, columns, n_columns):
    """Raise unless there is a sorted class for each column, and a source row of each."""
    if len(columns) != n_columns:
        raise ValueError(
            f"proba_source has {n_columns} columns, but there are {len(columns)} classes: "
            f"{columns.tolist()}. Pass the labels of all columns as classes=classifier.classes_."
        )
    if not np.array_equal(columns, np.unique(columns)):
        raise ValueError(
            f"classes must be sorted and without repetition, got {columns.tolist()}. Pass "
            "classifier.classes_, and columns of probabilities in that order."
        )
    if not np.array_equal(columns, found):
        lacking, unknown = np.setdiff1d(columns, found), np.setdiff1d(found, columns)
        raise ValueError(
            "y_source must have rows of every class and no other label. No rows: "
            f"{lacking.tolist()}. Not in classes: {unknown.tolist()}. The predictions for a class "
            "are measured on its source rows."
        )
