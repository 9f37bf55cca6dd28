"""The yardstick: plain logistic regression on the source, judged by the evidence of a pool."""

import numpy as np

from skdann._choosing.cross_fit import FoldResult
from skdann._data.linear_model import chosen_rows, drawn_rows, fitted, predicted_proba, scaled
from skdann._data.moments import column_moments
from skdann._data.record import at_rows, training_fold


def yardstick(data, fold):
    """Return the `FoldResult` of logistic regression, or None where it can't be fitted.

    It is not a candidate: whoever uses this package wants a network. But where it does better, the
    user should know.

    Parameters
    ----------
    data : TrainingData
        With target rows.
    fold : pair of int64 ndarrays
        Source rows to train on, and rows held out.
    """
    train, held_out = fold
    record, n_classes = training_fold(data, train), len(data.classes)
    source_at, target_at = drawn_rows(record)
    y = record.y_source[source_at]
    if len(np.unique(y)) < 2:
        return None
    of_source = at_rows(record.source_rows, source_at)
    moments = column_moments(data.X_source, of_source)
    there = fitted(scaled(chosen_rows(data.X_source, of_source), moments), y)
    all_target = at_rows(data.target_rows, np.arange(len(data.target_domain)))
    target_proba = predicted_proba(there, data.X_target, all_target, moments, n_classes)
    held_out_rows = at_rows(data.source_rows, held_out)
    source_proba = predicted_proba(there, data.X_source, held_out_rows, moments, n_classes)
    labels = target_proba[target_at].argmax(axis=1)
    if len(np.unique(labels)) < 2:
        reverse_proba = np.tile(np.eye(n_classes)[labels[0]], (len(held_out), 1))
    else:
        learned = scaled(chosen_rows(data.X_target, all_target[target_at]), moments)
        back = fitted(learned, labels)
        reverse_proba = predicted_proba(back, data.X_source, held_out_rows, moments, n_classes)
    return FoldResult(source_proba, target_proba, reverse_proba)
