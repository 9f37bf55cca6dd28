"""Target accuracy of classifiers on the 64 pairs source -> target of shifted_data.py.

    python benchmarks/target_accuracy.py [--seeds 3] [--datasets ...] [--contestants ...]
        [--skada-python PYTHON] [--adapt-python PYTHON] [--shift {real,10/90,90/10,none}]
        [--jobs 2] [--output FILE.md] [--cache FILE.csv]

prints Markdown tables: for every pair the accuracy and the balanced accuracy of each contestant on
target rows that were not in the fit (mean over the seeds), then the means per data set and over all
pairs, the number of pairs on which an adapting contestant is more than one point worse than the
network without adaptation, and the Amazon mean next to published ones.

All contestants are fitted with their default settings, or with those in their name; "plain
DANN" has a lambda of 1. The peers, skada's and adapt's DANN, are set up in peers.py, and take part
if an interpreter is given in which they are installed. Nothing is chosen by target labels.

By default the pairs have their real shift. With --shift 10/90 or 90/10 target rows are dropped
until the first half of the classes has a share of 10 or 90 %. With --shift none a domain is cut at
random into source, target and test.

Progress goes to stderr. With --cache every fit is appended to a CSV file, and a later call fits
only what is not in it: delete the file (or its rows) after a change to a contestant.
"""

import argparse
import csv
import functools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from hand_written_loop import OnArrays
from joblib import Parallel, delayed
from peers import PEERS, started
from scipy.sparse import issparse
from shifted_data import DATASETS, SHIFTS, ShiftedPair, shifted_pairs
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

PUBLISHED_AMAZON_MEANS = {
    "DANN as published (JMLR 2016)": 0.763,
    "CMD as published": 0.798,
    "DANN, a loop written by hand": 0.806,
}
COLUMNS = [
    *["dataset", "source", "target", "contestant", "seed"],
    *["accuracy", "balanced_accuracy", "seconds"],
]


class Contestant(NamedTuple):
    """`make(seed)` gives an unfitted classifier; a deterministic one is fitted with seed 0 only."""

    make: Callable[[int], Any]
    fit_takes_target: bool = True
    deterministic: bool = False


def boosted_trees(seed: int) -> Any:
    """100 rounds on dense rows, about 15 s a fit on Amazon with two idle cores.

    Early stopping, and with it the seed, plays a part above 10,000 source rows only.
    """
    return make_pipeline(
        FunctionTransformer(dense, accept_sparse=True),
        HistGradientBoostingClassifier(max_iter=100, random_state=seed),
    )


def dense(X: Any) -> np.ndarray:
    return X.toarray() if issparse(X) else X


def dann(seed: int, **settings: Any) -> Any:
    from skdann import DANNClassifier

    return DANNClassifier(random_state=seed, **settings)


def dann_cv(seed: int) -> Any:
    from skdann import DANNClassifierCV

    return DANNClassifierCV(random_state=seed)


class PeerClassifier:
    """A peer, fitted in a process of its own; takes any labels, and sparse rows.

    The process keeps its last fit only, so predict before the next fit.
    """

    def __init__(self, name: str, python: str, seed: int) -> None:
        self.name, self.python, self.seed = name, python, seed

    def fit(self, X_src: Any, y_src: np.ndarray, X_tgt: Any) -> Any:
        self.classes, codes = np.unique(y_src, return_inverse=True)
        arrays = {"X_src": single(X_src), "y_src": codes, "X_tgt": single(X_tgt)}
        self._ask("fit", arrays, seed=self.seed)
        return self

    def predict(self, X: Any) -> np.ndarray:
        return self.classes[self._ask("predict", {"X": single(X)})]

    def _ask(self, what: str, arrays: dict[str, np.ndarray], **settings: Any) -> Any:
        peer = started(self.name, self.python)
        if not peer.ready:
            sys.exit(f"{self.name} is not installed for {self.python}")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "arrays.npz")
            np.savez(file, **arrays)
            return peer.ask(**{what: str(file)}, **settings)


def single(X: Any) -> np.ndarray:
    return np.asarray(dense(X), dtype=np.float32)


REFERENCE = "source only"
CONTESTANTS = {
    "logistic regression": Contestant(lambda seed: LogisticRegression(max_iter=2000), False, True),
    "boosted trees": Contestant(boosted_trees, False, True),
    REFERENCE: Contestant(lambda seed: dann(seed, lambda_max=0)),
    "plain DANN": Contestant(functools.partial(dann, lambda_max=1)),
    "skdann": Contestant(dann),
    "skdann CV": Contestant(dann_cv),
    "label_shift='estimate'": Contestant(
        functools.partial(dann, lambda_max=1, label_shift="estimate")
    ),
    "hand-written loop": Contestant(OnArrays),
    "five members": Contestant(functools.partial(dann, n_members=5)),
    **{
        f"batch {size}": Contestant(functools.partial(dann, batch_size=size))
        for size in (64, 128, 256, 512, 1024, 2048)
    },
}
DEFAULT_CONTESTANTS = [*CONTESTANTS][:6]
PEER_CONTESTANTS = {f"{name}'s DANN": name for name in PEERS}


def fit_and_score(pair: ShiftedPair, contestant: str, seed: int) -> dict[str, Any]:
    """Return a row of results; balanced accuracy is over the classes of the test rows."""
    make, fit_takes_target, _ = CONTESTANTS[contestant]
    start = time.perf_counter()
    unlabelled = [pair.X_tgt] if fit_takes_target else []
    model = make(seed).fit(pair.X_src, pair.y_src, *unlabelled)
    seconds = time.perf_counter() - start
    predicted, classes = model.predict(pair.X_test), np.unique(pair.y_test)
    accuracy = accuracy_score(pair.y_test, predicted)
    balanced = recall_score(pair.y_test, predicted, labels=classes, average="macro")
    key = [pair.dataset, pair.source, pair.target, contestant, seed]
    return dict(zip(COLUMNS, [*key, accuracy, balanced, seconds], strict=True))


def missing_fits(options: argparse.Namespace, cached: pd.DataFrame) -> Iterator[Any]:
    done = set(cached[COLUMNS[:5]].itertuples(index=False, name=None))
    for pair in shifted_pairs(options.shift, options.datasets):
        for name in options.contestants:
            for seed in range(1 if CONTESTANTS[name].deterministic else options.seeds):
                if (pair.dataset, pair.source, pair.target, name, seed) not in done:
                    yield delayed(fit_and_score)(pair, name, seed)


def read_cache(path: Path | None) -> pd.DataFrame:
    if path is None or not path.exists():
        return pd.DataFrame(columns=COLUMNS)
    return pd.read_csv(path, dtype={"source": str, "target": str})


def append_to_cache(path: Path, row: dict[str, Any]) -> None:
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def run(options: argparse.Namespace) -> pd.DataFrame:
    """Return cached and new results of the chosen data sets, contestants and seeds.

    Several jobs share the cores: joblib gives each of them cores / jobs threads.
    """
    cached, rows = read_cache(options.cache), []
    parallel = Parallel(n_jobs=options.jobs, return_as="generator_unordered")
    for row in parallel(missing_fits(options, cached)):
        rows.append(row)
        print(*row.values(), file=sys.stderr, flush=True)
        if options.cache:
            append_to_cache(options.cache, row)
    results = pd.DataFrame([*cached.to_dict("records"), *rows], columns=COLUMNS)
    chosen = results["dataset"].isin(options.datasets) & results["seed"].lt(options.seeds)
    return results[chosen & results["contestant"].isin(options.contestants)]


def pair_means(results: pd.DataFrame, value: str, contestants: list[str]) -> pd.DataFrame:
    """Return means of `value` over seeds: a row per (data set, pair), a column per contestant."""
    pair = results["source"] + "->" + results["target"]
    table = results.assign(pair=pair).pivot_table(value, ["dataset", "pair"], "contestant")
    return table[contestants]


def points(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1)


def cells(accuracy: pd.Series, balanced: pd.Series) -> list[str]:
    return [f"{points(a)} ({points(b)})" for a, b in zip(accuracy, balanced, strict=True)]


def markdown(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] + ["--:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def pair_tables(accuracy: pd.DataFrame, balanced: pd.DataFrame) -> str:
    tables = []
    for dataset in accuracy.index.unique("dataset"):
        rows = [
            [pair, *cells(accuracy.loc[dataset, pair], balanced.loc[dataset, pair])]
            for pair in accuracy.loc[dataset].index
        ]
        tables.append(f"### {dataset}\n\n{markdown(['pair', *accuracy.columns], rows)}")
    return "\n\n".join(tables)


def mean_table(accuracy: pd.DataFrame, balanced: pd.DataFrame, seconds: pd.DataFrame) -> str:
    rows = [
        [f"{dataset} ({len(of_set)} pairs)", *cells(of_set.mean(), balanced.loc[dataset].mean())]
        for dataset, of_set in accuracy.groupby("dataset")
    ]
    rows.append([f"all {len(accuracy)} pairs", *cells(accuracy.mean(), balanced.mean())])
    rows.append(["seconds per fit", *(f"{value:.1f}" for value in seconds.mean())])
    return markdown(["mean", *accuracy.columns], rows)


def harm_table(accuracy: pd.DataFrame) -> str:
    """Return a table of the pairs on which adapting contestants are worse than source only."""
    rows = []
    for name in accuracy.columns.drop(REFERENCE):
        if CONTESTANTS[name].fit_takes_target:
            change = (accuracy[name] - accuracy[REFERENCE]).round(6).sort_values()
            worse = change[change < -0.01]
            count = f"{len(worse)} of {len(change)} ({len(worse) / len(change):.0%})"
            worst = [f"{pair} {points(drop)}" for (_, pair), drop in worse.head(3).items()]
            rows.append([name, points(change.mean()), count, ", ".join(worst)])
    header = ["contestant", "mean change", "pairs worse by over .010", "the worst of them"]
    return markdown(header, rows)


def amazon_table(accuracy: pd.DataFrame) -> str:
    own = accuracy.loc["amazon_reviews"].mean().to_dict()
    rows = [[name, points(value)] for name, value in {**PUBLISHED_AMAZON_MEANS, **own}.items()]
    return markdown(["Amazon mean accuracy", f"{len(accuracy.loc['amazon_reviews'])} pairs"], rows)


def report(results: pd.DataFrame, options: argparse.Namespace) -> str:
    accuracy, balanced, seconds = (
        pair_means(results, value, options.contestants) for value in COLUMNS[5:]
    )
    parts = [
        f"Accuracy (balanced accuracy) on the target test rows, mean of {options.seeds} seeds; "
        "deterministic classifiers are fitted once.",
        pair_tables(accuracy, balanced),
        "### Means over the pairs",
        mean_table(accuracy, balanced, seconds),
    ]
    if REFERENCE in accuracy:
        parts += [f"### Against {REFERENCE}", harm_table(accuracy)]
    if "amazon_reviews" in options.datasets:
        parts += ["### Against published means", amazon_table(accuracy)]
    return "\n\n".join(parts)


def make_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options of `run`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=DATASETS)
    parser.add_argument(
        "--shift", choices=SHIFTS, default="real", help="use another --cache for each"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="fits at the same time")
    parser.add_argument("--output", type=Path, help="file the tables are also written to")
    parser.add_argument("--cache", type=Path, help="CSV file of the fits, to go on from")
    return parser


def parse_arguments() -> argparse.Namespace:
    parser = make_parser("Print target accuracy as Markdown tables.")
    parser.add_argument("--contestants", nargs="+", choices=[*CONTESTANTS, *PEER_CONTESTANTS])
    parser.add_argument("--skada-python", help="interpreter with skada")
    parser.add_argument("--adapt-python", help="interpreter with adapt")
    options = parser.parse_args()
    at_hand = peer_contestants(options)
    CONTESTANTS.update(at_hand)
    options.contestants = options.contestants or [*DEFAULT_CONTESTANTS, *at_hand]
    for name in set(options.contestants).difference(CONTESTANTS):
        parser.error(f"{name} needs --{PEER_CONTESTANTS[name]}-python")
    return options


def peer_contestants(options: argparse.Namespace) -> dict[str, Contestant]:
    """Return the peers whose interpreter is given."""
    pythons = {"skada": options.skada_python, "adapt": options.adapt_python}
    return {
        contestant: Contestant(functools.partial(PeerClassifier, name, pythons[name]))
        for contestant, name in PEER_CONTESTANTS.items()
        if pythons[name]
    }


def main() -> None:
    options = parse_arguments()
    text = report(run(options), options)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
