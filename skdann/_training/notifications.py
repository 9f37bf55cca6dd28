"""Notifications: batches as skorch's callbacks get them, made only if a callback uses them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor

from skdann._data.batches import Batch
from skdann._data.record import TrainingData
from skdann._data.tensors import row_chunks
from skdann._training.autograd_objective import Logits
from skdann._training.grouping import Group
from skdann._training.losses import row_losses


class LabelledRows(NamedTuple):
    """A batch as skorch's callbacks know it: rows, and the codes of their labels.

    With several networks, their source rows one after the other.
    """

    X: Tensor
    y: Tensor


class Notifications:
    """Calls the batch and gradient methods of a net's callbacks, if any callback has them.

    Attributes
    ----------
    of_batches, of_gradients : bool
        Whether a callback overrides ``on_batch_begin`` or ``on_batch_end``, or
        ``on_grad_computed``.
    """

    def __init__(self, net: NeuralNet) -> None:
        self._net = net
        self.of_batches = _overridden(net, "on_batch_begin", "on_batch_end")
        self.of_gradients = _overridden(net, "on_grad_computed")

    def batch_begins(self, group: Group, batch: Batch) -> None:
        """Call ``on_batch_begin`` with the source rows, before they are scaled."""
        if self.of_batches:
            self._net.notify("on_batch_begin", batch=_source_rows(group, batch), training=True)

    def gradients(self, group: Group, batch: Batch) -> None:
        """Call ``on_grad_computed`` once for each network.

        A callback that clips the norm of the gradient means that of one network.
        """
        if not self.of_gradients:
            return
        for i, slot in enumerate(group.batches.slots):
            parameters = self._net.members_[group.members[i]].named_parameters()
            own = batch.of(i, slot)
            rows = LabelledRows(own.X[: len(own.y)], own.y)
            self._net.notify(
                "on_grad_computed", named_parameters=parameters, batch=rows, training=True
            )

    def batch_ends(self, group: Group, batch: Batch, logits: Logits) -> None:
        """Call ``on_batch_end`` with label loss and label logits of the source rows."""
        if self.of_batches:
            loss = row_losses(logits.label, batch.y, batch.label_weight).mean()
            self._end("train", _source_rows(group, batch), logits.label.flatten(0, 1), loss)

    def held_out(self, data: TrainingData, logits: Tensor) -> None:
        """Call both methods for a network's source rows held out, chunk by chunk."""
        if not self.of_batches:
            return
        codes = torch.from_numpy(data.y_source)
        chunks = row_chunks(data.X_source, torch.device(self._net.device), data.source_rows)
        for positions, X in chunks:
            y, own = codes[positions], logits[positions]
            batch = LabelledRows(X, y)
            self._net.notify("on_batch_begin", batch=batch, training=False)
            self._end("valid", batch, own, row_losses(own, y).mean())

    def _end(self, prefix: str, batch: LabelledRows, y_pred: Tensor, loss: Tensor) -> None:
        history, training = self._net.history, prefix == "train"
        history.record_batch(f"{prefix}_loss", loss.item())
        history.record_batch(f"{prefix}_batch_size", len(batch.y))
        self._net.notify("on_batch_end", batch=batch, training=training, loss=loss, y_pred=y_pred)


def _source_rows(group: Group, batch: Batch) -> LabelledRows:
    """Return the labelled rows of all networks of a group, behind one another."""
    n_source = batch.y.shape[1]
    # For one network a view: a callback may change the rows in place.
    X = batch.X[:, :n_source] if len(batch.X) == 1 else batch.X[group.batches.slots, :n_source]
    X = X.expand(len(batch.y), *X.shape[1:])
    return LabelledRows(X.flatten(0, 1), batch.y.flatten())


def _overridden(net: NeuralNet, *methods: str) -> bool:
    """Tell whether any callback of the net has one of these methods of its own."""
    return any(
        getattr(type(callback), method) is not getattr(Callback, method)
        for _, callback in net.callbacks_
        for method in methods
    )
