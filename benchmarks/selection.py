"""What different scores choose among candidates, without target labels, on 64 real pairs.

    python benchmarks/selection.py [--datasets ...] [--seeds 1] [--pools lambda rates]
        [--folds 2] [--cache FOLDER] [--output FILE.md]

trains pools of candidates on every pair of shifted_data.py. For each score it prints the target
accuracy that the candidate with the best score gains over the network without adaptation. Other
rows show the rule of `DANNClassifierCV`, fixed settings, and the candidates that target labels
would choose.

Each candidate is trained on all source rows, which gives the network that may be chosen, and on
`--folds` of three folds, which give its scores, together with the reverse fits of reverse
validation. Target labels are used by the rows of a table that say so, and to score. With --cache
the candidates' predictions are kept in a folder, one file per pair, and a later call trains only
what is missing. Delete the folder after a change to training.
"""

import argparse
import itertools
import pickle
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.sparse import issparse
from shifted_data import DATASETS, ShiftedPair, pairs
from sklearn.model_selection import StratifiedKFold
from target_accuracy import markdown, points

from skdann import DANNClassifier
from skdann._choosing.cross_fit import cross_fit
from skdann._choosing.rule import choose_from_pool, choose_from_search
from skdann._choosing.signals import pool_signals
from skdann._data.inputs import read_rows, read_training_data
from skdann._training.fit_together import class_probabilities, fit_together
from skdann._training.settings import Settings
from skdann.metrics import (
    batch_nuclear_norm,
    corr_c,
    deep_embedded_validation,
    density_ratio_weights,
    importance_weighted_accuracy,
    soft_neighborhood_density,
)

LAMBDAS = 0.0, 0.03, 0.1, 0.3, 1.0
POOLS = {
    "default": {"lambda_max": [0.0, 0.1, 1.0], "lr": [0.001]},
    "lambda": {"lambda_max": LAMBDAS, "lr": [0.001]},
    "rates": {"lambda_max": [0.0, 0.1, 1.0], "lr": [0.001, 0.003]},
}


class Outcome(NamedTuple):
    """The candidates of a pair and their predictions; lists have an element per candidate.

    `settings` are their parameters, the baseline's first. `results` are their FoldResults in
    `folds`. `target` and `test` are class probabilities by the networks trained on all source rows,
    for the target rows of the fit and for the test rows; `domain_accuracy` is their training
    accuracy on domains.
    """

    settings: list[dict[str, Any]]
    folds: list[tuple[np.ndarray, np.ndarray]]
    results: list[list[Any]]
    target: list[np.ndarray]
    test: list[np.ndarray]
    domain_accuracy: list[float]
    seconds: float


def candidates(pool: str, is_sparse: bool) -> list[dict[str, Any]]:
    scalings = (None, "denoised") if is_sparse else ("source", "both", "balanced")
    names, grid = ["input_scaling", *POOLS[pool]], dict(POOLS[pool])
    if is_sparse and pool == "default":
        grid["lambda_max"] = [0.0, 1.0]
    values = itertools.product(scalings, *grid.values())
    return [dict(zip(names, one, strict=True)) for one in values]


def record_of(pair: ShiftedPair) -> Any:
    arrays = pair.X_src, pair.y_src, pair.X_tgt
    return read_training_data(*arrays, None, class_weight=None, estimator=DANNClassifier())


def outcome(pair: ShiftedPair, settings: list[dict[str, Any]], seed: int, n_folds: int) -> Outcome:
    """Train the candidates."""
    start, data = time.perf_counter(), record_of(pair)
    candidates = [Settings.of(DANNClassifier(random_state=seed, **one), data) for one in settings]
    splitter = StratifiedKFold(3, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        splits = splitter.split(np.zeros(len(data.y_source)), data.y_source)
        folds = list(itertools.islice(splits, n_folds))
    # Each fold has seeds of its own, so that the luck of training differs as well as the rows.
    of_folds = [
        cross_fit([replace(one, seed=one.seed + 1000 * f) for one in candidates], data, [fold])
        for f, fold in enumerate(folds)
    ]
    results = [[of_fold[i][0] for of_fold in of_folds] for i in range(len(candidates))]
    nets = [one.net for one in fit_together(candidates, [data] * len(candidates))]
    X_test = read_rows(pair.X_test, "X_test", DANNClassifier())
    return Outcome(
        settings,
        folds,
        results,
        [class_probabilities(net, data.X_target) for net in nets],
        [class_probabilities(net, X_test) for net in nets],
        [net.history[-1]["domain_accuracy"] for net in nets],
        time.perf_counter() - start,
    )


# -- what the scores choose ------------------------------------------------------------------


class Scored(NamedTuple):
    """The candidates of a pair: their target accuracy and scores (more is better), and choices."""

    pair: ShiftedPair
    settings: list[dict[str, Any]]
    accuracy: np.ndarray
    scores: dict[str, np.ndarray]
    chosen: dict[str, int]
    ensemble: float


def scored(pair: ShiftedPair, found: Outcome) -> Scored:
    """Score the candidates by the mean over the folds, and find what each score chooses."""
    data = record_of(pair)
    classes = np.unique(pair.y_src)
    right = [classes[proba.argmax(axis=1)] == pair.y_test for proba in found.test]
    accuracy = np.mean(right, axis=1)
    signals = pool_signals(found.results, data, found.folds)
    scores = {name: values.mean(axis=1) for name, values in signals.of_fold.items()}
    names = [str(one) for one in found.settings]
    choice = choose_from_pool(signals, names)
    for name, score in ON_TARGET.items():
        scores[name] = over_folds(found, lambda fold, rows, s=score: s(fold.target_proba))
    scores |= weighted_scores(pair, data, found)
    scores["domain accuracy"] = -np.array(found.domain_accuracy)
    chosen = {RULE: choice.index}
    chosen[WITHOUT_AGREEMENT] = choose_from_search(scores, names, 0).index
    chosen |= {name: int(np.argmax(scores[score])) for name, score in SINGLE_SCORES.items()}
    chosen |= {name: found.settings.index(one) for name, one in fixed_settings(found.settings)}
    seen = [np.mean(classes[proba.argmax(axis=1)] == pair.y_tgt) for proba in found.target]
    chosen |= {BY_LABELS: int(np.argmax(seen)), BEST: int(np.argmax(accuracy))}
    mean = np.mean([found.test[i] for i in choice.ranking], axis=0)
    ensemble = float(np.mean(classes[mean.argmax(axis=1)] == pair.y_test))
    return Scored(pair, found.settings, accuracy, scores, chosen, ensemble)


def over_folds(found: Outcome, score: Callable[[Any, np.ndarray], float]) -> np.ndarray:
    rows = [held_out for _, held_out in found.folds]
    return np.array(
        [np.mean([score(*one) for one in zip(of, rows, strict=True)]) for of in found.results]
    )


def weighted_scores(pair: ShiftedPair, data: Any, found: Outcome) -> dict[str, np.ndarray]:
    """Return scores on source rows, weighted by how much the rows look like target rows."""
    ratios = density_ratio_weights(pair.X_src, pair.X_tgt, normalize=False, random_state=0)

    def accuracy(fold: Any, rows: np.ndarray) -> float:
        predicted = fold.source_proba.argmax(axis=1)
        return importance_weighted_accuracy(data.y_source[rows], predicted, ratios[rows]).score

    def minus_risk(fold: Any, rows: np.ndarray) -> float:
        of_label = fold.source_proba[np.arange(len(rows)), data.y_source[rows]]
        return -deep_embedded_validation(-np.log(np.maximum(of_label, 1e-7)), ratios[rows])

    return {
        "importance-weighted accuracy": over_folds(found, accuracy),
        "deep embedded validation": over_folds(found, minus_risk),
    }


def fixed_settings(settings: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield names and settings that are the same for all pairs, without a choice."""
    for one in settings:
        first = one["input_scaling"] == settings[0]["input_scaling"]
        if one["lambda_max"] in (0.1, 1.0) and one["lr"] == 0.001:
            scaling = "as the baseline" if first else one["input_scaling"]
            yield f"always scaled {scaling}, lambda {one['lambda_max']:g}", one


RULE = "DANNClassifierCV"
ENSEMBLE = "DANNClassifierCV, ensemble"
WITHOUT_AGREEMENT = "choose_adaptation in a search"
BY_LABELS = "labels of the target rows in fit"
BEST = "labels of the test rows: the best candidate"
ON_TARGET = {
    "batch nuclear norm": batch_nuclear_norm,
    "Corr-C": corr_c,
    "soft neighbourhood density": soft_neighborhood_density,
}
SINGLE_SCORES = {
    "reverse validation": "reverse_validation",
    "InfoMax": "info_max",
    "entropy": "confidence",
    "agreement with the pool": "agreement",
    "source accuracy": "source_accuracy",
    **{name: name for name in ("importance-weighted accuracy", "deep embedded validation")},
    **{name: name for name in ("domain accuracy", *ON_TARGET)},
}


# -- tables ----------------------------------------------------------------------------------


def table(found: list[Scored]) -> str:
    """Return a table with a row for each way to choose: its gain, its harm, its worst pair."""
    base = np.array([one.accuracy[0] for one in found])
    large = np.array([one.pair.X_tgt.shape[0] > 500 for one in found])
    by_labels = np.mean([one.accuracy[one.chosen[BY_LABELS]] for one in found] - base)
    names = list(dict.fromkeys(name for one in found for name in one.chosen))
    accuracies = {
        name: np.array([one.accuracy[one.chosen.get(name, 0)] for one in found]) for name in names
    }
    accuracies[ENSEMBLE] = np.array([one.ensemble for one in found])
    order = [RULE, ENSEMBLE, WITHOUT_AGREEMENT, *SINGLE_SCORES]
    fixed = sorted(name for name in names if name.startswith("always"))
    rows = []
    for name in [*order, *fixed, BY_LABELS, BEST]:
        gain = accuracies[name] - base
        rows.append(
            [
                name,
                points(accuracies[name].mean()),
                f"{100 * gain.mean():+.1f}",
                f"{gain.mean() / by_labels:.0%}",
                f"{np.mean(gain.round(6) < -0.01):.0%}",
                f"{100 * gain.min():.1f}",
                f"{100 * gain[large].min():.1f}" if large.any() else "",
                cost(name),
            ]
        )
    header = [
        *[
            "chosen by",
            "accuracy",
            "gain, points",
            "of the gain by labels in fit",
            "pairs worse by over 1",
        ],
        *["worst", "worst, over 500 target rows", "fits per candidate"],
    ]
    return markdown(header, rows)


def cost(name: str) -> str:
    """Return the fits per candidate, in units of a fit on all rows, without the final fit."""
    if name.startswith(("always", "labels")):
        return "0"
    reverse = name in (RULE, ENSEMBLE, WITHOUT_AGREEMENT, "reverse validation")
    return "folds x 1.33" if reverse else "folds"


def per_set(found: list[Scored]) -> str:
    """Return a table of gains over the baseline in points: means over the pairs of a data set."""
    rows = [
        {
            "set": one.pair.dataset,
            "baseline": one.accuracy[0],
            RULE: 100 * (one.accuracy[one.chosen[RULE]] - one.accuracy[0]),
            ENSEMBLE: 100 * (one.ensemble - one.accuracy[0]),
            **{
                name: 100 * (one.accuracy[one.chosen[name]] - one.accuracy[0])
                for name in ("reverse validation", "InfoMax", BY_LABELS, BEST)
            },
        }
        for one in found
    ]
    means = pd.DataFrame(rows).groupby("set").mean()
    counts = pd.Series([row["set"] for row in rows]).value_counts()
    lines = [
        [f"{name} ({counts[name]})", points(line["baseline"]), *(f"{v:+.1f}" for v in line[1:])]
        for name, line in means.iterrows()
    ]
    return markdown(["set (pairs)", *means.columns], lines)


def report(pool: str, options: argparse.Namespace) -> str:
    found = [scored(pair, one) for pair, one in outcomes(pool, options)]
    size = len(found[0].settings)
    title = f"### Pool of {size}: {', '.join(['input scaling', *POOLS[pool]])}"
    scope = (
        f"{len(found)} pairs, {options.seeds} seed(s), scored by {options.folds} of three folds. "
        "The baseline has lambda 0; its columns are unscaled on the sparse data sets (reviews, "
        "spam) and scaled by the source on the others. The baseline's scaling with lambda 1 is "
        "plain DANN. Scaling by the source is another candidate on the sparse data sets only, "
        "scaling by both domains on the others only; where such a row has no candidate, it counts "
        "as the baseline."
    )
    return "\n\n".join([title, scope, table(found), per_set(found)])


def outcomes(pool: str, options: argparse.Namespace) -> Iterator[tuple[ShiftedPair, Outcome]]:
    for pair in pairs(options.datasets):
        for seed in range(options.seeds):
            wanted = candidates(pool, issparse(pair.X_src))
            yield pair, cached(pair, wanted, seed, options)


def cached(pair: ShiftedPair, wanted: list[Any], seed: int, options: argparse.Namespace) -> Outcome:
    """Return the outcome of a pair; only candidates that are not in the cache are trained."""
    if options.cache is None:
        return outcome(pair, wanted, seed, options.folds)
    options.cache.mkdir(parents=True, exist_ok=True)
    path = options.cache / f"{pair.dataset}__{pair.name}__{seed}__{options.folds}.pkl"
    known = pickle.loads(path.read_bytes()) if path.exists() else None
    missing = [one for one in wanted if known is None or one not in known.settings]
    if missing:
        new = outcome(pair, missing, seed, options.folds)
        known = new if known is None else joined(known, new)
        path.write_bytes(pickle.dumps(known))
        print(pair.dataset, pair.name, f"{new.seconds:.0f} s", file=sys.stderr, flush=True)
    return selected(known, wanted)


def joined(known: Outcome, new: Outcome) -> Outcome:
    """Return the candidates of two outcomes of a pair with the same folds as one outcome."""
    lists = {
        name: [*getattr(known, name), *getattr(new, name)]
        for name in ("settings", "results", "target", "test", "domain_accuracy")
    }
    return known._replace(**lists, seconds=known.seconds + new.seconds)


def selected(known: Outcome, wanted: list[dict[str, Any]]) -> Outcome:
    at = [known.settings.index(one) for one in wanted]
    lists = {
        name: [getattr(known, name)[i] for i in at]
        for name in ("settings", "results", "target", "test", "domain_accuracy")
    }
    return known._replace(**lists)


def main() -> None:
    parser = argparse.ArgumentParser(description="Print what each score chooses.")
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=DATASETS)
    parser.add_argument("--pools", nargs="+", choices=POOLS, default=[*POOLS])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--folds", type=int, default=2, help="how many of three folds to score by")
    parser.add_argument("--cache", type=Path, help="folder that keeps predictions, to go on from")
    parser.add_argument("--output", type=Path, help="file the tables are also written to")
    options = parser.parse_args()
    torch.set_num_threads(1)
    texts = []
    for pool in options.pools:
        texts.append(report(pool, options))
        print(texts[-1], end="\n\n", flush=True)
    if options.output:
        options.output.write_text("\n\n".join(texts) + "\n")


if __name__ == "__main__":
    main()
