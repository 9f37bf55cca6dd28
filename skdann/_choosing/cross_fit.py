"""The pool: candidates x folds trained together, and what each says about rows held out."""

import copy
import math
from dataclasses import dataclass, replace

import numpy as np
from sklearn.base import clone

from skdann._data.record import training_fold
from skdann._training.fit_together import class_probabilities, fit_together, target_probabilities
from skdann._training.settings import n_epochs

# A reverse fit starts from trained weights: so much of a fit's epochs is enough.
_REVERSE_SHARE = 1 / 3


@dataclass(frozen=True)
class FoldResult:
    """What a candidate that was trained without a fold of source rows says.

    Attributes
    ----------
    source_proba : ndarray of shape (n_held_out, n_classes)
        Of the source rows held out.
    target_proba : ndarray of shape (n_target, n_classes)
    reverse_proba : ndarray of shape (n_held_out, n_classes)
        Of the source rows held out, by the classifier that learned from the target's predicted
        labels and adapted back.
    """

    source_proba: np.ndarray
    target_proba: np.ndarray
    reverse_proba: np.ndarray


def cross_fit(candidates, data, folds):
    """Return the results of all candidates in all folds, a list of folds for each candidate.

    Parameters
    ----------
    candidates : list of DANNClassifier
        Unfitted.
    data : TrainingData
        With target rows.
    folds : list of pairs of int64 ndarrays
        Source rows to train on, and rows held out.
    """
    forward, records, held_out = [], [], []
    for train, test in folds:
        record = training_fold(data, train)
        forward += [clone(candidate) for candidate in candidates]
        records += [record] * len(candidates)
        held_out += [test] * len(candidates)
    fit_together(forward, records, trial=True)
    source = [
        class_probabilities(c, data.X_source, rows, 0)
        for c, rows in zip(forward, held_out, strict=True)
    ]
    target = [target_probabilities(c, data) for c in forward]
    reverse = _reverse_probas(forward, target, data, held_out)
    results = [FoldResult(*three) for three in zip(source, target, reverse, strict=True)]
    return [results[i :: len(candidates)] for i in range(len(candidates))]


def reversed_classifier(fitted, n_target):
    """Return a copy of a fitted classifier that is to learn back from `n_target` target rows.

    It goes on from the weights, which does better than a new start (Ganin et al., 2016, section
    5.1.2), and needs a third of the epochs.
    """
    reverse = copy.copy(fitted)  # what was fitted is replaced, not changed
    steps = math.ceil(n_target / min(n_target, fitted.batch_size_))
    epochs = math.ceil(_REVERSE_SHARE * n_epochs(fitted, steps))
    return reverse.set_params(
        warm_start=True,
        max_epochs=epochs,
        early_stopping=False,
        random_state=copy.deepcopy(fitted.random_state),
    )


def _reverse_probas(forward, target_probas, data, held_out):
    n_classes = len(data.classes)
    back = {id(rows): _reversed_record(data, rows) for rows in held_out}
    probas, fits, records, places = [], [], [], []
    for i, (fitted, target_proba, rows) in enumerate(
        zip(forward, target_probas, held_out, strict=True)
    ):
        codes = target_proba.argmax(axis=1)
        probas.append(np.eye(n_classes, dtype=np.float32)[codes[:1]].repeat(len(rows), axis=0))
        if (codes == codes[0]).all():
            continue  # one label for all: its reverse is a constant
        fits.append(reversed_classifier(fitted, len(codes)))
        records.append(replace(back[id(rows)], y_source=codes.astype(np.int64)))
        places.append(i)
    if fits:
        fit_together(fits, records, trial=True)
    for i, fitted in zip(places, fits, strict=True):
        probas[i] = class_probabilities(fitted, data.X_source, held_out[i])
    return probas


def _reversed_record(data, rows):
    """Return the record whose source is the target, with labels to come."""
    return replace(
        data,
        X_source=data.X_target,
        source_rows=None,
        y_source=np.zeros(len(data.target_domain), dtype=np.int64),
        label_weight=None,
        domain_weight=None,
        X_target=data.X_source,
        target_rows=rows,
        target_domain=np.ones(len(rows), dtype=np.int64),
        n_domains=2,
    )
