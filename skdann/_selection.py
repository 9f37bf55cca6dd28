"""Selection: scores of a pool of candidates, and the safe choice among them."""

from dataclasses import dataclass

import numpy as np

from skdann._target_scores import info_max, prediction_entropy


@dataclass(frozen=True)
class Rule:
    """By how much a candidate must beat the baseline, and by what those that do are ranked.

    Attributes
    ----------
    margins : dict of str to float
        Of each signal, in its unit; below 0 it may even be worse by so much.
    rank_by : str
        One of them.
    """

    margins: dict
    rank_by: str


# A pool trained together: clearly better by mutual information, and not worse by any of the others.
POOL_RULE = Rule(
    {"reverse_validation": -0.01, "info_max": 0.1, "confidence": 0.0, "agreement": 0.0},
    rank_by="agreement",
)
# A search can't compare the candidates' predictions, so the others must say more.
SEARCH_RULE = Rule(
    {"reverse_validation": 0.01, "info_max": 0.02, "confidence": 0.0}, rank_by="reverse_validation"
)


@dataclass(frozen=True)
class Choice:
    """What was chosen among candidates of which one is the baseline.

    Attributes
    ----------
    ranking : list of int
        The chosen candidate, then the others that beat the baseline, best first; the baseline
        alone where none does.
    gains : dict of ndarrays of shape (n_candidates,)
        Mean scores minus the baseline's.
    beats : bool ndarray of shape (n_candidates,)
    reason : str
    """

    ranking: list
    gains: dict
    beats: np.ndarray
    reason: str

    @property
    def index(self):
        """The chosen candidate."""
        return self.ranking[0]


def score_candidates(results, data, folds):
    """Return the scores of all candidates in all folds; more is better.

    Parameters
    ----------
    results : list of lists of FoldResult
        Of each candidate in each fold.
    data : TrainingData
    folds : list of pairs of ndarrays

    Returns
    -------
    dict of ndarrays of shape (n_candidates, n_folds)
        ``reverse_validation`` and ``source_accuracy`` in [0, 1]; ``info_max`` and ``confidence``,
        minus the mean entropy, in nats; ``agreement``, the mean probability that a candidate
        and the pool's mean, each drawing a label, draw the same, in [0, 1].
    """
    of_fold = [
        _scores_of_fold([candidate[f] for candidate in results], data, rows)
        for f, (_, rows) in enumerate(folds)
    ]
    return {name: np.stack([one[name] for one in of_fold], axis=1) for name in of_fold[0]}


def _scores_of_fold(results, data, rows):
    y = data.y_source[rows]
    weight = None if data.domain_weight is None else data.domain_weight[rows]
    pool = np.mean([one.target_proba for one in results], axis=0)
    scores = {
        "reverse_validation": [_accuracy(one.reverse_proba, y, weight) for one in results],
        "source_accuracy": [_accuracy(one.source_proba, y, weight) for one in results],
        "info_max": [info_max(one.target_proba) for one in results],
        "confidence": [-prediction_entropy(one.target_proba) for one in results],
        "agreement": [np.mean((one.target_proba * pool).sum(axis=1)) for one in results],
    }
    return {name: np.array(values) for name, values in scores.items()}


def choose_candidate(rule, means, names, baseline=0):
    """Return the `Choice` among candidates.

    Parameters
    ----------
    rule : Rule
    means : dict of ndarrays of shape (n_candidates,)
        Of the rule's signals, mean over the folds.
    names : list of str
        Of the candidates, for the reason.
    baseline : int, default=0
        The candidate that the others must beat.
    """
    gains = {name: np.asarray(means[name]) - means[name][baseline] for name in rule.margins}
    beats = np.all([gains[name] > margin for name, margin in rule.margins.items()], axis=0)
    beats[baseline] = False
    order = np.argsort(-gains[rule.rank_by], kind="stable")
    ranking = [int(i) for i in order if beats[i]] or [baseline]
    return Choice(ranking, gains, beats, _reason(ranking, gains, names, baseline))


def _accuracy(proba, codes, weight):
    return float(np.average(proba.argmax(axis=1) == codes, weights=weight))


def _reason(ranking, gains, names, baseline):
    best = ranking[0]
    if best == baseline:
        return (
            f"No candidate beats {names[baseline]} by all signals that need no target labels: it "
            "stays, without adaptation."
        )
    changes = ", ".join(f"{name} {values[best]:+.3f}" for name, values in gains.items())
    return (
        f"{names[best]} replaces {names[baseline]}: {changes}; {len(ranking)} of {len(names)} "
        "candidates beat it."
    )
