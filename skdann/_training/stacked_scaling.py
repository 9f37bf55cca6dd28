"""Input scaling of k networks that take their steps together."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
import torch
from torch import Tensor

from skdann._data.batches import Batch, DomainBatches, slots_of
from skdann._data.moments import LARGEST_SCALED_VALUE
from skdann._data.sparse_rows import SparseRows
from skdann._network.scaling import InputScaling

# Rows are scaled before the training if they need no more memory than this, for all networks.
_BEFOREHAND_BYTES = 16 * 2**20


class BatchScaling:
    """The input scalings of k networks that take their steps together.

    Networks with the same rows and equal scalings share the scaled rows: they are computed once.

    Parameters
    ----------
    scalings : sequence of k InputScaling or None
    n_domains : int
    slots : sequence of k int
        Which element of a batch's ``X`` holds each network's rows; see `StackedBatches`.
    device : torch.device
    """

    def __init__(
        self,
        scalings: Sequence[InputScaling | None],
        n_domains: int,
        slots: Sequence[int],
        device: torch.device,
    ) -> None:
        # A second assignment of slots: one for each pair of rows and scaling.
        keys = [(slot, _key(one)) for slot, one in zip(slots, scalings, strict=True)]
        scaled_slots, self._first_networks = slots_of(keys)
        self._scaled_slots = torch.tensor(scaled_slots, device=device)
        # Which rows to scale for each of them; None if these are the slots of X in order.
        sources = [slots[i] for i in self._first_networks]
        self._sources: Tensor | None = None
        if sources != [*range(1 + max(slots))]:
            self._sources = torch.tensor(sources, device=device)
        self._stack_statistics([scalings[i] for i in self._first_networks], n_domains, device)

    def _stack_statistics(
        self, scalings: Sequence[InputScaling | None], n_domains: int, device: torch.device
    ) -> None:
        """Keep shift and factor of all scalings, (n_scaled_slots, n_codes, *row_shape) each."""
        like = next((one.shift for one in scalings if one is not None), None)
        self._active = like is not None
        if like is None:
            return
        # One statistic for all rows, or one for each domain; a batch knows no other domains.
        lengths = [1 if scaling is None else len(scaling.shift) for scaling in scalings]
        n_codes = 1 if max(lengths) == 1 else n_domains
        statistics = [_of_each_code(scaling, like, n_codes) for scaling in scalings]
        self._shift = torch.stack([shift for shift, _ in statistics])
        self._factor = torch.stack([factor for _, factor in statistics])
        # Rows that are not scaled are not cut either.
        limits = [np.inf if scaling is None else LARGEST_SCALED_VALUE for scaling in scalings]
        axes = (len(scalings), 1, *(1 for _ in like.shape[1:]))
        self._highest = torch.tensor(limits, dtype=torch.float32, device=device).view(axes)
        self._lowest = -self._highest

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch with scaled rows, and an element of ``X`` for each network."""
        if isinstance(batch.X, list):
            return batch._replace(X=self._of_sparse(batch))
        X = batch.X if self._sources is None else batch.X.index_select(0, self._sources)
        if self._active:
            X = self._scaled(X, batch)
        n_networks = len(batch.y)
        if len(X) == 1:
            X = X.expand(n_networks, *X.shape[1:])  # no copy
        elif len(X) < n_networks:
            X = X.index_select(0, self._scaled_slots)
        return batch._replace(X=X)

    def _statistics(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return shift and factor for a batch: the source's alone if it has no target rows."""
        if batch.domain is None and not batch.n_few:
            return self._shift[:, :1], self._factor[:, :1]
        return self._shift, self._factor

    def _of_sparse(self, batch: Batch) -> list[SparseRows]:
        """Return the scaled rows of each network; sparse columns are not shifted."""
        rows = batch.X
        if self._sources is not None:
            rows = [rows[i] for i in self._sources.tolist()]
        if self._active:
            _, factors = self._statistics(batch)
            limits = self._highest.flatten().tolist()
            parts = zip(rows, factors, limits, strict=True)
            n_few = batch.n_few
            sizes = n_few, batch.y.shape[1] - n_few
            rows = [one.scaled(factor, limit, *sizes) for one, factor, limit in parts]
        return [rows[i] for i in self._scaled_slots.tolist()]

    def _scaled(self, X: Tensor, batch: Batch) -> Tensor:
        shift, factor = self._statistics(batch)
        n_codes = shift.shape[1]
        # Shapes: X (n_slots, n, *row_shape), shift and factor (n_slots, n_codes, *row_shape).
        if n_codes == 1:
            out = torch.sub(X, shift).mul_(factor)
        elif n_codes == 2 and not batch.n_few:  # half source, half target rows
            halves = X.unflatten(1, (2, -1))
            out = torch.sub(halves, shift.unsqueeze(2)).mul_(factor.unsqueeze(2)).view_as(X)
        else:
            # Networks that share rows share their domains: those of the first one will do.
            domain = _domains_of_all_rows(batch)[self._first_networks]
            slot = torch.arange(len(X), device=X.device)[:, None]
            out = (X - shift[slot, domain]).mul_(factor[slot, domain])
        return out.clamp_(self._lowest, self._highest)


def rows_scaled_beforehand(
    scalings: Sequence[InputScaling | None], batches: Sequence[DomainBatches]
) -> Tensor | None:
    """Return the rows of k networks that take the same batches, each scaled as its network does.

    A step then copies its rows, and is done; as long as they are few, see `_BEFOREHAND_BYTES`.

    Parameters
    ----------
    scalings : sequence of k InputScaling or None
    batches : sequence of k DomainBatches
        With equal rows in equal order.

    Returns
    -------
    float32 Tensor of shape (k, n_source [+ n_target], *row_shape), or None
        For `StackedBatches`; None if there are too many rows.
    """
    first = batches[0]
    codes = first.data.source_codes
    if first.has_target or first.n_few:
        codes = np.concatenate([codes, first.data.target_domain])
    shape = len(batches), len(codes), *first.data.row_shape
    if 4 * math.prod(shape) > _BEFOREHAND_BYTES:
        return None
    rows = torch.empty(shape[1:], dtype=torch.float32, device=first.tables.device)
    first.write_all(rows)
    domain = torch.from_numpy(codes).to(rows.device)
    return torch.stack([rows if one is None else one(rows, domain) for one in scalings])


def _domains_of_all_rows(batch: Batch) -> Tensor:
    """Return the domain of each row of a batch, (k, n)."""
    domain = batch.domain
    if domain is None:  # no target rows behind the source rows
        domain = torch.zeros_like(batch.y[:, batch.n_few :])
    return domain if batch.few_domain is None else torch.cat([batch.few_domain, domain], dim=1)


def _key(scaling: InputScaling | None) -> Hashable:
    """Return a value that is equal for equal scalings."""
    if scaling is None:
        return None
    return tuple(values.cpu().numpy().tobytes() for values in (scaling.shift, scaling.factor))


def _of_each_code(
    scaling: InputScaling | None, like: Tensor, n_codes: int
) -> tuple[Tensor, Tensor]:
    """Return shift and factor of a scaling, or of none, with an element for each domain's code."""
    shape = n_codes, *like.shape[1:]
    if scaling is None:
        shift, factor = torch.zeros_like(like[:1]), torch.ones_like(like[:1])
    else:
        # The last of several is for rows of an unknown domain, which no batch has.
        shift, factor = scaling.shift[:n_codes], scaling.factor[:n_codes]
    return shift.expand(shape), factor.expand(shape)
