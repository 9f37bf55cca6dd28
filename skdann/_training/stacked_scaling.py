"""Input scaling of k networks that take their steps together."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import torch
from torch import Tensor

from skdann._data.batches import Batch, shared_lines
from skdann._network.scaling import LARGEST_SCALED_VALUE, InputScaling


class BatchScaling:
    """The scalings of k networks that take their steps together.

    Networks with equal rows and equal scalings share the scaled rows.

    Parameters
    ----------
    scalings : sequence of k InputScaling or None
    n_domains : int
    lines : sequence of k int
        Which line of a batch's ``X`` holds each network's rows.
    device : torch.device
    """

    def __init__(
        self,
        scalings: Sequence[InputScaling | None],
        n_domains: int,
        lines: Sequence[int],
        device: torch.device,
    ) -> None:
        keys = [(line, _key(one)) for line, one in zip(lines, scalings, strict=True)]
        places, leaders = shared_lines(keys)
        self._leaders = leaders
        # None: as they are.
        self._lines: Tensor | None = None
        if [lines[i] for i in leaders] != [*range(1 + max(lines))]:
            self._lines = torch.tensor([lines[i] for i in leaders], device=device)
        self._places = torch.tensor(places, device=device)
        scalings = [scalings[i] for i in leaders]
        self._active = any(scaling is not None for scaling in scalings)
        if not self._active:
            return
        like = next(scaling for scaling in scalings if scaling is not None)
        n_lines = max(1 if scaling is None else len(scaling.shift) for scaling in scalings)
        n_lines = 1 if n_lines == 1 else n_domains
        self._shift = torch.stack([_lines(s, like.shift, n_lines, "shift") for s in scalings])
        self._factor = torch.stack([_lines(s, like.shift, n_lines, "factor") for s in scalings])
        limits = [np.inf if scaling is None else LARGEST_SCALED_VALUE for scaling in scalings]
        axes = (len(scalings), 1, *(1 for _ in like.shift.shape[1:]))
        self._highest = torch.tensor(limits, device=device).view(axes)
        self._lowest = -self._highest

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch with a line of scaled rows for each network."""
        X = batch.X if self._lines is None else batch.X.index_select(0, self._lines)
        if self._active:
            X = self._scaled(X, batch)
        n_networks = len(batch.y)
        if len(X) == 1:
            X = X.expand(n_networks, *X.shape[1:])
        elif len(X) < n_networks:
            X = X.index_select(0, self._places)
        return batch._replace(X=X)

    def _scaled(self, X: Tensor, batch: Batch) -> Tensor:
        shift, factor = self._shift, self._factor
        if len(shift[0]) == 1 or batch.domain is None:
            out = torch.sub(X, shift[:, :1]).mul_(factor[:, :1])
        elif len(shift[0]) == 2:  # one half of the rows is the source's, the other the target's
            halves = X.unflatten(1, (2, -1))
            out = torch.sub(halves, shift.unsqueeze(2)).mul_(factor.unsqueeze(2)).view_as(X)
        else:
            # Of the first network of each line: who shares rows shares their domains.
            domain = batch.domain[self._leaders]
            line = torch.arange(len(X), device=X.device)[:, None]
            out = (X - shift[line, domain]).mul_(factor[line, domain])
        return out.clamp_(self._lowest, self._highest)


def _key(scaling: InputScaling | None) -> Hashable:
    """Return what equal scalings have in common."""
    if scaling is None:
        return None
    return tuple(values.cpu().numpy().tobytes() for values in (scaling.shift, scaling.factor))


def _lines(scaling: InputScaling | None, like: Tensor, n_lines: int, of: str) -> Tensor:
    """Return the shift or factor of a scaling with one line for each domain."""
    if scaling is None:
        line = torch.zeros_like(like[:1]) if of == "shift" else torch.ones_like(like[:1])
    else:
        line = getattr(scaling, of)
    return line.expand(n_lines, *like.shape[1:]) if len(line) == 1 else line[:n_lines]
