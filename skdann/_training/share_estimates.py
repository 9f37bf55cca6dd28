"""Share estimates: the class shares of the target, found before a fit that weighs rows by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skdann._data.record import TrainingData, training_fold
from skdann._data.splits import stratified_folds
from skdann._training.checkpoints import Checkpoints
from skdann._training.class_weights import shares_of_source
from skdann._training.fit_together import (
    Trained,
    fit_together,
    source_probabilities,
    target_probabilities,
)
from skdann._training.settings import Settings, resolved
from skdann.metrics._class_shares import shares_by_confusion


@dataclass(frozen=True)
class _Question:
    """The shares of one record's target, by networks of some settings."""

    settings: Settings
    data: TrainingData
    folds: list[tuple[np.ndarray, np.ndarray]]

    def is_like(self, other: _Question) -> bool:
        """Tell whether both have the same answer."""
        return self.data is other.data and self.settings == other.settings


def with_known_shares(
    settings: Sequence[Settings],
    records: Sequence[TrainingData],
    saved: Checkpoints | None = None,
) -> list[Settings]:
    """Return the settings with estimated class shares in place of ``label_shift="estimate"``.

    Two networks are trained for each estimate, each on one half of the source. They neither adapt
    nor weigh rows: a network that does, by a wrong estimate, makes predictions that confirm it.
    Candidates that differ in nothing that matters to these networks share one estimate.

    `saved` is of the same part of a fit; trainings go on from there.
    """
    questions: list[_Question] = []
    asked: list[int | None] = []  # for each of the settings, the number of its question
    for one, data in zip(settings, records, strict=True):
        if one.label_shift != "estimate" or data.X_target is None:
            asked.append(None)
            continue
        question = _question(one, data)
        alike = [i for i, other in enumerate(questions) if other.is_like(question)]
        if not alike:
            questions.append(question)
        asked.append(alike[0] if alike else len(questions) - 1)
    answers = _answers(questions, None if saved is None else saved.part("shares"))
    return [_with_shares(one, i, answers) for one, i in zip(settings, asked, strict=True)]


def _with_shares(settings: Settings, answer: int | None, answers: list[Any]) -> Settings:
    if settings.label_shift != "estimate":
        return settings
    return replace(settings, label_shift=None if answer is None else answers[answer])


def _question(settings: Settings, data: TrainingData) -> _Question:
    scaling = resolved(settings, data).input_scaling
    alone = replace(
        settings.without_adaptation().single().unobserved(),
        input_scaling=scaling,
        label_shift=None,
        early_stopping=False,
    )
    generator = np.random.default_rng(settings.seed)
    folds = stratified_folds(data.y_source, 2, generator, data.groups)
    return _Question(alone, data, folds)


def _answers(questions: Sequence[_Question], saved: Checkpoints | None) -> list[tuple[float, ...]]:
    """Return the shares of each question; all its networks are trained together."""
    settings = [one.settings for one in questions for _ in one.folds]
    records = [training_fold(one.data, train) for one in questions for train, _ in one.folds]
    trained = fit_together(settings, records, trial=True, saved=saved) if settings else []
    answers, first = [], 0
    for one in questions:  # its networks lie side by side, one for each fold
        halves = trained[first : first + len(one.folds)]
        first += len(one.folds)
        answers.append(tuple(_estimate(one, halves).tolist()))
    return answers


def _estimate(question: _Question, halves: Sequence[Trained]) -> np.ndarray:
    """Return the target's shares, by what each network says of the half it was not trained on."""
    data = question.data
    if not halves:  # no class has a row for either half
        return shares_of_source(data)
    rows = np.concatenate([held_out for _, held_out in question.folds])
    of_source = [
        source_probabilities(half.net, data, held_out)
        for half, (_, held_out) in zip(halves, question.folds, strict=True)
    ]
    of_target = [target_probabilities(half.net, data) for half in halves]
    codes, target_mean = data.y_source[rows], np.mean(of_target, axis=0)
    return shares_by_confusion(
        np.concatenate(of_source), codes, target_mean, shares_of_source(data)
    )


def mean_shares(trained: Trained) -> np.ndarray | None:
    """Return the class shares of the target that a net's source rows were weighed by, or None."""
    shares = [
        network.target_shares.numpy(force=True)
        for network in trained.net.members_
        if network.target_shares is not None
    ]
    return np.asarray(np.mean(shares, axis=0, dtype=np.float64)) if shares else None
