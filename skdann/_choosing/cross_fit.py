"""Cross-fit: candidates x folds trained together, and what each says about rows held out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from skdann._data.record import at_rows, training_fold
from skdann._network.input_layers import InputLayers
from skdann._training.class_weights import shares_of_source
from skdann._training.fit_together import (
    class_probabilities,
    fit_together,
    target_probabilities,
)
from skdann._training.share_estimates import with_known_shares


@dataclass(frozen=True)
class FoldResult:
    """What a candidate that was trained without a fold of source rows says.

    Attributes
    ----------
    source_proba : ndarray of shape (n_held_out, n_classes)
        Of the source rows held out.
    target_proba : ndarray of shape (n_target, n_classes)
    reverse_proba : ndarray of shape (n_held_out, n_classes)
        Of the source rows held out, by the network that learned from the target's predicted
        labels and adapted back.
    """

    source_proba: np.ndarray
    target_proba: np.ndarray
    reverse_proba: np.ndarray


@dataclass
class _Trial:
    """One candidate in one fold: trained from source to target, and then back."""

    settings: object
    record: object  # without the fold's source rows
    held_out: np.ndarray  # positions among the source rows of the whole record
    there: object = None  # Trained
    target_proba: np.ndarray = None  # (n_target, n_classes)
    back: object = None  # Trained; None if it had nothing to learn from


def cross_fit(candidates, data, folds, layers=None):
    """Return the results of all candidates in all folds, a list of folds for each candidate.

    Parameters
    ----------
    candidates : list of Settings
    data : TrainingData
        With target rows.
    folds : list of pairs of int64 ndarrays
        Source rows to train on, and rows held out, by their positions in the record.
    layers : InputLayers, default=None
        Where what is computed for the rows is kept, for later calls.
    """
    layers = InputLayers() if layers is None else layers
    # All candidates of the first fold, then all of the second, and so on.
    trials = []
    for train, held_out in folds:
        record = training_fold(data, train)  # one object: what has equal rows can share them
        for candidate in candidates:
            trials.append(_Trial(candidate.unobserved(), record, held_out))
    _train_there(trials, layers)
    _train_back(trials, data, layers)
    results = [_result(trial, data) for trial in trials]
    # Every k-th result belongs to the same candidate.
    return [results[i :: len(candidates)] for i in range(len(candidates))]


def _train_there(trials, layers):
    records = [trial.record for trial in trials]
    settings = with_known_shares([trial.settings for trial in trials], records)
    networks = fit_together(settings, records, trial=True, layers=layers)
    for trial, trained in zip(trials, networks, strict=True):
        trial.there = trained
        trial.target_proba = target_probabilities(trained.net, trial.record)


def _train_back(trials, data, layers):
    """Train each network back: from its own labels of the target to the source rows held out.

    A network that predicts one label for all target rows has nothing to teach.
    """
    # On the way back the source is the target: its class shares are known.
    shares = tuple(shares_of_source(data).tolist())
    going = [one for one in trials if len(np.unique(one.target_proba.argmax(axis=1))) > 1]
    if not going:
        return
    # One record for each fold; candidates differ in their labels only.
    reversed_records = {id(one.held_out): _reversed_record(data, one.held_out) for one in going}
    settings, records = [], []
    for trial in going:
        (used,) = trial.there.settings
        n_target = len(trial.target_proba)
        # "auto" of epochs and batch size is resolved anew, for the rows of the way back; the kind
        # of scaling stays. A balanced one keeps its numbers too: they hang on the source's labels.
        scaling = used.input_scaling
        if scaling == "balanced":
            scaling = trial.there.net.members_[0].input_scaling.exchanged()
        asked = replace(trial.settings, input_scaling=scaling)
        settings.append(asked.reversed(n_target, used.batch_size, shares))
        codes = trial.target_proba.argmax(axis=1).astype(np.int64)
        records.append(replace(reversed_records[id(trial.held_out)], y_source=codes))
    starts = [trial.there.net.members_ for trial in going]  # trained weights
    networks = fit_together(settings, records, starts=starts, trial=True, layers=layers)
    for trial, trained in zip(going, networks, strict=True):
        trial.back = trained


def _reversed_record(data, held_out):
    """Return the record whose source is the target, with labels to come."""
    rows = at_rows(data.source_rows, held_out)
    return replace(
        data,
        X_source=data.X_target,
        source_rows=data.target_rows,
        y_source=np.zeros(len(data.target_domain), dtype=np.int64),
        label_weight=None,
        domain_weight=None,
        X_target=data.X_source,
        target_rows=rows,
        target_domain=np.ones(len(rows), dtype=np.int64),
        n_domains=2,
    )


def _result(trial, data):
    rows = at_rows(data.source_rows, trial.held_out)
    if trial.back is None:  # one label for the whole target: that label on the way back
        code = trial.target_proba[0].argmax()
        certain = np.eye(len(data.classes), dtype=np.float32)[code]
        reverse_proba = np.tile(certain, (len(rows), 1))
    else:
        reverse_proba = class_probabilities(trial.back.net, data.X_source, rows)
    return FoldResult(
        source_proba=class_probabilities(trial.there.net, data.X_source, rows, 0),
        target_proba=trial.target_proba,
        reverse_proba=reverse_proba,
    )
