"""Rows of arrays and CSR matrices to dense float32 tensors, a bounded number at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from skdann._data.denoising import DenoisedRows

# A chunk of rows takes about an eighth of this, so that the rows and the activations that a network
# computes from them fit in the processor's cache.
_BLOCK_BYTES = 8 * 2**20

# Rows that are computed are kept if they need no more memory than this.
_COMPUTED_BYTES = 256 * 2**20

# A chunk has at least this many rows, however wide: each chunk loads all weights of the network.
_ROWS_PER_CHUNK = 128

# An ndarray of float32 or bytes, DenoisedRows, or a CSR array, which scipy has no types to name by.
Rows: TypeAlias = Any


class _DenseBlock(NamedTuple):
    """Rows of a block of steps: a table on the device, and the position of each row in it."""

    table: Tensor
    at: Tensor

    def write(self, rows: slice, out: Tensor) -> None:
        """Write some of the rows to `out`, as float32."""
        if self.table.dtype == out.dtype:
            torch.index_select(self.table, 0, self.at[rows], out=out)
        else:  # bytes
            out.copy_(self.table.index_select(0, self.at[rows]))


class _SparseBlock(NamedTuple):
    """Rows of a block of steps, still sparse."""

    csr: Rows

    def write(self, rows: slice, out: Tensor) -> None:
        """Write some of the rows to `out`, dense."""
        if out.device.type == "cpu":
            self.csr[rows].toarray(out=out.numpy())
        else:
            out.copy_(torch.from_numpy(self.csr[rows].toarray()))


class _ComputedBlock(NamedTuple):
    """Rows of a block of steps, to be computed when they are needed."""

    rows: Rows
    at: np.ndarray

    def write(self, rows: slice, out: Tensor) -> None:
        """Compute some of the rows and write them to `out`."""
        out.copy_(torch.from_numpy(self.rows[self.at[rows]]))


RowBlock: TypeAlias = _DenseBlock | _SparseBlock | _ComputedBlock


class RowTables:
    """The rows of a fit on its device.

    A dense array is moved there once, however many networks train on it; on a CPU the table is a
    view of the array, also of a memory map. Sparse rows stay where they are, and become dense step
    by step. Denoised rows are computed once if they fit into 256 MB, and otherwise step by step.

    Parameters
    ----------
    device : torch.device
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._tables: dict[int, tuple[Rows, Tensor]] = {}

    def block(self, X: Rows, rows: np.ndarray) -> RowBlock:
        """Return some rows of `X`, for many steps."""
        if sparse.issparse(X):
            return _SparseBlock(X[rows])
        is_computed = isinstance(X, DenoisedRows)
        if is_computed and 4 * math.prod(X.shape) > _COMPUTED_BYTES:
            return _ComputedBlock(X, rows)
        # The array is kept with its table, so that no other array can get the same id.
        if id(X) not in self._tables:
            table = X[:] if is_computed else X
            self._tables[id(X)] = X, _tensor_view(table).to(self.device)
        return _DenseBlock(self._tables[id(X)][1], torch.from_numpy(rows).to(self.device))


def row_chunks(
    X: Rows, device: torch.device, rows: np.ndarray | None = None, *, copy: bool = True
) -> Iterator[tuple[slice, Tensor]]:
    """Yield all rows of `X`, or those at `rows`, in order: slices of the result and dense rows.

    Bytes become float32. The tensors are of bounded size. They are copies, so that a module that
    changes its input does not change the data; with ``copy=False`` they may be views of it.
    """
    row_bytes = 4 * int(np.prod(X.shape[1:]))
    step = max(_ROWS_PER_CHUNK, _BLOCK_BYTES // (8 * row_bytes))
    n_rows = X.shape[0] if rows is None else len(rows)
    for start in range(0, n_rows, step):
        positions = slice(start, min(start + step, n_rows))
        chunk = X[positions if rows is None else rows[positions]]
        dense = chunk.toarray() if sparse.issparse(chunk) else chunk
        # Only a slice of a dense array is a view; indexing by `rows` and `toarray` make copies.
        shared = copy and rows is None and dense is chunk and dense.dtype == np.float32
        tensor = _tensor_view(np.array(dense) if shared else dense).to(device)
        yield positions, tensor.to(torch.float32)


def _tensor_view(array: np.ndarray) -> Tensor:
    # A reversed array, such as X[::-1]: torch has no negative strides.
    if any(stride < 0 for stride in array.strides):
        array = array.copy()
    # Memory maps may be read-only. torch warns of these; nothing here writes to a table.
    return torch.from_numpy(array if array.flags.writeable else np.asarray(_Writable(array)))


class _Writable:
    """The memory of a read-only array, which it keeps alive, for a view that may be written to."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        address = array.__array_interface__["data"][0]
        self.__array_interface__ = {**array.__array_interface__, "data": (address, False)}
