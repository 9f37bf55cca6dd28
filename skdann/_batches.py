"""Batches: the training record to minibatches of half source, half target rows.

Rows are gathered step by step from where they are, by indices that are drawn for many steps at
once; sparse rows become dense step by step. The source half depends on the source
alone: an epoch is one pass over the source rows, and target rows join it in an endless
shuffled cycle of their own.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from skdann._inputs import TrainingData

# Prepared at once: enough to spread the cost of preparing, small enough for a cache.
_BLOCK_BYTES = 8 * 2**20
# Weights pass through the cache once a chunk: a few wide rows don't pay for that.
_ROWS_PER_CHUNK = 128
# What the indices, codes and weights of a row take meanwhile.
_INDEX_BYTES = 64

# A float32 ndarray or CSR array; scipy has no types to name the latter by.
Rows: TypeAlias = Any


class Batch(NamedTuple):
    """The rows of one gradient step: ``n_source`` source rows, then as many target rows.

    Attributes
    ----------
    X : float32 Tensor of shape (n_source [+ n_target], *row_shape)
    y : int64 Tensor of shape (n_source,)
    label_weight : float32 Tensor of shape (n_source,), or None
    domain : int64 Tensor of shape (n_source + n_target,), or None without target rows
    domain_weight : float32 Tensor of shape (n_source + n_target,), or None
    """

    X: Tensor
    y: Tensor
    label_weight: Tensor | None
    domain: Tensor | None
    domain_weight: Tensor | None


class DomainBatches:
    """Iterable over the batches of one epoch; each iteration is another epoch.

    Parameters
    ----------
    data : TrainingData
    batch_size : int
        Source rows in a batch; smaller where the source has fewer rows.
    source_order, target_order : numpy.random.Generator
        Where the order of rows comes from.
    tables : RowTables
        Holds the rows on the device, for all batches that share them.
    """

    def __init__(
        self,
        data: TrainingData,
        batch_size: int,
        source_order: np.random.Generator,
        target_order: np.random.Generator,
        tables: RowTables,
    ) -> None:
        self.data = data
        self.n_source = min(batch_size, len(data.y_source))
        self._tables = tables
        self._source = _ShuffledCycle(len(data.y_source), source_order)
        self._target: _ShuffledCycle | None = None
        if data.target_domain is not None:
            self._target = _ShuffledCycle(len(data.target_domain), target_order)

    def __len__(self) -> int:
        """Return the number of gradient steps in an epoch."""
        return -(-len(self.data.y_source) // self.n_source)

    @property
    def kind(self) -> tuple[bool, ...]:
        """Which fields of its batches are there: only equal kinds can be stacked."""
        data = self.data
        optional = data.label_weight, data.target_domain, data.domain_weight
        return tuple(value is not None for value in optional)

    def __iter__(self) -> Iterator[Batch]:
        """Yield every source row once; the last batch is filled from a new shuffle."""
        self._source.reshuffle()
        done = 0
        while done < len(self):
            n_steps = min(self._steps_per_block(), len(self) - done)
            yield from self._block(n_steps)
            done += n_steps

    def _steps_per_block(self) -> int:
        """Return for how many steps indices, and sparse rows, are gathered at once."""
        row_bytes = _INDEX_BYTES
        X: Rows = self.data.X_source
        if sparse.issparse(X):
            row_bytes += 8 * X.nnz // X.shape[0]
        return max(1, _BLOCK_BYTES // (2 * self.n_source * row_bytes))

    def _block(self, n_steps: int) -> Iterator[Batch]:
        data, shape = self.data, (n_steps, self.n_source)
        source = self._source.take(n_steps * self.n_source)
        parts = [self._tables.block(data.X_source, _at(data.source_rows, source))]
        y = data.y_source[source].reshape(shape)
        label_weight = _taken(data.label_weight, source, shape)
        domain = domain_weight = None
        if self._target is not None and data.target_domain is not None:
            target = self._target.take(n_steps * self.n_source)
            parts.append(self._tables.block(data.X_target, _at(data.target_rows, target)))
            domain = np.zeros((n_steps, 2 * self.n_source), dtype=np.int64)
            domain[:, self.n_source :] = data.target_domain[target].reshape(shape)
            domain_weight = _taken(data.domain_weight, source, shape)
            if domain_weight is not None:
                domain_weight = np.concatenate([domain_weight, np.ones_like(domain_weight)], axis=1)
        columns = [self._on_device(a) for a in (y, label_weight, domain, domain_weight)]
        for step in range(n_steps):
            at_step: list[Any] = [None if column is None else column[step] for column in columns]
            yield Batch(self._gathered(parts, step), *at_step)

    def _gathered(self, parts: list[_Block], step: int) -> Tensor:
        """Return the rows of one step, source first, in a tensor of their own."""
        n = self.n_source
        X = torch.empty((len(parts) * n, *self.data.row_shape), device=self._tables.device)
        for i, part in enumerate(parts):
            part.write(slice(step * n, (step + 1) * n), X[i * n : (i + 1) * n])
        return X

    def _on_device(self, array: np.ndarray | None) -> Tensor | None:
        return None if array is None else torch.from_numpy(array).to(self._tables.device)


class _DenseBlock(NamedTuple):
    """Rows of a block of steps: a table on the device, and the position of each row in it."""

    table: Tensor
    at: Tensor

    def write(self, rows: slice, out: Tensor) -> None:
        """Write some of the rows to `out`."""
        torch.index_select(self.table, 0, self.at[rows], out=out)


class _SparseBlock(NamedTuple):
    """Rows of a block of steps, still sparse."""

    csr: Rows

    def write(self, rows: slice, out: Tensor) -> None:
        """Write some of the rows to `out`, dense."""
        if out.device.type == "cpu":
            self.csr[rows].toarray(out=out.numpy())
        else:
            out.copy_(torch.from_numpy(self.csr[rows].toarray()))


_Block: TypeAlias = _DenseBlock | _SparseBlock


class RowTables:
    """The rows of a fit on its device: dense ones move there once, whoever shares them.

    On a CPU a table is a view of the array, also of a memory map. Sparse rows stay where they
    are, and become dense step by step.

    Parameters
    ----------
    device : torch.device
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._tables: dict[int, tuple[Rows, Tensor]] = {}

    def block(self, X: Rows, rows: np.ndarray) -> _Block:
        """Return some rows of `X`, for many steps."""
        if sparse.issparse(X):
            return _SparseBlock(X[rows])
        if id(X) not in self._tables:
            self._tables[id(X)] = X, _tensor_view(X).to(self.device)
        return _DenseBlock(self._tables[id(X)][1], torch.from_numpy(rows).to(self.device))


def stacked(batches: Sequence[Batch]) -> Batch:
    """Return k batches, of as many networks or steps, as one with a leading axis of length k."""

    def along_axis(values: Sequence[Tensor | None]) -> Tensor | None:
        first = values[0]
        if first is None:
            return None
        return (
            first[None] if len(values) == 1 else torch.stack([v for v in values if v is not None])
        )

    columns: list[Any] = [along_axis(column) for column in zip(*batches, strict=True)]
    return Batch(*columns)


class _ShuffledCycle:
    """Row numbers in a random order, shuffled anew whenever all have been taken."""

    def __init__(self, n_rows: int, generator: np.random.Generator) -> None:
        self._n_rows = n_rows
        self._generator = generator
        self._rest = np.empty(0, dtype=np.int64)

    def reshuffle(self) -> None:
        """Start a new pass, whatever is left of the last."""
        self._rest = self._generator.permutation(self._n_rows)

    def take(self, count: int) -> np.ndarray:
        """Return the next `count` row numbers."""
        parts = []
        while count > len(self._rest):
            parts.append(self._rest)
            count -= len(self._rest)
            self.reshuffle()
        parts.append(self._rest[:count])
        self._rest = self._rest[count:]
        return np.concatenate(parts) if len(parts) > 1 else parts[0]


def row_chunks(
    X: Rows, device: torch.device, rows: np.ndarray | None = None, *, copy: bool = True
) -> Iterator[tuple[slice, Tensor]]:
    """Yield all rows of `X`, or those at `rows`, in order: slices of the result and dense rows.

    The tensors are of bounded size, and copies, so that a module that works in place can't reach
    the data; without `copy` they may be views of it.
    """
    row_bytes = 4 * int(np.prod(X.shape[1:]))
    step = max(_ROWS_PER_CHUNK, _BLOCK_BYTES // (8 * row_bytes))
    n_rows = X.shape[0] if rows is None else len(rows)
    for start in range(0, n_rows, step):
        positions = slice(start, min(start + step, n_rows))
        chunk = X[positions if rows is None else rows[positions]]
        dense = chunk.toarray() if sparse.issparse(chunk) else chunk
        shared = copy and rows is None and dense is chunk
        yield positions, _tensor_view(np.array(dense) if shared else dense).to(device)


def split_validation(
    data: TrainingData,
    fraction: float,
    source_generator: np.random.Generator,
    target_generator: np.random.Generator,
) -> tuple[TrainingData, TrainingData]:
    """Return the data without a random share of each class and target domain, and that share."""
    source = hold_out(data.y_source, fraction, source_generator)
    if not source.any():
        raise ValueError(
            "early_stopping=True needs source rows to validate on, but every class has a single "
            "row. Set early_stopping=False, or pass more rows."
        )
    target = None
    if data.target_domain is not None:
        target = hold_out(data.target_domain, fraction, target_generator)
    return selected_rows(data, ~source, None if target is None else ~target), selected_rows(
        data, source, target
    )


def hold_out(codes: np.ndarray, fraction: float, generator: np.random.Generator) -> np.ndarray:
    """Return a mask of about `fraction` of the rows of each code; one row of each code is kept.

    Where that comes to no row at all, one row of the commonest code is held out.
    """
    held = np.zeros(len(codes), dtype=bool)
    counts = np.bincount(codes)
    for code in np.flatnonzero(counts):
        n_held = min(round(fraction * counts[code]), counts[code] - 1)
        held[generator.permutation(np.flatnonzero(codes == code))[:n_held]] = True
    if not held.any() and counts.max() > 1:
        held[generator.choice(np.flatnonzero(codes == counts.argmax()))] = True
    return held


def selected_rows(
    data: TrainingData, source: np.ndarray, target: np.ndarray | None
) -> TrainingData:
    """Return the data with some of its rows; `X_source` and `X_target` are shared."""
    X_target = target_domain = target_rows = None
    if target is not None and target.any() and data.target_domain is not None:
        X_target, target_domain = data.X_target, data.target_domain[target]
        target_rows = _at(data.target_rows, np.flatnonzero(target))
    return replace(
        data,
        source_rows=_at(data.source_rows, np.flatnonzero(source)),
        y_source=data.y_source[source],
        label_weight=None if data.label_weight is None else data.label_weight[source],
        domain_weight=None if data.domain_weight is None else data.domain_weight[source],
        X_target=X_target,
        target_rows=target_rows,
        target_domain=target_domain,
    )


def _at(rows: np.ndarray | None, positions: np.ndarray) -> np.ndarray:
    """Return where in the array the rows are whose positions among those that count are given."""
    return positions if rows is None else rows[positions]


def _tensor_view(array: np.ndarray) -> Tensor:
    if any(stride < 0 for stride in array.strides):  # torch has none
        array = np.ascontiguousarray(array)
    with warnings.catch_warnings():
        # Memory maps may be read-only; nothing here writes to a table.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def _taken(
    values: np.ndarray | None, rows: np.ndarray, shape: tuple[int, int]
) -> np.ndarray | None:
    return None if values is None else values[rows].reshape(shape)
