"""Selection: scores of a pool of candidates, and the safe choice among them."""

from dataclasses import dataclass

import numpy as np

from skdann._target_scores import info_max

# A candidate must beat the baseline by more than this on both scores, in accuracy and in nats.
MARGINS = {"reverse_validation": 0.01, "info_max": 0.05}


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
    """Return the scores of all candidates in all folds.

    Parameters
    ----------
    results : list of lists of FoldResult
        Of each candidate in each fold.
    data : TrainingData
    folds : list of pairs of ndarrays

    Returns
    -------
    dict of ndarrays of shape (n_candidates, n_folds)
        ``reverse_validation`` and ``source_accuracy`` in [0, 1]; ``info_max`` in nats. More is
        better in all.
    """
    of_fold = {"reverse_validation": [], "source_accuracy": [], "info_max": []}
    for candidate in results:
        for (_, rows), result in zip(folds, candidate, strict=True):
            y = data.y_source[rows]
            weight = None if data.domain_weight is None else data.domain_weight[rows]
            of_fold["reverse_validation"].append(_accuracy(result.reverse_proba, y, weight))
            of_fold["source_accuracy"].append(_accuracy(result.source_proba, y, weight))
            of_fold["info_max"].append(info_max(result.target_proba))
    shape = len(results), len(folds)
    return {name: np.reshape(values, shape) for name, values in of_fold.items()}


def choose_candidate(means, names, baseline=0):
    """Return the `Choice` among candidates.

    Parameters
    ----------
    means : dict of ndarrays of shape (n_candidates,)
        ``reverse_validation`` and ``info_max`` of each, mean over the folds.
    names : list of str
        Of the candidates, for the reason.
    baseline : int, default=0
        The candidate that the others must beat.
    """
    gains = {name: np.asarray(means[name]) - means[name][baseline] for name in MARGINS}
    beats = np.all([gains[name] > margin for name, margin in MARGINS.items()], axis=0)
    order = np.argsort(-gains["info_max"], kind="stable")
    ranking = [int(i) for i in order if beats[i]] or [baseline]
    return Choice(ranking, gains, beats, _reason(ranking, gains, names, baseline))


def _accuracy(proba, codes, weight):
    return float(np.average(proba.argmax(axis=1) == codes, weights=weight))


def _reason(ranking, gains, names, baseline):
    best = ranking[0]
    if best == baseline:
        return (
            f"No candidate beats {names[baseline]} on both scores by more than their noise: it "
            "stays, without adaptation."
        )
    return (
        f"{names[best]} replaces {names[baseline]}: reverse validation "
        f"{gains['reverse_validation'][best]:+.3f}, mutual information "
        f"{gains['info_max'][best]:+.3f}; {len(ranking)} of {len(names)} candidates beat it."
    )
