"""Conditioning: what the domain classifier sees, besides the embedding, of the label predictor."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

# The most products of features and classes that are passed on as they are. Where there are more,
# this many random combinations of them take their place.
LARGEST_PRODUCT = 4096

_N_RANDOM = 1024

CONDITIONINGS = ("multilinear",)


class MultilinearConditioning(nn.Module):
    """Products of each feature with each class probability (CDAN, Long et al. 2018).

    Above 4,096 products, 1,024 products of random mixtures of the features with random mixtures
    of the probabilities, whose dot products are on average those of the full ones.

    Parameters
    ----------
    of_embedding : Tensor of shape (..., n_embedding, 1024), default=None
        The random mixtures; both None for all products.
    of_probability : Tensor of shape (..., n_classes, 1024), default=None
    """

    of_embedding: Tensor | None
    of_probability: Tensor | None

    def __init__(
        self, of_embedding: Tensor | None = None, of_probability: Tensor | None = None
    ) -> None:
        super().__init__()
        self.register_buffer("of_embedding", of_embedding)
        self.register_buffer("of_probability", of_probability)

    @classmethod
    def drawn(
        cls, n_embedding: int, n_classes: int, generator: torch.Generator
    ) -> MultilinearConditioning:
        """Return the conditioning for a network of these sizes."""
        if n_embedding * n_classes <= LARGEST_PRODUCT:
            return cls()
        # Variance n^-1/2 each: a product of two mixtures then has variance 1 / n, and the dot
        # product of n of them the right mean.
        mixtures = (
            torch.randn((n_inputs, _N_RANDOM), dtype=torch.float32, generator=generator)
            * _N_RANDOM**-0.25
            for n_inputs in (n_embedding, n_classes)
        )
        return cls(*mixtures)

    @classmethod
    def stacked(cls, several: Sequence[MultilinearConditioning]) -> MultilinearConditioning:
        """Return the conditioning of k networks, for embeddings with a leading axis of k."""
        pairs = zip(*((one.of_embedding, one.of_probability) for one in several), strict=True)
        stacks = [None if values[0] is None else torch.stack(values) for values in pairs]
        return cls(*stacks)

    def forward(self, embedding: Tensor, probability: Tensor) -> Tensor:
        """Return (..., n, n_outputs) of (..., n, n_embedding) and (..., n, n_classes)."""
        if self.of_embedding is None or self.of_probability is None:
            return (embedding.unsqueeze(-1) * probability.unsqueeze(-2)).flatten(-2)
        return (embedding @ self.of_embedding) * (probability @ self.of_probability)

    def backward_to_embedding(self, gradient: Tensor, probability: Tensor) -> Tensor:
        """Return the gradient for the embedding; the probabilities are taken as given."""
        if self.of_embedding is None or self.of_probability is None:
            products = gradient.unflatten(-1, (-1, probability.shape[-1]))
            return (products @ probability.unsqueeze(-1)).squeeze(-1)
        return (gradient * (probability @ self.of_probability)) @ self.of_embedding.mT
