"""Signals: figures that speak for or against each candidate, and what a few target labels say."""

from dataclasses import dataclass

import numpy as np
from scipy.special import entr

from skdann._choosing.label_evidence import gains_of, hits_of

SIGNALS = (
    *("reverse_validation", "reverse_probability", "source_accuracy"),
    *("info_max", "confidence", "agreement"),
)
ON_LABELS = "target_accuracy"  # on hidden target labels, where there are any
_ON_SOURCE = SIGNALS[:3]  # means over source rows held out; the others are over target rows


@dataclass(frozen=True)
class Signals:
    """What is known about the candidates of a pool; more is better.

    Attributes
    ----------
    of_fold : dict of ndarrays of shape (n_candidates, n_folds)
        ``reverse_validation``, the reverse network's accuracy, and ``source_accuracy`` in [0, 1];
        ``reverse_probability``, the mean probability that the reverse network gives the true
        label; ``info_max`` and ``confidence``, minus the mean entropy, in nats; ``agreement``, the
        probability that a candidate and the pool's mean, each drawing a label for a target row,
        draw the same; ``target_accuracy`` on hidden labels, if there are any.
    gains, errors : dict of ndarrays of shape (n_candidates,)
        Mean over the rows minus the first candidate's, and the standard error of that.
    hits : list of float ndarrays of shape (n_candidates, n_hidden), or None
        For each fold which hidden labels were predicted; None without labels.
    """

    of_fold: dict
    gains: dict
    errors: dict
    hits: list | None = None


def pool_signals(results, data, folds, pool_means=None):
    """Return the `Signals` of the candidates of a pool.

    Parameters
    ----------
    results : list of lists of FoldResult
        Of each candidate in each fold.
    data : TrainingData
    folds : list of pairs of ndarrays
    pool_means : list of ndarrays of shape (n_target, n_classes), default=None
        For each fold the mean prediction that candidates agree with; None takes their own.
    """
    # Of each signal, an array of shape (n_candidates, n_rows) for each fold.
    rows = {name: [] for name in SIGNALS}
    for f, (_, held_out) in enumerate(folds):
        pool_mean = None if pool_means is None else pool_means[f]
        of_fold = _rows_of_fold([one[f] for one in results], data, held_out, pool_mean)
        for name in SIGNALS:
            rows[name].append(of_fold[name])
    of_fold, gains, errors = {}, {}, {}
    for name, values in rows.items():
        of_fold[name] = np.stack([one.mean(axis=1) for one in values], axis=1)
        # Every fold has other source rows, and the same target rows.
        # So source rows of all folds are put side by side, and target rows are averaged.
        on_source = name in _ON_SOURCE
        together = np.concatenate(values, axis=1) if on_source else np.mean(values, axis=0)
        over_first = together - together[0]  # paired with the baseline, row by row
        gains[name] = over_first.mean(axis=1)
        errors[name] = over_first.std(axis=1) / np.sqrt(over_first.shape[1])
    return with_labels(Signals(of_fold, gains, errors), hits_of(results, data))


def with_labels(signals, hits):
    """Return the signals with what hidden labels say, in place of what they said before.

    `hits` is as in `Signals`; None, or no fold, takes what they said away.
    """
    tables = [
        {name: values for name, values in table.items() if name != ON_LABELS}
        for table in (signals.of_fold, signals.gains, signals.errors)
    ]
    if not hits:
        return Signals(*tables)
    means = np.stack([one.sum(axis=1) / max(one.shape[1], 1) for one in hits], axis=1)
    for table, values in zip(tables, (means, *gains_of(hits)), strict=True):
        table[ON_LABELS] = values
    return Signals(*tables, hits)


def with_later_fold(first, later, which):
    """Return the `Signals` of all candidates, of which some were trained in one more fold.

    Parameters
    ----------
    first : Signals
        Of all candidates, in one fold.
    later : Signals
        Of some of them, in this fold and the next.
    which : list of int
        Which they are.

    Returns
    -------
    Signals
        NaN in the fold that the others were not trained in.
    """
    of_fold = {}
    for name, values in first.of_fold.items():
        of_fold[name] = np.column_stack([values, np.full(len(values), np.nan)])
        of_fold[name][which] = later.of_fold[name]
    return Signals(
        of_fold,
        {name: put(values, which, later.gains[name]) for name, values in first.gains.items()},
        {name: put(values, which, later.errors[name]) for name, values in first.errors.items()},
        None if first.hits is None else [*first.hits, _hits_of_some(later.hits[-1], which, first)],
    )


def _hits_of_some(hits, which, all_candidates):
    """Return hits of some candidates as those of all, NaN for the others."""
    everyone = np.full((len(all_candidates.hits[0]), hits.shape[1]), np.nan)
    everyone[which] = hits
    return everyone


def put(values, which, others):
    """Return a copy of an array with other values at some positions."""
    values = values.copy()
    values[which] = others
    return values


def mean_prediction(results):
    """Return the mean target prediction of some candidates in one fold, (n_target, n_classes)."""
    return np.mean([one.target_proba for one in results], axis=0, dtype=np.float64)


def _rows_of_fold(results, data, held_out, pool_mean):
    """Return the signals of each row: dict of ndarrays of shape (n_candidates, n_rows)."""
    y = data.y_source[held_out]
    weight = 1.0
    # Rows that all weigh nothing count alike: a fold of them would have no mean.
    if data.domain_weight is not None and data.domain_weight[held_out].any():
        weight = data.domain_weight[held_out] / data.domain_weight[held_out].mean()
    # Shape (n_candidates, n_target, n_classes).
    target = np.stack([one.target_proba.astype(np.float64) for one in results])
    pool = mean_prediction(results) if pool_mean is None else pool_mean
    entropy = entr(target).sum(axis=2)  # -sum p log p of each row
    # A row's share in the mutual information: -sum p log(mean p) - entropy. Its mean over the rows
    # is the entropy of the mean prediction minus the mean entropy.
    log_shares = np.log(np.maximum(target.mean(axis=1), np.finfo(np.float64).tiny))
    return {
        "reverse_validation": weight * _hits([one.reverse_proba for one in results], y),
        "reverse_probability": weight * _of_label([one.reverse_proba for one in results], y),
        "source_accuracy": weight * _hits([one.source_proba for one in results], y),
        "info_max": -(target * log_shares[:, None]).sum(axis=2) - entropy,
        "confidence": -entropy,
        "agreement": (target * pool).sum(axis=2),
    }


def _hits(probas, codes):
    return np.stack([proba.argmax(axis=1) == codes for proba in probas]).astype(np.float64)


def _of_label(probas, codes):
    return np.stack([proba[np.arange(len(codes)), codes] for proba in probas]).astype(np.float64)
