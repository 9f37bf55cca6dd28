"""Rows in containers of all kinds, with values of all kinds: for `X`, `X_tgt` and `predict`."""

from __future__ import annotations

import datetime
import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import torch
from hypothesis import strategies as st
from scipy import sparse


@dataclass(frozen=True)
class Given:
    """What is passed, and whether it must be taken (True), refused (False), or either (None)."""

    value: Any
    good: bool | None
    what: str

    def __repr__(self):
        return f"Given({self.what}, good={self.good})"


NAMES = ("age", "income", "height", "weight", "score", "rate")


def framed(a, **more):
    return pd.DataFrame(a, columns=list(NAMES[: a.shape[1]]), **more)


def _mapped(a):
    with tempfile.TemporaryFile() as file:  # the map goes on without it
        mapped = np.memmap(file, dtype=np.float32, shape=a.shape, mode="w+")
    mapped[:] = a
    return mapped


def _read_only(a):
    a = a.astype(np.float32)
    a.flags.writeable = False
    return a


def _strided(a):
    wide = np.zeros((2 * a.shape[0], 3 * a.shape[1]))
    view = wide[::2, ::3]
    view[:] = a
    return view


def _unsorted(a):
    """A CSR matrix with indices in falling order, an explicit zero and 64-bit indices."""
    found = sparse.csr_array(a)
    order = np.concatenate(
        [np.arange(*found.indptr[i : i + 2])[::-1] for i in range(len(a))] + [[]]
    ).astype(int)
    data, indices = found.data[order], found.indices[order].astype(np.int64)
    if len(data):
        data = data.copy()
    return sparse.csr_array((data, indices, found.indptr.astype(np.int64)), shape=a.shape)


def _with_twice(a):
    """A COO matrix that has each entry as two halves."""
    found = sparse.coo_array(a)
    row, col = found.coords
    twice = (np.r_[row, row], np.r_[col, col])
    return sparse.coo_array((np.r_[found.data, found.data] / 2, twice), shape=a.shape)


# Containers that hold the same numbers. A fit takes all of them.
SAME = {
    "float64": lambda a: a,
    "float32": lambda a: a.astype(np.float32),
    "longdouble": lambda a: a.astype(np.longdouble),
    "big-endian": lambda a: a.astype(">f8"),
    "Fortran": np.asfortranarray,
    "negative strides": lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
    "strided": _strided,
    "read-only": _read_only,
    "memmap": _mapped,
    "list": lambda a: a.tolist(),
    "tuple of tuples": lambda a: [tuple(row) for row in a.tolist()],
    "list of arrays": list,
    "object": lambda a: a.astype(object),
    "pandas": framed,
    "pandas without names": pd.DataFrame,
    "pandas object": lambda a: framed(a.astype(object)),
    "pandas odd index": lambda a: framed(a, index=np.arange(len(a))[::-1] * 3),
    "pandas nullable": lambda a: framed(a).astype("Float64"),
    "pandas Arrow": lambda a: framed(a).astype(pd.ArrowDtype(pa.float64())),
    "pandas sparse": lambda a: framed(a).astype(pd.SparseDtype(float, 0.0)),
    "polars": lambda a: pl.DataFrame(a, schema=list(NAMES[: a.shape[1]]), orient="row"),
    "torch": lambda a: torch.tensor(a),
    "torch float32": lambda a: torch.tensor(a, dtype=torch.float32),
    "torch strided": lambda a: torch.tensor(a.T.copy()).T,
}
SPARSE = {
    f"{name}_{kind}": getattr(sparse, f"{name}_{kind}")
    for name in ("csr", "csc", "coo", "bsr", "dia", "dok", "lil")
    for kind in ("matrix", "array")
} | {"csr unsorted": _unsorted, "coo twice": _with_twice}
# Containers that round the numbers, but hold numbers.
ROUNDED = {
    "float16": lambda a: a.astype(np.float16),
    "int64": lambda a: np.round(3 * a).astype(np.int64),
    "int8": lambda a: np.round(3 * a).astype(np.int8),
    "uint8": lambda a: np.round(10 + 3 * a).astype(np.uint8),
    "bool": lambda a: a > 0,
    "pandas mixed": lambda a: framed(a).assign(age=a[:, 0] > 0),
    "pandas Int64": lambda a: framed(np.round(a).astype(int)).astype("Int64"),
    "pandas boolean": lambda a: framed(a > 0).astype("boolean"),
    "polars int": lambda a: pl.DataFrame(
        np.round(a).astype(int), schema=list(NAMES[: a.shape[1]]), orient="row"
    ),
    "torch int": lambda a: torch.tensor(np.round(a).astype(int)),
    "torch bool": lambda a: torch.tensor(a > 0),
}
# What may be taken or refused, as scikit-learn or the container's library decides.
EITHER = {
    "np.matrix": lambda a: a.view(np.matrix),
    "masked": lambda a: np.ma.masked_array(a, mask=a > 1),
    "text of numbers": lambda a: a.astype(str),
    "objects, text of numbers": lambda a: a.astype(str).astype(object),
    "pandas text of numbers": lambda a: framed(a.astype(str)),
    "pandas category of numbers": lambda a: framed(np.round(a)).astype("category"),
    "pandas same names": lambda a: pd.DataFrame(a, columns=["a"] * a.shape[1]),
    "pandas mixed names": lambda a: pd.DataFrame(a, columns=["a", 1, 2, 3, 4, 5][: a.shape[1]]),
    "pandas tuple names": lambda a: pd.DataFrame(a, columns=[(i, "x") for i in range(a.shape[1])]),
    "pandas two levels": lambda a: (
        pd.DataFrame(a, columns=pd.MultiIndex.from_tuples([("u", i) for i in range(a.shape[1])]))
        if a.shape[1]
        else pd.DataFrame(a)
    ),
    "pandas NA": lambda a: framed(a.astype(object)).mask(a > 1, pd.NA),
    "polars null": lambda a: pl.DataFrame(
        [[None if v > 1 else v for v in row] for row in a.tolist()],
        schema={name: pl.Float64 for name in NAMES[: a.shape[1]]},
        orient="row",
    ),
    "Arrow table": lambda a: pa.table(dict(zip(NAMES, a.T, strict=False))),
    "torch bfloat16": lambda a: torch.tensor(a, dtype=torch.bfloat16),
    "torch with gradient": lambda a: torch.tensor(a, requires_grad=True),
    "torch sparse": lambda a: torch.tensor(a).to_sparse(),
    "sparse bool": lambda a: sparse.csr_array(a > 0),
    "pandas Decimal": lambda a: framed(a).astype(pd.ArrowDtype(pa.decimal128(20, 5))),
    "list of lists of arrays": lambda a: [[np.array(v) for v in row] for row in a],
    "list of Series": lambda a: [pd.Series(row) for row in a],
}


def _times(a, unit):
    return np.round(a).astype("int64").astype(unit)


DAY = datetime.date(2026, 1, 2)
# What is not rows of numbers. All of it is refused.
WRONG = {
    "complex": lambda a: a + 1j,
    "complex64": lambda a: (a + 0j).astype(np.complex64),
    "objects, complex": lambda a: (a + 1j).astype(object),
    "pandas complex": lambda a: framed(a + 1j),
    "sparse complex": lambda a: sparse.csr_array(a + 1j),
    "torch complex": lambda a: torch.tensor(a + 1j),
    "list of complex": lambda a: (a + 1j).tolist(),
    "words": lambda a: np.full(a.shape, "word"),
    "objects, words": lambda a: np.full(a.shape, "word", dtype=object),
    "list of words": lambda a: np.full(a.shape, "word").tolist(),
    "bytes": lambda a: np.full(a.shape, b"word"),
    "dates": lambda a: _times(a, "datetime64[D]"),
    "durations": lambda a: _times(a, "timedelta64[s]"),
    "objects, dates": lambda a: np.full(a.shape, DAY, dtype=object),
    "list of dates": lambda a: np.full(a.shape, DAY, dtype=object).tolist(),
    "records": lambda a: np.zeros(len(a), dtype=[("a", float), ("b", int)]),
    "void": lambda a: np.zeros(a.shape, dtype="V4"),
    "objects, None": lambda a: np.full(a.shape, None, dtype=object),
    "objects": lambda a: np.array([[object() for _ in row] for row in a], dtype=object),
    "list of dicts": lambda a: [dict(enumerate(row)) for row in a],
    "list of sets": lambda a: [{1.0, 2.0} for _ in a],
    "dict of columns": lambda a: dict(zip(NAMES, a.T, strict=False)),
    "set": lambda a: set(a.ravel().tolist()),
    "generator": lambda a: (row for row in a),
    "iterator": lambda a: iter(a.tolist()),
    "zip": lambda a: zip(a.tolist(), a.tolist(), strict=True),
    "range": lambda a: range(len(a)),
    "text": lambda a: "a table",
    "path": lambda a: "rows.csv",
    "number": lambda a: 3.5,
    "None": lambda a: None,
    "class": lambda a: np.ndarray,
    "function": lambda a: len,
    "object itself": lambda a: object(),
    "0-d": lambda a: np.array(1.5),
    "1-d": lambda a: np.arange(float(len(a))),
    "1-d list": lambda a: list(range(len(a))),
    "3-d": lambda a: a[:, :, None],
    "4-d": lambda a: np.zeros((len(a), 2, 2, 2)),
    "3-d list": lambda a: a[:, :, None].tolist() or [[[]]],
    "torch 3-d": lambda a: torch.tensor(a)[:, :, None],
    "torch 1-d": lambda a: torch.arange(len(a)),
    "torch 0-d": lambda a: torch.tensor(1.0),
    "torch meta": lambda a: torch.zeros(a.shape, device="meta"),
    "sparse 1-d": lambda a: sparse.coo_array(np.arange(float(len(a) + 1))),
    "ragged": lambda a: [list(range(1 + i % 2)) for i in range(len(a) + 2)],
    "ragged arrays": lambda a: [np.zeros(1 + i % 2) for i in range(len(a) + 2)],
    "no rows": lambda a: a[:0],
    "no rows, list": lambda a: [],
    "no rows, pandas": lambda a: framed(a[:0]),
    "no rows, sparse": lambda a: sparse.csr_array((0, a.shape[1])),
    "no columns": lambda a: a[:, :0],
    "no columns, pandas": lambda a: framed(a[:, :0]),
    "no columns, list": lambda a: [[] for _ in a],
    "Series": lambda a: pd.Series(np.arange(float(len(a)))),
    "polars Series": lambda a: pl.Series(np.arange(float(len(a)))),
    "Arrow array": lambda a: pa.array(np.arange(float(len(a)))),
    "Index": lambda a: pd.Index(np.arange(float(len(a)))),
    "pandas words": lambda a: framed(a).assign(town="Ulm"),
    "pandas object words": lambda a: framed(a).assign(
        town=pd.Series(["Ulm"] * len(a), dtype=object)
    ),
    "pandas category of words": lambda a: framed(a).assign(town=pd.Categorical(["Ulm"] * len(a))),
    "pandas Arrow words": lambda a: framed(a).assign(
        town=pd.Series(["Ulm"] * len(a), dtype=pd.ArrowDtype(pa.string()))
    ),
    "pandas bytes": lambda a: framed(a).assign(town=b"Ulm"),
    "pandas dates": lambda a: framed(a).assign(day=pd.Timestamp("2026-01-02")),
    "pandas dates with zone": lambda a: framed(a).assign(day=pd.Timestamp("2026-01-02", tz="UTC")),
    "pandas durations": lambda a: framed(a).assign(wait=pd.Timedelta("3h")),
    "pandas periods": lambda a: framed(a).assign(month=pd.Period("2026-01")),
    "pandas intervals": lambda a: framed(a).assign(bin=pd.Interval(0, 1)),
    "pandas Arrow dates": lambda a: framed(a).assign(
        day=pd.Series([DAY] * len(a), dtype=pd.ArrowDtype(pa.date32()))
    ),
    "pandas lists": lambda a: framed(a).assign(tags=pd.Series([[1, 2]] * len(a))),
    "pandas Arrow lists": lambda a: framed(a).assign(
        tags=pd.Series([[1, 2]] * len(a), dtype=pd.ArrowDtype(pa.list_(pa.int64())))
    ),
    "pandas dicts": lambda a: framed(a).assign(tags=pd.Series([{"a": 1}] * len(a))),
    "pandas date objects": lambda a: framed(a).assign(day=pd.Series([DAY] * len(a), dtype=object)),
    "polars words": lambda a: SAME["polars"](a).with_columns(town=pl.lit("Ulm")),
    "polars category": lambda a: SAME["polars"](a).with_columns(
        town=pl.lit("Ulm").cast(pl.Categorical)
    ),
    "polars dates": lambda a: SAME["polars"](a).with_columns(day=pl.lit(DAY)),
    "polars lists": lambda a: SAME["polars"](a).with_columns(tags=pl.lit([1, 2])),
    "polars lazy": lambda a: SAME["polars"](a).lazy(),
    "pandas groups": lambda a: framed(a).groupby(NAMES[0]),
}

PATTERNS = {
    "normal": lambda a: a,
    "counts": lambda a: np.abs(np.round(a)),
    "zeros": np.zeros_like,
    "constant column": lambda a: np.where(np.arange(a.shape[1]) == 0, 7.0, a),
    "equal rows": lambda a: np.broadcast_to(a[:1], a.shape).copy() if len(a) else a,
    "large": lambda a: 1e6 * a,
    "huge": lambda a: 1e30 * a,
    "small": lambda a: 1e-6 * a,
    "tiny": lambda a: 1e-42 * a,
    "offset": lambda a: a + 1e5,
}
NOT_FINITE = {
    "one NaN": lambda a: _with(a, np.nan),
    "one inf": lambda a: _with(a, np.inf),
    "one -inf": lambda a: _with(a, -np.inf),
    "NaN and inf": lambda a: _with(_with(a, np.nan), np.inf, -1),
    "all NaN": lambda a: np.full_like(a, np.nan),
    "column of NaN": lambda a: np.where(np.arange(a.shape[1]) == 0, np.nan, a),
    "too large": lambda a: _with(a, 1e39),
    "largest": lambda a: _with(a, np.finfo(np.float64).max),
}


def _with(a, value, at=0):
    changed = a.copy()
    changed.flat[at] = value
    return changed


def numbers(n_rows, width, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, width))


@st.composite
def arrays(draw, n_rows, width, patterns=tuple(PATTERNS)):
    """Draw finite rows as a float64 array."""
    a = numbers(n_rows, width, draw(st.integers(0, 9)))
    return PATTERNS[draw(st.sampled_from(patterns))](a)


@st.composite
def good_rows(draw, n_rows, width):
    """Draw rows that must be taken: any container of numbers, any finite values."""
    pattern = draw(st.sampled_from(sorted(PATTERNS)))
    kinds = SAME | SPARSE
    if pattern in ("normal", "counts", "zeros", "constant column", "equal rows"):
        kinds = kinds | ROUNDED
    kind = draw(st.sampled_from(sorted(kinds)))
    a = PATTERNS[pattern](numbers(n_rows, width, draw(st.integers(0, 9))))
    return Given(kinds[kind](a), True, f"{kind} of {pattern}, {n_rows} x {width}")


@st.composite
def any_rows(draw, n_rows, width):
    """Draw anything in the place of rows."""
    case = draw(st.sampled_from(["good", "either", "wrong", "wrong", "not finite"]))
    if case == "good":
        return draw(good_rows(n_rows, width))
    seed = draw(st.integers(0, 9))
    if case == "not finite":
        kinds = {**SAME, **SPARSE}
        kind, pattern = draw(st.sampled_from(sorted(kinds))), draw(st.sampled_from([*NOT_FINITE]))
        a = NOT_FINITE[pattern](numbers(n_rows, width, seed))
        with np.errstate(over="ignore"):
            return Given(kinds[kind](a), False, f"{kind} of {pattern}, {n_rows} x {width}")
    kinds = EITHER if case == "either" else WRONG
    kind = draw(st.sampled_from(sorted(kinds)))
    value = kinds[kind](numbers(n_rows, width, seed))
    return Given(value, None if case == "either" else False, f"{kind}, {n_rows} x {width}")
