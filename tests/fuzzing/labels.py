"""Labels, weights and groups of all kinds."""

from __future__ import annotations

import datetime
import decimal
import fractions

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import torch
from hypothesis import strategies as st
from scipy import sparse

from fuzzing.rows import Given

WORDS = np.array(["no", "yes", "maybe", "never"])


def _objects(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _cycled(codes, *values):
    return _objects([values[code % len(values)] for code in codes])


# From codes 0, 1, 2, ... to labels that a fit takes.
GOOD = {
    "int": lambda c: c,
    "int list": lambda c: c.tolist(),
    "int tuple": lambda c: tuple(c.tolist()),
    "uint8": lambda c: c.astype(np.uint8),
    "int8, negative": lambda c: (-c).astype(np.int8),
    "large int": lambda c: c.astype(np.int64) + 2**60,
    "uint64": lambda c: c.astype(np.uint64) + np.uint64(2**63),
    "float": lambda c: c.astype(float),
    "float16": lambda c: c.astype(np.float16),
    "bool": lambda c: c % 2 == 1,
    "bool list": lambda c: (c % 2 == 1).tolist(),
    "text": lambda c: WORDS[c % 4],
    "text list": lambda c: WORDS[c % 4].tolist(),
    "objects, text": lambda c: WORDS[c % 4].astype(object),
    "objects, int": lambda c: c.astype(object),
    "objects, bool": lambda c: (c % 2 == 1).astype(object),
    "empty text": lambda c: np.array(["", "a"])[c % 2],
    "pandas": lambda c: pd.Series(c, index=np.arange(len(c))[::-1]),
    "pandas text": lambda c: pd.Series(WORDS[c % 4]),
    "pandas Int64": lambda c: pd.Series(c, dtype="Int64"),
    "pandas boolean": lambda c: pd.Series(c % 2 == 1, dtype="boolean"),
    "pandas string": lambda c: pd.Series(WORDS[c % 4], dtype="string"),
    "pandas Arrow": lambda c: pd.Series(WORDS[c % 4], dtype=pd.ArrowDtype(pa.string())),
    "pandas Arrow int": lambda c: pd.Series(c, dtype=pd.ArrowDtype(pa.int64())),
    "Categorical": lambda c: pd.Categorical(WORDS[c % 4]),
    "Categorical int": lambda c: pd.Series(c, dtype="category"),
    "Index": lambda c: pd.Index(WORDS[c % 4]),
    "polars": lambda c: pl.Series(c),
    "polars text": lambda c: pl.Series(WORDS[c % 4].tolist()),
    "polars Categorical": lambda c: pl.Series(WORDS[c % 4].tolist(), dtype=pl.Categorical),
    "torch": lambda c: torch.tensor(c),
    "torch bool": lambda c: torch.tensor(c % 2 == 1),
    "column": lambda c: c[:, None],
    "read-only": lambda c: np.broadcast_to(c, (1, len(c)))[0],
    "big-endian": lambda c: c.astype(">i4"),
}
EITHER = {
    "range": lambda c: range(len(c)),
    "every row its own": lambda c: np.arange(len(c)),
    "float halves": lambda c: c + 0.5,
    "bytes": lambda c: np.array([b"no", b"yes"])[c % 2],
    "dates": lambda c: c.astype("datetime64[D]"),
    "durations": lambda c: c.astype("timedelta64[D]"),
    "objects, dates": lambda c: _cycled(c, datetime.date(2026, 1, 1), datetime.date(2026, 1, 2)),
    "objects, Decimal": lambda c: _cycled(c, decimal.Decimal(1), decimal.Decimal(2)),
    "objects, Fraction": lambda c: _cycled(c, fractions.Fraction(1, 2), fractions.Fraction(1, 3)),
    "objects, bytes": lambda c: _cycled(c, b"a", b"b"),
    "objects, int and float": lambda c: _cycled(c, 1, 2.0),
    "objects, int and bool": lambda c: _cycled(c, True, 2),
    "objects, text and np.str_": lambda c: _cycled(c, "a", np.str_("b")),
    "pandas dates": lambda c: pd.Series(pd.to_datetime(c, unit="D")),
    "pandas periods": lambda c: pd.Series([pd.Period(f"{2020 + i}", "Y") for i in c]),
    "pandas intervals": lambda c: pd.Series([pd.Interval(i, i + 1) for i in c]),
    "pandas frame": lambda c: pd.DataFrame({"y": c}),
    "polars frame": lambda c: pl.DataFrame({"y": c}),
    "polars dates": lambda c: pl.Series([datetime.date(2026, 1, 1 + int(i)) for i in c]),
    "Arrow": lambda c: pa.array(WORDS[c % 4].tolist()),
    "torch float": lambda c: torch.tensor(c.astype(float)),
    "masked": lambda c: np.ma.masked_array(c, mask=c == 1),
    "matrix": lambda c: c[None, :].view(np.matrix),
    "row": lambda c: c[None, :],
    "very large ints": lambda c: _cycled(c, 10**30, 10**31),
    "mixed list": lambda c: ["a" if i else 1 for i in c],
}
WRONG = {
    "None": lambda c: None,
    "number": lambda c: 1,
    "text itself": lambda c: "labels",
    "0-d": lambda c: np.array(1),
    "one class": lambda c: np.zeros(len(c), dtype=int),
    "one class, text": lambda c: np.full(len(c), "a"),
    "one class, bool": lambda c: np.full(len(c), True),
    "NaN": lambda c: np.where(c == 1, np.nan, c),
    "all NaN": lambda c: np.full(len(c), np.nan),
    "inf": lambda c: np.where(c == 1, np.inf, c),
    "None among": lambda c: _cycled(c, "a", None),
    "None list": lambda c: _cycled(c, "a", None).tolist(),
    "None and numbers": lambda c: _cycled(c, 1, None),
    "NaN among text": lambda c: _cycled(c, "a", np.nan),
    "NaN list": lambda c: ["a", float("nan")] * (len(c) // 2),
    "NA": lambda c: pd.Series(_cycled(c, "a", pd.NA)),
    "NA Int64": lambda c: pd.Series(_cycled(c, 1, pd.NA), dtype="Int64"),
    "NA Categorical": lambda c: pd.Categorical(_cycled(c, "a", None)),
    "NA Arrow": lambda c: pd.Series(["a", None] * (len(c) // 2), dtype=pd.ArrowDtype(pa.string())),
    "NaT": lambda c: np.where(c == 1, np.datetime64("NaT"), c.astype("datetime64[D]")),
    "polars null": lambda c: pl.Series(["a", None] * (len(c) // 2)),
    "numbers": lambda c: np.linspace(0, 1, len(c)) ** 2,
    "complex": lambda c: c + 1j * c,
    "one-hot": lambda c: np.eye(4)[c % 4],
    "one-hot pandas": lambda c: pd.get_dummies(WORDS[c % 4]),
    "two columns": lambda c: np.stack([c, c], axis=1),
    "3-d": lambda c: c[:, None, None] + np.zeros((1, 2, 2)),
    "two arrays": lambda c: (c[:2], c[2:]),
    "text and int": lambda c: _cycled(c, "a", 1),
    "tuples": lambda c: _cycled(c, (1, 2), (3, 4)),
    "lists": lambda c: _cycled(c, [1], [2]),
    "ragged": lambda c: [[1], [1, 2]] * (len(c) // 2),
    "objects itself": lambda c: _objects([object() for _ in c]),
    "dict": lambda c: dict(enumerate(c)),
    "set": lambda c: set(c.tolist()),
    "generator": lambda c: (i for i in c),
    "sparse": lambda c: sparse.csr_array(c[:, None]),
    "sparse 1-d": lambda c: sparse.coo_array(c),
    "function": lambda c: len,
    "records": lambda c: np.zeros(len(c), dtype=[("a", int)]),
    "fewer": lambda c: c[:-1],
    "more": lambda c: np.r_[c, 0],
    "none": lambda c: c[:0],
    "lazy": lambda c: pl.LazyFrame({"y": c}),
}


def codes(n_rows, n_classes):
    return np.arange(n_rows) % n_classes


@st.composite
def good_labels(draw, n_rows):
    n_classes = draw(st.integers(2, max(2, min(4, n_rows))))
    kind = draw(st.sampled_from(sorted(GOOD)))
    return Given(GOOD[kind](codes(n_rows, n_classes)), True, f"{kind}, {n_classes} classes")


@st.composite
def any_labels(draw, n_rows):
    case = draw(st.sampled_from(["good", "either", "wrong"]))
    if case == "good":
        return draw(good_labels(n_rows))
    kinds = EITHER if case == "either" else WRONG
    kind = draw(st.sampled_from(sorted(kinds)))
    value = kinds[kind](codes(n_rows, 2))
    return Given(value, None if case == "either" else False, kind)


WEIGHTS = {
    "none": (lambda n: None, True),
    "ones": (np.ones, True),
    "list": (lambda n: [1.0] * n, True),
    "int": (lambda n: np.arange(n) + 1, True),
    "some zero": (lambda n: np.arange(n) % 2, True),
    "scalar": (lambda n: 2.5, True),
    "numpy scalar": (lambda n: np.float32(2), True),
    "pandas": (lambda n: pd.Series(np.ones(n)), True),
    "polars": (lambda n: pl.Series(np.ones(n)), True),
    "torch": (torch.ones, True),
    "read-only": (lambda n: np.broadcast_to(1.0, n), True),
    "large": (lambda n: np.full(n, 1e300), None),
    "largest": (lambda n: np.full(n, 1.7e308), None),
    "small": (lambda n: np.full(n, 1e-300), None),
    "smallest": (lambda n: np.full(n, 5e-324), None),
    "far apart": (lambda n: 10.0 ** np.linspace(-300, 300, n), None),
    "column": (lambda n: np.ones((n, 1)), None),
    "bool": (lambda n: np.ones(n, dtype=bool), None),
    "text of numbers": (lambda n: ["1"] * n, None),
    "True": (lambda n: True, None),
    "negative": (lambda n: -np.ones(n), False),
    "one negative": (lambda n: np.r_[np.ones(n - 1), -1], False),
    "zeros": (np.zeros, False),
    "scalar 0": (lambda n: 0, False),
    "scalar negative": (lambda n: -1.0, False),
    "scalar NaN": (lambda n: float("nan"), False),
    "NaN": (lambda n: np.r_[np.ones(n - 1), np.nan], False),
    "inf": (lambda n: np.r_[np.ones(n - 1), np.inf], False),
    "NA": (lambda n: pd.Series([1.0] * (n - 1) + [None], dtype="Float64"), False),
    "words": (lambda n: ["a"] * n, False),
    "text": (lambda n: "balanced", False),
    "dict": (lambda n: {0: 1.0}, False),
    "set": (lambda n: {1.0}, False),
    "generator": (lambda n: (1.0 for _ in range(n)), False),
    "complex": (lambda n: np.ones(n) + 1j, False),
    "scalar complex": (lambda n: 1 + 1j, False),
    "dates": (lambda n: np.arange(n).astype("datetime64[D]"), False),
    "2-d": (lambda n: np.ones((n, 2)), False),
    "fewer": (lambda n: np.ones(n - 1), False),
    "none at all": (lambda n: [], False),
    "sparse": (lambda n: sparse.csr_array(np.ones((n, 1))), False),
    "objects": (lambda n: _objects([object()] * n), False),
    "function": (lambda n: len, False),
}
GROUPS = {
    "none": (lambda n: None, True),
    "int": (lambda n: np.arange(n) // 2, True),
    "list": (lambda n: [i // 2 for i in range(n)], True),
    "text": (lambda n: [f"p{i // 2}" for i in range(n)], True),
    "objects": (lambda n: _objects([f"p{i // 2}" for i in range(n)]), True),
    "float": (lambda n: np.arange(n) / 2, True),
    "pandas": (lambda n: pd.Series(np.arange(n) // 2), True),
    "pandas string": (lambda n: pd.Series([f"p{i // 2}" for i in range(n)], dtype="string"), True),
    "Categorical": (lambda n: pd.Categorical([f"p{i // 2}" for i in range(n)]), True),
    "polars": (lambda n: pl.Series(np.arange(n) // 2), True),
    "torch": (lambda n: torch.arange(n) // 2, True),
    "one group": (np.zeros, None),
    "dates": (lambda n: np.arange(n).astype("datetime64[D]"), None),
    "bytes": (lambda n: [b"a", b"b"] * (n // 2), None),
    "complex": (lambda n: np.arange(n) + 1j, None),
    "tuples": (lambda n: [(i // 2, 1) for i in range(n)], False),
    "sparse": (lambda n: sparse.csr_array(np.ones((n, 1))), False),
    "mixed": (lambda n: ["a", 1] * (n // 2), False),
    "mixed objects": (lambda n: _objects(["a", 1] * (n // 2)), False),
    "None among": (lambda n: _objects(["a", None] * (n // 2)), False),
    "NaN": (lambda n: np.r_[np.zeros(n - 1), np.nan], False),
    "NA": (lambda n: pd.Series([1] * (n - 1) + [pd.NA], dtype="Int64"), False),
    "column": (lambda n: np.zeros((n, 1)), False),
    "scalar": (lambda n: 3, False),
    "text itself": (lambda n: "patients", False),
    "fewer": (lambda n: np.arange(n - 1), False),
    "dict": (lambda n: {0: 1}, False),
    "set": (lambda n: {1, 2}, False),
    "generator": (lambda n: (i for i in range(n)), False),
    "objects itself": (lambda n: _objects([object() for _ in range(n)]), False),
    "ragged": (lambda n: [[1], [1, 2]] * (n // 2), False),
    "lists": (lambda n: _objects([[1], [2]] * (n // 2)), None),
    "dicts": (lambda n: _objects([{}, {}] * (n // 2)), False),
}


def _one_of(table, n_rows):
    def given(kind):
        make, good = table[kind]
        return Given(make(n_rows), good, kind)

    return st.sampled_from(sorted(table)).map(given)


def any_weights(n_rows):
    return _one_of(WEIGHTS, n_rows)


def any_groups(n_rows):
    return _one_of(GROUPS, n_rows)
