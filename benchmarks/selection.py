"""What each score chooses from a pool of candidates, without target labels, on 64 real pairs.

    python benchmarks/selection.py [--datasets ...] [--seeds 1] [--pools lambda rates]
        [--folds 2] [--cache FOLDER] [--output FILE.md]

trains the pools on every pair of shifted_data.py and prints, for each score, what the candidate
with the best score gains in target accuracy over the network without adaptation, next to the best
candidate that there was, to the defaults, and to the rule of `DANNClassifierCV`.

Candidates are trained on all source rows (they are what is chosen), and on `--folds` of three
folds (by these they are scored), with the reverse fits of reverse validation. Target labels serve
the last column alone. With --cache what the candidates said is kept in a folder, a file per pair,
and a later call trains only what is missing: delete it after a change to training.
"""

import itertools
import time
import warnings
from typing import Any, NamedTuple

import numpy as np
import torch
from shifted_data import ShiftedPair
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold

from skdann import DANNClassifier
from skdann._classifier import fit_together
from skdann._inputs import read_training_data
from skdann._pool import cross_fit
from skdann._scaling import domain_codes

LAMBDAS = 0.0, 0.03, 0.1, 0.3, 1.0
POOLS = {
    "lambda": {"lambda_max": LAMBDAS, "lr": [0.001]},
    "rates": {"lambda_max": [0.0, 0.1, 1.0], "lr": [0.001, 0.003]},
}


class Outcome(NamedTuple):
    """What the candidates of a pair said; `data` is filled in anew from the pair.

    `settings` are the candidates', the baseline first; `results` their FoldResults in `folds`;
    `target` and `test` the class probabilities by the candidates trained on all source rows;
    `domain_accuracy` what their domain classifiers reached in training.
    """

    settings: list[dict[str, Any]]
    folds: list[tuple[np.ndarray, np.ndarray]]
    results: list[list[Any]]
    target: list[np.ndarray]
    test: list[np.ndarray]
    domain_accuracy: list[float]
    seconds: float


def candidates(pool: str, is_sparse: bool) -> list[dict[str, Any]]:
    scalings = ("none", "source", "domain") if is_sparse else ("source", "both", "domain")
    names = ["input_scaling", *POOLS[pool]]
    values = itertools.product(scalings, *POOLS[pool].values())
    return [dict(zip(names, one, strict=True)) for one in values]


def record_of(pair: ShiftedPair) -> Any:
    arrays = pair.X_src, pair.y_src, pair.X_tgt
    return read_training_data(*arrays, None, class_weight=None, estimator=DANNClassifier())


def outcome(pair: ShiftedPair, settings: list[dict[str, Any]], seed: int, n_folds: int) -> Outcome:
    """Train the candidates."""
    start, data = time.perf_counter(), record_of(pair)
    unfitted = [DANNClassifier(random_state=seed, **one) for one in settings]
    splitter = StratifiedKFold(3, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        splits = splitter.split(np.zeros(len(data.y_source)), data.y_source)
        folds = list(itertools.islice(splits, n_folds))
    results = cross_fit(unfitted, data, folds)
    fitted = [clone(one) for one in unfitted]
    fit_together(fitted, [data] * len(fitted))
    codes = domain_codes(data.target_domain, len(data.target_domain), data.n_domains)
    of_target = lambda c, X: c.net_.outputs(X, "label_logits", softmax, domain=codes)  # noqa: E731
    return Outcome(
        settings,
        folds,
        results,
        [of_target(one, data.X_target) for one in fitted],
        [one.predict_proba(pair.X_test) for one in fitted],
        [one.history_[-1]["domain_accuracy"] for one in fitted],
        time.perf_counter() - start,
    )


def softmax(logits: torch.Tensor) -> torch.Tensor:
    return logits.softmax(dim=1)
