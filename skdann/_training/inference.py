"""Inference: trained networks at work on rows, a chunk of bounded size at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from skdann._data.denoising import DenoisedRows
from skdann._data.record import TrainingData
from skdann._data.tensors import Rows, row_chunks
from skdann._network.denoising import InputDenoising
from skdann._network.layers import is_ours
from skdann._network.network import DomainAdversarialNetwork, joint_output
from skdann._training.class_weights import class_weights
from skdann._training.losses import hits, row_losses


def outputs(
    networks: Sequence[DomainAdversarialNetwork],
    X: Rows,
    of: str,
    finish: Callable[[Tensor], Tensor] = lambda output: output,
    *,
    device: torch.device,
    rows: np.ndarray | None = None,
    domain: Tensor | int | None = None,
) -> np.ndarray:
    """Return an output of all rows, of one network or of several together.

    Parameters
    ----------
    networks : sequence of DomainAdversarialNetwork
        In evaluation mode.
    X : float32 ndarray or CSR array
    of : {"embedding", "label_logits", "domain_logits"}
        The embeddings of several networks are concatenated; their logits become one, whose softmax
        is the mean of their probabilities.
    finish : callable, default=identity
        Applied to the output of each chunk.
    device : torch.device
    rows : int64 ndarray, default=None
        Which rows; None for all.
    domain : int64 Tensor of shape (n_rows,) or int, default=None
        Codes of the rows' domains, for their scaling: 0 for the source. None for new rows of the
        target.

    Returns
    -------
    ndarray of shape (n_rows, ...)
    """
    custom = not all(is_ours(network.feature_extractor) for network in networks)
    denoising = _shared_denoising(networks) if sparse.issparse(X) else None
    if denoising is not None:  # much faster than from dense rows
        X = DenoisedRows(X, denoising.numbers())
    result: Any = None
    with torch.inference_mode():
        for positions, chunk in row_chunks(X, device, rows, copy=custom):
            code = domain[positions] if isinstance(domain, Tensor) else domain
            output = finish(joint_output(networks, chunk, of, code, scaled=denoising is not None))
            if result is None:
                n_rows = X.shape[0] if rows is None else len(rows)
                result = torch.empty((n_rows, *output.shape[1:]), dtype=output.dtype)
            result[positions] = output
    return result.numpy()


def _shared_denoising(networks: Sequence[DomainAdversarialNetwork]) -> InputDenoising | None:
    """Return what stands in front of all networks, if that is one denoising."""
    first = networks[0].input_scaling
    same = all(network.input_scaling is first for network in networks)
    return first if same and isinstance(first, InputDenoising) else None


def held_out_figures(
    network: DomainAdversarialNetwork, data: TrainingData, device: torch.device
) -> tuple[dict[str, float], Tensor]:
    """Return a network's figures on rows held out, and its label logits of the source rows.

    The rows are weighted as in training, by sample weights and class weights of `label_shift`.
    """

    def logits(X: Rows, rows: np.ndarray | None, of: str, domain: Tensor | int) -> Tensor:
        output = outputs([network], X, of, device=device, rows=rows, domain=domain)
        return torch.from_numpy(output)

    y = torch.from_numpy(data.y_source)
    source = torch.from_numpy(data.source_codes)
    label = logits(data.X_source, data.source_rows, "label_logits", source)
    label_weight, domain_weight = _weights(network, data)
    figures = {
        "valid_label_loss": mean_loss(label, y, label_weight),
        "valid_accuracy": float(hits(label, y).mean()),
    }
    if data.X_target is None:
        return figures, label
    target = torch.from_numpy(data.target_domain)
    source_domain = logits(data.X_source, data.source_rows, "domain_logits", source)
    target_domain = logits(data.X_target, data.target_rows, "domain_logits", target)
    # Each domain counts half, as in a batch.
    loss = mean_loss(source_domain, source, domain_weight)
    figures["valid_domain_loss"] = (loss + mean_loss(target_domain, target, None)) / 2
    right = hits(source_domain, source).mean() + hits(target_domain, target).mean()
    figures["valid_domain_accuracy"] = float(right) / 2
    return figures, label


def mean_loss(logits: Tensor, codes: Tensor, weight: np.ndarray | None) -> float:
    """Return the mean cross-entropy of rows, weighted unless all weights are 0."""
    weights = None
    if weight is not None and weight.any():
        weights = torch.from_numpy(weight / weight.mean())
    return float(row_losses(logits, codes, weights).mean())


def _weights(
    network: DomainAdversarialNetwork, data: TrainingData
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the weights of source rows in the label loss and in the domain loss."""
    label_weight, domain_weight = data.label_weight, data.domain_weight
    if network.target_shares is not None:
        of_class = class_weights(network.target_shares, data).numpy(force=True)[data.y_source]
        label_weight = of_class if label_weight is None else label_weight * of_class
        domain_weight = of_class if domain_weight is None else domain_weight * of_class
    return label_weight, domain_weight
