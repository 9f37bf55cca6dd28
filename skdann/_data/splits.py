"""Splits: which rows of a record are held out, for early stopping or in folds."""

from __future__ import annotations

import numpy as np

from skdann._data.record import TrainingData, selected_rows


def split_validation(
    data: TrainingData,
    fraction: float,
    source_generator: np.random.Generator,
    target_generator: np.random.Generator,
) -> tuple[TrainingData, TrainingData]:
    """Return the data without a random share of each class and target domain, and that share."""
    source = hold_out(data.y_source, fraction, source_generator)
    if not source.any():
        raise ValueError(
            "early_stopping=True needs source rows to validate on, but every class has a single "
            "row. Set early_stopping=False, or pass more rows."
        )
    target = None
    if data.target_domain is not None:
        target = hold_out(data.target_domain, fraction, target_generator)
    return selected_rows(data, ~source, None if target is None else ~target), selected_rows(
        data, source, target
    )


def hold_out(codes: np.ndarray, fraction: float, generator: np.random.Generator) -> np.ndarray:
    """Return a mask of about `fraction` of the rows of each code; one row of each code is kept.

    Where that comes to no row at all, one row of the commonest code is held out.
    """
    held = np.zeros(len(codes), dtype=bool)
    counts = np.bincount(codes)
    for code in np.flatnonzero(counts):
        n_held = min(round(fraction * counts[code]), counts[code] - 1)
        held[generator.permutation(np.flatnonzero(codes == code))[:n_held]] = True
    if not held.any() and counts.max() > 1:
        held[generator.choice(np.flatnonzero(codes == counts.argmax()))] = True
    return held


def stratified_folds(
    codes: np.ndarray, n_folds: int, generator: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return folds of rows: training rows and held-out rows, about equally many of each class.

    The only row of a class is never held out. Without any row to hold out there are no folds.
    """
    fold_of, next_fold = np.full(len(codes), -1), 0
    for code in np.unique(codes):
        rows = generator.permutation(np.flatnonzero(codes == code))
        if len(rows) > 1:
            fold_of[rows] = (next_fold + np.arange(len(rows))) % n_folds
            next_fold += len(rows)
    pairs = [(np.flatnonzero(fold_of != f), np.flatnonzero(fold_of == f)) for f in range(n_folds)]
    return [(train, held_out) for train, held_out in pairs if len(held_out)]
