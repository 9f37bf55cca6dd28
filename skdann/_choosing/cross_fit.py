"""Cross-fit: candidates x folds trained in groups, and what each says about rows held out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from skdann._choosing.workers import Workers
from skdann._data.record import TrainingData, at_rows, training_fold
from skdann._network.input_layers import InputLayers
from skdann._training.checkpoints import Checkpoints
from skdann._training.class_weights import shares_of_source
from skdann._training.fit_together import (
    class_probabilities,
    fit_together,
    source_probabilities,
    target_probabilities,
    work_of,
)
from skdann._training.settings import batch_size_for
from skdann._training.share_estimates import with_known_shares

# At most so many candidates are trained in one task.
_MOST_IN_GROUP = 4


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
    hidden : int64 ndarray, default=None
        Positions of the target rows whose labels were hidden; None where none is known.
    """

    source_proba: np.ndarray
    target_proba: np.ndarray
    reverse_proba: np.ndarray
    hidden: np.ndarray | None = None


@dataclass
class _Trial:
    """One candidate in one fold: trained from source to target, and then back."""

    settings: object
    there: object = None  # Trained
    target_proba: np.ndarray = None  # (n_target, n_classes)
    back: object = None  # Trained; None if it had nothing to learn from


def cross_fit(candidates, data, folds, layers=None, workers=None, hidden=None):
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
    workers : Workers, default=None
        Where the candidates are trained; None is this process.
    hidden : list of int64 ndarrays, default=None
        For each fold the target rows whose labels are hidden; None hides none.
    """
    hidden = [None] * len(folds) if hidden is None else hidden
    layers = InputLayers() if layers is None else layers
    workers = Workers() if workers is None else workers
    candidates = [one.unobserved() for one in candidates]
    groups = _groups(candidates)
    tasks = []
    for (train, held_out), rows in zip(folds, hidden, strict=True):
        record = training_fold(data, train)  # one object: what has equal rows can share them
        record = record if rows is None else record.without_labels(rows)
        saved = workers.saved.part("fold", train, held_out, rows, candidates)
        settings = with_known_shares(candidates, [record] * len(candidates), saved)
        for number, group in enumerate(groups):
            own = [settings[i] for i in group]
            part = saved.part(f"task{number}")
            tasks.append(_FoldTask(own, data, record, held_out, layers, part, rows))
    done = iter(workers.results(tasks))
    results = [[] for _ in candidates]
    for _ in folds:
        for group in groups:
            for i, result in zip(group, next(done), strict=True):
                results[i].append(result)
    return results


def expected_work(candidates, n_source, n_target):
    """Return the work of `cross_fit` in one of three folds of so many rows."""
    return sum(_work(one, 2 * n_source // 3, n_target) for one in candidates)


def _work(settings, n_train, n_target):
    """Return the work of a candidate in one fold, on the way there and back."""
    back = settings.reversed(n_target, batch_size_for(settings, n_train), ())
    return work_of(settings, n_train, trial=True) + work_of(back, n_target, trial=True)


def _groups(candidates):
    """Return the positions of candidates that are trained together, in one task.

    Small groups, so that there is something to share out; and the same for every number of
    workers, so that results are the same to the last digit. Networks with parts of the user's
    take their steps one by one and share nothing: each is a task.
    """
    alike = {}
    for i, one in enumerate(candidates):
        alike.setdefault(one.learns_from_target, []).append(i)
    groups = []
    for positions in sorted(alike.values(), key=len, reverse=True):
        own_parts = candidates[positions[0]].architecture().has_own_parts
        n_parts = len(positions) if own_parts else -(-len(positions) // _MOST_IN_GROUP)
        groups += [part.tolist() for part in np.array_split(positions, n_parts)]
    return groups


@dataclass(frozen=True)
class _FoldTask:
    """Some candidates to train in one fold; called, it returns the `FoldResult` of each.

    Attributes
    ----------
    candidates : list of Settings
        With class shares, if they are to be estimated.
    data, record : TrainingData
        All rows, and those to train on.
    held_out : int64 ndarray
        Positions among the source rows of all rows.
    layers : InputLayers
    saved : Checkpoints
        Where the results are kept, and the trainings until then.
    hidden : int64 ndarray or None
        Positions of the target rows whose labels are hidden.
    """

    candidates: list
    data: TrainingData
    record: TrainingData
    held_out: np.ndarray
    layers: InputLayers
    saved: Checkpoints
    hidden: np.ndarray | None = None

    @property
    def work(self):
        """How much there is to do; see `Progress`."""
        n_train, n_target = len(self.record.y_source), len(self.record.target_domain)
        return sum(_work(one, n_train, n_target) for one in self.candidates)

    def __call__(self, progress=None):
        """Train the candidates, or return what an earlier run of this task has found."""
        found = self.saved.read_arrays()
        if found is not None:
            if progress is not None:
                progress.advance(self.work)
            return [FoldResult(*arrays) for arrays in found]
        trials = [_Trial(one) for one in self.candidates]
        self._train_there(trials, progress)
        self._train_back(trials, progress)
        results = [self._result(trial) for trial in trials]
        self.saved.write_arrays([[*vars(one).values()] for one in results])
        self.saved.remove_parts()
        return results

    def elsewhere(self):
        """Return a function and arguments that do the same in another process.

        Some backends of joblib send large arguments to each worker only once: the arrays are
        arguments by themselves. What takes long to compute, or whose last digits hang on the number
        of numpy's threads, is computed here.
        """
        data, record = self.data, self.record
        known = self.layers.known(record, [one.input_scaling for one in self.candidates])
        rest = [replace(one, X_source=None, X_target=None) for one in (data, record)]
        large = data.X_source, data.X_target
        return _in_another_process, (
            self.candidates,
            *rest,
            self.held_out,
            known,
            *large,
            self.saved,
            self.hidden,
        )

    def _train_there(self, trials, progress):
        records = [self.record] * len(trials)
        settings = [trial.settings for trial in trials]
        networks = self._fit_together(settings, records, progress, "there")
        for trial, trained in zip(trials, networks, strict=True):
            trial.there = trained
            trial.target_proba = target_probabilities(trained.net, self.record)

    def _train_back(self, trials, progress):
        """Train each network back: from its own labels of the target to the source rows held out.

        A network that predicts one label for all target rows has nothing to teach.
        """
        # On the way back the source is the target: its class shares are known.
        shares = tuple(shares_of_source(self.data).tolist())
        going = [one for one in trials if len(np.unique(one.target_proba.argmax(axis=1))) > 1]
        if not going:
            return
        # Candidates differ in their labels only.
        record = _reversed_record(self.data, self.held_out)
        settings, records = [], []
        for trial in going:
            (used,) = trial.there.settings
            n_target = len(trial.target_proba)
            # "auto" of epochs and batch size is resolved anew, for the rows of the way back; the
            # kind of scaling stays. A balanced one keeps its numbers too: they hang on the source's
            # labels.
            scaling = used.input_scaling
            if scaling == "balanced":
                scaling = trial.there.net.members_[0].input_scaling
                scaling = scaling.exchanged(self.data.further_sources)
            asked = replace(trial.settings, input_scaling=scaling, effort=used.effort)
            settings.append(asked.reversed(n_target, used.batch_size, shares))
            codes = trial.target_proba.argmax(axis=1).astype(np.int64)
            records.append(replace(record, y_source=codes))
        starts = [trial.there.net.members_ for trial in going]  # trained weights
        networks = self._fit_together(settings, records, progress, "back", starts)
        for trial, trained in zip(going, networks, strict=True):
            trial.back = trained

    def _fit_together(self, settings, records, progress, way, starts=None):
        return fit_together(
            settings,
            records,
            starts=starts,
            trial=True,
            layers=self.layers,
            progress=progress,
            saved=self.saved.part(way),
        )

    def _result(self, trial):
        data = self.data
        rows = at_rows(data.source_rows, self.held_out)
        if trial.back is None:  # one label for the whole target: that label on the way back
            code = trial.target_proba[0].argmax()
            certain = np.eye(len(data.classes), dtype=np.float32)[code]
            reverse_proba = np.tile(certain, (len(rows), 1))
        else:
            reverse_proba = class_probabilities(trial.back.net, data.X_source, rows)
        return FoldResult(
            source_proba=source_probabilities(trial.there.net, data, self.held_out),
            target_proba=trial.target_proba,
            reverse_proba=reverse_proba,
            hidden=self.hidden,
        )


def _in_another_process(
    candidates, data, record, held_out, known, X_source, X_target, saved, hidden
):
    data, record = (replace(one, X_source=X_source, X_target=X_target) for one in (data, record))
    layers = InputLayers.knowing(record, *known)
    return _FoldTask(candidates, data, record, held_out, layers, saved, hidden)()


def _reversed_record(data, held_out):
    """Return the record whose source is the target, with labels to come."""
    rows = at_rows(data.source_rows, held_out)
    # Each source is a target of its own, in the order of their codes.
    sources = np.append(0, data.further_sources)
    codes = np.searchsorted(sources, data.source_codes[held_out])
    return replace(
        data,
        X_source=data.X_target,
        source_rows=data.target_rows,
        y_source=np.zeros(len(data.target_domain), dtype=np.int64),
        label_weight=None,
        domain_weight=None,
        X_target=data.X_source,
        target_rows=rows,
        target_domain=1 + codes,
        y_target=None,
        source_domain=None,
        n_domains=1 + len(sources),
    )
