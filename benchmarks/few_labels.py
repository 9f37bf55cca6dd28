"""A few labelled target rows: what each way of using them gains on shifted data.

    python benchmarks/few_labels.py --cache FOLDER [--kinds real made] [--pairs 4] [--draws 5]
        [--datasets ...] [--contestants ...] [--output FILE.md]

fits contestants with 0, 5, 10, 20, 50 and 200 labelled target rows, drawn at random from the
target rows of the fit (all of them where there are fewer), and prints Markdown tables: the accuracy
on target rows that were not in the fit, each data set with the same weight; harm, the pairs on
which labels make the mean over the draws worse by more than half a point; and how often the
interval of the estimated target accuracy holds the true one.

Every fit is a line of a file in the cache, and a later call fits only what is missing: raise
--pairs or --draws to extend a run, and delete a contestant's file after a change to it. The fits of
the first draw come first. Several calls may fill one cache at a time, each with other
--contestants.

By default at most four pairs of each of the seven real data sets take part, in which as many
domains as possible are a target (`FIRST_PAIRS`). --pairs 99 takes all 64. Of the made pairs each
table has --pairs, the recipe of the first changes from table to table.

Rows of more than 200 columns (reviews, spam, pictures) become 100 columns for the boosted trees, by
a truncated SVD of the source and target rows of the fit: ten classes on 800 columns took half a
minute a fit.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from choice_cases import write
from made_pairs import RECIPES as MADE_RECIPES
from made_pairs import made_pairs, tables
from scipy.sparse import issparse, vstack
from scipy.stats import entropy
from shifted_data import DATASETS, ShiftedPair, pairs
from sklearn.decomposition import TruncatedSVD
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from target_accuracy import markdown, points

from skdann import DANNClassifier
from skdann.labelling import rows_to_label

NUMBERS = 0, 5, 10, 20, 50, 200
MOST_WANTED = 20, 0, 200, 5, 50, 10  # the order of the fits
N_CHOSEN = 20  # labels where the rows are chosen by `rows_to_label`
HARMS = 0.005, 0.01
LARGE = 1000  # target rows that the true accuracy is known from

FIRST_PAIRS = {
    "amazon_reviews": "books->electronics kitchen->books dvd->kitchen electronics->dvd",
    "gas_drift": "1->5 1->4 6->8 8->9",
    "office_caltech_surf": "amazon->webcam caltech->dslr dslr->amazon webcam->caltech",
    "heart_sites": "va->hungarian cleveland->switzerland hungarian->va switzerland->cleveland",
    "email_spam": "user0->user1 user2->user0 user1->user2",
    "bank_marketing": "2008->2009 2008->2010 2009->2010",
    "acs_states": "CA->CT CA->MD CA->FL CA->KY",
}


# -- contestants -----------------------------------------------------------------------------
#
# A contestant is fitted on a pair with the labels of some target rows, and returns the classifier.

Fit = Callable[[ShiftedPair, np.ndarray, int], Any]


def stack(tables: list[Any]) -> Any:
    return vstack(tables, format="csr") if issparse(tables[0]) else np.concatenate(tables)


def stacked(pair: ShiftedPair, rows: np.ndarray) -> tuple[Any, np.ndarray]:
    """Return source rows and labelled target rows as one table, and their labels."""
    return stack([pair.X_src, pair.X_tgt[rows]]), np.concatenate([pair.y_src, pair.y_tgt[rows]])


def target_labels(pair: ShiftedPair, rows: np.ndarray) -> np.ndarray:
    """Return a label for each target row, None for those without one."""
    y_tgt = np.full(len(pair.y_tgt), None, dtype=object)
    y_tgt[rows] = pair.y_tgt[rows]
    return y_tgt


def default(pair: ShiftedPair, rows: np.ndarray, seed: int) -> Any:
    labels = {"y_tgt": target_labels(pair, rows)} if len(rows) else {}
    return DANNClassifier(random_state=seed).fit(pair.X_src, pair.y_src, pair.X_tgt, **labels)


def default_on_chosen_rows(pair: ShiftedPair, rows: np.ndarray, seed: int) -> Any:
    """Fit without labels, choose as many rows as were drawn, and fit with their labels."""
    without = default(pair, rows[:0], seed)
    return default(pair, rows_to_label(without, pair.X_tgt, len(rows), random_state=seed), seed)


def default_on_uncertain_rows(pair: ShiftedPair, rows: np.ndarray, seed: int) -> Any:
    """As before, with the rows of the largest entropy of the predicted probabilities."""
    probabilities = default(pair, rows[:0], seed).predict_proba(pair.X_tgt)
    return default(pair, np.argsort(-entropy(probabilities, axis=1))[: len(rows)], seed)


def default_on_stack(pair: ShiftedPair, rows: np.ndarray, seed: int) -> Any:
    return DANNClassifier(random_state=seed).fit(*stacked(pair, rows), pair.X_tgt)


def logistic_regression(X: Any, y: np.ndarray, seed: int) -> Any:
    return LogisticRegression(max_iter=2000).fit(X, y)


def boosted_trees(X: Any, y: np.ndarray, seed: int) -> Any:
    return HistGradientBoostingClassifier(random_state=seed).fit(X, y)


def on_stack(fit: Callable[..., Any]) -> Fit:
    return lambda pair, rows, seed: fit(*stacked(pair, rows), seed)


def on_target(fit: Callable[..., Any]) -> Fit:
    """Return a fit on the labelled target rows alone; of one class only, it predicts that class."""

    def fitted(pair: ShiftedPair, rows: np.ndarray, seed: int) -> Any:
        X, y = pair.X_tgt[rows], pair.y_tgt[rows]
        return fit(X, y, seed) if len(np.unique(y)) > 1 else DummyClassifier().fit(X, y)

    return fitted


OURS, STACKED = "skdann", "skdann on the stack"
CHOSEN, UNCERTAIN = "skdann, rows chosen", "skdann, uncertain rows"
CONTESTANTS: dict[str, Fit] = {
    OURS: default,
    STACKED: default_on_stack,
    "logistic regression on the stack": on_stack(logistic_regression),
    "boosted trees on the stack": on_stack(boosted_trees),
    "logistic regression on target rows": on_target(logistic_regression),
    "boosted trees on target rows": on_target(boosted_trees),
    CHOSEN: default_on_chosen_rows,
    UNCERTAIN: default_on_uncertain_rows,
}


def takes(contestant: str, n_labels: int) -> bool:
    """Return whether a contestant is fitted with so many labels."""
    if contestant in (CHOSEN, UNCERTAIN):
        return n_labels == N_CHOSEN
    # Without labels the stack is the source, so this is the default.
    return n_labels > 0 or not (contestant == STACKED or contestant.endswith("target rows"))


# -- fits ------------------------------------------------------------------------------------


class Fitted(NamedTuple):
    """A line of the cache.

    `accuracy` is on the test rows. `rest` is on all target rows without a label, those of the fit
    too, and `n_rest` is their number; the interval is compared with it.
    """

    dataset: str
    pair: str
    n_labels: int
    draw: int
    accuracy: float
    rest: float
    n_rest: int
    estimate: float | None
    low: float | None
    high: float | None
    seconds: float


def fit_and_score(pair: ShiftedPair, contestant: str, n_labels: int, draw: int) -> Fitted:
    if contestant.startswith("boosted"):
        pair = few_columns(pair)
    rows = np.random.default_rng(draw).permutation(len(pair.y_tgt))[:n_labels]
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = CONTESTANTS[contestant](pair, rows, draw)
    seconds = time.perf_counter() - start
    accuracy = np.mean(model.predict(pair.X_test) == pair.y_test)
    rest, n_rest = accuracy_of_rest(model, pair, rows, accuracy)
    estimated = getattr(model, "target_accuracy_", None)
    estimate, low, high = (
        (None,) * 3 if estimated is None else map(estimated.get, ("accuracy", "low", "high"))
    )
    return Fitted(
        pair.dataset, pair.name, n_labels, draw, float(accuracy), rest, n_rest,
        estimate, low, high, seconds,
    )  # fmt: skip


def accuracy_of_rest(
    model: Any, pair: ShiftedPair, labelled: np.ndarray, accuracy: float
) -> tuple[float, int]:
    """Return the accuracy on test rows and unlabelled rows of the fit together."""
    others = np.setdiff1d(np.arange(len(pair.y_tgt)), labelled)
    n_test = len(pair.y_test)
    right = accuracy * n_test
    if len(others):
        right += np.sum(model.predict(pair.X_tgt[others]) == pair.y_tgt[others])
    return float(right / (n_test + len(others))), n_test + len(others)


def few_columns(pair: ShiftedPair) -> ShiftedPair:
    """Return the pair with 100 columns if it has more than 200."""
    if pair.X_src.shape[1] <= 200:
        return pair
    key = pair.dataset, pair.name
    if key not in _FEW_COLUMNS:
        svd = TruncatedSVD(100, random_state=0).fit(stack([pair.X_src, pair.X_tgt]))
        rows = {name: svd.transform(getattr(pair, name)) for name in ("X_src", "X_tgt", "X_test")}
        _FEW_COLUMNS[key] = replace(pair, **rows)
    return _FEW_COLUMNS[key]


_FEW_COLUMNS: dict[tuple[str, str], ShiftedPair] = {}


def pairs_of(kind: str, options: argparse.Namespace) -> list[ShiftedPair]:
    """Return the first pairs of each data set."""
    found: list[ShiftedPair] = []
    if kind == "made":
        for number, (name, *_) in enumerate(tables()):
            of_table, start = list(made_pairs([name])), number % len(MADE_RECIPES)
            found += (of_table[start:] + of_table[:start])[: options.pairs]
        return found
    for dataset in options.datasets:
        first = FIRST_PAIRS[dataset].split()
        of_set = {pair.name: pair for pair in pairs([dataset])}
        names = [*first, *(name for name in of_set if name not in first)]
        found += [of_set[name] for name in names[: options.pairs]]
    return found


def file_of(options: argparse.Namespace, kind: str, contestant: str) -> Path:
    return options.cache / kind / f"{contestant.replace(' ', '_')}.jsonl"


def read(path: Path) -> list[Fitted]:
    if not path.exists():
        return []
    return [Fitted(**json.loads(line)) for line in path.read_text().splitlines()]


def missing(kind: str, options: argparse.Namespace) -> Iterator[tuple[ShiftedPair, str, int, int]]:
    """Yield what the cache lacks, the first draw and what matters most first."""
    done = {name: {one[:4] for one in read(file_of(options, kind, name))} for name in CONTESTANTS}
    chosen = pairs_of(kind, options)
    for draw in range(options.draws):
        for n_labels in sorted(NUMBERS, key=MOST_WANTED.index):
            for pair in chosen:
                for name in options.contestants:
                    key = pair.dataset, pair.name, n_labels, draw
                    if takes(name, n_labels) and key not in done[name]:
                        yield pair, name, n_labels, draw


def run(options: argparse.Namespace) -> None:
    """Fit what the cache lacks."""
    for kind in options.kinds:
        (options.cache / kind).mkdir(parents=True, exist_ok=True)
        for pair, name, n_labels, draw in missing(kind, options):
            fitted = fit_and_score(pair, name, n_labels, draw)
            with file_of(options, kind, name).open("a") as file:
                file.write(json.dumps(fitted._asdict()) + "\n")


# -- tables ----------------------------------------------------------------------------------


def results(kind: str, options: argparse.Namespace) -> pd.DataFrame:
    """Return the cached fits of some contestants; the stack without labels is the default."""
    parts = []
    for name in options.contestants:
        of_name = pd.DataFrame(read(file_of(options, kind, name)), columns=Fitted._fields)
        parts.append(of_name.assign(contestant=name))
        if name == OURS:
            without = of_name[of_name["n_labels"] == 0]
            parts.append(without.assign(contestant=STACKED))
    found = pd.concat(parts, ignore_index=True)
    return found[found["draw"] < options.draws]


def pair_means(found: pd.DataFrame) -> pd.DataFrame:
    """Return accuracy, mean over the draws: a row per (number, data set, pair)."""
    return found.pivot_table("accuracy", ["n_labels", "dataset", "pair"], "contestant")


def of_sets(means: pd.DataFrame) -> pd.DataFrame:
    """Return the means over the pairs of each data set."""
    return means.groupby(["n_labels", "dataset"]).mean()


def cell(value: float) -> str:
    return "" if np.isnan(value) else points(value)


def mean_table(means: pd.DataFrame, names: list[str]) -> str:
    table = of_sets(means).groupby("n_labels").mean().reindex(columns=names)
    rows = [[str(n), *map(cell, row)] for n, row in zip(table.index, table.to_numpy(), strict=True)]
    return markdown(["labelled rows", *names], rows)


def set_table(means: pd.DataFrame, n_labels: int, names: list[str]) -> str:
    table = of_sets(means).loc[n_labels].reindex(columns=names)
    rows = [[one, *map(cell, row)] for one, row in zip(table.index, table.to_numpy(), strict=True)]
    return markdown([f"{n_labels} labelled rows", *names], rows)


def shares_harmed(change: pd.Series) -> list[str]:
    """Return the share of changes that are losses by more than each of `HARMS`."""
    return [f"{(change < -harm).mean():.0%}" for harm in HARMS]


def harm_table(means: pd.DataFrame, names: list[str]) -> str:
    """Return how many pairs are worse by each of `HARMS` than by the same contestant without."""
    rows = []
    for n_labels in means.index.unique("n_labels").drop(0):
        row = [str(n_labels)]
        for name in names:
            change = (means[name].loc[n_labels] - means[name].loc[0]).dropna()
            shares = ", ".join(shares_harmed(change))
            row.append(f"{shares} of {len(change)}" if len(change) else "")
        rows.append(row)
    return markdown(["labelled rows", *names], rows)


def chance_table(found: pd.DataFrame) -> str:
    """Return how often single fits are worse than without labels, and fits without than others."""
    ours = found[found["contestant"] == OURS]
    fits = ours.pivot_table("accuracy", ["dataset", "pair"], ["n_labels", "draw"])
    draws = fits[0].columns
    rows = []
    for n_labels in fits.columns.unique("n_labels"):
        compared = [
            (fits[n_labels][draw] - fits[0][other]).dropna()
            for draw in fits[n_labels].columns
            for other in draws
            if (draw != other if n_labels == 0 else draw == other)
        ]
        change = pd.concat(compared) if compared else pd.Series(dtype=float)
        gain = f"{100 * change.mean():+.1f}"
        rows.append([str(n_labels), *shares_harmed(change), gain, str(len(change))])
    header = ["labelled rows", "half a point worse", "a point worse", "mean change", "comparisons"]
    return markdown(header, rows)


def cover_table(found: pd.DataFrame) -> str:
    """Return how often the interval holds the accuracy on all target rows without a label."""
    known = found[found["low"].notna() & (found["contestant"] == OURS)].copy()
    known["covered"] = known["rest"].between(known["low"], known["high"])
    known["width"] = known["high"] - known["low"]
    known["error"] = (known["estimate"] - known["rest"]).astype(float)
    rows = []
    for n_labels, of_number in known.groupby("n_labels"):
        large = of_number[of_number["n_rest"] >= LARGE]
        rows.append(
            [
                str(n_labels),
                f"{of_number['covered'].mean():.0%} of {len(of_number)}",
                f"{large['covered'].mean():.0%} of {len(large)}" if len(large) else "",
                points(of_number["width"].mean()),
                f"{of_number['error'].mean():+.3f}",
                points(of_number["error"].abs().mean()),
            ]
        )
    header = ["labelled rows", "holds the truth", f"of {LARGE:,} target rows or more", "width"]
    return markdown([*header, "mean error", "mean absolute error"], rows)


def report(kind: str, options: argparse.Namespace) -> str:
    found = results(kind, options)
    means, names = pair_means(found), list(options.contestants)
    with_zero = [name for name in names if takes(name, 0) or name == STACKED]
    n_pairs = found[["dataset", "pair"]].drop_duplicates().groupby("dataset").size()
    parts = [
        f"## {kind}",
        f"{n_pairs.sum()} pairs of {len(n_pairs)} data sets; {found['draw'].nunique()} draws. "
        "Accuracy on target test rows, each data set with the same weight.",
        mean_table(means, names),
    ]
    if kind == "real":
        parts += [set_table(means, n, names) for n in (20, 200) if n in means.index.levels[0]]
    parts += [
        "Pairs that labels make worse by more than half a point, and by more than a point:",
        harm_table(means, [name for name in with_zero if name in means]),
    ]
    if found[found["contestant"] == OURS]["draw"].nunique() > 1:
        parts += [
            "Each fit with labels against that of the same draw without. The row of 0 labels is "
            "chance: fits without labels against those of other draws.",
            chance_table(found),
        ]
    if found["low"].notna().any():
        parts += ["The 90 % interval of the estimated target accuracy:", cover_table(found)]
    return "\n\n".join(parts)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Print what a few labelled target rows gain.")
    parser.add_argument("--cache", type=Path, required=True, help="folder of the fits")
    parser.add_argument("--kinds", nargs="+", choices=["real", "made"], default=["real"])
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=DATASETS)
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=[*CONTESTANTS])
    parser.add_argument("--pairs", type=int, default=4, help="of each data set, at most")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--output", type=Path, help="file the tables are also written to")
    return parser.parse_args()


def main() -> None:
    torch.set_num_threads(1)
    options = parse_arguments()
    run(options)
    write("\n\n".join(report(kind, options) for kind in options.kinds), options)


if __name__ == "__main__":
    main()
