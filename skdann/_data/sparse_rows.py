"""Sparse rows of one gradient step: a product with them takes the time of what is stored."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.nn.functional import embedding_bag

from skdann._torch.compat import csr_tensor

# Products with sparse rows are faster than with dense ones if so few of the values are stored.
_DENSITY = 0.1
# And if there are so many columns.
_N_COLUMNS = 500


@dataclass(frozen=True)
class SparseRows:
    """Rows as a CSR matrix in tensors on the CPU.

    Attributes
    ----------
    start : int64 Tensor of shape (n,)
        Where each row's values start.
    column : int64 Tensor of shape (n_values,)
    value : float32 Tensor of shape (n_values,)
    n_columns : int
    """

    start: Tensor
    column: Tensor
    value: Tensor
    n_columns: int

    @classmethod
    def of(cls, parts: Sequence[Any]) -> SparseRows:
        """Return the rows of some CSR arrays, one after the other."""
        starts, n_values = [], 0
        for part in parts:
            starts.append(part.indptr[:-1].astype(np.int64) + n_values)
            n_values += len(part.data)
        column = np.concatenate([part.indices for part in parts]).astype(np.int64)
        value = np.concatenate([part.data for part in parts])
        arrays = (np.concatenate(starts), column, value)
        return cls(*map(torch.from_numpy, arrays), parts[0].shape[1])

    def first(self, n_rows: int) -> SparseRows:
        """Return the first rows."""
        if n_rows >= len(self.start):
            return self
        end = self._n_values(n_rows)
        start, column, value = self.start[:n_rows], self.column[:end], self.value[:end]
        return SparseRows(start, column, value, self.n_columns)

    def scaled(self, factor: Tensor, limit: float, n_few: int, n_source: int) -> SparseRows:
        """Return the rows with columns multiplied, and cut at +-`limit`.

        Parameters
        ----------
        factor : Tensor of shape (n_codes, n_columns)
            One for all rows, or one for source rows and one for the target's.
        limit : float
        n_few, n_source : int
            Target rows in front, and source rows behind them; what is left are target rows.
        """
        if len(factor) == 1:
            by = factor[0][self.column]
        else:
            first, last = (self._n_values(n) for n in (n_few, n_few + n_source))
            parts = [(1, slice(0, first)), (0, slice(first, last)), (1, slice(last, None))]
            by = torch.cat([factor[code][self.column[at]] for code, at in parts])
        return replace(self, value=(self.value * by).clamp_(-limit, limit))

    def _n_values(self, n_rows: int) -> int:
        """Return how many values the first rows have."""
        return int(self.start[n_rows]) if n_rows < len(self.start) else len(self.value)

    def times(self, matrix: Tensor) -> Tensor:
        """Return the product with a contiguous matrix of shape (n_columns, n_out)."""
        return embedding_bag(
            self.column, matrix, self.start, mode="sum", per_sample_weights=self.value
        )

    def transposed_times(self, matrix: Tensor, out: Tensor) -> None:
        """Write the product of the transposed rows with a matrix of shape (n, n_out) to `out`.

        `out` is contiguous, of shape (n_columns, n_out).
        """
        torch.addmm(out, self._transposed, matrix, beta=0, out=out)

    @functools.cached_property
    def _transposed(self) -> Tensor:
        # Networks that share rows share this too.
        indptr = np.append(self.start.numpy(), len(self.column))
        shape = len(self.start), self.n_columns
        rows = sparse.csr_array((self.value.numpy(), self.column.numpy(), indptr), shape)
        columns = rows.T.tocsr()
        arrays = columns.indptr.astype(np.int32), columns.indices.astype(np.int32), columns.data
        return csr_tensor(*map(torch.from_numpy, arrays), columns.shape)


def pays_sparse(X: Any, device: torch.device) -> bool:
    """Tell whether training goes faster with the rows as they are than with dense ones."""
    if not sparse.issparse(X) or device.type != "cpu" or X.shape[1] < _N_COLUMNS:
        return False
    return bool(X.nnz <= _DENSITY * X.shape[0] * X.shape[1])
