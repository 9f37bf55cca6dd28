"""How well source rows are recognised after ``input_scaling="domain"``, and what that is worth.

    python benchmarks/domain_recognition.py [--tables rows pairs tools] [--datasets ...] [--seeds 1]

prints Markdown tables:

rows: shifts made by hand. Half of either domain is fitted on. Of the other half: the share of
    source rows that are recognised, the share of target rows that are taken for source rows, and
    the same with the columns of the target rows shuffled; how often batches of 10, 100 and all
    rows cause a `DomainWarning` (batches of target rows must not); accuracy on the target with the
    domain told, and without.
pairs: the same for the pairs of shifted_data.py.
tools: scikit-learn's tools on the shifts made by hand: target accuracy (for the last two the mean
    accuracy in cross-validation on the source), when each row's domain is told, when rows are
    recognised, and when all rows count as target rows, as they did before.

Nothing is fitted or chosen by a label of the target.
"""

import argparse
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import sklearn
from scipy import sparse
from shifted_data import DATASETS, pairs
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.ensemble import StackingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV, cross_val_score
from sklearn.semi_supervised import SelfTrainingClassifier

from skdann import DANNClassifier, DomainWarning

LOADERS = {
    "iris": load_iris,
    "cancer": load_breast_cancer,
    "wine": load_wine,
    "digits": load_digits,
}
BATCHES = 10, 100, None
DRAWS = 50


class Shift(NamedTuple):
    """Columns (None for all) of a data set, and what happens to the target's rows."""

    dataset: str
    columns: list[int] | None
    change: Callable[[np.ndarray, np.ndarray], np.ndarray]


def units(factor: float, offset: float = 0.0) -> Any:
    return lambda X, deviation: X * factor + offset * deviation


def drift(largest: float, offset: float) -> Any:
    """Factors between 1 / largest and largest, and offsets, each column its own."""

    def change(X: np.ndarray, deviation: np.ndarray) -> np.ndarray:
        rng, n = np.random.default_rng(7), len(deviation)
        factors = largest ** rng.uniform(-1, 1, n)
        return X * factors + rng.uniform(-offset, offset, n) * deviation

    return change


def one_column(column: int, factor: float, offset: float = 0.0) -> Any:
    def change(X: np.ndarray, deviation: np.ndarray) -> np.ndarray:
        X = X.copy()
        X[:, column] = X[:, column] * factor + offset * deviation[column]
        return X

    return change


SHIFTS = {
    "iris in inches": Shift("iris", None, units(0.3937)),
    "cancer x 1.3 + 1.5 sd": Shift("cancer", None, units(1.3, 1.5)),
    "wine, factors to 2, 1 sd": Shift("wine", None, drift(2, 1)),
    "wine, factors to 1.25, .5 sd": Shift("wine", None, drift(1.25, 0.5)),
    "digits, factors to 2, 1 sd": Shift("digits", None, drift(2, 1)),
    "digits, factors to 1.25, .5 sd": Shift("digits", None, drift(1.25, 0.5)),
    "cancer, factors to 1.25, .5 sd": Shift("cancer", None, drift(1.25, 0.5)),
    "cancer + .5 sd": Shift("cancer", None, units(1, 0.5)),
    "iris, one column in inches": Shift("iris", None, one_column(0, 0.3937)),
    "cancer, one column x 1.3 + 1.5 sd": Shift("cancer", None, one_column(0, 1.3, 1.5)),
    "wine, one column x .1": Shift("wine", None, one_column(12, 0.1)),
    "iris, two columns in inches": Shift("iris", [0, 1], units(0.3937)),
    "iris, two columns in mm": Shift("iris", [2, 3], units(10)),
    "cancer, two columns + 3 sd": Shift("cancer", [0, 1], units(1, 3)),
    "cancer, two columns x 1.3 + 1.5 sd": Shift("cancer", [0, 1], units(1.3, 1.5)),
}


class Rows(NamedTuple):
    """Rows to fit on, and others of both domains to look at."""

    name: str
    X_src: Any
    y_src: np.ndarray
    X_tgt: Any
    new_src: Any
    new_tgt: Any
    y_new_tgt: np.ndarray


def made(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return source rows and labels, target rows and labels, of a shift made by hand."""
    shift = SHIFTS[name]
    X, y = LOADERS[shift.dataset](return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X[order], y[order]
    X = X if shift.columns is None else X[:, shift.columns]
    half = len(X) // 2
    target = shift.change(X[half:], X.std(axis=0))
    return X[:half].astype("f"), y[:half], target.astype("f"), y[half:]


def made_rows() -> Iterator[Rows]:
    for name in SHIFTS:
        X, y, X_tgt, y_tgt = made(name)
        s, t = len(X) // 2, len(X_tgt) // 2
        yield Rows(name, X[:s], y[:s], X_tgt[:t], X[s:], X_tgt[t:], y_tgt[t:])


def pair_rows(datasets: list[str]) -> Iterator[Rows]:
    for pair in pairs(datasets):
        X = sparse.csr_array(pair.X_src) if sparse.issparse(pair.X_src) else pair.X_src
        order = np.random.default_rng(0).permutation(X.shape[0])
        half = len(order) // 2
        fit, new = order[:half], order[half:]
        if set(pair.y_src[fit]) != set(pair.y_src):
            continue
        name = f"{pair.dataset} {pair.name}"
        yield Rows(name, X[fit], pair.y_src[fit], pair.X_tgt, X[new], pair.X_test, pair.y_test)


def warns(classifier: DANNClassifier, X: Any) -> bool:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        classifier._recognition.codes(X)
    return any(one.category is DomainWarning for one in caught)


def alarm(classifier: DANNClassifier, X: Any, size: int | None) -> float:
    """The share of batches of so many rows that cause a warning."""
    if size is None:
        return float(warns(classifier, X))
    if X.shape[0] <= size:
        return np.nan
    rng = np.random.default_rng(0)
    draws = [X[rng.permutation(X.shape[0])[:size]] for _ in range(DRAWS)]
    return float(np.mean([warns(classifier, rows) for rows in draws]))


def shuffled(X: Any) -> Any:
    rng = np.random.default_rng(0)
    dense = X.toarray() if sparse.issparse(X) else X
    mixed = np.stack([rng.permutation(column) for column in dense.T], axis=1)
    return sparse.csr_array(mixed) if sparse.issparse(X) else mixed


def as_read(X: Any) -> Any:
    return sparse.csr_array(X).astype("f") if sparse.issparse(X) else np.asarray(X, "f")


def row_figures(rows: Rows, seeds: int) -> list[float]:
    told, found = [], []
    for seed in range(seeds):
        classifier = DANNClassifier(lambda_max=1.0, input_scaling="domain", random_state=seed)
        classifier.fit(rows.X_src, rows.y_src, rows.X_tgt)
        told.append(classifier.score(rows.new_tgt, rows.y_new_tgt, domain="target"))
        found.append(classifier.score(rows.new_tgt, rows.y_new_tgt))
    source, target = as_read(rows.new_src), as_read(rows.new_tgt)
    recognition = classifier._recognition
    shares = [
        float((recognition.scores(X) > recognition.threshold).mean())
        for X in (source, target, shuffled(target))
    ]
    rates = classifier.domain_recognition_
    alarms = [alarm(classifier, X, size) for X in (target, source) for size in BATCHES]
    accuracy = [float(np.mean(told)), float(np.mean(found))]
    return [rates["source"], rates["target"], *shares, *alarms, *accuracy]


ROW_TITLES = [
    *["out of fold: source", "target", "held out: source", "target", "target, shuffled"],
    *["warned, target: 10", "100", "all", "warned, source: 10", "100", "all"],
    *["accuracy, told", "not told"],
]


def print_rows(source: Iterator[Rows], seeds: int) -> None:
    print("| shift | rows |", " | ".join(ROW_TITLES), "|")
    print("|---|--:|" + "--:|" * len(ROW_TITLES))
    table = []
    for rows in source:
        table.append(row_figures(rows, seeds))
        size = f"{rows.X_src.shape[0]} + {rows.X_tgt.shape[0]}"
        print("|", rows.name, "|", size, "|", cells(table[-1]), "|", flush=True)
    print("| **mean** | |", cells(np.nanmean(table, axis=0)), "|\n")


def cells(values: Any) -> str:
    return " | ".join("" if np.isnan(value) else f"{value:.3f}" for value in values)


class Final(LogisticRegression):
    """Ignores the target, which StackingClassifier hands to the last classifier too."""

    def fit(self, X: Any, y: Any, X_tgt: Any = None) -> Any:
        return super().fit(X, y)


class Told(DANNClassifier):
    """Looks up where a row is from, among the rows that it may be shown."""

    known: dict[bytes, int] = {}  # noqa: RUF012

    def _outputs(self, X: Any, domain: Any, of: str, *finish: Any) -> Any:
        if domain is None:
            domain = np.array([self.known[row.tobytes()] for row in np.asarray(X, "f")])
        return super()._outputs(X, domain, of, *finish)


class TakenForTarget(DANNClassifier):
    """All rows that nothing is said about are target rows."""

    def _outputs(self, X: Any, domain: Any, of: str, *finish: Any) -> Any:
        return super()._outputs(X, "target" if domain is None else domain, of, *finish)


def calibrated(clf: Any, X: Any, y: Any, X_tgt: Any, y_tgt: Any) -> float:
    return CalibratedClassifierCV(clf, cv=3).fit(X, y, X_tgt=(X_tgt,)).score(X_tgt, y_tgt)


def frozen(clf: Any, X: Any, y: Any, X_tgt: Any, y_tgt: Any) -> float:
    fitted = FrozenEstimator(clone(clf).fit(X, y, X_tgt))
    return CalibratedClassifierCV(fitted).fit(X, y).score(X_tgt, y_tgt)


def tuned(clf: Any, X: Any, y: Any, X_tgt: Any, y_tgt: Any) -> float:
    if len(np.unique(y)) > 2:
        return np.nan
    return TunedThresholdClassifierCV(clf, cv=3).fit(X, y, X_tgt=(X_tgt,)).score(X_tgt, y_tgt)


def stacked(clf: Any, X: Any, y: Any, X_tgt: Any, y_tgt: Any) -> float:
    stack = StackingClassifier([("dann", clf)], Final(), cv=3)
    return stack.fit(X, y, X_tgt=(X_tgt,)).score(X_tgt, y_tgt)


def self_trained(clf: Any, X: Any, y: Any, X_tgt: Any, y_tgt: Any) -> float:
    partly = np.where(np.arange(len(y)) % 3 == 0, y, -1)
    return SelfTrainingClassifier(clf).fit(X, partly, X_tgt=(X_tgt,)).score(X_tgt, y_tgt)


def cross_validated(clf: Any, X: Any, y: Any, X_tgt: Any, y_tgt: Any) -> float:
    return cross_val_score(clf, X, y, cv=3, params={"X_tgt": (X_tgt,)}).mean()


def searched(clf: Any, X: Any, y: Any, X_tgt: Any, y_tgt: Any) -> float:
    grid = GridSearchCV(clf, {"input_scaling": ["source", "domain"]}, cv=3)
    return grid.fit(X, y, X_tgt=(X_tgt,)).cv_results_["mean_test_score"][1]


TOOLS = {
    "calibration, cv": calibrated,
    "calibration, frozen": frozen,
    "threshold": tuned,
    "stacking": stacked,
    "self-training": self_trained,
    "cross_val_score": cross_validated,
    "GridSearchCV": searched,
}


def print_tools() -> None:
    print("| shift |", " | ".join(TOOLS), "| worst, points |")
    print("|---|" + "---|" * len(TOOLS) + "--:|")
    for name in SHIFTS:
        X, y, X_tgt, y_tgt = made(name)
        Told.known = {row.tobytes(): code for code, Z in enumerate((X, X_tgt)) for row in Z}
        shown, losses = [], []
        for tool in TOOLS.values():
            told, found, before = (
                tool(
                    kind(
                        lambda_max=1.0, input_scaling="domain", max_epochs=30, random_state=0
                    ).set_fit_request(X_tgt=True),
                    *(X, y, X_tgt, y_tgt),
                )
                for kind in (Told, DANNClassifier, TakenForTarget)
            )
            losses.append(100 * (told - found))
            shown.append("" if np.isnan(told) else f"{told:.3f} {found:.3f} ({before:.3f})")
        print("|", name, "|", " | ".join(shown), "|", f"{np.nanmax(losses):.1f} |", flush=True)
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tables", nargs="+", default=["rows", "pairs", "tools"])
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=list(DATASETS))
    parser.add_argument("--seeds", type=int, default=1)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    sklearn.set_config(enable_metadata_routing=True)
    if "rows" in args.tables:
        print_rows(made_rows(), args.seeds)
    if "pairs" in args.tables:
        print_rows(pair_rows(args.datasets), args.seeds)
    if "tools" in args.tables:
        print_tools()


if __name__ == "__main__":
    main()
