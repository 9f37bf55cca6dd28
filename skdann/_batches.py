"""Batches: the training record to minibatches of half source, half target rows.

Rows are gathered step by step from where they are, by indices that are drawn for many steps at
once; sparse rows become dense step by step. The source half depends on the source
alone: an epoch is one pass over the source rows, and target rows join it in an endless
shuffled cycle of their own.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
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

    def of(self, network: int, line: int | None = None) -> Batch:
        """Return the batch of one network, out of one with a leading axis.

        `line` is where along that axis its rows are, if not at `network`.
        """
        X, *rest = self
        at_network: list[Any] = [None if value is None else value[network] for value in rest]
        return Batch(X[network if line is None else line], *at_network)


@dataclass(frozen=True)
class UnwatchedData(TrainingData):
    """A record whose target rows count for the input scaling only: no batch brings them.

    At lambda 0 the label path is the same without them, and a step takes a third of the time.
    """


def unwatched(data: TrainingData) -> UnwatchedData:
    """Return the record as one of which no batch brings target rows."""
    return UnwatchedData(**{field.name: getattr(data, field.name) for field in fields(data)})


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
    order : hashable, default=None
        Stands for the two generators: equal orders, equal numbers. None is equal to no other.
    """

    def __init__(
        self,
        data: TrainingData,
        batch_size: int,
        source_order: np.random.Generator,
        target_order: np.random.Generator,
        tables: RowTables,
        order: Hashable = None,
    ) -> None:
        self.data = data
        self.n_source = min(batch_size, len(data.y_source))
        self.tables = tables
        self._order = order
        self._source = _ShuffledCycle(len(data.y_source), source_order)
        self._target: _ShuffledCycle | None = None
        if data.target_domain is not None and not isinstance(data, UnwatchedData):
            self._target = _ShuffledCycle(len(data.target_domain), target_order)

    def __len__(self) -> int:
        """Return the number of gradient steps in an epoch."""
        return -(-len(self.data.y_source) // self.n_source)

    @property
    def has_target(self) -> bool:
        """Whether its batches bring target rows."""
        return self._target is not None

    @property
    def kind(self) -> tuple[bool, ...]:
        """Which fields of its batches are there: only equal kinds can be stacked."""
        weights = self.data.label_weight, self.data.domain_weight
        return (self.has_target, *(weight is not None for weight in weights))

    @property
    def rows_key(self) -> Hashable:
        """Equal for batches that bring the same rows out of the same arrays in the same order."""
        if self._order is None:
            return id(self)
        data = self.data
        arrays: list[Any] = [data.X_source, data.source_rows]
        if self.has_target:
            arrays += [data.X_target, data.target_rows, data.target_domain]
        return (self._order, self.n_source, *map(id, arrays))

    def __iter__(self) -> Iterator[Batch]:
        """Yield every source row once; the last batch is filled from a new shuffle."""
        for batch in StackedBatches([self]):
            yield batch.of(0)

    def reshuffle(self) -> None:
        """Start a new pass over the source."""
        self._source.reshuffle()

    def _steps_per_block(self) -> int:
        """Return for how many steps indices, and sparse rows, are gathered at once."""
        row_bytes = _INDEX_BYTES
        X: Rows = self.data.X_source
        if sparse.issparse(X):
            row_bytes += 8 * X.nnz // X.shape[0]
        return max(1, _BLOCK_BYTES // (2 * self.n_source * row_bytes))

    def take(self, n_steps: int) -> _Taken:
        """Return the numbers of the next rows, of so many steps."""
        n_rows = n_steps * self.n_source
        source = self._source.take(n_rows)
        return _Taken(source, None if self._target is None else self._target.take(n_rows))

    def block(self, taken: _Taken) -> list[_Block]:
        """Return these rows: the source's, and the target's where it brings them."""
        data = self.data
        parts = [self.tables.block(data.X_source, at_rows(data.source_rows, taken.source))]
        if taken.target is not None:
            parts.append(self.tables.block(data.X_target, at_rows(data.target_rows, taken.target)))
        return parts

    def columns(self, taken: _Taken) -> list[np.ndarray | None]:
        """Return of these rows the fields of `Batch` behind ``X``, a line for each step."""
        data, shape = self.data, (-1, self.n_source)
        y = data.y_source[taken.source].reshape(shape)
        label_weight = _taken(data.label_weight, taken.source, shape)
        if taken.target is None or data.target_domain is None:
            return [y, label_weight, None, None]
        domain = np.concatenate(
            [np.zeros_like(y), data.target_domain[taken.target].reshape(shape)], axis=1
        )
        domain_weight = _taken(data.domain_weight, taken.source, shape)
        if domain_weight is not None:
            domain_weight = np.concatenate([domain_weight, np.ones_like(domain_weight)], axis=1)
        return [y, label_weight, domain, domain_weight]


class _Taken(NamedTuple):
    """Numbers of rows, step after step."""

    source: np.ndarray
    target: np.ndarray | None


class StackedBatches:
    """Iterable over the batches of k networks in step, as one with a leading axis of length k.

    Parameters
    ----------
    batches : sequence of k DomainBatches
        Of equal kind, length and batch size.
    lasting : bool, default=False
        Whether these networks take all their steps together. Then those whose batches bring the
        same rows share one draw of them and one line of ``X``; the others' own are not drawn.

    Attributes
    ----------
    lines : list of k int
        The line of ``X`` that holds a network's rows.
    """

    def __init__(self, batches: Sequence[DomainBatches], lasting: bool = False) -> None:
        self._batches = batches
        keys: list[Hashable] = [one.rows_key if lasting else i for i, one in enumerate(batches)]
        self.lines, leaders = shared_lines(keys)
        self._leaders = [batches[i] for i in leaders]

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches of an epoch; ``X`` has a line for each leader, the rest k."""
        for leader in self._leaders:
            leader.reshuffle()
        n_steps = len(self._batches[0])
        at_once = min(leader._steps_per_block() for leader in self._leaders)
        at_once = max(1, at_once // len(self._batches))
        for start in range(0, n_steps, at_once):
            yield from self._block(min(at_once, n_steps - start))

    def _block(self, n_steps: int) -> Iterator[Batch]:
        taken = [leader.take(n_steps) for leader in self._leaders]
        parts = [leader.block(one) for leader, one in zip(self._leaders, taken, strict=True)]
        of_networks = [
            batches.columns(taken[line])
            for batches, line in zip(self._batches, self.lines, strict=True)
        ]
        columns = [self._stacked(column) for column in zip(*of_networks, strict=True)]
        for step in range(n_steps):
            at_step: list[Any] = [None if column is None else column[step] for column in columns]
            yield Batch(self._gathered(parts, step), *at_step)

    def _gathered(self, parts: Sequence[list[_Block]], step: int) -> Tensor:
        """Return the rows of one step, source first, in a tensor of their own."""
        first = self._batches[0]
        n = first.n_source
        shape = len(parts), len(parts[0]) * n, *first.data.row_shape
        X = torch.empty(shape, device=first.tables.device)
        for line, of_line in enumerate(parts):
            for i, part in enumerate(of_line):
                part.write(slice(step * n, (step + 1) * n), X[line, i * n : (i + 1) * n])
        return X

    def _stacked(self, column: Sequence[np.ndarray | None]) -> Tensor | None:
        """Return a column of all networks on the device, of shape (n_steps, k, n)."""
        values = [value for value in column if value is not None]
        if not values:
            return None
        stack = values[0][:, None] if len(values) == 1 else np.stack(values, axis=1)
        return torch.from_numpy(stack).to(self._batches[0].tables.device)


def shared_lines(keys: Sequence[Hashable]) -> tuple[list[int], list[int]]:
    """Return the line of each key, equal keys on one line, and where each line's first key is."""
    first: dict[Hashable, int] = {}
    lines = [first.setdefault(key, len(first)) for key in keys]
    return lines, [lines.index(line) for line in range(len(first))]


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


def stratified_folds(
    codes: np.ndarray, n_folds: int, generator: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return folds of rows: training rows and held-out rows, about equally many of each class.

    The only row of a class is never held out. Without any row to hold out there are no folds.
    """
    fold_of, next_fold = np.full(len(codes), -1), 0
    for code in np.unique(codes):
        rows = generator.permutation(np.flatnonzero(codes == code))
        if len(rows) > 1:
            fold_of[rows] = (next_fold + np.arange(len(rows))) % n_folds
            next_fold += len(rows)
    pairs = [(np.flatnonzero(fold_of != f), np.flatnonzero(fold_of == f)) for f in range(n_folds)]
    return [(train, held_out) for train, held_out in pairs if len(held_out)]


def training_fold(data: TrainingData, train: np.ndarray) -> TrainingData:
    """Return the data with some of its source rows, by their positions, and all target rows."""
    assert data.target_domain is not None
    source = np.zeros(len(data.y_source), dtype=bool)
    source[train] = True
    return selected_rows(data, source, np.ones(len(data.target_domain), dtype=bool))


def selected_rows(
    data: TrainingData, source: np.ndarray, target: np.ndarray | None
) -> TrainingData:
    """Return the data with some of its rows; `X_source` and `X_target` are shared."""
    X_target = target_domain = target_rows = None
    if target is not None and target.any() and data.target_domain is not None:
        X_target, target_domain = data.X_target, data.target_domain[target]
        target_rows = at_rows(data.target_rows, np.flatnonzero(target))
    return replace(
        data,
        source_rows=at_rows(data.source_rows, np.flatnonzero(source)),
        y_source=data.y_source[source],
        label_weight=None if data.label_weight is None else data.label_weight[source],
        domain_weight=None if data.domain_weight is None else data.domain_weight[source],
        X_target=X_target,
        target_rows=target_rows,
        target_domain=target_domain,
    )


def at_rows(rows: np.ndarray | None, positions: np.ndarray) -> np.ndarray:
    """Return where in the array the rows are whose positions among those that count are given."""
    return positions if rows is None else rows[positions]


def _tensor_view(array: np.ndarray) -> Tensor:
    if any(stride < 0 for stride in array.strides):  # torch has none, not even of a single row
        array = array.copy()
    with warnings.catch_warnings():
        # Memory maps may be read-only; nothing here writes to a table.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def _taken(
    values: np.ndarray | None, rows: np.ndarray, shape: tuple[int, int]
) -> np.ndarray | None:
    return None if values is None else values[rows].reshape(shape)
