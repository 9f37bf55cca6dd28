"""Calibration: probabilities of candidates made comparable by one temperature for each.

Networks behind different input layers are more or less sure of themselves, whatever they know. The
source rows held out show how sure they may be. Without this, a network on raw word counts that is
nearly always certain would look better by its information than one that is right more often.
"""

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

# Bounds of the logarithm of the temperature, and the smallest probability.
_LOG_TEMPERATURES = -1.5, 2.5
_SMALLEST = 1e-12


def calibrated(results, data, folds):
    """Return the results with calibrated probabilities [1]_; predicted classes stay.

    Parameters
    ----------
    results : list of lists of FoldResult
        Of each candidate in each fold.
    data : TrainingData
    folds : list of pairs of int64 ndarrays

    References
    ----------
    .. [1] Guo, C., Pleiss, G., Sun, Y. and Weinberger, K. Q. (2017). On calibration of modern
       neural networks. ICML.
    """
    labels = [data.y_source[held_out] for _, held_out in folds]
    return [
        [_calibrated(one, y) for one, y in zip(of_candidate, labels, strict=True)]
        for of_candidate in results
    ]


def _calibrated(result, y):
    source, target, reverse = map(
        _logarithms, (result.source_proba, result.target_proba, result.reverse_proba)
    )
    there, back = _temperature(source, y), _temperature(reverse, y)
    return replace(
        result,
        source_proba=softmax(source / there, axis=1),
        target_proba=softmax(target / there, axis=1),
        reverse_proba=softmax(reverse / back, axis=1),
    )


def _logarithms(proba):
    return np.log(np.maximum(proba, _SMALLEST, dtype=np.float64))


def _temperature(logarithms, y):
    """Return the temperature with the least log loss."""
    rows = np.arange(len(y))

    def loss(log_temperature):
        of_label = log_softmax(logarithms / np.exp(log_temperature), axis=1)[rows, y]
        return -np.maximum(of_label, np.log(_SMALLEST)).mean()

    return np.exp(minimize_scalar(loss, bounds=_LOG_TEMPERATURES, method="bounded").x)
