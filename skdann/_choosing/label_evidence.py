"""Evidence of target labels: what a few known ones say about each candidate.

A label judges only networks that were trained without it. In each fold of a choice a third of the
labels is hidden (less with more than three folds), and no label in two folds. So labels cost no fit
of their own, and the networks that are judged have learned from most of them.

What the labels say is joined with what the signals say as two measurements of one quantity, the
gain in target accuracy: each counts by the inverse of its variance. Few labels move the expected
gain a little, and many decide.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import beta, norm

# Before any label is seen, candidate and baseline are taken to disagree on this share of the rows,
# and that is worth as many rows as this.
_DISAGREEMENT, _WORTH = 0.1, 4

# The lower bound of `GainModel` is passed by nine of ten candidates: so many deviations below.
_DEVIATIONS = norm.ppf(0.9)

# Much of that distance is the luck of training and of the rows that the gain was measured on: this
# share of it is doubt about the gain. With all of it, ten labels overruled signals that were right.
_SHARE_OF_DOUBT = 0.5

# What signals say about a gain has at least this standard deviation, whatever their bound.
_LEAST_DEVIATION = 0.01

# A fold hides one of at least so many parts of the labels.
_FEWEST_PARTS = 3

# How often the interval of the estimated accuracy holds the true one.
CONFIDENCE = 0.9

# The classifier is another network than those that the labels judge. However many labels there are,
# they count as fewer than this for it; ``benchmarks/few_labels.py`` prints how often the interval
# holds. With all of them, that of 50 labels held in six of ten cases.
_COUNT_AT_MOST = 40


class Weighed(NamedTuple):
    """What is expected of each candidate after labels were seen, arrays of shape (n_candidates,).

    Attributes
    ----------
    expected, bound : ndarray
        As in `GainModel`.
    doubt : ndarray
        Standard deviation of the gain, as a share of what it was without labels; 1 without.
    """

    expected: np.ndarray
    bound: np.ndarray
    doubt: np.ndarray


def hidden_in_folds(data, n_folds, generator):
    """Return for each fold the target rows whose labels are hidden, by their positions.

    Without two labels nothing is hidden. Labels of a class are shared out evenly; with two folds a
    third of them is never hidden.
    """
    labelled = data.labelled_target
    if len(labelled) < 2 or n_folds < 2:
        return [labelled[:0]] * n_folds
    order = generator.permutation(labelled)
    order = order[np.argsort(data.y_target[order], kind="stable")]
    return [np.sort(order[fold :: max(n_folds, _FEWEST_PARTS)]) for fold in range(n_folds)]


def hits_of(results, data):
    """Return for each fold which hidden labels each candidate predicted, or None.

    Parameters
    ----------
    results : list of lists of FoldResult
        Of each candidate in each fold.
    data : TrainingData

    Returns
    -------
    list of float ndarrays of shape (n_candidates, n_hidden), or None
        None where no label was hidden.
    """
    hidden = [one.hidden for one in results[0]]
    if data.y_target is None or not any(rows is not None and len(rows) for rows in hidden):
        return None
    hits = []
    for fold, rows in enumerate(hidden):
        codes = [of[fold].target_proba[rows].argmax(axis=1) for of in results]
        hits.append((np.stack(codes) == data.y_target[rows]).astype(np.float64))
    return hits


def gains_of(hits):
    """Return gain in accuracy over the first candidate, and its standard error, of each candidate.

    Parameters
    ----------
    hits : list of ndarrays of shape (n_candidates, n_hidden)
        NaN in folds that a candidate was not trained in.
    """
    together = np.concatenate(hits, axis=1)
    over_first = together - together[0]
    n_labels = (~np.isnan(over_first)).sum(axis=1)
    gains = np.nansum(over_first, axis=1) / np.maximum(n_labels, 1)
    # A few labels on which both are equally right do not show that they always are.
    spread = np.nansum(over_first**2, axis=1) + _WORTH * _DISAGREEMENT
    variance = spread / (n_labels + _WORTH)
    return gains, np.sqrt(variance / np.maximum(n_labels, 1e-9))


def weighed(expected, bound, gains, errors):
    """Return what signals and labels say together.

    Parameters
    ----------
    expected, bound : ndarray of shape (n_candidates,)
        Of the signals, see `GainModel`.
    gains, errors : ndarray of shape (n_candidates,), or None
        Of the labels, see `gains_of`; None without labels.
    """
    if gains is None:
        return Weighed(expected, bound, np.ones_like(expected))
    deviation = _SHARE_OF_DOUBT * (expected - bound) / _DEVIATIONS
    deviation = np.maximum(deviation, _LEAST_DEVIATION)
    of_signals, of_labels = deviation**-2.0, errors**-2.0
    both = (of_signals * expected + of_labels * gains) / (of_signals + of_labels)
    doubt = (of_signals + of_labels) ** -0.5 / deviation
    return Weighed(both, both - doubt * (expected - bound), doubt)


def estimated_accuracy(hits):
    """Return accuracy, interval and number of labels, for a 0 or 1 for each; None without any.

    Returns
    -------
    dict of ``accuracy``, ``low``, ``high`` and ``n_labels``, or None
        The interval is Jeffreys', of `CONFIDENCE`, for as many labels as they count for.
    """
    if not len(hits):
        return None
    accuracy = float(np.mean(hits))
    counts = len(hits) / (1 + len(hits) / _COUNT_AT_MOST)
    right, wrong = accuracy * counts, (1 - accuracy) * counts
    tails = (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
    low, high = (float(one) for one in beta.ppf(tails, right + 0.5, wrong + 0.5))
    return {
        "accuracy": accuracy,
        "low": 0.0 if accuracy == 0 else low,
        "high": 1.0 if accuracy == 1 else high,
        "n_labels": len(hits),
    }
