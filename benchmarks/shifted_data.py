"""Seven tabular data sets with a domain shift, cut into 64 pairs source -> target.

    python benchmarks/shifted_data.py [--datasets heart_sites ...]

prints the pairs as a Markdown table: rows of the source, of the target (unlabelled, given to
`fit`) and of the test (target rows that were not in the fit), the number of features, and the class
shares of source and test.

The raw files are in the folder that the environment variable SKDANN_DATA names, by default
`shared/data` beside the project's folder. All preprocessing (scaling, categories, filling of
missing values) is fitted on source rows only. Target labels are used for two things: to cut the
target into two halves of equal class shares, and to score.
"""

import argparse
import gzip
import os
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.io import loadmat
from scipy.sparse import issparse, vstack
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_svmlight_file
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, OneHotEncoder, StandardScaler

PROJECT = Path(__file__).resolve().parent.parent
LARGEST_SCALED_VALUE = 8.0


@dataclass(frozen=True, eq=False)
class ShiftedPair:
    """A labelled source, target rows for `fit`, and labelled target rows to score on.

    `y_tgt`, the labels of the rows for `fit`, is only for rows of a table that choose by them.
    """

    dataset: str
    source: str
    target: str
    X_src: Any
    y_src: np.ndarray
    X_tgt: Any
    X_test: Any
    y_test: np.ndarray
    y_tgt: np.ndarray

    @property
    def name(self) -> str:
        return f"{self.source}->{self.target}"


class Domain(NamedTuple):
    """The rows of one domain; rows to score on only if they are published as a separate file."""

    X: Any
    y: np.ndarray
    X_test: Any = None
    y_test: np.ndarray | None = None


class Recipe(NamedTuple):
    """How to read a data set, which pairs it has, and the preprocessing for a source."""

    load: Callable[[Path], dict[str, Domain]]
    pairs: list[tuple[str, str]]
    preprocessing: Callable[[Any], Any]


def pairs(datasets: Iterable[str] | None = None, seed: int = 0) -> Iterator[ShiftedPair]:
    """Yield the pairs of the named data sets (default: all seven, 64 pairs), one set at a time.

    `seed` fixes which half of a target is given to `fit`; it is the same half for every source.
    """
    for dataset in DATASETS if datasets is None else datasets:
        recipe = RECIPES[dataset]
        domains = recipe.load(data_folder(dataset))
        for source, target in recipe.pairs:
            rows = target_rows(domains[target], seed)
            X_src, y_src = domains[source][:2]
            transformer = recipe.preprocessing(X_src).fit(X_src)
            X_src, X_tgt, X_test = map(transformer.transform, (X_src, rows.X, rows.X_test))
            arrays = X_src, y_src, X_tgt, X_test, rows.y_test, rows.y
            yield ShiftedPair(dataset, source, target, *arrays)


def shifted_pairs(
    shift: str, datasets: Iterable[str] | None = None, seed: int = 0
) -> Iterator[ShiftedPair]:
    """Yield pairs with the real shift, with class shares changed on purpose, or without a shift.

    See `SHIFTS`.
    """
    if shift == "none":
        yield from unshifted_pairs(datasets, seed)
        return
    for pair in pairs(datasets, seed):
        if shift == "whole":
            yield whole(pair)
        elif shift == "units":
            share = np.random.default_rng(seed).choice([0.3, 1.0])
            yield with_units(pair, share, seed)
        else:
            yield pair if shift == "real" else with_class_shares(pair, SHIFTS[shift], seed)


def whole(pair: ShiftedPair) -> ShiftedPair:
    """Return the pair with all target rows in the fit and scored, as many published figures are."""
    stack = vstack if issparse(pair.X_tgt) else np.concatenate
    X, y = stack([pair.X_tgt, pair.X_test]), np.concatenate([pair.y_tgt, pair.y_test])
    return replace(pair, X_tgt=X, y_tgt=y, X_test=X, y_test=y)


def with_units(pair: ShiftedPair, share: float, seed: int) -> ShiftedPair:
    """Return the pair with a share of the target's numeric columns measured in other units.

    A unit changes a value to ``a * value + b``, with a in [1 / 100, 100] and b up to ten
    deviations. Columns of one or two values, such as one-hot ones, stay.
    """
    rng = np.random.default_rng(seed)
    n_columns = pair.X_src.shape[1]
    numeric = np.array([len(np.unique(column)) > 2 for column in pair.X_src.T])
    changed = numeric & (rng.random(n_columns) < share)
    factor = np.where(changed, 10 ** rng.uniform(-2, 2, n_columns), 1.0)
    offset = np.where(changed, rng.choice([0, 1], n_columns) * rng.uniform(-10, 10, n_columns), 0.0)

    def in_other_units(X: np.ndarray) -> np.ndarray:
        return (X * factor + offset).astype(np.float32)

    return replace(pair, X_tgt=in_other_units(pair.X_tgt), X_test=in_other_units(pair.X_test))


def with_class_shares(pair: ShiftedPair, first: float, seed: int) -> ShiftedPair:
    """Return the pair with this share of the first half of the classes among its target rows.

    As few target and test rows as possible are dropped, at random.
    """
    classes = np.unique(pair.y_src)
    of_first = classes[: len(classes) // 2]

    def kept(y: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(seed)
        groups = [np.flatnonzero(np.isin(y, of_first, invert=i == 1)) for i in (0, 1)]
        n_rows = min(len(groups[0]) / first, len(groups[1]) / (1 - first))
        counts = round(n_rows * first), round(n_rows * (1 - first))
        chosen = [rng.permutation(rows)[:n] for rows, n in zip(groups, counts, strict=True)]
        return np.sort(np.concatenate(chosen))

    fit, test = kept(pair.y_tgt), kept(pair.y_test)
    return replace(
        pair,
        X_tgt=pair.X_tgt[fit], y_tgt=pair.y_tgt[fit],
        X_test=pair.X_test[test], y_test=pair.y_test[test],
    )  # fmt: skip


def unshifted_pairs(datasets: Iterable[str] | None = None, seed: int = 0) -> Iterator[ShiftedPair]:
    """Yield each domain cut at random into a source, a target and test rows of equal sizes."""
    for dataset in DATASETS if datasets is None else datasets:
        recipe = RECIPES[dataset]
        for name, (X, y, *_) in recipe.load(data_folder(dataset)).items():
            part = np.random.default_rng(seed).permutation(len(y)) % 3
            parts = [np.flatnonzero(part == i) for i in range(3)]
            rows = [X.iloc[one] if hasattr(X, "iloc") else X[one] for one in parts]
            transformer = recipe.preprocessing(rows[0]).fit(rows[0])
            X_src, X_tgt, X_test = map(transformer.transform, rows)
            y_src, y_tgt, y_test = (y[one] for one in parts)
            yield ShiftedPair(
                dataset, name, f"{name} again", X_src, y_src, X_tgt, X_test, y_test, y_tgt
            )


def data_folder(dataset: str) -> Path:
    """Return the folder of a data set, or end the program with a message if it is missing."""
    folder = Path(os.environ.get("SKDANN_DATA", PROJECT.parent / "shared" / "data")) / dataset
    if not folder.is_dir():
        sys.exit(f"no folder {folder}: set SKDANN_DATA to the folder that holds {dataset}/")
    return folder


def target_rows(domain: Domain, seed: int) -> Domain:
    """Return the domain cut into two halves, stratified by class, or as it is with a test file."""
    if domain.X_test is not None:
        return domain
    X_fit, X_test, y_fit, y_test = train_test_split(
        domain.X, domain.y, test_size=0.5, stratify=domain.y, random_state=seed
    )
    return Domain(X_fit, y_fit, X_test, y_test)


def bounded(X: np.ndarray) -> np.ndarray:
    """Return float32 values, cut at 8 standard deviations of the source.

    The bound is for columns that are nearly constant in the source: a target value can lie a
    hundred deviations away. Constant columns are not scaled by StandardScaler.
    """
    return np.clip(X, -LARGEST_SCALED_VALUE, LARGEST_SCALED_VALUE).astype(np.float32)


def then_bounded(*steps: Any) -> Any:
    return make_pipeline(*steps, FunctionTransformer(bounded))


def scaled(_: Any) -> Any:
    return then_bounded(StandardScaler())


def frequencies_scaled(_: Any) -> Any:
    return then_bounded(Normalizer(norm="l1"), StandardScaler())


def unchanged(_: Any) -> Any:
    return FunctionTransformer(accept_sparse=True)


def mixed_columns(categories: list[str]) -> Callable[[pd.DataFrame], Any]:
    """Return preprocessing that encodes categories, scales numbers and fills missing values.

    Numbers are scaled before missing ones are filled, so that a column with few observed values
    is scaled by their deviation. Columns without any value in the source are left out.
    """

    def preprocessing(source: pd.DataFrame) -> Any:
        observed = source.columns[source.notna().any()]
        named = [column for column in observed if column in categories]
        numbers = [column for column in observed if column not in categories]
        fill_numbers = SimpleImputer(strategy="median")
        fill_named = SimpleImputer(strategy="most_frequent")
        one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        return then_bounded(
            make_column_transformer(
                (make_pipeline(StandardScaler(), fill_numbers), numbers),
                (make_pipeline(fill_named, one_hot), named),
            )
        )

    return preprocessing


def load_amazon_reviews(folder: Path) -> dict[str, Domain]:
    """log1p of 5,000 word counts, CSR; fitted on the `_train` files, scored on a `_test` file."""

    def read(name: str) -> tuple[Any, np.ndarray]:
        X, y = read_svmlight(folder / f"{name}.svmlight.gz", n_features=5000, zero_based=True)
        return X.log1p(), y

    return {name: Domain(*read(f"{name}_train"), *read(f"{name}_test")) for name in AMAZON}


def load_gas_drift(folder: Path) -> dict[str, Domain]:
    """128 dense sensor readings of eight batches, scaled by the source batch."""

    def read(batch: str) -> Domain:
        path = folder / f"batch{batch}.dat.gz"
        X, y = read_svmlight(path, n_features=128, zero_based=False)
        return Domain(X.toarray(), y)

    return {batch: read(batch) for batch in "12345689"}


def read_svmlight(path: Path, **options: Any) -> tuple[Any, np.ndarray]:
    with gzip.open(path) as file:
        X, y = load_svmlight_file(file, dtype=np.float32, **options)
    return X, y.astype(int)


def load_office_caltech_surf(folder: Path) -> dict[str, Domain]:
    """800 visual word counts as frequencies within a picture, scaled by the source."""

    def read(file_name: str) -> Domain:
        content = loadmat(folder / f"{file_name}_SURF_L10.mat")
        return Domain(content["fts"].astype(np.float32), content["labels"].ravel().astype(int))

    return {name: read("Caltech10" if name == "caltech" else name) for name in OFFICE}


def load_heart_sites(folder: Path) -> dict[str, Domain]:
    """13 attributes with many missing ('?', empty, or a cholesterol of 0), y = disease or not.

    cp, restecg, slope and thal are one-hot, the rest (with sex, fbs and exang, 0 or 1) scaled;
    missing categories become the source's most frequent, missing numbers its median.
    """

    def read(site: str) -> Domain:
        table = pd.read_csv(folder / f"processed.{site}.data", na_values="?").astype(float)
        disease = (table.pop("target") > 0).to_numpy(int)
        return Domain(table.assign(chol=table["chol"].replace(0, np.nan)), disease)

    return {site: read(site) for site in HEART}


def load_email_spam(folder: Path) -> dict[str, Domain]:
    """The 2,000 words that are in most mails of the three inboxes (no label used), log1p, CSR.

    The published rows are word counts divided by their Euclidean length, so log1p changes little.
    """
    contents = [loadmat(folder / f"data_{number}.mat") for number in (1, 2, 3)]
    mails_with_word = sum(content["features"].getnnz(axis=0) for content in contents)
    words = np.sort(np.argsort(-mails_with_word, kind="stable")[:2000])

    def read(content: dict[str, Any]) -> Domain:
        X = content["features"].tocsc()[:, words].tocsr().astype(np.float32)
        return Domain(X.log1p(), content["labels"].ravel().astype(int))

    return dict(zip(EMAIL, map(read, contents), strict=True))


def load_bank_marketing(folder: Path) -> dict[str, Domain]:
    """Ten one-hot categories, nine scaled numbers, `duration` dropped (known after the call only).

    The rows are in call order without a year: a year ends where the month goes back.
    """
    with (
        zipfile.ZipFile(folder / "bank-additional.zip") as archive,
        archive.open("bank-additional/bank-additional-full.csv") as file,
    ):
        table = pd.read_csv(file, sep=";")
    months = table["month"].map({month: number for number, month in enumerate(MONTHS)})
    year = 2008 + (months.diff() < 0).cumsum()
    X, y = table.drop(columns=["duration", "y"]), table["y"].to_numpy(str)
    return {str(value): Domain(X[year == value], y[year == value]) for value in (2008, 2009, 2010)}


def load_acs_states(folder: Path) -> dict[str, Domain]:
    """Persons up to 64, y = wages above 30,000 dollars; sex and mar one-hot, the rest scaled."""
    table = pd.read_csv(folder / "acsbig.csv.gz")
    table = table[table["agep"] <= 64]
    X, y = table[ACS_COLUMNS], (table["wagp"] > 30_000).to_numpy(int)
    states = table["stabbr"].to_numpy(str)
    return {state: Domain(X[states == state], y[states == state]) for state in ACS}


# "real" leaves a pair as it is. "none" cuts one domain at random into source, target and test.
# "units" measures target columns in other units, on dense data sets. "whole" fits and scores all
# target rows. The others drop target rows until the first half of the classes has this share.
SHIFTS = {"real": None, "10/90": 0.1, "90/10": 0.9, "units": None, "none": None, "whole": None}

AMAZON = ["books", "dvd", "electronics", "kitchen"]
OFFICE = ["caltech", "amazon", "webcam", "dslr"]
HEART = ["cleveland", "hungarian", "switzerland", "va"]
HEART_CATEGORIES = ["cp", "restecg", "slope", "thal"]
EMAIL = ["user0", "user1", "user2"]
ACS = ["CA", "FL", "IL", "AL", "KY", "CT", "MD"]
ACS_COLUMNS = ["agep", "sporder", "sex", "mar", "intp", "pap", "retp", "ssip", "ssp"]
GAS_PAIRS = [("1", batch) for batch in "2345689"]
GAS_PAIRS += [("2", "3"), ("3", "4"), ("4", "5"), ("5", "6"), ("6", "8"), ("8", "9")]
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
BANK_PAIRS = [("2008", "2009"), ("2008", "2010"), ("2009", "2010")]
BANK_CATEGORIES = ["job", "marital", "education", "default", "housing", "loan"]
BANK_CATEGORIES += ["contact", "month", "day_of_week", "poutcome"]

RECIPES = {
    "amazon_reviews": Recipe(load_amazon_reviews, list(permutations(AMAZON, 2)), unchanged),
    "gas_drift": Recipe(load_gas_drift, GAS_PAIRS, scaled),
    "office_caltech_surf": Recipe(
        load_office_caltech_surf, list(permutations(OFFICE, 2)), frequencies_scaled
    ),
    "heart_sites": Recipe(
        load_heart_sites, list(permutations(HEART, 2)), mixed_columns(HEART_CATEGORIES)
    ),
    "email_spam": Recipe(load_email_spam, list(permutations(EMAIL, 2)), unchanged),
    "bank_marketing": Recipe(load_bank_marketing, BANK_PAIRS, mixed_columns(BANK_CATEGORIES)),
    "acs_states": Recipe(
        load_acs_states, [("CA", state) for state in ACS[1:]], mixed_columns(["sex", "mar"])
    ),
}
DATASETS = tuple(RECIPES)


def class_shares(y: np.ndarray) -> str:
    classes, counts = np.unique(y, return_counts=True)
    shares = counts / counts.sum()
    return ", ".join(f"{name}: {share:.2f}" for name, share in zip(classes, shares, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the pairs as a Markdown table.")
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=DATASETS)
    print("| data set | pair | source | target | test | features | source classes | test classes |")
    print("|---|---|--:|--:|--:|--:|---|---|")
    for pair in pairs(parser.parse_args().datasets):
        rows = [matrix.shape[0] for matrix in (pair.X_src, pair.X_tgt, pair.X_test)]
        shares = [class_shares(pair.y_src), class_shares(pair.y_test)]
        cells = [pair.dataset, pair.name, *rows, pair.X_src.shape[1], *shares]
        print("|", " | ".join(map(str, cells)), "|")


if __name__ == "__main__":
    main()
