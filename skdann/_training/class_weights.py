"""Class weights: source rows weighed so that they have the class shares of the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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


def known_shares(label_shift: Any, data: TrainingData) -> Tensor | None:
    """Return the target's class shares as `label_shift` gives them; None for "ignore".

    Raises
    ------
    ValueError
        Where the shares don't fit the classes, naming `label_shift`.
    """
    if isinstance(label_shift, str):
        return None
    return torch.from_numpy(_given(label_shift, data.classes)).float()


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
        weight = self._weights.gather(1, batch.y)
        label_weight = multiplied(weight, batch.label_weight)
        if batch.domain is None:
            return batch._replace(label_weight=label_weight)
        n_target = batch.domain.shape[1] - weight.shape[1]
        of_all = torch.cat([weight, weight.new_ones(len(weight), n_target)], dim=1)
        domain_weight = multiplied(of_all, batch.domain_weight)
        return batch._replace(label_weight=label_weight, domain_weight=domain_weight)


def class_weights(target_shares: Tensor, data: TrainingData) -> Tensor:
    """Return the float32 weight of each class; 0 for a class without source rows."""
    source = torch.from_numpy(shares_of_source(data)).to(target_shares)
    return torch.where(source > 0, target_shares / source.clamp_min(1e-12), 0.0).float()


def _given(label_shift: Any, classes: np.ndarray) -> np.ndarray:
    if isinstance(label_shift, Mapping):
        lacking = [one for one in classes.tolist() if one not in label_shift]
        if lacking or len(label_shift) != len(classes):
            raise ValueError(
                f"label_shift must have a share for each of the classes {classes.tolist()} and no "
                f"other, got {dict(label_shift)!r}."
            )
        label_shift = [label_shift[one] for one in classes.tolist()]
    try:
        shares = np.asarray(label_shift, dtype=np.float64)
    except (TypeError, ValueError):
        shares = np.array([np.nan])
    if shares.shape != classes.shape or not (shares >= 0).all() or abs(shares.sum() - 1) > 1e-3:
        raise ValueError(
            "label_shift must be 'ignore', 'estimate' or the target's class shares: a number >= 0 "
            f"for each of the classes {classes.tolist()}, with sum 1; got {label_shift!r}."
        )
    return shares / shares.sum()
