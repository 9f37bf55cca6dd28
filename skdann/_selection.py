"""Selection: what speaks for each candidate of a pool, and the safe choice among them."""

from dataclasses import dataclass

import numpy as np
from scipy.special import entr

SIGNALS = "reverse_validation", "source_accuracy", "info_max", "confidence", "agreement"

# By how many standard errors a candidate of a pool must do better than the baseline. Rows of the
# target share the luck of one training, so information must be far above the noise of its rows.
POOL_ERRORS = {"reverse_validation": 1.0, "info_max": 5.0, "confidence": 0.0}

# A search keeps no rows, so the margins are fixed: accuracy, nats, nats.
SEARCH_MARGINS = {"reverse_validation": 0.01, "info_max": 0.02, "confidence": 0.0}


@dataclass(frozen=True)
class Signals:
    """What is known about the candidates of a pool without target labels; more is better.

    Attributes
    ----------
    of_fold : dict of ndarrays of shape (n_candidates, n_folds)
        ``reverse_validation`` and ``source_accuracy`` in [0, 1]; ``info_max`` and ``confidence``,
        minus the mean entropy, in nats; ``agreement``, the probability that a candidate and the
        pool's mean, each drawing a label for a target row, draw the same.
    gains, errors : dict of ndarrays of shape (n_candidates,)
        Mean over the rows minus the first candidate's, and the standard error of that.
    merit : ndarray of shape (n_candidates,)
        Reverse validation, information as a share of log(n_classes), and agreement, added.
    """

    of_fold: dict
    gains: dict
    errors: dict
    merit: np.ndarray


@dataclass(frozen=True)
class Choice:
    """What was chosen among candidates of which one is the baseline.

    Attributes
    ----------
    ranking : list of int
        The chosen candidate, then the others that beat the baseline, best first; the baseline
        alone where none does.
    beats : bool ndarray of shape (n_candidates,)
    reason : str
    """

    ranking: list
    beats: np.ndarray
    reason: str

    @property
    def index(self):
        """The chosen candidate."""
        return self.ranking[0]


def pool_signals(results, data, folds):
    """Return the `Signals` of the candidates of a pool.

    Parameters
    ----------
    results : list of lists of FoldResult
        Of each candidate in each fold.
    data : TrainingData
    folds : list of pairs of ndarrays
    """
    rows = {}
    for f, (_, held_out) in enumerate(folds):
        of_fold = _rows_of_fold([candidate[f] for candidate in results], data, held_out)
        for name, values in of_fold.items():
            rows.setdefault(name, []).append(values)
    of_fold = {
        name: np.stack([one.mean(axis=1) for one in values], axis=1)
        for name, values in rows.items()
    }
    # Every fold has other source rows, and the same target rows.
    together = {
        name: np.concatenate(values, axis=1)
        if name in ("reverse_validation", "source_accuracy")
        else np.mean(values, axis=0)
        for name, values in rows.items()
    }
    over_first = {name: values - values[0] for name, values in together.items()}
    means = {name: values.mean(axis=1) for name, values in of_fold.items()}
    information = means["info_max"] / np.log(len(data.classes))
    return Signals(
        of_fold=of_fold,
        gains={name: values.mean(axis=1) for name, values in over_first.items()},
        errors={n: one.std(axis=1) / np.sqrt(one.shape[1]) for n, one in over_first.items()},
        merit=means["reverse_validation"] + information + means["agreement"],
    )


def choose_from_pool(signals, names):
    """Return the `Choice` among the candidates of a pool; the first is the baseline."""
    needed = {name: count * signals.errors[name] for name, count in POOL_ERRORS.items()}
    return _choice(signals.gains, needed, signals.merit, names, baseline=0)


def choose_by_signal(signals, name, names):
    """Return the `Choice` of the candidate with the most of one signal, the first among equals."""
    means = signals.of_fold[name].mean(axis=1)
    best = int(np.argmax(means))
    reason = f"{names[best]} has the best {name}, {means[best]:.3f}; {names[0]} has {means[0]:.3f}."
    return Choice([best], means > means[0], reason)


def choose_from_search(means, names, baseline):
    """Return the `Choice` among the candidates of a search.

    Parameters
    ----------
    means : dict of ndarrays of shape (n_candidates,)
        Of the signals in `SEARCH_MARGINS`, mean over the folds.
    names : list of str
    baseline : int
    """
    gains = {name: np.asarray(means[name]) - means[name][baseline] for name in SEARCH_MARGINS}
    return _choice(gains, SEARCH_MARGINS, means["reverse_validation"], names, baseline)


def _rows_of_fold(results, data, held_out):
    """Return the signals of each row: dict of ndarrays of shape (n_candidates, n_rows)."""
    y = data.y_source[held_out]
    weight = 1.0
    if data.domain_weight is not None:
        weight = data.domain_weight[held_out] / data.domain_weight[held_out].mean()
    target = np.stack([one.target_proba.astype(np.float64) for one in results])
    pool = target.mean(axis=0)
    entropy = entr(target).sum(axis=2)
    shares = np.log(np.maximum(target.mean(axis=1), np.finfo(np.float64).tiny))
    return {
        "reverse_validation": weight * _hits([one.reverse_proba for one in results], y),
        "source_accuracy": weight * _hits([one.source_proba for one in results], y),
        "info_max": -(target * shares[:, None]).sum(axis=2) - entropy,
        "confidence": -entropy,
        "agreement": (target * pool).sum(axis=2),
    }


def _hits(probas, codes):
    return np.stack([proba.argmax(axis=1) == codes for proba in probas]).astype(np.float64)


def _choice(gains, needed, merit, names, baseline):
    beats = np.all([gains[name] > needed[name] for name in needed], axis=0)
    beats[baseline] = False
    ranking = [int(i) for i in np.argsort(-merit, kind="stable") if beats[i]] or [baseline]
    return Choice(ranking, beats, _reason(ranking, gains, needed, names, baseline))


def _reason(ranking, gains, needed, names, baseline):
    best = ranking[0]
    if best == baseline:
        return (
            f"No candidate beats {names[baseline]} by all signals that need no target labels: it "
            "stays, without adaptation."
        )
    changes = ", ".join(f"{name} {gains[name][best]:+.3f}" for name in needed)
    return (
        f"{names[best]} replaces {names[baseline]}: {changes}; {len(ranking)} of {len(names)} "
        "candidates beat it."
    )
