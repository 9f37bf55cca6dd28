"""A check whether the target passed the same steps as the source, such as a scaler.

A scaler leaves marks in the rows that it was fitted to: columns of mean 0, deviation 1, minimum 0
or median 0, or rows of length 1. If the source has such marks and the target looks like raw
numbers, the caller has most likely forgotten to scale the target. No label is used.

``benchmarks/target_check.py`` measures false alarms and what is found.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skdann._data.listing import TAKE_TARGET_ALONG
from skdann._data.moments import column_moments
from skdann._data.record import TrainingData, at_rows
from skdann.exceptions import TargetScaleWarning, warn_caller

_MAX_ROWS, _MAX_COLUMNS = 20_000, 256
# The decimals of values, and which values there are, are looked at in fewer rows.
_MAX_ROWS_OF_VALUES = 2_000

# Images take so many values each that a few tell their range; bytes are at least this bright.
_MAX_IMAGES, _LEAST_BRIGHT = 50, 32

# Tolerance of a scaler's marks; rounding to float32 moves them by less.
_MARK = 1e-4
# Below these numbers of target rows, of columns and of values, chance is too likely.
_FEWEST_ROWS, _FEWEST_COLUMNS, _FEWEST_VALUES = 20, 3, 10
# QuantileTransformer clips the normal distribution at plus and minus this.
_NORMAL_END = 5.1993
_EPS = float(np.finfo(np.float32).eps)
_NO_DECIMALS_FOUND = 9

# Shares of columns. A whole domain in other units has deviations that differ from the source's
# by one factor; raw columns differ from scaled ones by a factor each (spread of its logarithm).
_DECIMAL_SHARE = 0.5
_ONE_SIDED_SHARE = 0.8
_FAR_SHARE, _FAR_SHIFT, _FAR_RATIO = 0.7, 3.0, 4.0
_LEAST_SPREAD = 0.3
# For the rule that needs no mark in the source: if only the source was scaled, most columns differ
# by far more than after a real shift.
_WILD_SHARE, _WILD_SHIFT = 0.25, 10.0


class Mismatch(NamedTuple):
    """Why source and target can't have passed the same steps.

    Attributes
    ----------
    rule : {"row length", "decimals", "one side", "spread", "ten deviations", "bytes"}
    sentence : str
        What was found, for a message.
    """

    rule: str
    sentence: str


def warn_about_target_scale(data: TrainingData) -> None:
    """Warn where the target can't have passed the steps that the source passed."""
    found = find_mismatch(data)
    if found is not None:
        warn_caller(
            f"It seems that X_tgt did not pass the steps that X passed: {found.sentence}. "
            f"{TAKE_TARGET_ALONG} If the target really is on another scale, "
            "input_scaling='balanced' allows for that; to ignore this: "
            "warnings.filterwarnings('ignore', category=skdann.TargetScaleWarning).",
            TargetScaleWarning,
        )


def find_mismatch(data: TrainingData) -> Mismatch | None:
    """Return the first sign that some target domain did not pass the steps of the source.

    Parameters
    ----------
    data : TrainingData

    Returns
    -------
    Mismatch or None
        None also without a target, and for a single source row.
    """
    if data.target_domain is None or len(data.y_source) < 2:
        return None
    is_table = len(data.row_shape) == 1
    source = _Source(data) if is_table else None
    n_targets = int(data.target_domain.max())
    for domain in range(1, n_targets + 1):
        rows = np.flatnonzero(data.target_domain == domain)
        if not len(rows):  # all rows of this domain may be held out
            continue
        name = "X_tgt" if n_targets == 1 else f"X_tgt[{domain - 1}]"
        rows = at_rows(data.target_rows, rows)
        if source is None:
            found = _bytes_beside_shares(data, rows, name)
        else:
            found = _mismatch_of_table(source, _Target(data.X_target, rows, source), name)
        if found is not None:
            return found
    return None


def _mismatch_of_table(source: _Source, target: _Target, name: str) -> Mismatch | None:
    """Return what the first rule for tables that finds something says, or None."""
    for rule in (_other_row_length, _fewer_decimals, _one_sided, _other_spread, _wildly_off):
        found = rule(source, target, name)
        if found is not None:
            return found
    return None


class _Source:
    """Statistics of the source's columns, and which columns have a scaler's mark.

    `mean`, `deviation` and `varies` have the shape (n_features,). The other arrays describe the
    columns in `looked_at`: at most 256, none of them constant.
    """

    def __init__(self, data: TrainingData) -> None:
        X = data.X_source
        n_rows = len(data.y_source)
        rows = at_rows(data.source_rows, np.arange(n_rows))
        self.mean, self.deviation = column_moments(X, data.source_rows)
        self.varies = self.deviation > 1e-6 * (1.0 + np.abs(self.mean))
        self.looked_at = _spread_over(np.flatnonzero(self.varies), _MAX_COLUMNS)
        sample = rows[_spread_over(np.arange(n_rows), _MAX_ROWS)]
        self.row_lengths = _row_lengths(X, sample)
        self.block = _dense_block(X, sample, self.looked_at)
        at = self.looked_at
        moments = [(self.mean[at], self.deviation[at])]
        if data.domain_weight is not None:
            # A scaler may have been given the weights.
            mean, deviation = column_moments(X, data.source_rows, data.domain_weight)
            moments.append((mean[at], deviation[at]))
        self.centred = np.zeros(len(at), dtype=bool)
        self.scaled = np.zeros(len(at), dtype=bool)
        for mean, deviation in moments:
            self.centred |= np.abs(mean) < _MARK * deviation
            # StandardScaler divides by n; pandas' std and others divide by n - 1.
            unbiased = deviation * np.sqrt(n_rows / (n_rows - 1))
            self.scaled |= (np.abs(deviation - 1) < _MARK) | (np.abs(unbiased - 1) < _MARK)
        self.values, self.decimals = _values_and_decimals(self.block)
        # Grey values and shares lie in [0, 1] without a scaler, so that mark is a weak one.
        of_moments = self.centred | self.scaled
        self._mark_ranges(is_sample=len(sample) < n_rows)
        self.in_unit_range = (
            self.scaled & ~of_moments & (np.abs(self.block) <= 1 + _MARK).all(axis=0)
        )
        # Columns that are centred but not scaled have one unit, such as principal components. Small
        # ones may move by many of their own deviations. (Most, not all: rounding may hide the mark
        # of the smallest.)
        self.in_one_unit = self.centred.sum() > len(at) / 2 and self.scaled.sum() < len(at) / 10
        self.marked = self.centred | self.scaled

    def _mark_ranges(self, *, is_sample: bool) -> None:
        """Mark columns with the range of a scaler or of QuantileTransformer.

        A sample may lack the extreme rows, so its range may be a little smaller than the scaler's.
        """
        if not self.block.size:
            return
        least, most = self.block.min(axis=0), self.block.max(axis=0)
        slack = 0.25 if is_sample else _MARK
        largest = np.maximum(-least, most)
        # MinMaxScaler, MaxAbsScaler, then QuantileTransformer with a normal distribution.
        zero_to_one = (np.abs(least) < slack) & (least > -_MARK)
        self.scaled |= zero_to_one & (most > 1 - slack) & (most < 1 + _MARK)
        self.scaled |= (largest > 1 - slack) & (largest < 1 + _MARK)
        self.scaled |= (np.abs(least + _NORMAL_END) < 0.01) & (np.abs(most - _NORMAL_END) < 0.01)
        # RobustScaler: median 0, and 1 between the quartiles.
        # Quartiles take long: those of a sample leave few columns to look at in full.
        low, median, high = np.percentile(self.values, [25, 50, 75], axis=0)
        robust = (np.abs(median) < 0.2) & (np.abs(high - low - 1) < 0.3)
        slack = 0.05 if is_sample else _MARK
        low, median, high = np.percentile(self.block[:, robust], [25, 50, 75], axis=0)
        robust[robust] = (np.abs(median) < slack) & (np.abs(high - low - 1) < slack)
        self.centred |= robust
        self.scaled |= robust


class _Target:
    """Statistics of the columns of one target domain."""

    def __init__(self, X, rows: np.ndarray, source: _Source) -> None:
        sample = rows[_spread_over(np.arange(len(rows)), _MAX_ROWS)]
        self.n_rows = len(rows)
        self.mean, self.deviation = column_moments(X, sample)
        self.row_lengths = _row_lengths(X, sample)
        self.block = _dense_block(X, sample, source.looked_at)
        self.values, self.decimals = _values_and_decimals(self.block)


# -- the rules -------------------------------------------------------------------------------


def _bytes_beside_shares(data: TrainingData, rows: np.ndarray, name: str) -> Mismatch | None:
    """Compare the values of images: in one domain from 0 to 255, in the other divided by that.

    `rows` are the positions of the target rows in their array.
    """
    of_source = at_rows(data.source_rows, np.arange(len(data.y_source)))
    domains = []
    for called, X, own in (("X", data.X_source, of_source), (name, data.X_target, rows)):
        values = np.asarray(X[_spread_over(own, _MAX_IMAGES)], dtype=np.float32)
        domains.append((called, values, float(np.abs(values).max(initial=0))))
    (small, _, least), (large, values, most) = sorted(domains, key=lambda one: one[2])
    if least > 1 + _MARK or not _LEAST_BRIGHT <= most <= 255:
        return None
    if values.min(initial=0) < 0 or (values != np.rint(values)).any():
        return None
    return Mismatch(
        "bytes",
        f"all values of {small} lie between -1 and 1, and those of {large} are whole numbers up to "
        f"{most:g}, as if only {small} had been divided by 255",
    )


def _other_row_length(source: _Source, target: _Target, name: str) -> Mismatch | None:
    """Compare the lengths of rows: a Normalizer makes them 1."""
    if (source.decimals == 0).all():
        return None  # rows of zeros and a one, such as one-hot categories
    for of_source, of_target in zip(source.row_lengths, target.row_lengths, strict=True):
        # Rows without any value stay as they are.
        theirs, ours = of_source[of_source > 0], of_target[of_target > 0]
        is_one = len(theirs) > 1 and bool(np.all(np.abs(theirs - 1) < _MARK))
        if is_one and len(ours) and np.mean(np.abs(ours - 1) > 10 * _MARK) > 0.5:
            return Mismatch(
                "row length",
                f"all rows of X have length 1, but those of {name} {np.median(ours):.3g} (median)",
            )
    return None


def _fewer_decimals(source: _Source, target: _Target, name: str) -> Mismatch | None:
    """Compare decimals: raw numbers have few, scaled ones have many."""
    nonzero = (target.values != 0).any(axis=0)
    # A column of whole numbers was left alone by the scaler, as counts of 0 and 1 are.
    can_tell = source.marked & nonzero & (source.decimals > 0)
    # If both domains lie in [-1, 1], perhaps neither was scaled.
    can_tell &= ~source.in_unit_range | (np.abs(target.values) > 1 + _MARK).any(axis=0)
    fewer = np.flatnonzero(can_tell & (target.decimals < source.decimals))
    columns, n_values = [], 0
    for column in fewer:
        distinct = np.unique(target.values[:, column])
        # Columns that hold the source's own values passed the same steps, however round they are.
        if _share_known(target.values[:, column], source.values[:, column]) <= 0.5:
            columns.append(column)
            n_values += len(distinct)
    if len(columns) <= _DECIMAL_SHARE * can_tell.sum() or n_values < _FEWEST_VALUES:
        return None
    at = columns[0]
    example = target.values[np.flatnonzero(target.values[:, at])[0], at]
    return Mismatch(
        "decimals",
        f"{len(columns)} of {len(source.looked_at)} columns of {name} hold round numbers, such as "
        f"{example:.6g}, where X holds scaled ones",
    )


def _one_sided(source: _Source, target: _Target, name: str) -> Mismatch | None:
    """Compare signs: centred columns have values on both sides of 0, raw ones often on one."""
    both = source.centred & (target.deviation[source.looked_at] > 0)
    if not _enough(both, target):
        return None
    # Of those, columns in which the source has values on both sides.
    both &= (source.block.min(axis=0) < 0) & (source.block.max(axis=0) > 0)
    one = both & ((target.block.min(axis=0) >= 0) | (target.block.max(axis=0) <= 0))
    if one.sum() <= _ONE_SIDED_SHARE * max(both.sum(), 1):
        return None
    # One factor for all columns: a whole domain in other units, which is a real shift.
    if _spread_of_ratios(source, target, both) < _LEAST_SPREAD:
        return None
    return Mismatch(
        "one side",
        f"{int(one.sum())} of {len(source.looked_at)} columns of {name} lie on one side of 0, "
        "where X was centred",
    )


def _other_spread(source: _Source, target: _Target, name: str) -> Mismatch | None:
    """Compare means and deviations: those of raw columns are far from those of scaled columns."""
    at = source.looked_at
    # Columns of whole numbers were not scaled. A constant target column shows nothing.
    compared = source.scaled & (source.decimals > 0) & (target.deviation[at] > 0)
    if not _enough(compared, target):
        return None
    # In deviations of the source's column.
    shift = np.abs(target.mean - source.mean)[at] / source.deviation[at]
    ratio = target.deviation[at] / source.deviation[at]
    far = (shift > _FAR_SHIFT) | (ratio > _FAR_RATIO) | (ratio < 1 / _FAR_RATIO)
    far &= compared
    if far.sum() <= _FAR_SHARE * compared.sum():
        return None
    if _spread_of_ratios(source, target, compared) < _LEAST_SPREAD:
        return None
    return Mismatch(
        "spread",
        f"{int(far.sum())} of {len(at)} columns of {name} have a mean or a deviation far off "
        "those of X, which was scaled",
    )


def _wildly_off(source: _Source, target: _Target, name: str) -> Mismatch | None:
    """Find columns that are extremely far from the source's, with or without a scaler's mark."""
    deviation = source.deviation
    if source.in_one_unit:
        # One unit for all columns: the root mean square of their deviations.
        deviation = np.full_like(deviation, np.sqrt(np.mean(deviation**2)))
    unit = _WILD_SHIFT * np.where(source.varies, deviation, 1.0)
    off = (np.abs(target.mean - source.mean) > unit) | (target.deviation > unit)
    n_off = int((off & source.varies).sum())
    if n_off <= _WILD_SHARE * max(source.varies.sum(), 1):
        return None
    return Mismatch(
        "ten deviations",
        f"{n_off} of {len(off)} columns of {name} lie more than {_WILD_SHIFT:g} standard "
        "deviations of X off the columns of X",
    )


def _enough(columns: np.ndarray, target: _Target) -> bool:
    """Whether there are enough columns and target rows for a judgement about distributions."""
    return columns.sum() >= _FEWEST_COLUMNS and target.n_rows >= _FEWEST_ROWS


def _spread_of_ratios(source: _Source, target: _Target, columns: np.ndarray) -> float:
    """Return the deviation, over some columns, of the logarithm of target to source deviation."""
    at = source.looked_at[columns]
    ratio = target.deviation[at] / source.deviation[at]
    ratio = ratio[ratio > 0]
    return float(np.log(ratio).std()) if len(ratio) >= _FEWEST_COLUMNS else 0.0


# -- values ----------------------------------------------------------------------------------


def _spread_over(items: np.ndarray, at_most: int) -> np.ndarray:
    """Return the items, or this many of them at equal distances."""
    if len(items) <= at_most:
        return items
    return items[np.linspace(0, len(items) - 1, at_most).astype(np.int64)]


def _dense_block(X, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return some rows and columns as a float64 ndarray of shape (n_rows, n_columns)."""
    if sparse.issparse(X):
        return X[rows][:, columns].toarray().astype(np.float64)
    everything = len(rows) == X.shape[0] and len(columns) == X.shape[1]
    return np.asarray(X if everything else X[np.ix_(rows, columns)], dtype=np.float64)


def _row_lengths(X, rows: np.ndarray) -> list[np.ndarray]:
    """Return the lengths of the rows in two norms of a Normalizer, l2 and l1.

    The third norm, the largest value, is not used: it is 1 in many rows that were never normalised,
    such as rows of zeros and ones.
    """
    block = abs(X[_spread_over(rows, _MAX_ROWS_OF_VALUES)]).astype(np.float64)
    if sparse.issparse(block):
        squares = np.asarray(block.multiply(block).sum(axis=1)).ravel()
        return [np.sqrt(squares), np.asarray(block.sum(axis=1)).ravel()]
    return [np.sqrt(np.square(block).sum(axis=1)), block.sum(axis=1)]


def _values_and_decimals(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return fewer rows of the block, and the decimals of each of their columns."""
    values = block[_spread_over(np.arange(len(block)), _MAX_ROWS_OF_VALUES)]
    return values, _decimals(values)


def _decimals(values: np.ndarray) -> np.ndarray:
    """Return how many decimals the values of each column have, up to rounding to float32.

    Parameters
    ----------
    values : float64 ndarray of shape (n_rows, n_columns)
        Rounded to float32.

    Returns
    -------
    int ndarray of shape (n_columns,)
        0 for whole numbers; 9 where there are more decimals than float32 has digits.
    """
    found = np.full(values.shape[1], _NO_DECIMALS_FOUND)
    if not values.size:
        return found
    # Half a unit in the last place, and a little more.
    rounding = 0.6 * _EPS * np.abs(values)
    largest = np.abs(values).max(axis=0)
    # Downwards, so that the smallest number of decimals that will do is written last.
    for n_decimals in range(7, -1, -1):
        unit = 10.0**n_decimals
        steps = values * unit
        on_grid = (np.abs(steps - np.rint(steps)) <= rounding * unit).all(axis=0)
        # With coarser rounding than this, any number would seem to be on the grid.
        found[on_grid & (_EPS * largest * unit <= 0.125)] = n_decimals
    return found


def _share_known(values: np.ndarray, known: np.ndarray) -> float:
    """Return the share of the nonzero values that equal a known value, up to rounding."""
    values, known = values[values != 0], np.unique(known)
    # The nearest known value is one of the two neighbours in the sorted order.
    right = np.searchsorted(known, values).clip(0, len(known) - 1)
    left = (right - 1).clip(0)
    distance = np.minimum(np.abs(known[right] - values), np.abs(known[left] - values))
    return float(np.mean(distance <= 4 * _EPS * np.abs(values)))
