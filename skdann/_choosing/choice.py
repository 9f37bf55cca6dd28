"""Choice: a pool of settings on one record, and the safe choice among them."""

import itertools
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone

from skdann._choosing.cross_fit import cross_fit
from skdann._choosing.rule import choose_by_signal, choose_from_pool
from skdann._choosing.signals import pool_signals
from skdann._data.splits import stratified_folds
from skdann._training.settings import is_auto, usual_scalings, with_settings

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
