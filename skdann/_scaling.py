"""Input scaling: each column by the statistics of the source, of both domains, or of each.

The scaling is the first thing that a network does to its rows, so it takes no copy of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from skdann._batches import Batch, shared_lines
from skdann._inputs import TrainingData, column_moments

# Scaled values are cut here: a column that hardly varies in the rows its statistics come from
# would otherwise drown the others in rows where it does.
LARGEST_SCALED_VALUE = 8.0
# A deviation below this share of the column's size is rounding of float32.
_CONSTANT = 1e-6

# Columns need no scaling if the largest deviation is in this range, and no mean is beyond it.
_UNIT_SCALE = 0.1, 3.0

SCALINGS = "none", "source", "both", "domain"


class InputScaling(nn.Module):
    """Columns shifted to mean 0 and divided by their deviation, within +-8.

    Parameters
    ----------
    shift, factor : float32 ndarray of shape (n_codes, *row_shape)
        What is subtracted, and then multiplied by. One line serves all rows; several are for the
        source, each target domain, and, as the last one, rows of an unknown target domain.
    """

    shift: Tensor
    factor: Tensor

    def __init__(self, shift: np.ndarray, factor: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("shift", torch.from_numpy(shift.astype(np.float32)))
        self.register_buffer("factor", torch.from_numpy(factor.astype(np.float32)))

    def forward(self, X: Tensor, domain: Tensor | int | None = None) -> Tensor:
        """Return (n, *row_shape) scaled, a new tensor.

        `domain` is the code of all rows or of each, 0 for the source; None for new target rows.
        """
        if domain is None or len(self.shift) == 1:
            domain = -1 if domain is None else 0
        scaled = (X - self.shift[domain]).mul_(self.factor[domain])
        return scaled.clamp_(-LARGEST_SCALED_VALUE, LARGEST_SCALED_VALUE)


def usual_scalings(data: TrainingData, feature_extractor: Any = None) -> tuple[str, ...]:
    """Return the scalings worth trying; "auto" alone is the first of them.

    A feature extractor of the user's is given the rows as they are. Sparse rows, and columns that
    are about as large as a network wants them, can stay so.
    """
    if feature_extractor is not None:
        return ("none",)
    if sparse.issparse(data.X_source):
        return "none", "source", "domain"
    return "none" if _has_unit_scale(data) else "source", "both", "domain"


def fit_scaling(data: TrainingData, how: str) -> InputScaling | None:
    """Return the scaling of the rows that count in `data`; None for "none".

    A column that is constant in the rows that its statistics come from becomes 0. Sparse columns
    are not shifted, so that they stay sparse.

    Parameters
    ----------
    data : TrainingData
        Without target rows the source's statistics serve for all.
    how : {"none", "source", "both", "domain"}
    """
    if how == "none":
        return None
    source = column_moments(data.X_source, data.source_rows, data.domain_weight)
    if how == "source" or data.X_target is None or data.target_domain is None:
        return _scaling([source], sparse.issparse(data.X_source))
    target = column_moments(data.X_target, data.target_rows)
    if how == "both":
        return _scaling([_pooled(source, target)], sparse.issparse(data.X_source))
    moments = [source]
    if data.n_domains > 2:
        rows = np.arange(len(data.target_domain)) if data.target_rows is None else data.target_rows
        for code in range(1, data.n_domains):
            moments.append(column_moments(data.X_target, rows[data.target_domain == code]))
    return _scaling([*moments, target], sparse.issparse(data.X_source))


def _has_unit_scale(data: TrainingData) -> bool:
    """Tell whether the source's columns are about as large as a network wants them."""
    mean, deviation = column_moments(data.X_source, data.source_rows, data.domain_weight)
    largest = max(np.abs(mean).max(), deviation.max())
    return bool(largest <= _UNIT_SCALE[1] and deviation.max() >= _UNIT_SCALE[0])


def _pooled(source: Any, target: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation of both domains together, each with half the weight.

    As in a batch, a domain with more rows does not count more.
    """
    (mean_s, std_s), (mean_t, std_t) = source, target
    mean, gap = (mean_s + mean_t) / 2, (mean_s - mean_t) / 2
    return mean, np.sqrt((std_s**2 + std_t**2) / 2 + gap**2)


def _scaling(moments: Sequence[tuple[np.ndarray, np.ndarray]], is_sparse: bool) -> InputScaling:
    mean, deviation = (np.stack(values) for values in zip(*moments, strict=True))
    varies = deviation > _CONSTANT * (np.abs(mean) + np.finfo(np.float32).tiny)
    factor = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=varies)
    return InputScaling(np.zeros_like(mean) if is_sparse else mean, factor)


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


def domain_codes(domain: Any, n_rows: int, n_domains: int) -> Tensor | int | None:
    """Return what `InputScaling` takes of a caller's `domain`, or raise.

    Parameters
    ----------
    domain : "target", "source", int or array-like of int of shape (n_rows,), or None
        None and "target" stand for rows of an unknown target domain.
    n_rows, n_domains : int
    """
    if domain is None or (isinstance(domain, str) and domain == "target"):
        return None
    if isinstance(domain, str) and domain == "source":
        return 0
    codes = np.asarray(domain)
    kind = codes.dtype.kind in "iu" and codes.shape in ((), (n_rows,))
    if not kind or codes.min(initial=0) < 0 or codes.max(initial=0) >= n_domains:
        raise ValueError(
            f"domain must be 'target', 'source', or the code of all rows or of each of the "
            f"{n_rows}: 0 for the source, 1 to {n_domains - 1} for the target domains in the order "
            f"of X_tgt; got {domain!r}."
        )
    return int(codes) if codes.ndim == 0 else torch.from_numpy(codes.astype(np.int64))
