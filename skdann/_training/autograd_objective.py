"""The objective of one batch by autograd, for any modules: forward pass, gradient, logits.

`AutogradObjective` states what a gradient step is. `StackedObjective` does the same for many
networks of the package's own layers at once, with the gradient derived by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from skdann._data.batches import Batch
from skdann._network.network import DomainAdversarialNetwork, may_draw_globally
from skdann._torch.randomness import RandomStreams
from skdann._training.losses import cross_entropy, negative_information


class Logits(NamedTuple):
    """The outputs of k networks for their batch, detached.

    Attributes
    ----------
    label : Tensor of shape (k, n_source, n_classes)
    domain : Tensor of shape (k, n_source + n_target, n_domains), or None without target rows
    """

    label: Tensor
    domain: Tensor | None


@dataclass(frozen=True)
class ObjectiveTerms:
    """Terms of the objective besides the paper's label and domain loss.

    Attributes
    ----------
    target_information : bool
        Whether the information of the target rows' predictions is one.
    domain_label_smoothing : float in [0, 1)
    """

    target_information: bool = False
    domain_label_smoothing: float = 0.0


class Strengths(NamedTuple):
    """The coefficients of k networks in a step, each of shape (k,).

    Attributes
    ----------
    reversal : Tensor
        Lambda.
    target_information : Tensor
        Weight of the mutual information of target rows and their predicted labels, which is
        maximised.
    """

    reversal: Tensor
    target_information: Tensor


class AutogradObjective:
    """The objective of one network, whatever its modules are.

    Parameters
    ----------
    network : DomainAdversarialNetwork
        In training mode.
    streams : RandomStreams
        Holds the generators of dropout masks.
    terms : ObjectiveTerms
    """

    def __init__(
        self, network: DomainAdversarialNetwork, streams: RandomStreams, terms: ObjectiveTerms
    ) -> None:
        self._network = network
        self._streams = streams
        self._terms = terms
        self._label_target = labels_target(network, terms)

    def adversarial(self, batch: Batch, strengths: Strengths) -> Logits:
        """Leave the gradient of label and domain loss in the parameters' ``grad``.

        As in Ganin et al. (2016), algorithm 1: one gradient for all three parts.

        Parameters
        ----------
        batch : Batch with a leading axis of length 1
        strengths : Strengths of one network
        """
        one = _first(batch)
        X, y, label_weight, domain, domain_weight, _ = one
        assert domain is not None
        streams, terms, n_labelled = self._streams, self._terms, len(y)
        self._network.zero_grad()
        with may_draw_globally(streams.label_modules, *self._network.parts):
            label_logits, domain_logits = self._network.adversarial_logits(
                X,
                n_labelled,
                strengths.reversal[0],
                n_few=one.n_few,
                label_dropout=streams.label_dropout,
                domain_dropout=streams.domain_dropout,
                label_target=self._label_target,
            )
        loss = cross_entropy(label_logits[:n_labelled], y, label_weight) + cross_entropy(
            domain_logits, domain, domain_weight, terms.domain_label_smoothing
        )
        if terms.target_information:
            information = negative_information(label_logits[n_labelled:])
            loss = loss + strengths.target_information[0] * information
        loss.backward()
        return _detached(label_logits[:n_labelled], domain_logits)

    def source_only(self, batch: Batch) -> Logits:
        """Leave the gradient of the label loss in feature extractor and label predictor.

        With target rows the domain classifier learns too, from an embedding that it can't
        change. The label path is the same to the last bit in both cases.
        """
        one = _first(batch)
        X, y, label_weight, domain, domain_weight, _ = one
        streams = self._streams
        self._network.zero_grad()
        with may_draw_globally(streams.label_modules, *self._network.parts):
            embedding = self._network.embed(X[: len(y)], streams.label_dropout)
            label_logits = self._network.label_logits(embedding, streams.label_dropout)
        loss, domain_logits = cross_entropy(label_logits, y, label_weight), None
        if domain is not None:
            domain_logits = self._detached_domain_logits(X[one.n_few :])
            smoothing = self._terms.domain_label_smoothing
            loss = loss + cross_entropy(domain_logits, domain, domain_weight, smoothing)
        loss.backward()
        return _detached(label_logits, domain_logits)

    def _detached_domain_logits(self, X: Tensor) -> Tensor:
        network = self._network
        label_path = network.feature_extractor, network.label_predictor
        for part in label_path:
            part.eval()  # no dropout drawn, no running statistics moved
        with torch.no_grad():
            embedding = network.embed(X)
            label_logits = None if network.conditioning is None else network.label_logits(embedding)
        for part in label_path:
            part.train()
        with may_draw_globally(self._streams.domain_modules, network.domain_classifier):
            return network.domain_logits(embedding, self._streams.domain_dropout, label_logits)


def labels_target(network: DomainAdversarialNetwork, terms: ObjectiveTerms) -> bool:
    """Tell whether an adversarial step needs the label logits of target rows."""
    return terms.target_information or network.conditioning is not None


def _first(batch: Batch) -> Batch:
    """Return the batch of a single network without its leading axis."""
    values = [None if value is None else value[0] for value in batch]
    return Batch(*values)  # type: ignore[arg-type]


def _detached(label_logits: Tensor, domain_logits: Tensor | None) -> Logits:
    domain = None if domain_logits is None else domain_logits.detach()[None]
    return Logits(label_logits.detach()[None], domain)
