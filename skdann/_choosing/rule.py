"""The rule: which candidate of a pool or of a search is the safe choice."""

from dataclasses import dataclass

import numpy as np

# By how many standard errors a candidate of a pool must do better than the baseline. Rows of the
# target share the luck of one training, so information must be far above the noise of its rows.
POOL_ERRORS = {"reverse_validation": 1.0, "info_max": 5.0, "confidence": 0.0}

# A search keeps no rows, so the margins are fixed: accuracy, nats, nats.
SEARCH_MARGINS = {"reverse_validation": 0.01, "info_max": 0.02, "confidence": 0.0}


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
