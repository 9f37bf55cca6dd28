"""Calibration: probabilities of candidates made comparable by one temperature for each.

Networks behind different input layers are more or less sure of themselves, whatever they know. The
source rows held out show how sure they may be. Without this, a network on raw word counts that is
nearly always certain would look better by its information than one that is right more often.
"""

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar

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
    there = _temperature(result.source_proba, y)
    back = _temperature(result.reverse_proba, y)
    return replace(
        result,
        source_proba=_tempered(result.source_proba, there),
        target_proba=_tempered(result.target_proba, there),
        reverse_proba=_tempered(result.reverse_proba, back),
    )


def _temperature(proba, y):
    """Return the temperature with the least log loss."""
    rows = np.arange(len(y))

    def loss(log_temperature):
        of_label = _tempered(proba, np.exp(log_temperature))[rows, y]
        return -np.log(np.maximum(of_label, _SMALLEST)).mean()

    return np.exp(minimize_scalar(loss, bounds=_LOG_TEMPERATURES, method="bounded").x)


def _tempered(proba, temperature):
    logits = np.log(np.maximum(proba, _SMALLEST, dtype=np.float64)) / temperature
    logits -= logits.max(axis=1, keepdims=True)
    powers = np.exp(logits, out=logits)
    powers /= powers.sum(axis=1, keepdims=True)
    return powers
