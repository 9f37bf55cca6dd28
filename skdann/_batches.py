"""Batches: the training record to minibatches of half source, half target rows.

Rows are gathered for many steps at once and then sliced, so that a step pays for no indexing,
and sparse rows become dense for a few steps at a time. The source half depends on the source
alone: an epoch is one pass over the source rows, and target rows join it in an endless
shuffled cycle of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from skdann._inputs import TrainingData

# Gathered at once: enough to spread the cost of indexing, small enough for a cache.
_BLOCK_BYTES = 8 * 2**20

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
    device : torch.device
    """

    def __init__(
        self,
        data: TrainingData,
        batch_size: int,
        source_order: np.random.Generator,
        target_order: np.random.Generator,
        device: torch.device,
    ) -> None:
        self.data = data
        self.device = device
        self.n_source = min(batch_size, len(data.y_source))
        self._source = _ShuffledCycle(len(data.y_source), source_order)
        self._target: _ShuffledCycle | None = None
        if data.target_domain is not None:
            self._target = _ShuffledCycle(len(data.target_domain), target_order)

    def __len__(self) -> int:
        """Return the number of gradient steps in an epoch."""
        return -(-len(self.data.y_source) // self.n_source)

    def __iter__(self) -> Iterator[Batch]:
        """Yield every source row once; the last batch is filled from a new shuffle."""
        self._source.reshuffle()
        done = 0
        while done < len(self):
            n_steps = min(self._steps_per_block(), len(self) - done)
            yield from self._block(n_steps)
            done += n_steps

    def _steps_per_block(self) -> int:
        row_bytes = 4 * int(np.prod(self.data.row_shape))
        return max(1, _BLOCK_BYTES // (2 * self.n_source * row_bytes))

    def _block(self, n_steps: int) -> Iterator[Batch]:
        data, shape = self.data, (n_steps, self.n_source)
        source = self._source.take(n_steps * self.n_source)
        X = dense(data.X_source, source).reshape(*shape, *data.row_shape)
        y = data.y_source[source].reshape(shape)
        label_weight = _taken(data.label_weight, source, shape)
        domain = domain_weight = None
        if self._target is not None and data.target_domain is not None:
            target = self._target.take(n_steps * self.n_source)
            X_target = dense(data.X_target, target).reshape(*shape, *data.row_shape)
            X = np.concatenate([X, X_target], axis=1)
            domain = np.zeros((n_steps, 2 * self.n_source), dtype=np.int64)
            domain[:, self.n_source :] = data.target_domain[target].reshape(shape)
            domain_weight = _taken(data.domain_weight, source, shape)
            if domain_weight is not None:
                domain_weight = np.concatenate([domain_weight, np.ones_like(domain_weight)], axis=1)
        columns: list[Any] = [
            self._on_device(a) for a in (X, y, label_weight, domain, domain_weight)
        ]
        for step in range(n_steps):
            at_step: list[Any] = [None if column is None else column[step] for column in columns]
            yield Batch(*at_step)

    def _on_device(self, array: np.ndarray | None) -> Tensor | None:
        return None if array is None else torch.from_numpy(array).to(self.device)


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


def dense(X: Rows, rows: np.ndarray | slice) -> np.ndarray:
    """Return some rows of `X` as a new dense array."""
    if sparse.issparse(X):
        return X[rows].toarray()
    return np.array(X[rows]) if isinstance(rows, slice) else np.take(X, rows, axis=0)


def row_chunks(X: Rows, device: torch.device) -> Iterator[tuple[slice, Tensor]]:
    """Yield all rows of `X` in order, as slices and dense tensors of bounded size."""
    row_bytes = 4 * int(np.prod(X.shape[1:]))
    step = max(1, _BLOCK_BYTES // (4 * row_bytes))
    for start in range(0, X.shape[0], step):
        rows = slice(start, min(start + step, X.shape[0]))
        yield rows, torch.from_numpy(dense(X, rows)).to(device)


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
    return _selected(data, ~source, None if target is None else ~target), _selected(
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


def _selected(data: TrainingData, source: np.ndarray, target: np.ndarray | None) -> TrainingData:
    X_target = target_domain = None
    if target is not None and target.any() and data.target_domain is not None:
        rows: Rows = data.X_target
        X_target = rows[np.flatnonzero(target)]
        target_domain = data.target_domain[target]
    return replace(
        data,
        X_source=data.X_source[np.flatnonzero(source)],
        y_source=data.y_source[source],
        label_weight=None if data.label_weight is None else data.label_weight[source],
        domain_weight=None if data.domain_weight is None else data.domain_weight[source],
        X_target=X_target,
        target_domain=target_domain,
    )


def _taken(
    values: np.ndarray | None, rows: np.ndarray, shape: tuple[int, int]
) -> np.ndarray | None:
    return None if values is None else values[rows].reshape(shape)
