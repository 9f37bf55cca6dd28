"""Choosing: a pool of settings on one record, the safe choice among them, and its report."""

import itertools
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone

from skdann._batches import stratified_folds
from skdann._fitting import is_auto, with_settings
from skdann._pool import cross_fit
from skdann._scaling import usual_scalings
from skdann._selection import choose_by_signal, choose_from_pool, pool_signals

# What `DANNClassifier` tries where `lambda_max` is "auto"; one source row in so many is held out.
_LAMBDAS = 0.0, 0.1, 1.0
_N_FOLDS = 3


@dataclass(frozen=True)
class Pool:
    """Settings to choose from, and the classifiers that have them; the first is the baseline.

    Attributes
    ----------
    settings : list of dict
    candidates : list of DANNClassifier
    """

    settings: list
    candidates: list

    def names(self):
        """Return the candidates as a reader would write them."""
        return [", ".join(f"{k}={v!r}" for k, v in one.items()) for one in self.settings]


def safe_choice(classifier, data):
    """Return what a classifier leaves to be chosen, and what is to be said about it.

    Parameters
    ----------
    classifier : DANNClassifier
        With an int as random state. Chosen are `lambda_max`, and with it `input_scaling`, where
        they are "auto".
    data : TrainingData

    Returns
    -------
    settings : dict
        Parameters to fit with; empty if there is nothing to choose.
    attributes : dict
        ``adapted_`` and ``verdict_``, or none.
    """
    if not is_auto(classifier.lambda_max) or data.X_target is None:
        return {}, {}
    scalings = [classifier.input_scaling]
    if is_auto(classifier.input_scaling):
        scalings = usual_scalings(data, classifier.feature_extractor)
    generator = np.random.default_rng(classifier.random_state)
    folds = stratified_folds(data.y_source, _N_FOLDS, generator)[:1]
    single = {"n_members": 1, "callbacks": None, "verbose": 0}
    pool = pool_of(
        clone(classifier).set_params(**single),
        {"input_scaling": scalings, "lambda_max": _LAMBDAS},
    )
    if not folds:
        verdict = "No class has two source rows: nothing can be chosen, and nothing is adapted."
        return pool.settings[0], {"adapted_": False, "verdict_": verdict}
    choice, _ = chosen_from(pool, data, folds)
    return pool.settings[choice.index], verdict_of(choice)


def pool_of(template, grid):
    """Return the `Pool` of all combinations of a dict of lists; the last name varies fastest."""
    settings = [dict(zip(grid, one, strict=True)) for one in itertools.product(*grid.values())]
    return Pool(settings, [with_settings(template, one) for one in settings])


def chosen_from(pool, data, folds, scoring="safe"):
    """Return the `Choice` from a pool, and the `Signals` of its candidates in the folds.

    Parameters
    ----------
    pool : Pool
    data : TrainingData
        With target rows.
    folds : list of pairs of int64 ndarrays
        Source rows to train on, and rows held out.
    scoring : "safe" or one of `SIGNALS`
    """
    signals = pool_signals(cross_fit(pool.candidates, data, folds), data, folds)
    if scoring == "safe":
        return choose_from_pool(signals, pool.names()), signals
    return choose_by_signal(signals, scoring, pool.names()), signals


def verdict_of(choice):
    """Return the fitted attributes that say what was chosen; the baseline is the first."""
    return {"adapted_": choice.index != 0, "verdict_": choice.reason}


def cv_results(settings, signals, choice):
    """Return what every candidate scored, and whether it beat the baseline."""
    results = {"params": np.array(settings, dtype=object)}
    for name in settings[0]:
        results[f"param_{name}"] = np.array([one[name] for one in settings], dtype=object)
    for name, values in signals.of_fold.items():
        results[f"mean_{name}"], results[f"std_{name}"] = values.mean(axis=1), values.std(axis=1)
        for fold, of_fold in enumerate(values.T):
            results[f"split{fold}_{name}"] = of_fold
        results[f"gain_{name}"], results[f"error_{name}"] = (
            signals.gains[name],
            signals.errors[name],
        )
    results["merit"] = signals.merit
    results["beats_baseline"] = choice.beats
    return results


def lambda_path(settings, scores, chosen):
    """Return the scores along lambda, all else as in the chosen candidate."""
    others = [{**one, "lambda_max": None} for one in settings]
    path = [i for i, other in enumerate(others) if other == others[chosen]]
    lambdas = np.array([settings[i]["lambda_max"] for i in path])
    return {"lambda_max": lambdas, **{n: values.mean(axis=1)[path] for n, values in scores.items()}}
