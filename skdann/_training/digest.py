"""Digest: any values to a short name, the same in every process, for what hangs on them."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import pickle
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from scipy import sparse

# Code of these packages is known by their versions; of other code its instructions count.
_KNOWN_CODE = {"builtins", "functools", "numpy", "scipy", "sklearn", "skdann", "skorch", "torch"}

# Rows of an array that are read at once, in bytes: a memory map may be larger than memory.
_BLOCK_BYTES = 16 * 2**20


def digest(*values: Any) -> str:
    """Return 16 hexadecimal digits that hang on what is in the values.

    Arrays, tensors and containers count by what they hold, modules and other objects by their
    class and their attributes, and functions and classes of the user's by their code too. What
    such code calls elsewhere is not looked at.

    Examples
    --------
    >>> from skdann._training.digest import digest
    >>> digest([1.0, "a"]) == digest([1.0, "a"]) != digest([1, "a"])
    True
    """
    hashed = hashlib.blake2b(digest_size=8)
    for piece in _pieces(values, ()):
        hashed.update(piece)
    return hashed.hexdigest()


def _pieces(value: Any, inside: tuple[int, ...]) -> Iterator[Any]:
    """Yield bytes that tell a value from others; `inside` are the ids of what holds it."""
    kind = type(value)
    yield f"<{kind.__module__}.{kind.__qualname__}>".encode()
    if id(value) in inside:  # a circle: which of the values around it is enough
        yield str(len(inside) - inside.index(id(value))).encode()
        return
    inside = (*inside, id(value))
    if isinstance(value, np.ndarray):
        yield from _of_array(value)
    elif isinstance(value, torch.Tensor):
        yield f"{value.dtype}{tuple(value.shape)}{value.requires_grad}".encode()
        numbers = torch.atleast_1d(value.detach().cpu()).contiguous()
        yield from _of_array(numbers.view(torch.uint8).numpy())
    else:
        for part in _parts(value):
            yield from [part] if isinstance(part, bytes) else _pieces(part, inside)
    yield b">"


def _parts(value: Any) -> Any:
    """Return what a value consists of: bytes, or values to look into."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | np.generic):
        return [repr(value).encode()]
    if sparse.issparse(value):
        rows = value.tocsr()
        return [rows.shape, rows.indptr, rows.indices, rows.data]
    if isinstance(value, Mapping):
        return [part for item in value.items() for part in item] + [len(value)]
    if isinstance(value, list | tuple):
        return [*value, len(value)]
    if isinstance(value, set | frozenset):
        return sorted(digest(one).encode() for one in value)
    for kinds, of_kind in _KINDS:
        if isinstance(value, kinds):
            return of_kind(value)
    if dataclasses.is_dataclass(value) or hasattr(value, "__dict__"):
        return [type(value), vars(value)]
    return [_pickled(value)]


def _of_array(values: np.ndarray) -> Iterator[Any]:
    yield f"{values.dtype}{values.shape}".encode()
    if values.dtype.hasobject:
        yield repr(values.tolist()).encode()
        return
    rows = np.atleast_1d(values)
    at_once = max(1, _BLOCK_BYTES // max(1, rows.nbytes // max(1, len(rows))))
    for start in range(0, len(rows), at_once):
        yield np.ascontiguousarray(rows[start : start + at_once]).tobytes()


def _pickled(value: Any) -> bytes:
    try:
        return pickle.dumps(value)
    except Exception:  # anything may be an attribute of a user's object
        return b""


def _of_code(code: types.CodeType) -> list[Any]:
    return [code.co_code, code.co_consts, code.co_names]


def _of_partial(value: functools.partial[Any]) -> list[Any]:
    return [value.func, value.args, value.keywords]


def _of_method(value: types.MethodType) -> list[Any]:
    return [value.__func__, value.__self__]


def _named(value: Any) -> bytes:
    names = getattr(value, "__module__", None), getattr(value, "__qualname__", repr(type(value)))
    return repr(names).encode()


def _is_known(value: Any) -> bool:
    return str(getattr(value, "__module__", None)).partition(".")[0] in _KNOWN_CODE


def _of_function(function: types.FunctionType) -> list[Any]:
    if _is_known(function):
        return [_named(function)]
    cells = [_content(cell) for cell in function.__closure__ or ()]
    return [
        _named(function),
        function.__code__,
        function.__defaults__,
        function.__kwdefaults__,
        cells,
    ]


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing has been assigned yet
        return None


def _of_class(kind: type) -> list[Any]:
    own = [one for one in inspect.getmro(kind) if not _is_known(one)]
    code: list[Any] = []
    for one in own:
        for name, value in sorted(vars(one).items()):
            value = getattr(value, "__func__", getattr(value, "fget", value))
            if isinstance(value, types.FunctionType | bool | int | float | str | tuple):
                code += [name, value]
    return [_named(kind), *[_named(one) for one in own], *code]


_KINDS: list[tuple[Any, Callable[[Any], list[Any]]]] = [
    (types.CodeType, _of_code),
    (functools.partial, _of_partial),
    (types.MethodType, _of_method),
    (types.FunctionType, _of_function),
    (types.BuiltinFunctionType, lambda function: [_named(function)]),
    (type, _of_class),
]
