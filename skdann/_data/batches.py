"""Batches: minibatches of half source, half target rows, made from the training record.

Where some target rows have labels, a few of these come in front.

The indices of rows are drawn for many steps at once. The rows themselves are copied step by step;
sparse rows become dense then. An epoch is one pass over the source rows. Target rows are taken
from a shuffled cycle of their own, which does not end with the epoch. So the source half of a
batch does not depend on the target.

**What networks that train together share.** k networks take a step on one `Batch` with a leading
axis of length k. If two of them take the same rows of the same arrays in the same order, they share
one element of ``X``, called a *slot*, and the rows are copied once. So ``X`` may have fewer than k
elements. `slots_of` finds equal rows by keys (which arrays, which seeds), and never compares the
numbers in them. Scaled rows (`BatchScaling`) and dropout masks (`StackedObjective`) are shared in
the same way. Labels, domains and weights are small: each network has its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from skdann._data.record import TrainingData, at_rows
from skdann._data.sparse_rows import SparseRows
from skdann._data.tensors import RowBlock, Rows, RowTables

# Indices, codes and weights (and sparse rows) of many steps are prepared together, in about this
# much memory.
_BLOCK_BYTES = 8 * 2**20

# Memory for the index, codes and weights of one row.
_INDEX_BYTES = 64

# For so many source rows of a batch there is one labelled target row, as long as there are enough.
_SOURCE_PER_LABELLED = 4


class Batch(NamedTuple):
    """The rows of one gradient step: ``n_source`` source rows, then as many target rows.

    In front of them are ``n_few`` target rows with a label, if there are any. So the first rows
    are those of the label loss, and the last those of the domain loss.

    Attributes
    ----------
    X : float32 Tensor of shape (n_few + n_source [+ n_target], *row_shape)
        Or, of networks whose first layer multiplies sparse rows, a list of SparseRows in place of
        the leading axis.
    y : int64 Tensor of shape (n_few + n_source,)
    label_weight : float32 Tensor of shape (n_few + n_source,), or None
    domain : int64 Tensor of shape (n_source + n_target,), or None without target rows
    domain_weight : float32 Tensor of shape (n_source + n_target,), or None
    few_domain : int64 Tensor of shape (n_few,), or None
        Domains of the target rows with a label.
    """

    X: Any
    y: Tensor
    label_weight: Tensor | None
    domain: Tensor | None
    domain_weight: Tensor | None
    few_domain: Tensor | None = None

    @property
    def n_few(self) -> int:
        """The number of target rows with a label."""
        return 0 if self.few_domain is None else self.few_domain.shape[-1]

    def of(self, network: int, slot: int | None = None) -> Batch:
        """Return the batch of one network, out of one with a leading axis.

        `slot` is the position of its rows along that axis of ``X``; None means `network`.
        """
        X, *rest = self
        at_network: list[Any] = [None if value is None else value[network] for value in rest]
        return Batch(X[network if slot is None else slot], *at_network)


class DomainBatches:
    """Iterable over the batches of one epoch; each iteration is another epoch.

    Parameters
    ----------
    data : TrainingData
    batch_size : int
        Source rows in a batch; smaller where the source has fewer rows.
    source_order, target_order, few_order : numpy.random.Generator
        They draw the order of the rows: of the source, of the target, and of the target rows with
        a label.
    tables : RowTables
        Holds the rows on the device, for all batches that share them.
    order : hashable, default=None
        Equal for generators that started with equal seeds. None: equal to no other.
    with_target : bool, default=True
        Whether batches bring target rows, where `data` has any. Without them a step takes a third
        of the time, and at lambda 0 the label path is the same.
    few_share : float in [0, 1], default=0
        Share of the label loss that target rows with a label have. With 0 they count as target
        rows only.
    """

    def __init__(
        self,
        data: TrainingData,
        batch_size: int,
        source_order: np.random.Generator,
        target_order: np.random.Generator,
        tables: RowTables,
        order: Hashable = None,
        *,
        with_target: bool = True,
        few_order: np.random.Generator | None = None,
        few_share: float = 0.0,
    ) -> None:
        self.data = data
        self.n_source = min(batch_size, len(data.y_source))
        self.tables = tables
        self._order = order
        self._source = _ShuffledCycle(len(data.y_source), source_order)
        self._target: _ShuffledCycle | None = None
        if data.target_domain is not None and with_target:
            self._target = _ShuffledCycle(len(data.target_domain), target_order)
        self._few: _ShuffledCycle | None = None
        self._few_rows = data.labelled_target
        self._few_share = few_share
        self.n_few = 0
        if few_order is not None and few_share > 0 and len(self._few_rows):
            self._few = _ShuffledCycle(len(self._few_rows), few_order)
            self.n_few = min(len(self._few_rows), -(-self.n_source // _SOURCE_PER_LABELLED))

    def __len__(self) -> int:
        """Return the number of gradient steps in an epoch."""
        return -(-len(self.data.y_source) // self.n_source)  # rounded up

    @property
    def has_target(self) -> bool:
        """Whether its batches bring target rows."""
        return self._target is not None

    @property
    def fields(self) -> tuple[int, ...]:
        """Which optional fields its batches have; only batches with the same fields are stacked."""
        label_weight = self.n_few > 0 or self.data.label_weight is not None
        return self.has_target, label_weight, self.data.domain_weight is not None, self.n_few

    @property
    def rows_key(self) -> Hashable:
        """Equal for batches with the same rows of the same arrays in the same order."""
        if self._order is None:
            return id(self)
        data = self.data
        # Arrays are compared by identity: to compare their values would cost a pass over the data.
        arrays: list[Any] = [data.X_source, data.source_rows]
        if self.has_target or self.n_few:
            arrays += [data.X_target, data.target_rows, data.target_domain]
        if self.n_few:
            arrays.append(data.y_target)
        return (self._order, self.n_source, self.n_few, *map(id, arrays))

    def __iter__(self) -> Iterator[Batch]:
        """Yield every source row once; the last batch is filled from a new shuffle."""
        for batch in StackedBatches([self]):
            yield batch.of(0)

    def reshuffle(self) -> None:
        """Start a new pass over the source."""
        self._source.reshuffle()

    def state(self) -> list[Tensor]:
        """Return the rows that are left of the shuffles; the generators have a state of their own.

        With it, and theirs, the next epochs are the same as here.
        """
        cycles = [one for one in (self._source, self._target, self._few) if one is not None]
        return [torch.from_numpy(one.rest) for one in cycles]

    def go_on_from(self, state: Sequence[Tensor]) -> None:
        """Go on from an earlier `state`."""
        cycles = [one for one in (self._source, self._target, self._few) if one is not None]
        for cycle, rest in zip(cycles, state, strict=True):
            cycle.rest = rest.numpy()

    def _steps_per_block(self) -> int:
        """Return the number of steps whose indices, and sparse rows, are prepared at once."""
        row_bytes = _INDEX_BYTES
        X: Rows = self.data.X_source
        if sparse.issparse(X):
            # A stored value takes 4 bytes (float32), and its column number 4 more.
            row_bytes += 8 * X.nnz // X.shape[0]
        # A step has n_source source rows and as many target rows.
        return max(1, _BLOCK_BYTES // (2 * self.n_source * row_bytes))

    def take(self, n_steps: int) -> _Taken:
        """Return the numbers of the rows of the next `n_steps` steps."""
        n_rows = n_steps * self.n_source
        source = self._source.take(n_rows)
        target = None if self._target is None else self._target.take(n_rows)
        few = None
        if self._few is not None:
            few = self._few_rows[self._few.take(n_steps * self.n_few)]
        return _Taken(source, target, few)

    def write_all(self, out: Tensor) -> None:
        """Write all rows in the order of the record, (n_source [+ n_target], *row_shape)."""
        n_source = len(self.data.y_source)
        n_target = len(out) - n_source
        of_target = np.arange(n_target) if n_target else None
        blocks = self.block(_Taken(np.arange(n_source), of_target))
        blocks[0].write(slice(None), out[:n_source])
        if n_target:
            blocks[1].write(slice(None), out[n_source:])

    def block(self, taken: _Taken) -> list[RowBlock]:
        """Return these rows, in the order that they have in a batch."""
        data = self.data

        def of_target(rows: np.ndarray) -> RowBlock:
            return self.tables.block(data.X_target, at_rows(data.target_rows, rows))

        parts = [] if taken.few is None else [of_target(taken.few)]
        parts.append(self.tables.block(data.X_source, at_rows(data.source_rows, taken.source)))
        return parts if taken.target is None else [*parts, of_target(taken.target)]

    def columns(self, taken: _Taken) -> list[np.ndarray | None]:
        """Return the fields of `Batch` after ``X``, each of shape (n_steps, n)."""
        data, shape = self.data, (-1, self.n_source)
        y = data.y_source[taken.source].reshape(shape)
        label_weight = _taken(data.label_weight, taken.source, shape)
        domain = domain_weight = few_domain = None
        if taken.target is not None and data.target_domain is not None:
            # (n_steps, 2 * n_source): the source half, which is domain 0 unless there are several
            # sources, then codes of the target rows.
            of_source = _taken(data.source_domain, taken.source, shape)
            of_source = np.zeros_like(y) if of_source is None else of_source
            of_target = data.target_domain[taken.target].reshape(shape)
            domain = np.concatenate([of_source, of_target], axis=1)
            domain_weight = _taken(data.domain_weight, taken.source, shape)
        if domain_weight is not None:
            # Only source rows can have weights; each target row counts 1.
            domain_weight = np.concatenate([domain_weight, np.ones_like(domain_weight)], axis=1)
        if taken.few is not None:
            y, label_weight, few_domain = self._with_few(taken.few, y, label_weight)
        return [y, label_weight, domain, domain_weight, few_domain]

    def _with_few(
        self, few: np.ndarray, y: np.ndarray, label_weight: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return labels and weights with those of some target rows in front, and their domains.

        The weights make the mean over all rows the mean over each domain's, times its share.
        """
        data, shape, share = self.data, (-1, self.n_few), self._few_share
        assert data.y_target is not None
        assert data.target_domain is not None
        n_rows = self.n_few + self.n_source
        of_source = np.ones(y.shape, np.float32) if label_weight is None else label_weight
        of_source = of_source * np.float32((1 - share) * n_rows / self.n_source)
        of_few = np.full((len(y), self.n_few), share * n_rows / self.n_few, np.float32)
        return (
            np.concatenate([data.y_target[few].reshape(shape), y], axis=1),
            np.concatenate([of_few, of_source], axis=1),
            data.target_domain[few].reshape(shape),
        )


class _Taken(NamedTuple):
    """Numbers of rows, step after step: of the source, the target, and its rows with a label."""

    source: np.ndarray
    target: np.ndarray | None
    few: np.ndarray | None = None


class StackedBatches:
    """Iterable over the batches of k networks, as one batch with a leading axis of length k.

    Parameters
    ----------
    batches : sequence of k DomainBatches
        With the same optional fields, length and batch size.
    shared : bool, default=False
        Whether networks may share slots of ``X``. Only for networks that take all their steps
        together: the generators of all but the first in a slot are never drawn from.
    rows : float32 Tensor of shape (k, n_source [+ n_target], *row_shape), default=None
        The rows of the records as the networks are to get them, source first, for networks that
        all share one slot. Then ``X`` has an element for each network.
    as_sparse : bool, default=False
        Whether sparse rows stay sparse. Then ``X`` is a list with SparseRows for each slot.

    Attributes
    ----------
    slots : list of k int
        The element of ``X`` that holds each network's rows.
    """

    def __init__(
        self,
        batches: Sequence[DomainBatches],
        shared: bool = False,
        rows: Tensor | None = None,
        as_sparse: bool = False,
    ) -> None:
        self._batches = batches
        self._rows = rows
        self._as_sparse = as_sparse
        keys: list[Hashable] = [one.rows_key if shared else i for i, one in enumerate(batches)]
        self.slots, first_networks = slots_of(keys)
        # For each slot, the batches of its first network draw the rows.
        self._drawn = [batches[i] for i in first_networks]

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches of an epoch; ``X`` has an element for each slot, the rest k."""
        for batches in self._drawn:
            batches.reshuffle()
        n_steps = len(self._batches[0])
        at_once = min(batches._steps_per_block() for batches in self._drawn)
        # The networks share the memory of a block.
        at_once = max(1, at_once // len(self._batches))
        for start in range(0, n_steps, at_once):
            yield from self._block(min(at_once, n_steps - start))

    def _block(self, n_steps: int) -> Iterator[Batch]:
        """Yield the batches of the next steps, whose indices are drawn together."""
        # One element for each slot: row numbers.
        taken = [batches.take(n_steps) for batches in self._drawn]
        # One element for each network: its four fields after X.
        of_networks = []
        for batches, slot in zip(self._batches, self.slots, strict=True):
            of_networks.append(batches.columns(taken[slot]))
        # One element for each field: the values of all networks, (n_steps, k, n).
        columns = [self._of_all_networks(column) for column in zip(*of_networks, strict=True)]
        steps = self._steps_of(taken, n_steps)
        for X, *at_step in zip(steps, *(_by_step(column) for column in columns), strict=False):
            yield Batch(X, *at_step)

    def _steps_of(self, taken: Sequence[_Taken], n_steps: int) -> Iterator[Any]:
        """Yield the rows of each step."""
        if self._rows is not None:
            (one,) = taken
            yield from _rows_of_steps(self._rows, one, n_steps, len(self._batches[0].data.y_source))
            return
        rows = [batches.block(one) for batches, one in zip(self._drawn, taken, strict=True)]
        for step in range(n_steps):
            yield self._sparse(rows, step) if self._as_sparse else self._gathered(rows, step)

    def _gathered(self, rows: Sequence[list[RowBlock]], step: int) -> Tensor:
        """Return the rows of one step, (n_slots, n, *row_shape), in new memory."""
        first = self._batches[0]
        lengths = self._lengths(len(rows[0]))
        shape = len(rows), sum(lengths), *first.data.row_shape
        X = torch.empty(shape, dtype=torch.float32, device=first.tables.device)
        for slot, parts in enumerate(rows):
            start = 0
            for n, block in zip(lengths, parts, strict=True):
                block.write(slice(step * n, (step + 1) * n), X[slot, start : start + n])
                start += n
        return X

    def _lengths(self, n_parts: int) -> list[int]:
        """Return how many rows of a step each part has: target rows with a label, source, target.

        `n_parts` tells which of these there are.
        """
        first = self._batches[0]
        few = [first.n_few] if first.n_few else []
        return few + (n_parts - len(few)) * [first.n_source]

    def _sparse(self, rows: Sequence[list[Any]], step: int) -> list[SparseRows]:
        """Return the sparse rows of one step, for each slot."""
        at = [slice(step * n, (step + 1) * n) for n in self._lengths(len(rows[0]))]
        return [
            SparseRows.of([block.csr[one] for one, block in zip(at, blocks, strict=True)])
            for blocks in rows
        ]

    def _of_all_networks(self, column: Sequence[np.ndarray | None]) -> Tensor | None:
        """Return a field of all networks on the device, of shape (n_steps, k, n)."""
        values = [value for value in column if value is not None]
        if not values:
            return None
        # A single network needs no copy.
        stack = values[0][:, None] if len(values) == 1 else np.stack(values, axis=1)
        return torch.from_numpy(stack).to(self._batches[0].tables.device)


def _by_step(column: Tensor | None) -> Iterator[Any]:
    """Yield what each step has of a field, without end where no step has any."""
    return itertools.repeat(None) if column is None else iter(column)


def _rows_of_steps(rows: Tensor, taken: _Taken, n_steps: int, n_source: int) -> Iterator[Tensor]:
    """Yield the rows of each step out of a table of `n_source` source rows and the target rows."""
    parts = [taken.source.reshape(n_steps, -1)]
    if taken.few is not None:
        parts.insert(0, n_source + taken.few.reshape(n_steps, -1))
    if taken.target is not None:
        parts.append(n_source + taken.target.reshape(n_steps, -1))
    numbers = np.concatenate(parts, axis=1)
    for at in torch.from_numpy(numbers).to(rows.device):
        yield rows.index_select(1, at)


def slots_of(keys: Sequence[Hashable]) -> tuple[list[int], list[int]]:
    """Return the slot of each key, and the position of the first key in each slot.

    Equal keys get the same slot.

    Examples
    --------
    >>> from skdann._data.batches import slots_of
    >>> slots_of(["a", "b", "a"])
    ([0, 1, 0], [0, 1])
    """
    slot_of_key: dict[Hashable, int] = {}
    slots = [slot_of_key.setdefault(key, len(slot_of_key)) for key in keys]
    return slots, [slots.index(slot) for slot in range(len(slot_of_key))]


def with_leading_axis(batches: Sequence[Batch]) -> Batch:
    """Return some batches stacked as one, with a leading axis of length ``len(batches)``."""

    def along_axis(values: Sequence[Tensor | None]) -> Tensor | None:
        first = values[0]
        if first is None:
            return None
        if len(values) == 1:
            return first[None]  # no copy
        return torch.stack([value for value in values if value is not None])

    columns: list[Any] = [along_axis(column) for column in zip(*batches, strict=True)]
    return Batch(*columns)


class _ShuffledCycle:
    """Row numbers in a random order, shuffled anew whenever all have been taken.

    Attributes
    ----------
    rest : int64 ndarray
        What is left of a shuffle.
    """

    def __init__(self, n_rows: int, generator: np.random.Generator) -> None:
        self._n_rows = n_rows
        self._generator = generator
        self.rest = np.empty(0, dtype=np.int64)

    def reshuffle(self) -> None:
        """Start a new pass; rows that are left of the last one are dropped."""
        self.rest = self._generator.permutation(self._n_rows)

    def take(self, count: int) -> np.ndarray:
        """Return the next `count` row numbers."""
        parts = []
        while count > len(self.rest):
            # Take what is left of this pass, then go on with the next.
            parts.append(self.rest)
            count -= len(self.rest)
            self.reshuffle()
        parts.append(self.rest[:count])
        self.rest = self.rest[count:]
        return np.concatenate(parts) if len(parts) > 1 else parts[0]


def _taken(
    values: np.ndarray | None, rows: np.ndarray, shape: tuple[int, int]
) -> np.ndarray | None:
    return None if values is None else values[rows].reshape(shape)
