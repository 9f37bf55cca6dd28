"""Selection: scores of a pool of candidates, and the safe choice among them."""

from dataclasses import dataclass

import numpy as np

from skdann._target_scores import info_max

# A candidate must beat the baseline by more than this on both scores. The second is in nats per
# log(n_classes), the largest value that it can have.
MARGINS = {"reverse_validation": 0.02, "info_max": 0.1}


@dataclass(frozen=True)
class Choice:
    """What was chosen among candidates of which the first is the baseline.

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
        ``reverse_validation`` and ``source_accuracy`` in [0, 1]; ``info_max`` as a share of
        log(n_classes), in [0, 1]. More is better in all.
    """
    of_fold = {"reverse_validation": [], "source_accuracy": [], "info_max": []}
    for candidate in results:
        for (_, rows), result in zip(folds, candidate, strict=True):
            y = data.y_source[rows]
            weight = None if data.domain_weight is None else data.domain_weight[rows]
            of_fold["reverse_validation"].append(_accuracy(result.reverse_proba, y, weight))
            of_fold["source_accuracy"].append(_accuracy(result.source_proba, y, weight))
            information = info_max(result.target_proba) / np.log(len(data.classes))
            of_fold["info_max"].append(information)
    shape = len(results), len(folds)
    return {name: np.reshape(values, shape) for name, values in of_fold.items()}


def choose_candidate(scores, names):
    """Return the `Choice` among candidates of which the first is the baseline.

    Parameters
    ----------
    scores : dict of ndarrays of shape (n_candidates, n_folds)
        As `score_candidates` returns them.
    names : list of str
        Of the candidates, for the reason.
    """
    means = {name: values.mean(axis=1) for name, values in scores.items()}
    gains = {name: means[name] - means[name][0] for name in MARGINS}
    beats = np.all([gains[name] > margin for name, margin in MARGINS.items()], axis=0)
    order = np.argsort(-means["info_max"], kind="stable")
    ranking = [int(i) for i in order if beats[i]] or [0]
    return Choice(ranking, gains, beats, _reason(ranking, gains, names))


def _accuracy(proba, codes, weight):
    return float(np.average(proba.argmax(axis=1) == codes, weights=weight))


def _reason(ranking, gains, names):
    best = ranking[0]
    if best == 0:
        return (
            f"No candidate beats {names[0]} on both scores by more than their noise: it stays, "
            "without adaptation."
        )
    return (
        f"{names[best]} replaces {names[0]}: reverse validation "
        f"{gains['reverse_validation'][best]:+.3f}, mutual information "
        f"{gains['info_max'][best]:+.3f}; {len(ranking)} of {len(names)} candidates beat it."
    )
