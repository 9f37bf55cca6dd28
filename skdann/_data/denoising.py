"""Denoising of word counts: rows rebuilt from the words that occur together, in both domains.

A marginalised denoising autoencoder of one layer [1]_, in closed form: the linear map that rebuilds
rows best, on average over all ways to delete a share of their words. A word of one domain so stands
for words of the other that it occurs with. It helps where a row has few of many columns, and harms
on dense rows.

References
----------
.. [1] Chen, M., Xu, Z., Weinberger, K. and Sha, F. (2012). Marginalized denoising autoencoders for
   domain adaptation. ICML.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

from skdann._data.record import TrainingData

# The share of words that is deleted.
_CORRUPTION = 0.8
# Ridge penalty, as a share of the mean count.
_PENALTY = 0.1

# The most frequent columns are used, and the most frequent of these are rebuilt. Of each domain
# this many rows are counted.
_MOST_COLUMNS, _MOST_REBUILT, _MOST_ROWS = 5000, 2000, 20_000

# Mean deviation of the rebuilt columns. Small inputs make for small steps of the first layer, as
# the learning rate of 1e-4 does that Ganin et al. (2016) take behind this layer.
_DEVIATION = 0.01


@dataclass(frozen=True)
class Denoising:
    """What rebuilds rows: ``factor * (tanh(present @ weights) - mean)``.

    Attributes
    ----------
    columns : int64 ndarray of shape (n_used,)
        The columns whose presence counts.
    weights : float32 ndarray of shape (n_used, n_rebuilt)
    mean : float32 ndarray of shape (n_rebuilt,)
    factor : float
    """

    columns: np.ndarray
    weights: np.ndarray
    mean: np.ndarray
    factor: float

    def rebuilt(self, X):
        """Return float32 rows of shape (n, n_rebuilt) of a CSR array."""
        return self.finished(_present(X[:, self.columns]) @ self.weights)

    def finished(self, values):
        """Return what is rebuilt, from the sums of weights."""
        rebuilt = np.tanh(values, out=values)
        rebuilt -= self.mean
        rebuilt *= np.float32(self.factor)
        return rebuilt


class DenoisedRows:
    """A CSR array seen through a denoising: dense rows, computed when they are asked for."""

    ndim = 2

    def __init__(self, X, denoising):
        self._X = X
        self._denoising = denoising
        self.shape = X.shape[0], len(denoising.mean)

    def __getitem__(self, rows):
        """Return float32 of shape (n_rows, n_rebuilt)."""
        return self._denoising.rebuilt(self._X[rows])


def is_counts(data: TrainingData) -> bool:
    """Tell whether the rows are sparse and nowhere negative, as word counts are."""
    arrays = [X for X in (data.X_source, data.X_target) if X is not None]
    return all(sparse.issparse(X) and (X.nnz == 0 or X.data.min() >= 0) for X in arrays)


def fit_denoising(data: TrainingData) -> Denoising:
    """Return the denoising of all rows of the record's arrays; no label is used.

    Rows that are held out count too, so that all folds have the same.
    """
    X = sparse.vstack([_drawn(one) for one in (data.X_source, data.X_target) if one is not None])
    present = _present(sparse.csr_array(X))
    counts = present.sum(axis=0)
    by_count = np.argsort(-counts, kind="stable")
    columns = np.sort(by_count[:_MOST_COLUMNS])
    rebuilt = np.sort(np.argsort(-counts[columns], kind="stable")[:_MOST_REBUILT])
    present = present[:, columns]
    # How often two columns occur together; how often each does.
    together = (present.T @ present).toarray()
    alone = np.diag(together).copy()
    # Both words of a pair stay with probability kept**2, one word with itself with kept.
    kept = 1 - _CORRUPTION
    inputs = kept**2 * together
    np.fill_diagonal(inputs, kept * alone + _PENALTY * alone.mean())
    outputs = kept * together[:, rebuilt]
    weights = cho_solve(cho_factor(inputs, overwrite_a=True), outputs, overwrite_b=True)
    raw = Denoising(columns, weights.astype(np.float32), np.zeros(len(rebuilt), np.float32), 1.0)
    mean, square, n_rows = 0.0, 0.0, X.shape[0]
    for start in range(0, n_rows, 1024):
        values = raw.finished(present[start : start + 1024] @ raw.weights).astype(np.float64)
        mean, square = mean + values.sum(axis=0) / n_rows, square + (values**2).sum(axis=0) / n_rows
    deviation = np.sqrt(np.maximum(square - mean**2, 0)).mean()
    factor = _DEVIATION / deviation if deviation > 0 else 0.0
    return Denoising(columns, raw.weights, mean.astype(np.float32), float(factor))


def _drawn(X):
    """Return all rows, or some at random where there are more than are counted."""
    if X.shape[0] <= _MOST_ROWS:
        return X
    rows = np.random.default_rng(0).permutation(X.shape[0])[:_MOST_ROWS]
    return X[np.sort(rows)]


def _present(X):
    """Return a float32 CSR array with 1 where a value is not 0."""
    return sparse.csr_array((X != 0).astype(np.float32))
