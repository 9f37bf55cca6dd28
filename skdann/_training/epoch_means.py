"""Epoch means: logits and codes of all steps to the figures of `history_`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from skorch.history import History
from torch import Tensor
from torch.nn import Module

from skdann._data.batches import Batch, with_leading_axis
from skdann._training.autograd_objective import Logits
from skdann._training.losses import hits, row_losses

# Losses are read back from the device, and checked for NaN, once in this many steps; sooner if
# the logits of the steps in between would take more than these bytes.
_STEPS_PER_READING = 256

_BYTES_PER_READING = 16 * 2**20

# What a user can do where numbers overflow.
CAUSES = (
    "Likely causes: columns that are not scaled (put a StandardScaler in front), a learning rate "
    "that is too large (lower lr), or too strong an adversary (lower lambda_max). The estimator is "
    "as it was before the call."
)


class RunningMeans:
    """Means over the steps of an epoch, read back from the device in groups."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch
        self._logits: Logits | None = None
        self._batches: list[Batch] = []
        self._sums: dict[str, np.ndarray] = {}
        self._count = 0

    def add(self, logits: Logits, batch: Batch) -> None:
        """Add one step.

        The logits are copied. They are views of larger tensors, which could not be freed as long
        as the logits were kept.
        """
        if self._logits is None:
            self._logits = _room_for(logits)
        for room, values in zip(self._logits, logits, strict=True):
            if room is not None and values is not None:
                room[len(self._batches)].copy_(values)
        self._batches.append(batch._replace(X=batch.y))  # X is not needed: it can be freed
        if len(self._batches) == len(self._logits.label):
            self._read()

    def result(self) -> list[dict[str, float]]:
        """Return the means of all steps so far, of each network."""
        self._read()
        names = list(self._sums)
        columns = [(total / self._count).tolist() for total in self._sums.values()]
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]

    def _read(self) -> None:
        n_steps = len(self._batches)
        if self._logits is None or n_steps == 0:
            return
        logits = Logits(*(None if room is None else room[:n_steps] for room in self._logits))  # type: ignore[arg-type]
        for name, rows in _figures_of_rows(logits, self._batches).items():
            sums = rows.mean(dim=-1).sum(dim=0).cpu().numpy().astype(np.float64)
            self._sums[name] = self._sums.get(name, 0.0) + sums
        self._count += n_steps
        self._batches = []
        if not all(np.isfinite(total).all() for total in self._sums.values()):
            raise ValueError(f"The loss became NaN or infinite in epoch {self._epoch}. {CAUSES}")


def check_weights(module: Module) -> None:
    """Check that the weights are finite after the last step, which no loss has seen, or raise."""
    if not all(bool(value.isfinite().all()) for value in module.parameters()):
        raise ValueError(f"Weights became NaN or infinite in the last epoch. {CAUSES}")


def _figures_of_rows(logits: Logits, steps: list[Batch]) -> dict[str, Tensor]:
    """Return figures of all rows of some steps, each of shape (n_steps, k, n)."""
    batches = with_leading_axis(steps)
    label, domain = logits.label.mT, logits.domain  # in columns, as `StackedObjective` has them
    figures = {"label_loss": row_losses(label, batches.y, batches.label_weight, dim=-2)}
    if domain is not None and batches.domain is not None:
        weight = batches.domain_weight
        figures["domain_loss"] = row_losses(domain.mT, batches.domain, weight, dim=-2)
        figures["domain_accuracy"] = hits(domain.contiguous(), batches.domain)
    return figures


def _room_for(logits: Logits) -> Logits:
    """Return memory for the logits of some steps, along a leading axis, in columns."""
    step_bytes = sum(4 * values.numel() for values in logits if values is not None)
    n_steps = max(1, min(_STEPS_PER_READING, _BYTES_PER_READING // step_bytes))
    rooms = [None if one is None else one.new_empty((n_steps, *one.mT.shape)).mT for one in logits]
    return Logits(*rooms)  # type: ignore[arg-type]


def record_figures(history: History, members: Sequence[dict[str, float]]) -> None:
    """Record an epoch's figures: means over all networks, and for several those of each.

    Parameters
    ----------
    history : skorch.history.History
        Its last row gets the figures.
    members : sequence of k dicts
        The figures of each network, of the same names.
    """
    for name in members[0]:
        values = [row[name] for row in members if name in row]
        history.record(name, sum(values) / len(values))
    if len(members) > 1:
        before = history[-1].get("members", [{} for _ in members])
        both = [{**old, **new} for old, new in zip(before, members, strict=True)]
        history.record("members", both)
