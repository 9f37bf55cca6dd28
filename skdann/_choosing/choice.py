"""Choice: candidates for one record, and the safe choice among them."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from skdann._choosing.cross_fit import cross_fit
from skdann._choosing.rule import choose_by_signal, choose_from_pool
from skdann._choosing.signals import pool_signals
from skdann._data.splits import stratified_folds
from skdann._training.settings import Settings, is_auto, usual_scalings

# What `DANNClassifier` tries where `lambda_max` is "auto"; one fold of this many is held out.
_LAMBDAS = 0.0, 0.1, 1.0
_N_FOLDS = 3


@dataclass(frozen=True)
class Pool:
    """Candidates to choose from; the first is the baseline.

    Attributes
    ----------
    params : list of dict
        What differs between them: parameters of `DANNClassifier`.
    settings : list of Settings
    """

    params: list
    settings: list

    @classmethod
    def of(cls, params, settings):
        """Return the pool; a candidate with lambda 0 learns from the target in no other way."""
        return cls(
            params,
            [
                candidate.without_adaptation() if one["lambda_max"] == 0 else candidate
                for one, candidate in zip(params, settings, strict=True)
            ],
        )

    def names(self):
        """Return the candidates as a user would write them."""
        return [", ".join(f"{k}={v!r}" for k, v in one.items()) for one in self.params]


class Chosen(NamedTuple):
    """The settings to fit with, whether they adapt, and why they were chosen."""

    settings: Settings
    adapted: bool
    verdict: str


def safe_choice(settings, data):
    """Return what a classifier is to be fitted with, where its settings leave a choice.

    Parameters
    ----------
    settings : Settings
        Candidates are those of ``lambda_max`` and, for each, of ``input_scaling``.
    data : TrainingData

    Returns
    -------
    Chosen or None
        None if there is nothing to choose: a given lambda, or no target.
    """
    if not settings.leaves_a_choice or data.X_target is None:
        return None
    pool = _pool(settings, data)
    generator = np.random.default_rng(settings.seed)
    folds = stratified_folds(data.y_source, _N_FOLDS, generator, data.groups)[:1]
    if not folds:
        unit = "rows" if data.groups is None else "groups"
        verdict = f"No class has two source {unit}: nothing can be chosen, and nothing is adapted."
        return Chosen(pool.settings[0], False, verdict)
    # An ensemble is compared by one of its networks, for a fraction of the time.
    single = Pool(pool.params, [one.single() for one in pool.settings])
    choice, _ = chosen_from(single, data, folds)
    return Chosen(pool.settings[choice.index], choice.index != 0, choice.reason)


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
    signals = pool_signals(cross_fit(pool.settings, data, folds), data, folds)
    if scoring == "safe":
        return choose_from_pool(signals, pool.names()), signals
    return choose_by_signal(signals, scoring, pool.names()), signals


def _pool(settings, data):
    """Return the `Pool` of all combinations of scaling and lambda."""
    lambdas = _LAMBDAS if is_auto(settings.lambda_max) else settings.lambda_max
    scalings = settings.input_scaling
    if is_auto(scalings):
        scalings = usual_scalings(data, settings.feature_extractor)
    elif not isinstance(scalings, tuple):
        scalings = (scalings,)
    params = []
    for how in scalings:
        for one in lambdas:  # 0 first: the baseline is the first scaling without adaptation
            params.append({"input_scaling": how, "lambda_max": one})
    return Pool.of(params, [replace(settings, **one) for one in params])
