"""DANNClassifierCV against GridSearchCV by the same score: time, choices, and metadata routing.

    python benchmarks/cross_validation.py [--tables time choices routing] [--rounds 5] [--seeds 20]

prints three tables. `time`: 2,000 + 2,000 rows of 50 features, 12 candidates, three folds and
reverse validation; the two take turns. `choices`: what both choose on half of the rows, for each
seed, by reverse validation and by the safe rule of each. `routing`: what a search over a Pipeline
(12 candidates, five folds) chooses on tilted digits with and without metadata routing, for targets
with fewer rows than the source, equally many, and more.
"""

import argparse
import functools
import time
from typing import Any

import numpy as np
import sklearn
import torch
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
from speed import interleaved, ratio
from target_accuracy import markdown

from skdann import DANNClassifier, DANNClassifierCV
from skdann.datasets import make_tilted_digits
from skdann.metrics import ReverseValidation
from skdann.model_selection import adaptation_scoring, choose_adaptation
from skdann.pipeline import make_dann_pipeline

GRID = {"input_scaling": ["source", "both", "domain"], "lambda_max": [0, 0.1, 0.3, 1]}


def shifted_rows(n_rows: int, seed: int) -> tuple[np.ndarray, ...]:
    """Return two classes in 50 columns; the target's columns are shifted and scaled."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, size=(2, n_rows))
    centres = rng.normal(scale=0.35, size=(2, 50))
    X = rng.normal(size=(2, n_rows, 50)) + centres[y]
    X[1] = X[1] * rng.uniform(0.7, 1.4, size=50) + rng.normal(scale=0.7, size=50)
    return X[0].astype(np.float32), y[0], X[1].astype(np.float32)


def by_pool(data: tuple[np.ndarray, ...], seed: int, scoring: str = "reverse_validation") -> Any:
    pool = DANNClassifierCV(
        GRID["lambda_max"], GRID["input_scaling"], scoring=scoring, random_state=seed
    )
    return pool.fit(*data)


def by_search(data: tuple[np.ndarray, ...], seed: int, **settings: Any) -> Any:
    X, y, X_tgt = data
    settings = settings or {"scoring": ReverseValidation(X_tgt=X_tgt)}
    search = GridSearchCV(DANNClassifier(random_state=seed), GRID, cv=3, **settings)
    return search.fit(X, y, X_tgt=(X_tgt,))


def time_table(options: argparse.Namespace) -> str:
    """Time of DANNClassifierCV / time of GridSearchCV"""
    data = shifted_rows(2000, 0)
    contestants = {
        "pool": functools.partial(by_pool, data, 0),
        "search": functools.partial(by_search, data, 0),
    }
    times = interleaved(contestants, options.rounds)
    seconds = f"{np.median(times['search']):.0f}"
    return markdown(
        ["12 candidates, 3 folds, 2,000 + 2,000 x 50", "ratio"],
        [[f"GridSearchCV takes {seconds} s", ratio(times, "pool", "search")]],
    )


def choices_table(options: argparse.Namespace) -> str:
    """Choices of DANNClassifierCV and GridSearchCV, 1,000 + 1,000 x 50"""
    rows, equal = [], np.zeros(2, dtype=int)
    for seed in range(options.seeds):
        data = shifted_rows(1000, seed)
        pool = by_pool(data, seed, "safe")
        scoring = adaptation_scoring((data[2],))
        search = by_search(
            data, seed, scoring=scoring, refit=choose_adaptation, n_jobs=options.jobs
        )
        chosen = [
            best_by(pool.cv_results_, "mean_test_reverse_validation"),
            best_by(search.cv_results_, "mean_test_reverse_validation"),
            described(pool.best_params_),
            described(search.best_params_),
        ]
        equal += [chosen[0] == chosen[1], chosen[2] == chosen[3]]
        rows.append([str(seed), *chosen])
    rows.append(["equal", "", f"{equal[0]} of {options.seeds}", "", f"{equal[1]}"])
    header = ["seed", "pool, reverse validation", "search", "pool, safe", "search, safe"]
    return markdown(header, rows)


def best_by(results: dict[str, Any], score: str) -> str:
    return described(results["params"][int(np.argmax(results[score]))])


def routing_table(options: argparse.Namespace) -> str:
    """Choices of a Pipeline's search on tilted digits, five folds"""
    X, y, X_tgt, _ = make_tilted_digits(n_source=450, random_state=0)
    rows = []
    for n_target in (300, 450, 600):
        target, cells = X_tgt[:n_target], []
        for routing in (True, False):
            start = time.perf_counter()
            pipe = make_dann_pipeline(StandardScaler(), random_state=0)
            grid = {f"dannclassifier__{name}": values for name, values in GRID.items()}
            scoring = adaptation_scoring(None if routing else (target,))
            with sklearn.config_context(enable_metadata_routing=routing):
                search = GridSearchCV(pipe, grid, scoring=scoring, refit=choose_adaptation, cv=5)
                search.fit(X, y, X_tgt=(target,))
            cells.append(described(search.best_params_))
            cells.append(f"{time.perf_counter() - start:.0f}")
        rows.append([str(n_target), *cells])
    header = ["target rows (450 source rows)", "with routing", "seconds", "without", "seconds"]
    return markdown(header, rows)


def described(settings: dict[str, Any]) -> str:
    values = [settings[name] for name in sorted(settings)]
    return ", ".join(value if isinstance(value, str) else f"{value:g}" for value in values)


TABLES = {"time": time_table, "choices": choices_table, "routing": routing_table}


def main() -> None:
    parser = argparse.ArgumentParser(description="Print DANNClassifierCV beside GridSearchCV.")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=[*TABLES])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument(
        "--jobs", type=int, default=1, help="n_jobs of the searches that aren't timed"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.tables:
        print(f"### {TABLES[name].__doc__}\n\n{TABLES[name](options)}\n", flush=True)


if __name__ == "__main__":
    main()
