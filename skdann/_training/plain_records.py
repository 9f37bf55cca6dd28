"""Values of a fit as plain data, which is what files hold: numbers, text, arrays, containers.

Loading them runs no program, and they don't hang on the layout of any class.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skdann._data.recognition import DomainRecognition, RowTerms
from skdann._training.optimizers import OptimizerFactory
from skdann._training.plan import TrainingPlan
from skdann._training.settings import Settings
from skdann.schedules import Annealed, Constant, Ramp

# Values that are written as their fields.
_RECORDS: dict[str, Any] = {
    one.__name__: one
    for one in (
        *(Annealed, Constant, Ramp),
        *(DomainRecognition, RowTerms),
        *(OptimizerFactory, Settings, TrainingPlan),
    )
}
_CLASS = "class of this record"

# Arrays of up to this many bytes in all are compressed, which takes some hundredths of a second.
# Larger ones are not: it would take longer than to write them.
_COMPRESSED_BYTES = 4_000_000


# -- records and rows of figures -----------------------------------------------------------------


def plain_record(value: Any) -> Any:
    """Return a value with each record in it as a dict of its fields; other objects are left."""
    if type(value) in _RECORDS.values():
        values = {one.name: plain_record(getattr(value, one.name)) for one in fields(value)}
        return {_CLASS: type(value).__name__, **values}
    if type(value) in (list, tuple):
        return type(value)(map(plain_record, value))
    return value


def record_of(plain: Any) -> Any:
    """Return the value that `plain_record` was called with."""
    if type(plain) in (list, tuple):
        return type(plain)(map(record_of, plain))
    if type(plain) is not dict or _CLASS not in plain:
        return plain
    return _RECORDS[plain[_CLASS]](
        **{name: record_of(value) for name, value in plain.items() if name != _CLASS}
    )


def plain_rows(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return rows of figures as runs of rows with the same columns, and these as arrays.

    A row is a dict. Its values are numbers, lists of rows of figures, or anything else.
    """
    names = list(rows[0]) if rows else []
    if any(list(row) != names for row in rows):
        return {"rows": list(rows)}
    return {"n_rows": len(rows), **{name: _column([row[name] for row in rows]) for name in names}}


def rows_of(plain: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows that `plain_rows` was called with."""
    if "rows" in plain:
        return [dict(row) for row in plain["rows"]]
    columns = {name: _values(column) for name, column in plain.items() if name != "n_rows"}
    return [{name: column[i] for name, column in columns.items()} for i in range(plain["n_rows"])]


def _column(values: list[Any]) -> Any:
    kind = type(values[0])
    same = all(type(value) is kind for value in values)
    if same and kind in (bool, int, float):
        return np.array(values)
    if (
        (same and kind is list and values[0])
        and len({len(value) for value in values}) == 1
        and all(type(row) is dict for value in values for row in value)
    ):
        return [plain_rows(rows) for rows in zip(*values, strict=True)]
    return {"values": values}


def _values(column: Any) -> list[Any]:
    if isinstance(column, np.ndarray):
        return column.tolist()
    if isinstance(column, dict):
        return list(column["values"])
    return [list(rows) for rows in zip(*map(rows_of, column), strict=True)]


# -- arrays --------------------------------------------------------------------------------------


def packed(tensors: Mapping[str, Tensor]) -> list[dict[str, Any]]:
    """Return named tensors as one array of each dtype, or its compressed bytes, with the shapes."""
    of_dtype: dict[str, dict[str, np.ndarray]] = {}
    for name, tensor in tensors.items():
        array = tensor.numpy(force=True)
        of_dtype.setdefault(array.dtype.str, {})[name] = array
    return [_packed_together(dtype, arrays) for dtype, arrays in of_dtype.items()]


def unpacked(packs: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    """Return the named tensors, on the CPU."""
    tensors = {}
    for pack in packs:
        flat, start = _flat(pack), 0
        for name, shape in pack["shapes"].items():
            end = start + int(np.prod(shape, dtype=int))
            tensors[name] = torch.from_numpy(flat[start:end].reshape(shape).copy())
            start = end
    return tensors


def _packed_together(dtype: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    numbers: Any = np.concatenate([array.ravel() for array in arrays.values()])
    if numbers.nbytes <= _COMPRESSED_BYTES:
        # First the first bytes of all numbers, then the second: similar bytes side by side.
        in_bytes = numbers.view(np.uint8).reshape(len(numbers), -1).T
        numbers = zlib.compress(in_bytes.tobytes(), 6)
    shapes = {name: array.shape for name, array in arrays.items()}
    return {"dtype": dtype, "shapes": shapes, "numbers": numbers}


def _flat(pack: dict[str, Any]) -> np.ndarray:
    if isinstance(pack["numbers"], np.ndarray):
        return pack["numbers"]
    dtype = np.dtype(pack["dtype"])
    in_bytes = np.frombuffer(zlib.decompress(pack["numbers"]), np.uint8)
    flat: np.ndarray = in_bytes.reshape(dtype.itemsize, -1).T.copy().view(dtype)
    return flat.ravel()
