"""Input scaling: each column by the statistics of the source, of both domains, or of each.

The scaling is the first thing that a network does to its rows, so it takes no copy of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from skdann._data.balanced_moments import balanced_moments, source_moments
from skdann._data.moments import LARGEST_SCALED_VALUE, column_moments, inverse_deviation, pooled
from skdann._data.record import TrainingData, at_rows

SCALINGS = "source", "both", "domain", "balanced", "denoised"


class InputScaling(nn.Module):
    """Columns shifted to mean 0 and divided by their deviation, within +-8.

    Parameters
    ----------
    shift, factor : float32 ndarray of shape (n_codes, *row_shape)
        What is subtracted, and what the difference is multiplied by. With ``n_codes`` 1 the same
        for all rows; otherwise element 0 is for source rows, 1 for the first target domain, and
        so on, then for further sources, and the last element for rows of an unknown target domain.
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
        if domain is None:
            domain = -1
        elif not self.tells_domains_apart:
            domain = 0
        scaled = (X - self.shift[domain]).mul_(self.factor[domain])
        return scaled.clamp_(-LARGEST_SCALED_VALUE, LARGEST_SCALED_VALUE)

    @property
    def tells_domains_apart(self) -> bool:
        """Whether the domain of a row matters."""
        return len(self.shift) > 1

    def exchanged(self, further_sources: Sequence[int] = ()) -> InputScaling:
        """Return the scaling for the way back, where target rows are the source.

        `further_sources` are the codes of the sources behind the first.
        """
        at = [-1, 0] if not len(further_sources) else [-1, 0, *further_sources, 0]
        shift, factor = (one[at].numpy(force=True) for one in (self.shift, self.factor))
        return InputScaling(shift, factor)


def fit_scaling(data: TrainingData, how: str | None) -> InputScaling | None:
    """Return the scaling of the rows that count in `data`; None for None.

    A column that is constant in the rows that its statistics come from becomes 0. Sparse columns
    are not shifted, so that they stay sparse.

    Parameters
    ----------
    data : TrainingData
        Without target rows the source's statistics serve for all.
    how : {None, "source", "both", "domain", "balanced"}
    """
    if how is None:
        return None
    source = column_moments(data.X_source, data.source_rows, data.domain_weight)
    if how == "source" or data.X_target is None or data.target_domain is None:
        return _scaling([source], sparse.issparse(data.X_source))
    if how == "both":
        target = column_moments(data.X_target, data.target_rows)
        return _scaling([pooled(source, target)], sparse.issparse(data.X_source))
    of_target = balanced_moments if how == "balanced" else _own_moments
    further = data.further_sources
    moments = [source]
    if len(further):
        moments = [source_moments(data, 0, balanced=how == "balanced")]
    if data.n_domains > 2:
        moments += [of_target(data, code) for code in range(1, 1 + data.n_targets)]
        moments += [source_moments(data, code, balanced=how == "balanced") for code in further]
    moments.append(of_target(data))
    return _scaling(moments, sparse.issparse(data.X_source))


def _own_moments(data: TrainingData, code: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation of the rows of a target domain, or of all."""
    assert data.target_domain is not None
    rows = data.target_rows
    own = np.flatnonzero(data.target_domain == code)
    if len(own):  # on the way back of a fold there may be none
        rows = at_rows(rows, own)
    return column_moments(data.X_target, rows)


def _scaling(moments: Sequence[tuple[np.ndarray, np.ndarray]], is_sparse: bool) -> InputScaling:
    mean, deviation = (np.stack(values) for values in zip(*moments, strict=True))
    shift = np.zeros_like(mean) if is_sparse else mean
    return InputScaling(shift, inverse_deviation(mean, deviation))
