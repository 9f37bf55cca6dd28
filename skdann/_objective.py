"""The objective of one batch by autograd, for any modules: forward pass, gradient, logits.

`AutogradObjective` states what a gradient step is; `_stacked` does the same for many of our
own networks at once, by a gradient that was derived by hand.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from skdann._batches import Batch
from skdann._losses import cross_entropy
from skdann._network import DomainAdversarialNetwork, may_draw_globally
from skdann._randomness import RandomStreams


class Logits(NamedTuple):
    """What the k networks of an objective said about their batch, detached.

    Attributes
    ----------
    label : Tensor of shape (k, n_source, n_classes)
    domain : Tensor of shape (k, n_source + n_target, n_domains), or None without target rows
    """

    label: Tensor
    domain: Tensor | None


class AutogradObjective:
    """The objective of one network, whatever its modules are.

    Parameters
    ----------
    network : DomainAdversarialNetwork
        In training mode.
    streams : RandomStreams
        Where dropout draws from.
    """

    def __init__(self, network: DomainAdversarialNetwork, streams: RandomStreams) -> None:
        self._network = network
        self._streams = streams

    def adversarial(self, batch: Batch, coefficient: Tensor) -> Logits:
        """Leave the gradient of label and domain loss in the parameters' ``grad``.

        As in Ganin et al. (2016), algorithm 1: one gradient for all three parts.

        Parameters
        ----------
        batch : Batch with a leading axis of length 1
        coefficient : Tensor of shape (1,)
            Lambda.
        """
        X, y, label_weight, domain, domain_weight = _first(batch)
        assert domain is not None
        streams = self._streams
        self._network.zero_grad()
        with may_draw_globally(streams.label_modules, *self._network.parts):
            label_logits, domain_logits = self._network(
                X, len(y), coefficient[0], streams.label_dropout, streams.domain_dropout
            )
        loss = cross_entropy(label_logits, y, label_weight)
        (loss + cross_entropy(domain_logits, domain, domain_weight)).backward()
        return _detached(label_logits, domain_logits)

    def source_only(self, batch: Batch) -> Logits:
        """Leave the gradient of the label loss in feature extractor and label predictor.

        With target rows the domain classifier learns too, from an embedding that it can't
        change. The label path is the same to the last bit in both cases.
        """
        X, y, label_weight, domain, domain_weight = _first(batch)
        streams = self._streams
        self._network.zero_grad()
        with may_draw_globally(streams.label_modules, *self._network.parts):
            embedding = self._network.embed(X[: len(y)], streams.label_dropout)
            label_logits = self._network.label_logits(embedding, streams.label_dropout)
        loss, domain_logits = cross_entropy(label_logits, y, label_weight), None
        if domain is not None:
            domain_logits = self._detached_domain_logits(X)
            loss = loss + cross_entropy(domain_logits, domain, domain_weight)
        loss.backward()
        return _detached(label_logits, domain_logits)

    def _detached_domain_logits(self, X: Tensor) -> Tensor:
        feature_extractor = self._network.feature_extractor
        feature_extractor.eval()  # no dropout drawn, no running statistics moved
        with torch.no_grad():
            embedding = self._network.embed(X)
        feature_extractor.train()
        with may_draw_globally(self._streams.domain_modules, self._network.domain_classifier):
            return self._network.domain_logits(embedding, self._streams.domain_dropout)


def _first(batch: Batch) -> Batch:
    """Return the batch of a single network without its leading axis."""
    values = [None if value is None else value[0] for value in batch]
    return Batch(*values)  # type: ignore[arg-type]


def _detached(label_logits: Tensor, domain_logits: Tensor | None) -> Logits:
    domain = None if domain_logits is None else domain_logits.detach()[None]
    return Logits(label_logits.detach()[None], domain)
