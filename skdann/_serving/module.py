"""A fitted classifier as one torch module, from raw rows to probabilities."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from skdann._data.moments import LARGEST_SCALED_VALUE
from skdann._data.recognition import DomainRecognition
from skdann._network.network import DomainAdversarialNetwork, joint_output


class SourceRows(nn.Module):
    """Tells which rows are source rows, as `DomainRecognition` does.

    Parameters
    ----------
    recognition : DomainRecognition
    """

    columns: Tensor
    mean: Tensor
    factor: Tensor
    edges: Tensor
    weights: Tensor

    def __init__(self, recognition: DomainRecognition) -> None:
        super().__init__()
        terms = recognition.terms
        for name in ("columns", "mean", "factor", "edges"):
            self.register_buffer(name, torch.from_numpy(getattr(terms, name)))
        self.register_buffer("weights", torch.from_numpy(recognition.weights))
        self.least = float(recognition.threshold - recognition.intercept)

    def forward(self, X: Tensor) -> Tensor:
        """Return bool of shape (n,)."""
        values = X.flatten(1)[:, self.columns]
        scaled = (values - self.mean) * self.factor
        scaled = scaled.clamp(-LARGEST_SCALED_VALUE, LARGEST_SCALED_VALUE)
        steps = (values.unsqueeze(1) - self.edges).sign() / 2
        terms = torch.cat([scaled, scaled.square() / 4, steps.flatten(1)], dim=1)
        return terms @ self.weights > self.least


class ProbabilityModule(nn.Module):
    """From raw rows to the probability of each class, as `predict_proba` returns them.

    Parameters
    ----------
    networks : sequence of DomainAdversarialNetwork
        They are copied, onto the CPU.
    recognition : DomainRecognition, default=None
        Recognises source rows. None takes all rows as rows of `domain`.
    domain : int, default=None
        The code of all rows' domain, 0 for the source; None for new rows of the target.
    """

    def __init__(
        self,
        networks: Sequence[DomainAdversarialNetwork],
        recognition: DomainRecognition | None = None,
        domain: int | None = None,
    ) -> None:
        super().__init__()
        self.networks = nn.ModuleList(copy.deepcopy(list(networks)))
        self.domain = domain
        self.source_rows = None
        if recognition is not None and domain is None and math.isfinite(recognition.threshold):
            self.source_rows = SourceRows(recognition)
        self.cpu().eval().requires_grad_(False)

    def forward(self, X: Tensor) -> Tensor:
        """Return (n, n_classes) of raw rows (n, *row_shape)."""
        X = X.to(torch.float32)  # images may be bytes
        domain: Tensor | int | None = self.domain
        if self.source_rows is not None:
            domain = self.source_rows(X).to(torch.int64) - 1  # 0 or -1, an unknown target's
        networks: Sequence[DomainAdversarialNetwork] = list(self.networks)  # type: ignore[arg-type]
        return joint_output(networks, X, "label_logits", domain).softmax(dim=1)
