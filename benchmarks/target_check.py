"""How often `TargetScaleWarning` is right: false alarms, and forgotten targets that it finds.

    python benchmarks/target_check.py [--target-rows 20]

prints a Markdown table for each of two questions. A scaler is fitted to the source. Where the
target passes it too, a warning is a false alarm. Where the target stays as it was, it should be
warned about. The pairs are those of `shifted_data.py`, with their columns as published (missing
numbers filled, categories of bank marketing one-hot); scikit-learn's toy sets cut at random; and
made shifts of these: other units, and columns moved by their deviation. Nothing here looks at
labels.
"""

import argparse
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from shifted_data import BANK_CATEGORIES, DATASETS, RECIPES, Domain, data_folder
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
)
from sklearn.decomposition import PCA
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from skdann._data.record import TrainingData
from skdann._data.target_check import find_mismatch

TOY_SETS = {
    "iris": load_iris,
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
    "digits": load_digits,
}
N_CUTS = 3
SCALERS: dict[str, Callable[[], Any]] = {
    "StandardScaler": StandardScaler,
    "MinMaxScaler": MinMaxScaler,
    "RobustScaler": RobustScaler,
    "MaxAbsScaler": MaxAbsScaler,
    "Normalizer": Normalizer,
    "QuantileTransformer": lambda: QuantileTransformer(n_quantiles=100),
    "PCA": PCA,
    "no scaler": lambda: FunctionTransformer(accept_sparse=True),
}
# Those that take sparse rows and leave them sparse.
FOR_SPARSE: dict[str, Callable[[], Any]] = {
    "StandardScaler": lambda: StandardScaler(with_mean=False),
    "MaxAbsScaler": MaxAbsScaler,
    "Normalizer": Normalizer,
    "no scaler": SCALERS["no scaler"],
}


class RawPair(NamedTuple):
    """Rows of two domains as they were published."""

    dataset: str
    name: str
    X_src: Any
    X_tgt: Any


def raw_pairs() -> Iterator[RawPair]:
    """Yield the pairs with a real shift, without any, and with a made one."""
    for dataset in DATASETS:
        rows = raw_rows(dataset, RECIPES[dataset].load(data_folder(dataset)))
        for source, target in RECIPES[dataset].pairs:
            yield RawPair(dataset, f"{source}->{target}", rows[source], rows[target][::2])
    for dataset, load in TOY_SETS.items():
        yield from toy_pairs(dataset, load().data)
    yield from made_pairs()


def raw_rows(dataset: str, domains: dict[str, Domain]) -> dict[str, Any]:
    """Return the rows of each domain as numbers without a gap, and nothing else done to them."""
    if dataset == "bank_marketing":
        tables = pd.concat({name: domain.X for name, domain in domains.items()})
        one_hot = pd.get_dummies(tables, columns=BANK_CATEGORIES, dtype=float)
        return {name: one_hot.loc[name].to_numpy() for name in domains}
    if dataset == "heart_sites":
        rows = {}
        for name, domain in domains.items():
            rows[name] = domain.X.fillna(domain.X.median()).fillna(0).to_numpy(float)
        return rows
    if dataset == "acs_states":
        return {name: domain.X.to_numpy(float) for name, domain in domains.items()}
    if dataset == "amazon_reviews":  # its loader takes the logarithm of the counts
        return {name: domain.X.expm1().rint() for name, domain in domains.items()}
    return {name: domain.X for name, domain in domains.items()}


def toy_pairs(dataset: str, X: np.ndarray) -> Iterator[RawPair]:
    """Yield a table cut at random, then one cut with made shifts."""
    half = len(X) // 2
    for seed in range(N_CUTS):
        order = np.random.default_rng(seed).permutation(len(X))
        yield RawPair(f"{dataset}, cut at random", str(seed), X[order[:half]], X[order[half:]])
        X_src, X_tgt = X[order[:half]], X[order[half:]]
        shifted = f"{dataset}, made shifts"
        yield RawPair(shifted, "target in inches", X_src, X_tgt / 2.54)
        yield RawPair(shifted, "source in inches", X_src / 2.54, X_tgt)
        yield RawPair(shifted, "target doubled", X_src, 2 * X_tgt)
        yield RawPair(shifted, "target halved", X_src, X_tgt / 2)
        for move in (0.5, 1.5):
            moved = X_tgt + move * X_src.std(axis=0)
            yield RawPair(shifted, f"moved by {move} deviations", X_src, moved)


def made_pairs() -> Iterator[RawPair]:
    """Yield `make_classification` as it is, around 0, and with columns of scales of their own."""
    for seed in range(N_CUTS):
        X, _ = make_classification(600, 12, n_informative=6, random_state=seed)
        yield RawPair("make_classification", str(seed), X[:300], X[300:] + 0.5)
        rng = np.random.default_rng(seed)
        scaled = X * np.exp(1.5 * rng.normal(size=12)) + 5 * rng.normal(size=12)
        yield RawPair("make_classification, scales", str(seed), scaled[:300], scaled[300:])


def record(X_src: Any, X_tgt: Any) -> TrainingData:
    """Return rows as `DANNClassifier` reads them; there are no labels."""
    source, target = map(as_float32, (X_src, X_tgt))
    n_source, n_target = source.shape[0], target.shape[0]
    y = np.zeros(n_source, dtype=np.int64)
    domain = np.ones(n_target, dtype=np.int64)
    return TrainingData(source, y, None, None, target, domain, 2, np.arange(2), None)


def as_float32(X: Any) -> Any:
    if sparse.issparse(X):
        return sparse.csr_array(X).astype(np.float32)
    return np.asarray(X, dtype=np.float32)


def findings(target_rows: int | None) -> pd.DataFrame:
    """Return a row for each pair, scaler and treatment of the target: which rule warns, or ""."""
    rows = []
    for pair in raw_pairs():
        for scaler, make in (FOR_SPARSE if sparse.issparse(pair.X_src) else SCALERS).items():
            if scaler == "PCA" and pair.X_src.shape[0] < pair.X_src.shape[1]:
                continue
            transformer = make()
            X_src = transformer.fit_transform(pair.X_src)
            treatments = {"passed": transformer.transform(pair.X_tgt)}
            if scaler != "no scaler":
                treatments["forgotten"] = pair.X_tgt
            for treatment, X_tgt in treatments.items():
                n_rows = X_tgt.shape[0]
                some = np.random.default_rng(0).permutation(n_rows)[: target_rows or n_rows]
                found = find_mismatch(record(X_src, X_tgt[some]))
                rule = found.rule if found else ""
                rows.append((pair.dataset, pair.name, scaler, treatment, rule))
    return pd.DataFrame(rows, columns=["data", "pair", "scaler", "treatment", "rule"])


def print_table(table: pd.DataFrame) -> None:
    """Print the number of warnings of all pairs, for each data set and scaler."""
    scalers = [name for name in SCALERS if name in set(table["scaler"])]
    print("| data | " + " | ".join(scalers) + " |")
    print("|---|" + "--:|" * len(scalers))
    total = table.assign(data="**all**")
    for part in (table, total):
        for dataset, of_data in part.groupby("data", sort=False):
            cells = []
            for scaler in scalers:
                warned = of_data.loc[of_data["scaler"] == scaler, "rule"] != ""
                cells.append(f"{warned.sum()}/{len(warned)}" if len(warned) else "")
            print(f"| {dataset} |", " | ".join(cells), "|")


def main() -> None:
    parser = argparse.ArgumentParser(description="Print how often the target is warned about.")
    parser.add_argument("--target-rows", type=int, help="take this many target rows only")
    table = findings(parser.parse_args().target_rows)
    passed = table[table["treatment"] == "passed"]
    forgotten = table[table["treatment"] == "forgotten"]
    print("## False alarms: the target passed the scaler too\n")
    print_table(passed)
    print("\nThe false alarms:\n")
    for _, row in passed[passed["rule"] != ""].iterrows():
        print(f"- {row['data']}, {row['pair']}, {row['scaler']}: {row['rule']}")
    print("\n## Found: the target did not pass the scaler\n")
    print_table(forgotten)
    print("\nBy which rule:", end=" ")
    counts = forgotten.loc[forgotten["rule"] != "", "rule"].value_counts()
    print(", ".join(f"{rule} {count}" for rule, count in counts.items()) + ".")


if __name__ == "__main__":
    main()
