"""Input denoising: the first layer of a network that is trained on rebuilt word counts."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from skdann._data.denoising import Denoising


class InputDenoising(nn.Module):
    """Rows rebuilt from the columns that are not 0; see `skdann._data.denoising`.

    It stands where an `InputScaling` can stand. Training does not pass through it: a network is
    trained on rebuilt rows, which are computed once for all networks; see `InputLayers`.

    Parameters
    ----------
    denoising : Denoising
    """

    columns: Tensor
    weights: Tensor
    mean: Tensor
    tells_domains_apart = False

    def __init__(self, denoising: Denoising) -> None:
        super().__init__()
        self.register_buffer("columns", torch.from_numpy(denoising.columns))
        self.register_buffer("weights", torch.from_numpy(denoising.weights))
        self.register_buffer("mean", torch.from_numpy(denoising.mean))
        self.factor = denoising.factor

    def forward(self, X: Tensor, domain: Tensor | int | None = None) -> Tensor:
        """Return (n, n_rebuilt); the domain of a row does not matter."""
        present = (X[:, self.columns] != 0).to(self.weights.dtype)
        return ((present @ self.weights).tanh_() - self.mean).mul_(self.factor)

    def numbers(self) -> Denoising:
        """Return the denoising that this layer does, for rows that are still sparse."""
        return Denoising(
            columns=self.columns.numpy(force=True),
            weights=self.weights.numpy(force=True),
            mean=self.mean.numpy(force=True),
            factor=self.factor,
        )
