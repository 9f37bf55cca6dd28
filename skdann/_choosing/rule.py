"""The rule: which candidate of a pool or of a search is the safe choice."""

from dataclasses import dataclass

import numpy as np

# By how many standard errors a candidate of a pool must do better than the baseline. All target
# predictions come from a single trained network, so the standard error over rows understates the
# true uncertainty of the information: its margin is wide.
POOL_MARGINS = {"reverse_validation": 1.0, "info_max": 5.0, "confidence": 0.0}

# A search keeps no rows, so the margins are fixed: accuracy, nats, nats.
SEARCH_MARGINS = {"reverse_validation": 0.01, "info_max": 0.02, "confidence": 0.0}


@dataclass(frozen=True)
class Choice:
    """What was chosen among candidates of which one is the baseline.

    Attributes
    ----------
    ranking : list of int
        The chosen candidate, then the others that passed, best first; the baseline alone where
        none did.
    passes : bool ndarray of shape (n_candidates,)
        Whether a candidate does enough better than the baseline to replace it.
    reason : str
        A sentence.
    """

    ranking: list
    passes: np.ndarray
    reason: str

    @property
    def index(self):
        """The chosen candidate."""
        return self.ranking[0]


def choose_from_pool(signals, names):
    """Return the `Choice` among the candidates of a pool; the first is the baseline."""
    needed = {name: count * signals.errors[name] for name, count in POOL_MARGINS.items()}
    return _choice(signals.gains, needed, signals.score, names, baseline=0)


def choose_by_signal(signals, name, names):
    """Return the `Choice` of the candidate with the most of one signal, the first among equals."""
    means = signals.of_fold[name].mean(axis=1)
    passes = means > means[0]
    ranking = _ranked(means, passes, baseline=0)
    best = ranking[0]
    reason = f"{names[best]} has the best {name}, {means[best]:.3f}; {names[0]} has {means[0]:.3f}."
    return Choice(ranking, passes, reason)


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


def _choice(gains, needed, score, names, baseline):
    passes = np.all([gains[name] > needed[name] for name in needed], axis=0)
    passes[baseline] = False
    ranking = _ranked(score, passes, baseline)
    return Choice(ranking, passes, _reason(ranking, gains, needed, names, baseline))


def _ranked(score, passes, baseline):
    """Return the candidates that pass, highest score first, or the baseline."""
    order = np.argsort(-score, kind="stable")
    return [int(i) for i in order if passes[i]] or [baseline]


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
