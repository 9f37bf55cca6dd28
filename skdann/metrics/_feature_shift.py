"""How much each column differs between two domains."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.utils import check_random_state

# Of shuffles of the domains, to see what chance does to shares.
_N_SHUFFLES = 100

# The Kolmogorov-Smirnov statistic of two samples of one distribution is below
# 1.358 * sqrt(1 / n + 1 / m) in 95 of 100 cases.
_KS_LIMIT = 1.358


def feature_shift(
    X_source: ArrayLike, X_target: ArrayLike, *, random_state: Any = 0
) -> dict[str, NDArray[Any]]:
    """Measure how much each column differs between the domains, and its missing values.

    Columns may be of any type, as they are before any encoding. Of numbers and dates the shift is
    the Kolmogorov-Smirnov statistic [1]_: the largest difference between the shares of rows up to
    a value. Of anything else, such as text, it is half the sum of the absolute differences between
    the shares of each value (the total variation distance). Both are in [0, 1]: 0 if the values are
    equally distributed, 1 if no value of one domain lies among those of the other. Missing values
    (None, NaN, NaT) are left out of both, and counted by themselves.

    Parameters
    ----------
    X_source : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features)
        Source rows.
    X_target : {array-like, sparse matrix, DataFrame} of shape (n_target, n_features)
        Target rows. Columns of two DataFrames are paired by their names, others by their positions.
    random_state : int, RandomState instance or None, default=0
        For `chance` of columns that are not numbers.

    Returns
    -------
    shifts : dict of str to ndarray of shape (n_features,)
        In the order of the columns; ``pandas.DataFrame(shifts)`` makes a table of it.

        - ``feature``: names of columns; x0, x1 and so on for arrays.
        - ``kind``: "number" or "category".
        - ``shift``: in [0, 1], as above; NaN if a domain has no value at all.
        - ``chance``: what `shift` would stay below in 95 of 100 cases if the domains did not
          differ. It is large where there are few rows, or many values such as names.
        - ``missing_source``, ``missing_target``: shares of missing values, in [0, 1].

    Raises
    ------
    ValueError
        If the columns are not the same, or a domain has no rows.

    See Also
    --------
    skdann.displays.FeatureShiftDisplay : The same as a figure.
    proxy_a_distance : One number for all columns together.

    Notes
    -----
    Each column is looked at by itself. Domains can differ in how columns go together although no
    column differs; `proxy_a_distance` may show that.

    References
    ----------
    .. [1] Hodges, J. L. "The Significance Probability of the Smirnov Two-Sample Test." Arkiv för
       Matematik 3, 1958.

    Examples
    --------
    The target's numbers are all higher, and half of its words are new:

    >>> import pandas as pd
    >>> from skdann.metrics import feature_shift
    >>> source = pd.DataFrame({"age": [30, 40, 50, 60], "ward": ["a", "a", "b", "b"]})
    >>> target = pd.DataFrame({"age": [70, 80, 90, None], "ward": ["a", "c", "b", "c"]})
    >>> shifts = feature_shift(source, target)
    >>> shifts["shift"]
    array([1. , 0.5])
    >>> shifts["missing_target"]
    array([0.25, 0.  ])
    """
    names, pairs = _paired_columns(X_source, X_target)
    rng = np.random.default_rng(check_random_state(random_state).randint(2**31))
    rows = [_column_shift(source, target, rng) for source, target in pairs]
    kind, shift, chance, missing_source, missing_target = zip(*rows, strict=True)
    return {
        "feature": np.array(names, dtype=object),
        "kind": np.array(kind, dtype=object),
        "shift": np.array(shift),
        "chance": np.array(chance),
        "missing_source": np.array(missing_source),
        "missing_target": np.array(missing_target),
    }


def _column_shift(source: Any, target: Any, rng: np.random.Generator) -> tuple[Any, ...]:
    """Return kind, shift, chance level and shares of missing values of one column."""
    (source, gaps_source), (target, gaps_target) = _values(source), _values(target)
    missing = gaps_source.mean(), gaps_target.mean()
    source, target = source[~gaps_source], target[~gaps_target]
    numeric = source.dtype.kind == target.dtype.kind == "f"
    # A column without any value is of the kind of the other.
    if not len(source) or not len(target):
        kind = "number" if (source if len(source) else target).dtype.kind == "f" else "category"
        return kind, np.nan, np.nan, *missing
    if numeric:
        chance = min(1.0, _KS_LIMIT * np.sqrt(1 / len(source) + 1 / len(target)))
        return "number", _kolmogorov_smirnov(source, target), chance, *missing
    return "category", *_total_variation(source, target, rng), *missing


def _kolmogorov_smirnov(source: NDArray[Any], target: NDArray[Any]) -> float:
    """Return the largest difference between two empirical distribution functions."""
    source, target = np.sort(source), np.sort(target)
    values = np.concatenate([source, target])
    up_to_source = np.searchsorted(source, values, side="right") / len(source)
    up_to_target = np.searchsorted(target, values, side="right") / len(target)
    return float(np.abs(up_to_source - up_to_target).max())


def _total_variation(
    source: NDArray[Any], target: NDArray[Any], rng: np.random.Generator
) -> tuple[float, float]:
    """Return the distance between the shares of values, and how large chance makes it."""
    both = np.concatenate([source.astype(str), target.astype(str)])
    codes = np.unique(both, return_inverse=True)[1]
    found = _share_distance(codes, len(source))
    # The same of shuffled rows: as many of each domain, drawn from both.
    shuffled = [_share_distance(rng.permutation(codes), len(source)) for _ in range(_N_SHUFFLES)]
    return found, float(np.quantile(shuffled, 0.95))


def _share_distance(codes: NDArray[Any], n_source: int) -> float:
    """Return half the sum of absolute differences between shares; source rows stand first."""
    n_values, n_target = codes.max() + 1, len(codes) - n_source
    source = np.bincount(codes[:n_source], minlength=n_values)
    target = np.bincount(codes[n_source:], minlength=n_values)
    # In whole numbers: a distance of 1 is then exactly that, in both what is found and by chance.
    return float(np.abs(source * n_target - target * n_source).sum() / (2 * n_source * n_target))


def _values(column: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return a column as float64 if it holds numbers or dates, else as objects, and its gaps."""
    values = np.asarray(column)
    if str(getattr(column, "dtype", None)) == "category":  # its values may be codes
        values = values.astype(object)
        return values, np.fromiter(map(_is_missing, values), dtype=bool, count=len(values))
    if values.dtype.kind in "Mm":
        gaps = np.isnat(values)
        return values.astype(np.int64).astype(np.float64), gaps
    if values.dtype.kind in "iuf":
        values = values.astype(np.float64)
        return values, np.isnan(values)
    if values.dtype.kind in "bUS":
        return values.astype(object), np.zeros(len(values), dtype=bool)
    values = values.astype(object)
    gaps = np.fromiter(map(_is_missing, values), dtype=bool, count=len(values))
    there = values[~gaps]
    if len(there) and all(map(_is_number, there)):  # such as a column of numbers and None
        numeric = np.full(len(values), np.nan)
        numeric[~gaps] = there.astype(np.float64)
        return numeric, gaps
    return values, gaps


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))


def _is_missing(value: object) -> bool:
    """Tell whether a value is None, NaN, or pandas' NA or NaT, which differ from themselves."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, numbers.Real) and value != value


def _paired_columns(X_source: Any, X_target: Any) -> tuple[list[str], list[tuple[Any, Any]]]:
    """Return the names of the columns, and each of them from both domains."""
    names, source = _columns(X_source, "X_source")
    names_target, target = _columns(X_target, "X_target")
    named = hasattr(X_source, "columns") and hasattr(X_target, "columns")
    if named and set(names) != set(names_target):
        missing = [name for name in names if name not in names_target]
        unknown = [name for name in names_target if name not in names]
        raise ValueError(
            f"X_target lacks the columns {missing[:10]} of X_source, and X_source lacks "
            f"{unknown[:10]}. Pass the columns that both domains have."
        )
    if len(source) != len(target):
        raise ValueError(
            f"X_target has {len(target)} columns, but X_source has {len(source)}. Pass the columns "
            "that both domains have."
        )
    if named and len(set(names)) == len(names):
        place = {name: i for i, name in enumerate(names_target)}
        target = [target[place[name]] for name in names]
    if not hasattr(X_source, "columns") and hasattr(X_target, "columns"):
        names = names_target
    return names, list(zip(source, target, strict=True))


def _columns(X: Any, argument: str) -> tuple[list[str], list[Any]]:
    """Return the names and the columns of a table, or raise if it is none."""
    if sparse.issparse(X):
        X = sparse.csc_array(X)
        columns: list[Any] = [X[:, [i]].toarray().ravel() for i in range(X.shape[1])]
        n_rows = X.shape[0]
    elif hasattr(X, "iloc"):
        columns = [X.iloc[:, i] for i in range(X.shape[1])]
        n_rows = len(X)
    elif hasattr(X, "get_columns"):  # polars
        columns, n_rows = X.get_columns(), X.height
    else:
        X = np.asarray(X)
        if X.ndim != 2:
            raise ValueError(
                f"{argument} must have rows and columns, but has {X.ndim} dimensions. Reshape a "
                "single column by X.reshape(-1, 1), and flatten images."
            )
        columns, n_rows = list(X.T), len(X)
    if n_rows == 0 or not columns:
        raise ValueError(f"{argument} has no rows or no columns; pass at least one of each.")
    names = getattr(X, "columns", None)
    if names is None:
        return [f"x{i}" for i in range(len(columns))], columns
    return [str(name) for name in names], columns
