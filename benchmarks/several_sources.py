"""Several sources and one target: each source alone, all as one table, and all by `source_domain`.

    python benchmarks/several_sources.py --cache FOLDER [--seeds 1] [--datasets ...]
        [--output FILE.md]

fits `DANNClassifier` on the first two batches of the gas sensors and each later batch as target, on
three kinds of reviews and the fourth, and on three hospitals and the fourth. It prints the accuracy
on target rows that were not in the fit: of the sources one by one (the best of them is chosen by
these very rows, which nobody can do), of all rows as one source, and of all rows with
`source_domain`.

Preprocessing is fitted on the rows of the sources in the fit. Every fit is a line of a file in the
cache, and a later call fits only what is missing: delete the file after a change to training.
"""

import argparse
import json
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from choice_cases import write
from shifted_data import AMAZON, HEART, RECIPES, Domain, data_folder, target_rows
from target_accuracy import markdown, points

from skdann import DANNClassifier
from skdann.sources import stack_sources

# The sources and the target of each case.
CASES = {
    "gas_drift": [(("1", "2"), batch) for batch in "345689"],
    "amazon_reviews": [(tuple(s for s in AMAZON if s != target), target) for target in AMAZON],
    "heart_sites": [(tuple(s for s in HEART if s != target), target) for target in HEART],
}
POOLED, BY_DOMAIN = "all as one source", "all, source_domain"


class Fitted(NamedTuple):
    """A line of the cache; `sources` is POOLED, BY_DOMAIN or the name of a source."""

    dataset: str
    target: str
    sources: str
    seed: int
    accuracy: float
    verdict: str
    seconds: float


def fit_and_score(
    dataset: str,
    domains: dict[str, Domain],
    names: tuple[str, ...],
    target: str,
    how: str,
    seed: int,
) -> Fitted:
    """Fit on one source or on all."""
    in_fit = names if how in (POOLED, BY_DOMAIN) else (how,)
    X, y, source_domain = stack_sources(
        [domains[name].X for name in in_fit], [domains[name].y for name in in_fit], in_fit
    )
    rows = target_rows(domains[target], 0)
    transformer = RECIPES[dataset].preprocessing(X).fit(X)
    X_src, X_tgt, X_test = map(transformer.transform, (X, rows.X, rows.X_test))
    of_fit: dict[str, Any] = {"source_domain": source_domain} if how == BY_DOMAIN else {}
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = DANNClassifier(random_state=seed).fit(X_src, y, X_tgt, **of_fit)
    seconds = time.perf_counter() - start
    accuracy = float(np.mean(model.predict(X_test) == rows.y_test))
    return Fitted(dataset, target, how, seed, accuracy, model.verdict_, seconds)


def missing(options: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
    """Yield what the cache lacks, the first seed of all cases first."""
    done = {one[:4] for one in read(options.cache)}
    loaded = {name: RECIPES[name].load(data_folder(name)) for name in options.datasets}
    for seed in range(options.seeds):
        for dataset, domains in loaded.items():
            for names, target in CASES[dataset]:
                for how in (BY_DOMAIN, POOLED, *names):
                    if (dataset, target, how, seed) not in done:
                        yield dataset, domains, names, target, how, seed


def read(cache: Path) -> list[Fitted]:
    path = cache / "several_sources.jsonl"
    if not path.exists():
        return []
    return [Fitted(**json.loads(line)) for line in path.read_text().splitlines()]


def run(options: argparse.Namespace) -> None:
    options.cache.mkdir(parents=True, exist_ok=True)
    for task in missing(options):
        fitted = fit_and_score(*task)
        with (options.cache / "several_sources.jsonl").open("a") as file:
            file.write(json.dumps(fitted._asdict()) + "\n")


def report(options: argparse.Namespace) -> str:
    found = pd.DataFrame(read(options.cache), columns=Fitted._fields)
    found = found[found["seed"].lt(options.seeds) & found["dataset"].isin(options.datasets)]
    means = found.groupby(["dataset", "target", "sources"])["accuracy"].mean().unstack()
    single = means.drop(columns=[POOLED, BY_DOMAIN])
    table = pd.DataFrame(
        {
            "one source, mean": single.mean(axis=1),
            "one source, the best by target labels": single.max(axis=1),
            POOLED: means[POOLED],
            BY_DOMAIN: means[BY_DOMAIN],
        }
    )
    rows = [[f"{d}, {t}", *map(points, of)] for (d, t), of in table.T.items()]
    of_sets = table.groupby("dataset").mean()
    rows += [[f"{dataset}, mean", *map(points, of)] for dataset, of in of_sets.T.items()]
    rows.append(["mean of the data sets", *map(points, of_sets.mean())])
    return f"Target accuracy, mean of {options.seeds} seeds.\n\n" + markdown(
        ["data set, target", *table.columns], rows
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Print what several sources gain.")
    parser.add_argument("--cache", type=Path, required=True, help="folder of the fits")
    parser.add_argument("--datasets", nargs="+", choices=CASES, default=[*CASES])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--output", type=Path, help="file the tables are also written to")
    options = parser.parse_args()
    torch.set_num_threads(1)
    run(options)
    write(report(options), options)


if __name__ == "__main__":
    main()
