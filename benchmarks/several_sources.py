"""Several sources: is naming them better than one source, and than all of them as one table?

    python benchmarks/several_sources.py --cache FOLDER [--seeds 2] [--datasets ...]
        [--contestants ...] [--output FILE.md]

Gas drift has two sources, batches 1 and 2, and the later batches as targets; reviews (three
sources) and hospitals (three) have each domain as the target once. All fits are of the default,
`DANNClassifier()`, or of the one named. "Better source alone" is chosen by the labels of the test
rows: no user could choose it. Accuracy on target rows that were not in the fit.

Every fit is a line of a file in the cache, and a later call fits only what is missing: delete a
contestant's file after a change to it.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from choice_cases import write
from scipy.sparse import issparse
from shifted_data import RECIPES, data_folder, target_rows
from target_accuracy import markdown, points

from skdann import DANNClassifier
from skdann.metrics import density_ratio_weights
from skdann.sources import stack_sources

SOURCES = {
    "gas_drift": [(("1", "2"), target) for target in "345689"],
    "amazon_reviews": "all others",
    "heart_sites": "all others",
}


class Case(NamedTuple):
    """Sources as lists of rows and labels, their names, target rows, and rows to score on."""

    dataset: str
    names: tuple[str, ...]
    target: str
    X: list[Any]
    y: list[np.ndarray]
    X_tgt: Any
    X_test: Any
    y_test: np.ndarray

    @property
    def name(self) -> str:
        return f"{'+'.join(self.names)}->{self.target}"


def cases(datasets: list[str]) -> Iterator[Case]:
    """Yield each target with its sources; preprocessing is fitted on all source rows."""
    for dataset in datasets:
        recipe = RECIPES[dataset]
        domains = recipe.load(data_folder(dataset))
        chosen = SOURCES[dataset]
        if isinstance(chosen, str):
            chosen = [(tuple(s for s in domains if s != t), t) for t in domains]
        for names, target in chosen:
            raw = [domains[name].X for name in names]
            together = stack_sources(raw, [domains[name].y for name in names])[0]
            transformer = recipe.preprocessing(together).fit(together)
            rows = target_rows(domains[target], 0)
            X_tgt, X_test = map(transformer.transform, (rows.X, rows.X_test))
            X, y = [*map(transformer.transform, raw)], [domains[name].y for name in names]
            yield Case(dataset, names, target, X, y, X_tgt, X_test, rows.y_test)


# -- contestants -----------------------------------------------------------------------------


def single(position: int) -> Callable[[Case, DANNClassifier], Any]:
    def fit(case: Case, clf: DANNClassifier) -> Any:
        return clf.fit(case.X[position], case.y[position], case.X_tgt)

    return fit


def pooled(case: Case, clf: DANNClassifier) -> Any:
    X, y, _ = stack_sources(case.X, case.y)
    return clf.fit(X, y, case.X_tgt)


def named(case: Case, clf: DANNClassifier) -> Any:
    X, y, source_domain = stack_sources(case.X, case.y, case.names)
    return clf.fit(X, y, case.X_tgt, source_domain=source_domain)


def weighed(case: Case, clf: DANNClassifier) -> Any:
    """Each source weighs as much as its rows look like target rows, in the mean."""
    X, y, source_domain = stack_sources(case.X, case.y, case.names)
    ratios = density_ratio_weights(X, case.X_tgt, random_state=0)
    means = pd.Series(ratios).groupby(source_domain).transform("mean").to_numpy()
    return clf.fit(X, y, case.X_tgt, source_domain=source_domain, sample_weight=means)


def balanced(fit: Callable[[Case, DANNClassifier], Any]) -> Callable[[Case, DANNClassifier], Any]:
    """Adapt in any case, with each domain scaled by itself."""

    def fitted(case: Case, clf: DANNClassifier) -> Any:
        scaling = "denoised" if issparse(case.X[0]) else "balanced"
        return fit(case, clf.set_params(input_scaling=scaling, lambda_max=1.0))

    return fitted


ALONE = [f"source {i + 1} alone" for i in range(3)]
CONTESTANTS: dict[str, Callable[[Case, DANNClassifier], Any]] = {
    **{name: single(i) for i, name in enumerate(ALONE)},
    "pooled": pooled,
    "named": named,
    "named, weighed": weighed,
    "pooled, lambda 1": balanced(pooled),
    "named, lambda 1": balanced(named),
}


# -- fits ------------------------------------------------------------------------------------


def file_of(cache: Path, contestant: str) -> Path:
    return cache / f"{contestant.replace(' ', '_').replace(',', '')}.jsonl"


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run(options: argparse.Namespace) -> None:
    """Fit what the cache lacks."""
    options.cache.mkdir(parents=True, exist_ok=True)
    for case in cases(options.datasets):
        for seed in range(options.seeds):
            for contestant in options.contestants:
                if contestant in ALONE and ALONE.index(contestant) >= len(case.X):
                    continue
                path = file_of(options.cache, contestant)
                key = {"dataset": case.dataset, "case": case.name, "seed": seed}
                if any(key.items() <= one.items() for one in read(path)):
                    continue
                clf = CONTESTANTS[contestant](case, DANNClassifier(random_state=seed))
                accuracy = float(np.mean(clf.predict(case.X_test) == case.y_test))
                with path.open("a") as file:
                    file.write(json.dumps({**key, "accuracy": accuracy}) + "\n")


def report(options: argparse.Namespace) -> str:
    lines = [
        {**one, "contestant": contestant}
        for contestant in options.contestants
        for one in read(file_of(options.cache, contestant))
    ]
    table = pd.DataFrame(lines).pivot_table("accuracy", ["dataset", "case"], "contestant")
    alone = [name for name in ALONE if name in table]
    shown = table.drop(columns=alone)[[name for name in options.contestants if name not in alone]]
    if alone:
        shown.insert(0, "better source alone", table[alone].max(axis=1))
        shown.insert(1, "mean source alone", table[alone].mean(axis=1))
    rows = [
        [case, *("" if np.isnan(one) else points(one) for one in row)]
        for (_, case), row in zip(shown.index, shown.to_numpy(), strict=True)
    ]
    for dataset, of_set in shown.groupby("dataset"):
        rows.append([f"**{dataset}** ({len(of_set)})", *map(points, of_set.mean())])
    return markdown(["sources and target", *shown.columns], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare ways of using several sources.")
    parser.add_argument("--cache", type=Path, required=True, help="folder of the fits")
    parser.add_argument("--datasets", nargs="+", choices=SOURCES, default=[*SOURCES])
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=[*CONTESTANTS])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--output", type=Path, help="file the table is also written to")
    options = parser.parse_args()
    torch.set_num_threads(1)
    run(options)
    write(report(options), options)


if __name__ == "__main__":
    main()
