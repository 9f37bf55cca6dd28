"""Splits: which rows of a record are held out, for early stopping or in folds.

With `groups` (for example patients with several rows each) a group is never divided.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from skdann._data.listing import shortened
from skdann._data.record import TrainingData, selected_rows
from skdann._hidden_warnings import hidden_warnings

# To hold out a share of the rows in whole groups, they are divided into at most this many folds,
# and some of the folds are held out. For a share of less than a tenth there are more folds.
_MAX_FOLDS = 10


def split_validation(
    data: TrainingData,
    fraction: float,
    source_generator: np.random.Generator,
    target_generator: np.random.Generator,
) -> tuple[TrainingData, TrainingData]:
    """Return the data without a random share of each class and target domain, and that share."""
    source = hold_out(data.y_source, fraction, source_generator, data.groups)
    if not source.any():
        _raise_nothing_to_hold_out(data.groups)
    target = None
    if data.target_domain is not None:
        target = hold_out(data.target_domain, fraction, target_generator)
        target[data.labelled_target] = False  # they are few, and are needed to train on
    return selected_rows(data, ~source, None if target is None else ~target), selected_rows(
        data, source, target
    )


def _raise_nothing_to_hold_out(groups: np.ndarray | None) -> None:
    if groups is None:
        raise ValueError(
            "early_stopping=True needs source rows to validate on, but every class has a single "
            "row. Set early_stopping=False, or pass more rows."
        )
    raise ValueError(
        "early_stopping=True needs source rows to validate on, but no group can be held out: "
        f"there are {len(np.unique(groups))} groups, and each has the only rows of some class. "
        "Set early_stopping=False, or pass rows of more groups."
    )


def hold_out(
    codes: np.ndarray,
    fraction: float,
    generator: np.random.Generator,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Return a mask of about `fraction` of the rows of each code.

    Parameters
    ----------
    codes : int ndarray of shape (n_rows,)
        Class or domain of each row.
    fraction : float in (0, 1)
    generator : numpy.random.Generator
    groups : int ndarray of shape (n_rows,), default=None
        Rows of one group are held out together or not at all.

    Returns
    -------
    ndarray of bool of shape (n_rows,)
        At least one row (group) of each code is kept. Where the share comes to no row at all,
        one row of the commonest code is held out. All False where nothing can be held out.
    """
    if groups is not None:
        return _hold_out_groups(codes, fraction, generator, groups)
    held = np.zeros(len(codes), dtype=bool)
    counts = np.bincount(codes)
    # Drawn within each code, so that the shares of classes (or domains) stay as they are.
    for code in np.flatnonzero(counts):
        n_held = min(round(fraction * counts[code]), counts[code] - 1)
        held[generator.permutation(np.flatnonzero(codes == code))[:n_held]] = True
    # The share was rounded to 0 rows for each code.
    if not held.any() and counts.max() > 1:
        held[generator.choice(np.flatnonzero(codes == counts.argmax()))] = True
    return held


def stratified_folds(
    codes: np.ndarray,
    n_folds: int,
    generator: np.random.Generator,
    groups: np.ndarray | None = None,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return folds of rows: training rows and held-out rows, about equally many of each class.

    Parameters
    ----------
    codes : int ndarray of shape (n_rows,)
        Class of each row.
    n_folds : int >= 2
    generator : numpy.random.Generator
    groups : int ndarray of shape (n_rows,), default=None
        Rows of one group are never divided between training and held-out rows.

    Returns
    -------
    list of (train, held_out), int ndarrays of row numbers
        The only row (group) of a class is never held out. Without any row to hold out there
        are no folds.
    """
    if groups is not None:
        pairs = []
        for held in _group_folds(codes, n_folds, generator, groups):
            pairs.append((np.flatnonzero(~held), np.flatnonzero(held)))
        return pairs
    fold_of, next_fold = np.full(len(codes), -1), 0
    for code in np.unique(codes):
        rows = generator.permutation(np.flatnonzero(codes == code))
        if len(rows) > 1:
            # Each class goes on at the fold where the last one ended: folds get equally many rows.
            fold_of[rows] = (next_fold + np.arange(len(rows))) % n_folds
            next_fold += len(rows)
    pairs = []
    for fold in range(n_folds):
        held = fold_of == fold
        if held.any():
            pairs.append((np.flatnonzero(~held), np.flatnonzero(held)))
    return pairs


def folds_of(splitter, codes: np.ndarray, groups: np.ndarray | None = None) -> list:
    """Return the folds that a splitter of scikit-learn makes of source rows.

    Parameters
    ----------
    splitter : cross-validation generator
        As from `sklearn.model_selection.check_cv`.
    codes : int ndarray of shape (n_rows,)
        Class of each row.
    groups : int ndarray of shape (n_rows,), default=None

    Returns
    -------
    list of (train, held_out), int ndarrays of row numbers
    """
    try:
        # Splitters read only the number of rows of X.
        folds = list(splitter.split(np.zeros((len(codes), 1)), codes, groups))
    except ValueError as error:
        if groups is None and "groups" in str(error):
            raise ValueError(
                f"cv={shortened(splitter)} needs groups: pass fit(..., groups=...), one value for "
                "each row of X, such as the patient that it is from."
            ) from error
        raise ValueError(f"cv={shortened(splitter)} can't divide X: {error}") from error
    if not folds:
        raise ValueError(
            f"cv={shortened(splitter)} makes no fold. Pass a number of folds, such as cv=3, a "
            "splitter, or pairs of row numbers to train on and to hold out."
        )
    folds = [tuple(map(np.asarray, fold)) for fold in folds]
    if not all(_are_row_numbers(rows, len(codes)) for fold in folds for rows in fold):
        raise ValueError(
            f"cv={shortened(splitter)} has row numbers that X does not have: they are integers "
            f"from 0 to {len(codes) - 1}, or masks of {len(codes)} booleans."
        )
    return [tuple(map(_row_numbers, fold)) for fold in folds]


def _row_numbers(rows: np.ndarray) -> np.ndarray:
    """Return numbers of rows, also where they are a mask."""
    return np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)


def _are_row_numbers(rows: np.ndarray, n_rows: int) -> bool:
    """Tell whether these are numbers of rows, or a mask of them."""
    if rows.dtype == bool:
        return rows.shape == (n_rows,)
    fits = rows.ndim == 1 and (rows.dtype.kind in "iu" or not rows.size)
    return bool(fits and (rows >= -n_rows).all() and (rows < n_rows).all())


def _hold_out_groups(
    codes: np.ndarray, fraction: float, generator: np.random.Generator, groups: np.ndarray
) -> np.ndarray:
    # 0.2 is 1 of 5 folds, 0.3 is 3 of 10, 0.05 is 1 of 20.
    share = Fraction(fraction).limit_denominator(max(_MAX_FOLDS, round(1 / fraction)))
    folds = _group_folds(codes, max(2, share.denominator), generator, groups)
    n_held = min(round(fraction * len(folds)), len(folds) - 1)
    held = np.zeros(len(codes), dtype=bool)
    for fold in folds[: max(n_held, 1)]:
        held |= fold
    return _without_last_groups_of_classes(held, codes, groups)


def _group_folds(
    codes: np.ndarray, n_folds: int, generator: np.random.Generator, groups: np.ndarray
) -> list[np.ndarray]:
    """Return the held-out rows of each fold as masks; empty folds are left out."""
    # Groups that hold a whole class are always in the training rows.
    eligible = ~np.isin(groups, _only_groups_of_classes(codes, groups))
    rows = np.flatnonzero(eligible)
    n_groups = len(np.unique(groups[rows]))
    if n_groups == 0:
        return []
    if n_groups == 1:
        return [eligible]
    # scikit-learn refuses more folds than the largest class has rows.
    n_folds = min(n_folds, n_groups, int(np.bincount(codes[rows]).max()))
    # No class has two rows left. Then each group is a fold of its own.
    if n_folds < 2:
        return [eligible & (groups == group) for group in np.unique(groups[rows])]
    # Shuffled here: scikit-learn 1.6 does not stratify what it shuffles itself.
    shuffled = generator.permutation(int(groups.max()) + 1)[groups[rows]]
    splitter = StratifiedGroupKFold(n_folds)
    folds = []
    with hidden_warnings(UserWarning):
        # It warns where a class has fewer rows than there are folds; ours may.
        for _, test in splitter.split(np.zeros((len(rows), 1)), codes[rows], shuffled):
            held = np.zeros(len(codes), dtype=bool)
            held[rows[test]] = True
            held = _without_last_groups_of_classes(held, codes, groups)
            if held.any():
                folds.append(held)
    return folds


def _only_groups_of_classes(codes: np.ndarray, groups: np.ndarray) -> list[int]:
    """Return the groups that hold all rows of some class: without them it could not be learnt."""
    only = []
    for code in np.unique(codes):
        of_class = np.unique(groups[codes == code])
        if len(of_class) == 1:
            only.append(int(of_class[0]))
    return only


def _without_last_groups_of_classes(
    held: np.ndarray, codes: np.ndarray, groups: np.ndarray
) -> np.ndarray:
    """Return the mask without one group of each class of which it holds out all rows."""
    held = held.copy()
    for code in np.unique(codes):
        rows = codes == code
        if held[rows].all():
            held[groups == groups[rows][0]] = False
    return held
