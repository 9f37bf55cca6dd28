"""Class weights: source rows weighed so that they have the class shares of the target."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from skdann._data.batches import Batch
from skdann._data.record import TrainingData
from skdann._training.losses import multiplied


def shares_of_source(data: TrainingData) -> np.ndarray:
    """Return the shares of the classes among the source rows, by their sample weights."""
    counts = np.bincount(data.y_source, data.domain_weight, minlength=len(data.classes))
    return counts / counts.sum()


class ClassWeights:
    """Weighs source rows by target share / source share of their class, for k networks.

    The weights count in the label loss, and in the domain loss, where target rows weigh 1. Source
    rows then have the class shares of the target (Combes et al., 2020).

    Parameters
    ----------
    target_shares : sequence of k Tensor of shape (n_classes,)
    data : sequence of k TrainingData
    """

    def __init__(self, target_shares: Sequence[Tensor], data: Sequence[TrainingData]) -> None:
        pairs = zip(target_shares, data, strict=True)
        self._weights = torch.stack([class_weights(shares, one) for shares, one in pairs])

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch with its weights multiplied."""
        n_few = batch.n_few
        # (k, n_source), from (k, n_classes)
        weight = self._weights.gather(1, batch.y[:, n_few:])
        # Target rows have the target's class shares as they are.
        of_few = weight.new_ones(len(weight), n_few)
        of_labelled = torch.cat([of_few, weight], dim=1) if n_few else weight
        label_weight = multiplied(of_labelled, batch.label_weight)
        if batch.domain is None:
            return batch._replace(label_weight=label_weight)
        n_target = batch.domain.shape[1] - weight.shape[1]
        # Against source rows of these weights stand target rows of weight 1.
        of_all = torch.cat([weight, weight.new_ones(len(weight), n_target)], dim=1)
        domain_weight = multiplied(of_all, batch.domain_weight)
        return batch._replace(label_weight=label_weight, domain_weight=domain_weight)


def class_weights(target_shares: Tensor, data: TrainingData) -> Tensor:
    """Return the float32 weight of each class; 0 for a class without source rows."""
    source = torch.from_numpy(shares_of_source(data)).to(target_shares)
    return torch.where(source > 0, target_shares / source.clamp_min(1e-12), 0.0).float()
