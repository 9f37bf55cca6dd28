"""Share estimates: the class shares of the target, found before a fit."""

from __future__ import annotations

import numpy as np

from skdann._data.record import TrainingData
from skdann._training.class_weights import shares_of_source
from skdann.metrics._class_shares import regularised_shares


def estimated_shares(
    of_source: np.ndarray, data: TrainingData, rows: np.ndarray, of_target: np.ndarray
) -> np.ndarray:
    """Return the target's class shares by the confusion on source rows.

    Parameters
    ----------
    of_source : ndarray of shape (n_rows, n_classes)
        Class probabilities of the source rows, from networks that were not trained on them.
    data : TrainingData
    rows : int64 ndarray of shape (n_rows,)
        Which source rows of `data` these are.
    of_target : ndarray of shape (n_target, n_classes)
        Class probabilities of the target rows.
    """
    codes, confusion = data.y_source[rows], np.eye(len(data.classes))
    for code in np.unique(codes):  # a class without such a row counts as told right
        confusion[:, code] = of_source[codes == code].mean(axis=0)
    noise = 1.0 / len(of_source) + 1.0 / len(of_target)
    predicted = of_target.mean(axis=0, dtype=np.float64)
    return regularised_shares(confusion, predicted, shares_of_source(data), noise)


def estimates_shares(settings):
    """Tell whether the target's class shares are to be estimated, and not given or ignored."""
    return isinstance(settings.label_shift, str) and settings.label_shift == "estimate"
