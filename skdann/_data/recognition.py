"""Recognition: which rows of unknown domain are source rows.

With ``input_scaling`` "domain" or "balanced" each domain has its own statistics, so `predict` must
know the domain of a row. In cross-validation, calibration and stacking, scikit-learn passes source
rows to `predict` without saying so. Here a logistic regression recognises them. It judges each row
alone, so the result does not depend on which other rows are in the call.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import t as student

from skdann._data.moments import LARGEST_SCALED_VALUE, inverse_deviation
from skdann._data.record import at_rows
from skdann.exceptions import DomainWarning, warn_caller

# This share of the target rows may be mistaken for source rows. It determines the threshold.
_TARGET_SHARE = 0.005
# If a smaller share of the source rows than this would be recognised, none is.
_LEAST_POWER = 0.5

# How many rows of each domain are used. With fewer than the least there is no recognition.
_MOST_ROWS, _LEAST_ROWS = 1000, 10
_N_FOLDS = 5
_MOST_COLUMNS, _LEAST_COLUMNS = 256, 16
_COLUMNS_PER_BLOCK = 1024
# The values of a column are cut into this many parts; with many columns into fewer, so that all
# columns together have at most 512.
_STEPS, _ALL_STEPS = 8, 512
_L2_PENALTY = 2.0

# When a call seems to hold more source rows than were recognised; see `_look_like_source`
# and `_surely_missed`.
_LEAST_BATCH = 10  # rows
_LEAST_GAP = 0.5  # between the domains' mean probabilities, in deviations of the target's
_STANDARD_ERRORS = 4.0
_LIKE_SOURCE = 0.5  # share of the rest
_SHARE_OF_CALL = 0.1
_LEAST_RECOGNISED, _MISSED_SHARE = 3, 0.03

_ROWS_PER_CHUNK = 1024


@dataclass(frozen=True)
class RowTerms:
    """The inputs of the logistic regression: for each column its scaled value, square, and steps.

    A step is half the sign of a value minus an edge. Values and squares can show that a mean or a
    variance differs. Steps can show any other difference in distribution, such as a value that is
    frequent in one domain only, and outliers have no more influence on them than other values.

    Attributes
    ----------
    columns : int64 ndarray of shape (n_columns,)
        Positions in a flattened row.
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
        # The divisors bring all terms to similar sizes, as the L2 penalty is the same for all.
        steps = [np.sign(values - edge) / 2 for edge in self.edges]
        return np.concatenate([scaled, np.square(scaled) / 4, *steps], axis=1)

    def column_of_each(self):
        """Return the column of each term."""
        return np.tile(self.columns, 2 + len(self.edges))


@dataclass(frozen=True)
class DomainRecognition:
    """A fitted classifier that recognises source rows among rows of unknown domain.

    The score of a row is the log-odds that it is a source row, if both domains have the same
    frequency.

    Attributes
    ----------
    terms : RowTerms
    weights : float32 ndarray of shape (n_terms,)
    intercept : float
    threshold : float
        Rows with a higher score count as source rows. Infinite if none is to be recognised.
    rates : dict
        ``"source"`` and ``"target"``: the share of each domain's rows with a score above the
        threshold, estimated by cross-validation.
    source_rest, target_rest : float
        The mean probability of being a source row (by the score), over the rows of each domain that
        are not above the threshold.
    target_spread : float
        Standard deviation of this probability over those target rows.
    n_target : int
        Number of target rows in these estimates.
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

        None if no row is recognised. The code of a row never depends on the other rows. But if the
        rows together show that some source rows were not recognised, there is a `DomainWarning`.

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
        if len(rest) and (missed or self._look_like_source(rest, len(scores))):
            _warn(len(rest), len(scores), "some must be" if missed else "as a whole look like")
        return np.where(is_source, 0, -1) if is_source.any() else None

    def scores(self, rows):
        """Return the log-odds of a source row: float64 of shape (n_rows,)."""
        n_rows = rows.shape[0]
        scores = np.empty(n_rows)
        for start in range(0, n_rows, _ROWS_PER_CHUNK):
            at = slice(start, start + _ROWS_PER_CHUNK)
            scores[at] = self.terms(_dense(rows[at], self.terms.columns)) @ self.weights
        return scores + self.intercept

    def _surely_missed(self, n_recognised, n_rows):
        """Tell whether the number of recognised rows shows that many others were missed.

        If more rows are recognised than target rows could be by mistake, some are source rows. Then
        a share ``1 - rates["source"]`` of the source rows was missed.
        """
        # The number of target rows recognised by mistake: about a Poisson variable, whose variance
        # is its mean.
        chance = max(self.rates["target"], _TARGET_SHARE) * n_rows
        if n_recognised < max(_LEAST_RECOGNISED, chance + _STANDARD_ERRORS * math.sqrt(chance)):
            return False
        # n_recognised = rate * n_source, and missed = (1 - rate) * n_source.
        missed = n_recognised * (1 / self.rates["source"] - 1)
        return bool(missed > _MISSED_SHARE * n_rows)

    def _look_like_source(self, rest, n_rows):
        """Tell whether many of the rows that count as target rows look like source rows.

        `rest` are the scores of the rows that count as target rows, out of `n_rows`.
        """
        gap = self.source_rest - self.target_rest
        if len(rest) < _LEAST_BATCH or gap < _LEAST_GAP * self.target_spread:
            return False
        excess = expit(rest).mean() - self.target_rest
        # Standard error of the difference between two means: of these rows, and of the target.
        error = self.target_spread * math.sqrt(1 / len(rest) + 1 / self.n_target)
        # A mixture with a share s of source rows has the mean target_rest + s * gap.
        like_source = excess / gap
        share_of_call = min(like_source, 1.0) * len(rest) / n_rows
        return bool(
            excess > _STANDARD_ERRORS * error
            and like_source > _LIKE_SOURCE
            and share_of_call > _SHARE_OF_CALL
        )


def _warn(n_rest, n_rows, what):
    warn_caller(
        f"{n_rest} of the {n_rows} rows of X were taken for target rows, but {what} source rows, "
        "which the network scales differently: predictions for them may be wrong. "
        "Say where rows are from: domain='source' or domain='target'. In cross-validation and "
        "searches: scoring=lambda clf, X, y: clf.score(X, y, domain='source'). Calibration, "
        "stacking and self-training on source rows cannot say it: do not rely on them here.",
        DomainWarning,
    )


def fit_recognition(data):
    """Return the `DomainRecognition` of a record, or None if a domain has too few rows.

    All target domains count as one. The result depends on the record only, not on a random state.

    Parameters
    ----------
    data : TrainingData
    """
    if data.X_target is None:
        return None
    generator = np.random.default_rng(0)  # which rows are looked at, and in which fold
    # Source rows of weight 0 do not count.
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
    """Return the recognition, fitted on rows in a random order.

    For each fold, a logistic regression is fitted to the others and scores that fold. The result is
    the mean of these regressions. So the scores of the folds are like those of new rows, which a
    mean of regressions recognises a little better than a single one.
    """
    # The rows are in a random order, so every fifth row makes a random fold.
    fold_of_source = np.arange(source.shape[0]) % _N_FOLDS
    fold_of_target = np.arange(target.shape[0]) % _N_FOLDS
    # Columns that a fold did not choose get the weight 0 in its regression.
    chosen = _telling_columns(source, target)
    columns = np.unique(np.concatenate(chosen))
    values = _dense(source, columns), _dense(target, columns)
    terms = _terms_of(columns, *values)
    of_source, of_target = map(terms, values)
    column_of_each = terms.column_of_each()
    source_scores, target_scores = np.empty(len(of_source)), np.empty(len(of_target))
    weights, intercept = np.zeros(len(column_of_each)), 0.0
    for fold, of_fold in enumerate(chosen):
        seen_s, seen_t = fold_of_source != fold, fold_of_target != fold
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
        # If the domains are far apart, target rows hardly vary, and a few odd rows would seem to be
        # many standard errors away. They must not cause a warning.
        target_spread=max(float(target_rest.std()), 0.01),
        n_target=len(target_scores),
    )


def _threshold(target_scores):
    """Return the score that a new target row exceeds with probability `_TARGET_SHARE`, at least 0.

    It is a quantile of the scores, which holds for any distribution. If there are too few scores
    for this quantile, it is the highest score or the quantile of a normal distribution, whichever
    is higher.
    """
    n = len(target_scores)
    # Of n + 1 scores in a random order, the last exceeds the k-th smallest of the others with
    # probability 1 - k / (n + 1).
    rank = math.ceil((n + 1) * (1 - _TARGET_SHARE))
    threshold = np.sort(target_scores)[min(rank, n) - 1]
    if rank > n - 1:
        # Prediction interval of one more normal value: its end is mean + t * s * sqrt(1 + 1 / n).
        error = target_scores.std(ddof=1) * math.sqrt(1 + 1 / n)
        normal = target_scores.mean() + student.ppf(1 - _TARGET_SHARE, n - 1) * error
        threshold = max(threshold, normal)
    return max(0.0, float(threshold))


def _telling_columns(source, target):
    """Return for each fold the columns that differ most between the domains.

    Up to 256 columns are all used. Of more, 16 to 256 are chosen: those whose mean or mean square
    differs by the most standard errors, and by more than is expected of the largest of as many
    columns of noise. The rows of the fold itself are left out, so that its scores stay unbiased.
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
    # The largest of n standard normal values is about sqrt(2 * log(n)).
    noise = math.sqrt(2 * math.log(n_columns))
    chosen = []
    for of_fold in differences:
        # A stable sort, so that the choice among equal columns does not depend on the platform.
        most = np.argsort(-of_fold, kind="stable")[:_MOST_COLUMNS]
        chosen.append(np.sort(most[: max(_LEAST_COLUMNS, (of_fold[most] > noise).sum())]))
    return chosen


def _differences(source, target):
    """Return how many standard errors each column's moments differ by: (n_folds, n_columns).

    Row f is computed without the rows of fold f.
    """
    (mean_s, error_s), (mean_t, error_t) = map(_moments_without_fold, (source, target))
    apart = np.abs(mean_s - mean_t) / np.sqrt(error_s + error_t + 1e-12)
    return apart.max(axis=0)  # the larger of the two: of the mean and of the mean square


def _moments_without_fold(values):
    """Return the means of values and of their squares, and the squared standard errors of both.

    Both arrays have the shape (2, n_folds, n_columns): first for the values, then for the squares.
    Element f of the second axis is computed without the rows of fold f.
    """
    squares = np.square(values)
    fourth_powers = np.square(squares)
    sums, n_rows = [], []
    for f in range(_N_FOLDS):
        fold = slice(f, None, _N_FOLDS)
        sums.append([power[fold].sum(axis=0) for power in (values, squares, fourth_powers)])
        n_rows.append([len(values) - len(values[fold])])
    # (3, n_folds, n_columns): the sums within each fold. All folds minus one leave the others.
    sums, n_rows = np.stack(sums, axis=1), np.array(n_rows)
    mean, square, fourth = (sums.sum(axis=1, keepdims=True) - sums) / n_rows
    # var(x) = E[x**2] - E[x]**2, and the same for the squares.
    variances = np.stack([square - mean**2, fourth - square**2])
    return np.stack([mean, square]), np.maximum(variances, 0) / n_rows


def _terms_of(columns, source, target):
    """Return the terms of some columns, given their values in rows of both domains."""
    n_steps = min(_STEPS, _ALL_STEPS // len(columns))
    # The edges are quantiles of as many rows of one domain as of the other. "lower" makes each edge
    # a value that occurs, so that a frequent value equals the edge and has a step of 0.
    n_rows = min(len(source), len(target))
    edges = np.quantile(
        np.concatenate([source[:n_rows], target[:n_rows]]),
        np.linspace(0, 1, n_steps + 1)[1:-1],
        axis=0,
        method="lower",
    )
    return RowTerms(columns, *_standard(source, target), edges)


def _standard(source, target):
    """Return mean and 1 / deviation of each column; each domain has half the weight."""
    mean = sum(rows.mean(axis=0, dtype=np.float64) for rows in (source, target)) / 2
    square = sum(np.square(rows - mean).mean(axis=0) for rows in (source, target)) / 2
    factor = inverse_deviation(mean, np.sqrt(square))
    return mean.astype(np.float32), factor.astype(np.float32)


def _scaled(values, mean, factor):
    # Clipped: one outlier must not decide the sums of fourth powers, or the score of a row.
    return np.clip((values - mean) * factor, -LARGEST_SCALED_VALUE, LARGEST_SCALED_VALUE)


def _logistic(source, target):
    """Return weights and intercept of a logistic regression; both domains count the same.

    By a solver that stops early, which scikit-learn's does not by this measure: a regression that
    has converged, with any penalty, recognises fewer new rows.
    """
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
    options = {"maxiter": 100, "ftol": 1e-4}  # stops where the loss gains less than this share
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x
    return found[:-1], found[-1]


def _dense(rows, columns):
    """Return some columns of flattened rows: dense float32 of shape (n_rows, n_columns)."""
    if sparse.issparse(rows):
        return rows[:, columns].toarray()
    flat = rows.reshape(len(rows), -1)
    values = flat if len(columns) == flat.shape[1] else flat[:, columns]
    return values.astype(np.float32, copy=False)  # bytes have no squares
