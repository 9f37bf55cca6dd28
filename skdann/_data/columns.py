"""Columns by name: which ones are missing, surplus, in another order, text or dates."""

from __future__ import annotations

import datetime
from typing import Any, NoReturn

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from skdann._data.listing import TAKE_TARGET_ALONG, is_listed_whole, listed, shortened

_DATE_OBJECTS = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)


def feature_names(X: Any, argument: str = "X") -> np.ndarray | None:
    """Return the column names of a DataFrame by scikit-learn's rules, or None."""
    # A throw-away estimator: scikit-learn sets the names on it, and nothing on ours.
    probe = BaseEstimator()
    try:
        validate_data(probe, X, skip_check_array=True)
    except TypeError as error:  # names that are text, and others that are not
        raise TypeError(f"{argument}: {shortened(error, 500)}") from error
    return getattr(probe, "feature_names_in_", None)


def check_same_names(target_names, source_names, argument: str) -> None:
    """Check that the target has the columns of the source in the same order, or raise."""
    if target_names is None or source_names is None:
        return
    target, source = list(target_names), list(source_names)
    if target == source:
        return
    in_target, in_source = set(target), set(source)
    missing = [name for name in source if name not in in_target]
    surplus = [name for name in target if name not in in_source]
    select = f"{argument}[X.columns]"
    if missing:
        and_has = f" It has columns that X lacks: {listed(surplus)}." if surplus else ""
        raise ValueError(
            f"{argument} lacks columns of X: {listed(missing)}.{and_has} Both domains need the "
            f"same columns in the same order. {TAKE_TARGET_ALONG}"
        )
    if surplus:
        raise ValueError(
            f"{argument} has columns that X lacks: {listed(surplus)}. Pass {select}, which leaves "
            "them out."
        )
    if len(target) == len(source):
        raise ValueError(f"{argument} has the columns of X in another order. Pass {select}.")
    raise ValueError(
        f"Column names occur several times: X has {len(source)} columns, {argument} has "
        f"{len(target)}. Rename them, so that each occurs once."
    )


def refuse_dates(X: Any, argument: str) -> None:
    """Raise where an array or a DataFrame holds dates, times or durations by its dtype."""
    if is_date_type(getattr(X, "dtype", None)):
        unit = "np.timedelta64(1, 'D')"
        days = f"{argument} / {unit}"
        if X.dtype.kind == "M":
            days = f"({argument} - np.datetime64('2020-01-01')) / {unit}"
        raise ValueError(
            f"{argument} has dtype {X.dtype}: dates and durations are not numbers. Pass numbers, "
            f"such as days: {days}."
        )
    # Only dtypes are looked at here: it costs nothing for good input.
    if any(is_date_type(dtype) for dtype in _column_types(X)):
        refuse_columns(X, argument)


def refuse_columns(X: Any, argument: str, error: Exception | None = None) -> None:
    """Raise where columns of a DataFrame are text, dates or other objects; else return."""
    text, dates = _columns_without_numbers(X)
    if not text and not dates:
        return
    found, cures = [], []
    is_target = argument != "X"
    room = 70 if text and dates else 140  # characters for each list of names
    if text:
        found.append(f"columns that are not numbers: {listed(text, room)}")
        cures.append("Encode them as in X." if is_target else _encoding_cure(text, dates))
    if dates:
        found.append(f"columns of dates: {listed(dates, room)}")
        cures.append(_date_cure(X, argument, dates))
    clean = ""
    if is_target:  # X was read before, so it has no such columns
        clean = "; X has none"
        cures.append(TAKE_TARGET_ALONG)
    raise ValueError(f"{argument} has {' and '.join(found)}{clean}. {' '.join(cures)}") from error


def _columns_without_numbers(X: Any) -> tuple[list, list]:
    """Return the names of columns that can't be read as numbers, and of columns of dates."""
    text: list[Any] = []
    dates: list[Any] = []
    if not len(_column_types(X)):  # an array, or an Arrow table
        return text, dates
    for name, dtype in zip(X.columns, _column_types(X), strict=True):
        column = X[name]
        if is_date_type(dtype):
            dates.append(name)
            continue
        try:
            np.asarray(column).astype(np.float32)
        except (TypeError, ValueError):
            values = np.asarray(column, dtype=object).ravel()
            is_date = any(isinstance(value, _DATE_OBJECTS) for value in values[:100])
            (dates if is_date else text).append(name)
    return text, dates


def is_date_type(dtype: Any) -> bool:
    """Tell dates, times and durations by the names that numpy, pandas and polars give them."""
    return str(dtype).lower().startswith(("date", "time", "duration"))


def _column_types(X: Any) -> list:
    """Return the dtype of each column of a DataFrame; none for other containers."""
    return list(getattr(X, "dtypes", ())) if hasattr(X, "columns") else []


def _encoding_cure(text: list, dates: list) -> str:
    """Return a sentence with a pipeline that encodes text, which runs as it is printed."""
    columns = listed(text)
    if not is_listed_whole(text):
        columns = "the names" if dates else "make_column_selector(dtype_exclude='number')"
    return (
        "Encode text, for example with skdann.pipeline.make_dann_pipeline("
        f"make_column_transformer((OneHotEncoder(handle_unknown='ignore'), {columns}), "
        "remainder=StandardScaler()))."
    )


def _date_cure(X: Any, argument: str, dates: list) -> str:
    """Return a sentence on what to do with dates, which runs as it is printed for pandas."""
    name = repr(dates[0])
    if not is_listed_whole(dates[:1]):
        name = "name"
    in_pandas = type(X).__module__.partition(".")[0] == "pandas"
    kind = getattr(X[dates[0]].dtype, "kind", "") if in_pandas else ""
    if kind == "m":
        code = f", such as {argument}[{name}].dt.total_seconds()"
    elif kind == "M":
        zone = ".dt.tz_localize(None)" if getattr(X[dates[0]].dtype, "tz", None) else ""
        day = f"{argument}[{name}]{zone}"
        code = f", such as {argument}[{name}].dt.month or ({day} - pd.Timestamp('2020')).dt.days"
    else:
        code = ", such as the month or the days since a fixed day"
    return f"Replace dates by numbers in X and X_tgt alike{code}."


def raise_other_width(argument: str, shape: tuple, source_shape: tuple) -> NoReturn:
    """Raise for target rows of another shape than the source's."""
    raise ValueError(
        f"{argument} has rows of shape {shape}, but X has rows of shape {source_shape}. Both "
        "domains need the same columns, and both must pass the same preprocessing. "
        f"{TAKE_TARGET_ALONG}"
    )
