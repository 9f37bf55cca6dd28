"""Recognition: which rows of unknown domain are source rows, each row judged by itself.

After ``input_scaling="domain"`` a network wants to know where a row is from. scikit-learn's tools
show a classifier source rows without saying so, in cross-validation, calibration or stacking.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import t as student

from skdann._data.record import at_rows
from skdann.exceptions import DomainWarning

# A row counts as a source row above the score that this share of the target rows exceeds.
_TARGET_SHARE = 0.005
# Nothing is recognised where fewer of the source rows than this would be.
_LEAST_POWER = 0.5

# Rows of each domain that are looked at; fewer than the least tell nothing.
_MOST_ROWS, _LEAST_ROWS = 1000, 10
_N_FOLDS = 5
_MOST_COLUMNS, _LEAST_COLUMNS = 256, 16
_COLUMNS_PER_BLOCK = 1024
# Steps of a column, and of all columns together.
_STEPS, _ALL_STEPS = 8, 512
_LARGEST_SCALED_VALUE = 8.0
_L2_PENALTY = 2.0

# When a call seems to hold more source rows than were recognised; see `_look_like_source`
# and `_surely_missed`.
_LEAST_BATCH = 10
_LEAST_GAP = 0.5
_STANDARD_ERRORS = 4.0
_LIKE_SOURCE = 0.5
_SHARE_OF_CALL = 0.1
_LEAST_RECOGNISED, _MISSED_SHARE = 3, 0.03

_ROWS_PER_CHUNK = 1024


@dataclass(frozen=True)
class RowTerms:
    """What is seen of a row: of each column its scaled value, the square, and steps.

    Steps, the sign of a value minus an edge, are for columns that are not normal: they tell
    single values and tails apart, and an outlier moves them no further than any other value.

    Attributes
    ----------
    columns : int64 ndarray of shape (n_columns,)
        Positions in a row that has been made flat.
    mean, factor : float32 ndarray of shape (n_columns,)
        The mean of both domains, and 1 / deviation; 0 for a constant column.
    edges : float32 ndarray of shape (n_edges, n_columns)
    """

    columns: np.ndarray
    mean: np.ndarray
    factor: np.ndarray
    edges: np.ndarray

    def __call__(self, values):
        """Return float32 of shape (n_rows, n_terms); `values` are the rows' chosen columns."""
        scaled = _scaled(values, self.mean, self.factor)
        steps = [np.sign(values - edge) / 2 for edge in self.edges]
        return np.concatenate([scaled, np.square(scaled) / 4, *steps], axis=1)

    def column_of_each(self):
        """Return the column of each term."""
        return np.tile(self.columns, 2 + len(self.edges))


@dataclass(frozen=True)
class DomainRecognition:
    """Source rows among rows of unknown domain, recognised one by one.

    The score of a row is the log-odds of a source row, where both domains are equally frequent.

    Attributes
    ----------
    terms : RowTerms
    weights : float32 ndarray of shape (n_terms,)
    intercept : float
    threshold : float
        Rows with a higher score are source rows; infinite if none is to be recognised.
    rates : dict
        ``"source"`` and ``"target"``: the share of rows of either domain that count as source
        rows, estimated on rows that a fit had not seen.
    source_rest, target_rest : float
        Mean probability of a source row, among the rows of a domain below the threshold.
    target_spread : float
        The deviation of the latter.
    n_target : int
        Target rows that these numbers come from.
    """

    terms: RowTerms
    weights: np.ndarray
    intercept: float
    threshold: float
    rates: dict
    source_rest: float
    target_rest: float
    target_spread: float
    n_target: int

    def codes(self, rows):
        """Return 0 for each row that is recognised as a source row, -1 for an unknown target's.

        None stands for target rows only. What is said of a row never depends on the others; but a
        call that as a whole seems to hold more source rows causes a `DomainWarning`.

        Parameters
        ----------
        rows : float32 ndarray of shape (n_rows, ...) or CSR of shape (n_rows, n_features)

        Returns
        -------
        int64 ndarray of shape (n_rows,), or None
        """
        scores = self.scores(rows)
        is_source = scores > self.threshold
        rest = scores[~is_source]
        missed = self._surely_missed(is_source.sum(), len(scores))
        if missed or self._look_like_source(rest, len(scores)):
            _warn(len(rest), len(scores), "some must be" if missed else "as a whole look like")
        return np.where(is_source, 0, -1) if is_source.any() else None

    def scores(self, rows):
        """Return float64 of shape (n_rows,)."""
        n_rows = rows.shape[0]
        scores = np.empty(n_rows)
        for start in range(0, n_rows, _ROWS_PER_CHUNK):
            at = slice(start, start + _ROWS_PER_CHUNK)
            scores[at] = self.terms(_dense(rows[at], self.terms.columns)) @ self.weights
        return scores + self.intercept

    def _surely_missed(self, n_recognised, n_rows):
        """Tell whether so many rows were recognised that a sizeable part of a call was missed.

        Of the source rows the share ``1 - rates["source"]`` is missed; chance alone recognises few
        of the target's.
        """
        chance = max(self.rates["target"], _TARGET_SHARE) * n_rows
        if n_recognised < max(_LEAST_RECOGNISED, chance + _STANDARD_ERRORS * math.sqrt(chance)):
            return False
        missed = n_recognised * (1 / self.rates["source"] - 1)
        return bool(missed > _MISSED_SHARE * n_rows)

    def _look_like_source(self, rest, n_rows):
        """Tell whether a sizeable part of a call counts as target rows and looks like source rows.

        `rest` are the scores of the rows that count as target rows.
        """
        gap = self.source_rest - self.target_rest
        if len(rest) < _LEAST_BATCH or gap < _LEAST_GAP * self.target_spread:
            return False
        excess = expit(rest).mean() - self.target_rest
        error = self.target_spread * math.sqrt(1 / len(rest) + 1 / self.n_target)
        like_source = excess / gap
        share_of_call = min(like_source, 1.0) * len(rest) / n_rows
        return bool(
            excess > _STANDARD_ERRORS * error
            and like_source > _LIKE_SOURCE
            and share_of_call > _SHARE_OF_CALL
        )


def _warn(n_rest, n_rows, what):
    warnings.warn(
        f"{n_rest} of the {n_rows} rows of X were taken for target rows, but {what} source rows, "
        "and input_scaling='domain' scales those differently: predictions for them may be wrong. "
        "Say where rows are from: domain='source' or domain='target'. In cross-validation and "
        "searches: scoring=lambda clf, X, y: clf.score(X, y, domain='source'). Calibration, "
        "stacking and self-training on source rows cannot say it: do not rely on them here.",
        DomainWarning,
        stacklevel=5,
    )


def fit_recognition(data):
    """Return the `DomainRecognition` of a record; None without rows enough of each domain.

    It depends on the record alone, not on a random state, and on all target domains together.

    Parameters
    ----------
    data : TrainingData
    """
    if data.X_target is None:
        return None
    generator = np.random.default_rng(0)  # which rows are looked at, and in which fold
    weighted = None if data.domain_weight is None else np.flatnonzero(data.domain_weight > 0)
    n_source = len(data.y_source)
    source_at = _drawn(np.arange(n_source) if weighted is None else weighted, generator)
    target_at = _drawn(np.arange(len(data.target_domain)), generator)
    if min(len(source_at), len(target_at)) < _LEAST_ROWS:
        return None
    source = data.X_source[at_rows(data.source_rows, source_at)]
    target = data.X_target[at_rows(data.target_rows, target_at)]
    return _fit(source, target)


def _drawn(positions, generator):
    """Return at most `_MOST_ROWS` of the positions, in a random order."""
    return generator.permutation(positions)[:_MOST_ROWS]


def _fit(source, target):
    """Return the recognition from rows in a random order.

    Its weights are the mean of those of the folds, and so is its score: what is known of the scores
    out of fold then holds for new rows, a little on the safe side.
    """
    fold_s, fold_t = (np.arange(rows.shape[0]) % _N_FOLDS for rows in (source, target))
    folds = [(fold_s != f, fold_t != f) for f in range(_N_FOLDS)]
    chosen = _telling_columns(source, target)
    columns = np.unique(np.concatenate(chosen))
    values = _dense(source, columns), _dense(target, columns)
    terms = _terms_of(columns, *values)
    of_source, of_target = map(terms, values)
    column_of_each = terms.column_of_each()
    source_scores, target_scores = np.empty(len(of_source)), np.empty(len(of_target))
    weights, intercept = np.zeros(len(column_of_each)), 0.0
    for (seen_s, seen_t), of_fold in zip(folds, chosen, strict=True):
        used = np.isin(column_of_each, of_fold)
        w, b = _logistic(of_source[seen_s][:, used], of_target[seen_t][:, used])
        source_scores[~seen_s] = of_source[~seen_s][:, used] @ w + b
        target_scores[~seen_t] = of_target[~seen_t][:, used] @ w + b
        weights[used] += w / _N_FOLDS
        intercept += b / _N_FOLDS
    return _judged(terms, weights, intercept, source_scores, target_scores)


def _judged(terms, weights, intercept, source_scores, target_scores):
    """Return the recognition with its threshold, and what is known from scores out of fold."""
    threshold = _threshold(target_scores)
    if (source_scores > threshold).mean() < _LEAST_POWER:
        threshold = math.inf
    source_rest = expit(source_scores[source_scores <= threshold])
    target_rest = expit(target_scores[target_scores <= threshold])
    return DomainRecognition(
        terms=terms,
        weights=weights.astype(np.float32),
        intercept=intercept,
        threshold=threshold,
        rates={
            "source": float((source_scores > threshold).mean()),
            "target": float((target_scores > threshold).mean()),
        },
        source_rest=float(source_rest.mean()) if len(source_rest) else 1.0,
        target_rest=float(target_rest.mean()),
        # Where domains are apart target rows hardly vary: a few odd ones must not cause alarm.
        target_spread=max(float(target_rest.std()), 0.01),
        n_target=len(target_scores),
    )


def _threshold(target_scores):
    """Return the score that a new target row exceeds with probability `_TARGET_SHARE`; not below 0.

    By the rank among the scores, which holds for any distribution. Too few rows have no such rank:
    there it is the highest score, or what a normal distribution says, if that is more.
    """
    n = len(target_scores)
    rank = math.ceil((n + 1) * (1 - _TARGET_SHARE))
    threshold = np.sort(target_scores)[min(rank, n) - 1]
    if rank > n - 1:
        error = target_scores.std(ddof=1) * math.sqrt(1 + 1 / n)
        normal = target_scores.mean() + student.ppf(1 - _TARGET_SHARE, n - 1) * error
        threshold = max(threshold, normal)
    return max(0.0, float(threshold))


def _telling_columns(source, target):
    """Return for each fold the columns that tell the domains apart in the rows of the others.

    All columns, unless they are very many. Then those whose mean, or mean square, differs most, in
    standard errors, and by more than the largest of so many columns of noise would.
    """
    n_columns = math.prod(source.shape[1:])
    if n_columns <= _MOST_COLUMNS:
        return [np.arange(n_columns)] * _N_FOLDS
    differences = np.empty((_N_FOLDS, n_columns))
    for start in range(0, n_columns, _COLUMNS_PER_BLOCK):
        at = np.arange(start, min(start + _COLUMNS_PER_BLOCK, n_columns))
        values = _dense(source, at), _dense(target, at)
        standard = _standard(*values)
        differences[:, at] = _differences(*(_scaled(rows, *standard) for rows in values))
    noise = math.sqrt(2 * math.log(n_columns))
    chosen = []
    for of_fold in differences:
        most = np.argsort(-of_fold, kind="stable")[:_MOST_COLUMNS]
        chosen.append(np.sort(most[: max(_LEAST_COLUMNS, (of_fold[most] > noise).sum())]))
    return chosen


def _differences(source, target):
    """Return how far each column's moments differ, without each fold: (n_folds, n_columns)."""
    (mean_s, error_s), (mean_t, error_t) = map(_moments_without_fold, (source, target))
    apart = np.abs(mean_s - mean_t) / np.sqrt(error_s + error_t + 1e-12)
    return apart.max(axis=0)


def _moments_without_fold(values):
    """Return mean and squared standard error of values and their squares, without each fold.

    Both of shape (2, n_folds, n_columns).
    """
    squares = np.square(values)
    powers = values, squares, np.square(squares)
    sums = np.stack([[one[f::_N_FOLDS].sum(axis=0) for f in range(_N_FOLDS)] for one in powers])
    n_rows = len(values) - np.array([len(values[f::_N_FOLDS]) for f in range(_N_FOLDS)])[:, None]
    mean, square, fourth = (sums.sum(axis=1, keepdims=True) - sums) / n_rows
    variances = np.stack([square - mean**2, fourth - square**2])
    return np.stack([mean, square]), np.maximum(variances, 0) / n_rows


def _terms_of(columns, source, target):
    """Return the terms of some columns, given their values in rows of both domains."""
    n_steps = min(_STEPS, _ALL_STEPS // len(columns))
    n_rows = min(len(source), len(target))
    edges = np.quantile(
        np.concatenate([source[:n_rows], target[:n_rows]]),
        np.linspace(0, 1, n_steps + 1)[1:-1],
        axis=0,
        method="lower",
    )
    return RowTerms(columns, *_standard(source, target), edges)


def _standard(source, target):
    """Return what columns are shifted and multiplied by; each domain has half the weight."""
    mean = sum(rows.mean(axis=0, dtype=np.float64) for rows in (source, target)) / 2
    square = sum(np.square(rows - mean).mean(axis=0) for rows in (source, target)) / 2
    deviation = np.sqrt(square)
    varies = deviation > 1e-6 * (np.abs(mean) + np.finfo(np.float32).tiny)
    factor = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=varies)
    return mean.astype(np.float32), factor.astype(np.float32)


def _scaled(values, mean, factor):
    return np.clip((values - mean) * factor, -_LARGEST_SCALED_VALUE, _LARGEST_SCALED_VALUE)


def _logistic(source, target):
    """Return weights and intercept of a logistic regression; both domains count the same."""
    X = np.concatenate([source, target])
    sign = np.repeat([1.0, -1.0], [len(source), len(target)])
    weight = len(X) / 2 / np.where(sign > 0, len(source), len(target))

    def loss(parameters):
        w, b = parameters[:-1], parameters[-1]
        margin = sign * (X @ w.astype(np.float32) + b)
        pull = -sign * weight * expit(-margin)
        value = weight @ np.logaddexp(0, -margin) + _L2_PENALTY / 2 * (w @ w)
        gradient = pull.astype(np.float32) @ X + _L2_PENALTY * w
        return value, np.append(gradient, pull.sum())

    start = np.zeros(X.shape[1] + 1)
    options = {"maxiter": 100, "ftol": 1e-4}  # more digits tell no more rows apart
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x
    return found[:-1], found[-1]


def _dense(rows, columns):
    """Return some columns of rows that are made flat: float32 of shape (n_rows, n_columns)."""
    if sparse.issparse(rows):
        return rows[:, columns].toarray()
    flat = rows.reshape(len(rows), -1)
    return flat if len(columns) == flat.shape[1] else flat[:, columns]
