"""Cases to learn and judge the choice by: candidates trained on a pair whose answers are known.

    python benchmarks/choice_cases.py --cache FOLDER [--kinds real made ...] [--seeds 3]
        [--datasets ...] [--part 0/2]

trains the candidates of `DANNClassifier` on pairs of shifted_data.py and made_pairs.py: in two
folds, with other random numbers in the second, and on all source rows. Every pair with every seed
is a file in the cache, and a later call trains only what is missing. Several calls may fill one
cache at a time, each with another ``--part i/n``. Delete the files after a change to training.

learn_choice.py and selection.py read the cache.
"""

import argparse
import itertools
import pickle
import time
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from made_pairs import made_pairs
from scipy.sparse import issparse
from shifted_data import DATASETS, ShiftedPair, shifted_pairs
from sklearn.model_selection import StratifiedKFold

from skdann import DANNClassifier
from skdann._choosing.calibration import calibrated
from skdann._choosing.choice import Pool
from skdann._choosing.cross_fit import cross_fit
from skdann._choosing.gain_model import evidence
from skdann._choosing.signals import Signals, pool_signals
from skdann._data.inputs import read_rows, read_training_data
from skdann._training.fit_together import class_probabilities, fit_together
from skdann._training.settings import Settings, usual_lambdas, usual_scalings

KINDS = "real", "made", "units", "10/90", "90/10", "none", "whole"
N_FOLDS = 2


class Outcome(NamedTuple):
    """The candidates of a pair and their predictions; lists have an element per candidate.

    `settings` are their parameters, the baseline's first. `results` are their FoldResults in
    `folds`. `target` and `test` are class probabilities by the networks trained on all source rows,
    for the target rows of the fit and for the test rows.
    """

    settings: list[dict[str, Any]]
    folds: list[tuple[np.ndarray, np.ndarray]]
    results: list[list[Any]]
    target: list[np.ndarray]
    test: list[np.ndarray]
    seconds: float


class Case(NamedTuple):
    """One pair with one seed: what its candidates say, and their accuracy on the target.

    `accuracy` is on test rows, `fit_accuracy` on target rows of the fit; `both` is on all of them,
    which is what is learned from. `signals` are those of calibrated probabilities, `raw` those of
    probabilities as they are.
    """

    kind: str
    dataset: str
    name: str
    seed: int
    n_test: int
    settings: list[dict[str, Any]]
    data: Any
    folds: list[Any]
    results: list[list[Any]]
    accuracy: np.ndarray
    fit_accuracy: np.ndarray
    both: np.ndarray
    signals: Signals
    raw: Signals

    @property
    def pieces(self) -> dict[str, np.ndarray]:
        return evidence(self.signals)


# -- training --------------------------------------------------------------------------------


def candidates(data: Any) -> list[dict[str, Any]]:
    """Return what `DANNClassifier` tries; columns that need no scaling are scaled all the same."""
    scalings = ["source" if how is None else how for how in usual_scalings(data)]
    if issparse(data.X_source):
        scalings = list(usual_scalings(data))
    pairs = itertools.product(scalings, usual_lambdas(data))
    return [{"input_scaling": how, "lambda_max": one} for how, one in pairs]


def record_of(pair: ShiftedPair) -> Any:
    arrays = pair.X_src, pair.y_src, pair.X_tgt
    return read_training_data(*arrays, None, class_weight=None, estimator=DANNClassifier())


def outcome(pair: ShiftedPair, seed: int) -> Outcome:
    """Train the candidates."""
    start, data = time.perf_counter(), record_of(pair)
    settings = candidates(data)
    pool = Pool.of(
        settings,
        [Settings.of(DANNClassifier(random_state=seed, **one), data) for one in settings],
    )
    splitter = StratifiedKFold(3, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        splits = splitter.split(np.zeros(len(data.y_source)), data.y_source)
        folds = list(itertools.islice(splits, N_FOLDS))
    first = cross_fit(pool.settings, data, folds[:1])
    second = cross_fit(pool.reseeded().settings, data, folds[1:])
    results = [[*one, *other] for one, other in zip(first, second, strict=True)]
    nets = [one.net for one in fit_together(pool.settings, [data] * len(settings))]
    X_test = read_rows(pair.X_test, "X_test", DANNClassifier())
    return Outcome(
        settings,
        folds,
        results,
        [class_probabilities(net, data.X_target) for net in nets],
        [class_probabilities(net, X_test) for net in nets],
        time.perf_counter() - start,
    )


def pairs_of(kind: str, datasets: list[str], seed: int) -> Iterator[ShiftedPair]:
    if kind == "made":
        return made_pairs(seed=seed)
    if kind == "units":  # sparse counts have no units
        datasets = [one for one in datasets if one not in ("amazon_reviews", "email_spam")]
    return shifted_pairs(kind, datasets)


def train(options: argparse.Namespace) -> None:
    """Train what the cache lacks."""
    part, n_parts = map(int, options.part.split("/"))
    tasks = itertools.product(options.kinds, range(options.seeds))
    number = 0
    for kind, seed in tasks:
        for pair in pairs_of(kind, options.datasets, seed):
            number += 1
            path = file_of(options.cache, kind, pair.dataset, pair.name, seed)
            if number % n_parts != part % n_parts or path.exists():
                continue
            found = outcome(pair, seed)
            path.parent.mkdir(parents=True, exist_ok=True)
            content = pair.y_src, pair.y_tgt, pair.y_test, found._asdict()
            unfinished = path.with_suffix(".unfinished")
            unfinished.write_bytes(pickle.dumps(content))
            unfinished.rename(path)
            print(kind, pair.dataset, pair.name, seed, f"{found.seconds:.0f} s", flush=True)


def file_of(cache: Path, kind: str, dataset: str, name: str, seed: int) -> Path:
    return cache / kind.replace("/", "-") / f"{dataset}__{name}__{seed}.pkl"


def cases(options: argparse.Namespace) -> Iterator[Case]:
    """Yield what the cache has."""
    for kind in options.kinds:
        for path in sorted((options.cache / kind.replace("/", "-")).glob("*.pkl")):
            dataset, name, seed = path.stem.split("__")
            if int(seed) < options.seeds and (kind == "made" or dataset in options.datasets):
                yield case_of(kind, dataset, name, int(seed), path)


def case_of(kind: str, dataset: str, name: str, seed: int, path: Path) -> Case:
    y_src, y_tgt, y_test, of_pair = pickle.loads(path.read_bytes())
    found = Outcome(**of_pair)
    classes = np.unique(y_src)
    data = types.SimpleNamespace(
        y_source=np.searchsorted(classes, y_src), domain_weight=None, classes=classes
    )

    def accuracy(probabilities: list[np.ndarray], y: np.ndarray) -> np.ndarray:
        return np.array([np.mean(classes[one.argmax(axis=1)] == y) for one in probabilities])

    test, fit = accuracy(found.test, y_test), accuracy(found.target, y_tgt)
    both = (test * len(y_test) + fit * len(y_tgt)) / (len(y_test) + len(y_tgt))
    signals = pool_signals(calibrated(found.results, data, found.folds), data, found.folds)
    return Case(
        kind, dataset, name, seed, len(y_test), found.settings, data, found.folds, found.results,
        test, fit, both, signals, pool_signals(found.results, data, found.folds),
    )  # fmt: skip


def make_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options of `cases`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--cache", type=Path, required=True, help="folder of the trained pairs")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=DATASETS)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--output", type=Path, help="file the tables are also written to")
    return parser


def write(text: str, options: argparse.Namespace) -> None:
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


def main() -> None:
    parser = make_parser("Train the candidates of all pairs.")
    parser.add_argument("--part", default="0/1", help="train only every n-th pair, such as 1/2")
    torch.set_num_threads(1)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
