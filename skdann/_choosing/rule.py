"""The rule: which candidate of a pool or of a search is the safe choice."""

from dataclasses import dataclass

import numpy as np

from skdann._choosing import gain_model
from skdann._choosing.label_evidence import weighed
from skdann._choosing.signals import ON_LABELS, put


@dataclass(frozen=True)
class Choice:
    """What was chosen among candidates of which one is the baseline.

    Attributes
    ----------
    ranking : list of int
        The chosen candidate, then the others that passed, best first; the baseline alone where
        none did.
    passes : bool ndarray of shape (n_candidates,)
        Whether a candidate is enough better than the baseline to replace it.
    score : ndarray of shape (n_candidates,)
        By which they are ranked.
    expected, bound : ndarray of shape (n_candidates,), or None
        Gain in target accuracy that is expected, and its lower bound; see `gain_model`. None where
        another score chose.
    doubt : ndarray of shape (n_candidates,), or None
        How unsure the gain is, as a share of what it would be without target labels.
    """

    ranking: list
    passes: np.ndarray
    score: np.ndarray
    expected: np.ndarray = None
    bound: np.ndarray = None
    doubt: np.ndarray = None

    @property
    def index(self):
        """The chosen candidate."""
        return self.ranking[0]


def choose_from_pool(signals, model=gain_model.LEARNED):
    """Return the `Choice` among the candidates of a pool; the first is the baseline."""
    pieces = gain_model.evidence(signals)
    expected, bound, doubt = weighed(
        model.expected_gain(pieces),
        model.lower_bound(pieces),
        signals.gains.get(ON_LABELS),
        signals.errors.get(ON_LABELS),
    )
    # Who is surer of a gain may act on a smaller one.
    passes = (expected > gain_model.LEAST_GAIN * doubt) & (bound > gain_model.LEAST_BOUND * doubt)
    passes[0] = False
    return Choice(_ranked(expected, passes, baseline=0), passes, expected, expected, bound, doubt)


def with_finalists(first, last, which):
    """Return the `Choice` among all candidates, of which some were judged once more.

    Parameters
    ----------
    first : Choice
        Among all candidates.
    last : Choice
        Among those that could still be chosen: what it says about them counts.
    which : list of int
        Which they are.
    """
    figures = (
        put(getattr(first, name), which, getattr(last, name))
        for name in ("score", "expected", "bound", "doubt")
    )
    passes = put(np.zeros_like(first.passes), which, last.passes)
    return Choice([which[i] for i in last.ranking], passes, *figures)


def choose_by_signal(signals, name):
    """Return the `Choice` of the candidate with the most of one signal, the first among equals."""
    means = signals.of_fold[name].mean(axis=1)
    passes = means > means[0]
    return Choice(_ranked(means, passes, baseline=0), passes, means)


def choose_from_search(means, baseline, weights=gain_model.SEARCH_GAIN):
    """Return the `Choice` among the candidates of a search.

    Parameters
    ----------
    means : dict of ndarrays of shape (n_candidates,)
        Of the signals in `gain_model.SEARCH_GAIN`, means over the folds.
    baseline : int
    weights : dict of float, default=SEARCH_GAIN
        Expected gain for each unit of a signal.
    """
    expected = gain_model.search_gain(means, baseline, weights)
    passes = expected > gain_model.SEARCH_LEAST_GAIN  # not where a score is missing
    passes[baseline] = False
    return Choice(_ranked(expected, passes, baseline), passes, expected, expected)


def _ranked(score, passes, baseline):
    """Return the candidates that pass, highest score first, or the baseline."""
    order = np.argsort(-score, kind="stable")
    return [int(i) for i in order if passes[i]] or [baseline]
