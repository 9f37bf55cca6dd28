"""The network: feature extractor, label predictor, domain classifier, and their assembly.

Modules hold weights and nothing else. They emit logits; chance, lambda and losses come from
outside. Shapes in the docstrings: n rows of any shape in, ``n_embedding`` features between
the parts, one logit per class or per domain out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from skdann._network.conditioning import MultilinearConditioning
from skdann._network.custom_parts import Part, _given_part, _try_part
from skdann._network.layers import MultilayerPerceptron, _apply, is_ours
from skdann._network.reversal import reverse_gradient
from skdann._network.scaling import InputScaling
from skdann._torch.randomness import PrivateRandomness, RandomStreams


@dataclass(frozen=True)
class Architecture:
    """What the parts are to be: the parameters of the same names in `DANNClassifier`."""

    hidden_layer_sizes: tuple[int, ...]
    activation: str
    dropout: float
    feature_extractor: Part | None = None
    label_predictor: tuple[int, ...] | Part = ()
    domain_classifier: tuple[int, ...] | Part = (100,)
    conditioning: str | None = None


class DomainAdversarialNetwork(nn.Module):
    """The three parts of Ganin et al. (2016), figure 1.

    Parameters
    ----------
    feature_extractor : Module, (n, *row_shape) to (n, n_embedding)
    label_predictor : Module, (n, n_embedding) to (n, n_classes) logits
    domain_classifier : Module, (n, n_embedding) to (n, n_domains) logits
    conditioning : MultilinearConditioning, default=None
        Turns embedding and class probabilities to what the domain classifier is given; None
        gives it the embedding.
    """

    def __init__(
        self,
        feature_extractor: nn.Module,
        label_predictor: nn.Module,
        domain_classifier: nn.Module,
        conditioning: MultilinearConditioning | None = None,
    ) -> None:
        super().__init__()
        self.feature_extractor = feature_extractor
        self.label_predictor = label_predictor
        self.domain_classifier = domain_classifier
        self.conditioning = conditioning
        self.input_scaling: InputScaling | None = None
        # The target's class shares that source rows are weighted for; None weighs them equally.
        self.target_shares: Tensor | None
        self.register_buffer("target_shares", None)

    @property
    def parts(self) -> tuple[nn.Module, nn.Module, nn.Module]:
        """What is trained."""
        return self.feature_extractor, self.label_predictor, self.domain_classifier

    def scaled(self, X: Tensor, domain: Tensor | int | None = None) -> Tensor:
        """Return rows as the feature extractor wants them; see `InputScaling`."""
        return X if self.input_scaling is None else self.input_scaling(X, domain)

    def embed(self, X: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the embedding (n, n_embedding) of scaled rows."""
        return _apply(self.feature_extractor, X, generator)

    def label_logits(self, embedding: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return (n, n_classes)."""
        return _apply(self.label_predictor, embedding, generator)

    def domain_logits(
        self,
        embedding: Tensor,
        generator: torch.Generator | None = None,
        label_logits: Tensor | None = None,
    ) -> Tensor:
        """Return (n, n_domains); column 0 is the source.

        `label_logits` of the same rows are for the conditioning; None lets the network find them.
        """
        if self.conditioning is not None:
            logits = self.label_logits(embedding) if label_logits is None else label_logits
            embedding = self.conditioning(embedding, logits.detach().softmax(dim=1))
        return _apply(self.domain_classifier, embedding, generator)

    def forward(
        self,
        X: Tensor,
        n_source: int,
        coefficient: Tensor,
        label_dropout: torch.Generator | None = None,
        domain_dropout: torch.Generator | None = None,
        label_target: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Return label logits of the source rows and domain logits of all rows.

        Parameters
        ----------
        X : Tensor of shape (n, *row_shape)
            Scaled, source rows first, then target rows: both pass the feature extractor at once.
        n_source : int
            How many of the rows are the source's.
        coefficient : Tensor of shape ()
            Lambda of the gradient reversal layer.
        label_dropout, domain_dropout : torch.Generator
            Where dropout masks on the way to the label and in the domain classifier come from.
        label_target : bool, default=False
            Whether label logits of the target rows are wanted too. Conditioning wants them.

        Returns
        -------
        label_logits : Tensor of shape (n_source, n_classes), or (n, n_classes)
        domain_logits : Tensor of shape (n, n_domains)
        """
        embedding = self.embed(X, label_dropout)
        labelled = embedding if label_target else embedding[:n_source]
        label_logits = self.label_logits(labelled, label_dropout)
        reversed_embedding = reverse_gradient(embedding, coefficient)
        return label_logits, self.domain_logits(reversed_embedding, domain_dropout, label_logits)


def build_network(
    architecture: Architecture,
    row_shape: tuple[int, ...],
    n_classes: int,
    n_domains: int,
    streams: RandomStreams,
) -> DomainAdversarialNetwork:
    """Return a new network; parts that the user gave are copied or called with their sizes.

    Parameters
    ----------
    architecture : Architecture
    row_shape : tuple of int
        Shape of one row of `X`.
    n_classes, n_domains : int
    streams : RandomStreams
        Where initial weights come from.

    Raises
    ------
    ValueError
        Where a part of the user's does not fit the sizes, naming the parameter.
    """
    a = architecture
    n_inputs = row_shape[0] if len(row_shape) == 1 else row_shape
    probe = torch.zeros((2, *row_shape))

    def own(n_in: Any, hidden: tuple[int, ...], n_out: int | None, init: torch.Generator) -> Any:
        return MultilayerPerceptron(n_in, hidden, n_out, a.activation, a.dropout, init)

    def given(value: Any) -> Any:
        return None if isinstance(value, tuple) else value

    def hidden(value: Any) -> tuple[int, ...]:
        return value if isinstance(value, tuple) else ()

    feature_extractor = _given_part(
        "feature_extractor", a.feature_extractor, (n_inputs,), streams.label_modules
    ) or own(n_inputs, a.hidden_layer_sizes, None, streams.feature_init)
    embedding = _try_part("feature_extractor", feature_extractor, probe, None)
    n_embedding = embedding.shape[1]
    sizes = (n_embedding, n_classes)
    label_predictor = _given_part(
        "label_predictor", given(a.label_predictor), sizes, streams.label_modules
    ) or own(n_embedding, hidden(a.label_predictor), n_classes, streams.label_init)
    _try_part("label_predictor", label_predictor, embedding, n_classes)
    conditioning = None
    if a.conditioning == "multilinear":
        conditioning = MultilinearConditioning.drawn(*sizes, streams.domain_init)
        embedding = conditioning(embedding, embedding.new_zeros((len(embedding), n_classes)))
    n_inputs = embedding.shape[1]
    sizes = (n_inputs, n_domains)
    domain_classifier = _given_part(
        "domain_classifier", given(a.domain_classifier), sizes, streams.domain_modules
    ) or own(n_inputs, hidden(a.domain_classifier), n_domains, streams.domain_init)
    _try_part("domain_classifier", domain_classifier, embedding, n_domains)
    parts = feature_extractor, label_predictor, domain_classifier
    return DomainAdversarialNetwork(*parts, conditioning)


def joint_output(
    networks: Sequence[DomainAdversarialNetwork],
    X: Tensor,
    of: str,
    domain: Tensor | int | None = None,
) -> Tensor:
    """Return the "embedding", "label_logits" or "domain_logits" of one or several networks.

    Embeddings of several networks stand side by side. Their logits are averaged as
    probabilities: the softmax of what is returned is the mean of the networks' softmaxes.
    `domain` says where the rows are from, for their scaling.

    Returns
    -------
    Tensor of shape (n, n_networks * n_embedding), (n, n_classes) or (n, n_domains)
    """
    embeddings = [network.embed(network.scaled(X, domain)) for network in networks]
    if of == "embedding":
        return embeddings[0] if len(embeddings) == 1 else torch.cat(embeddings, dim=1)
    logits = [getattr(n, of)(e) for n, e in zip(networks, embeddings, strict=True)]
    if len(logits) == 1:
        return logits[0]
    log_probabilities = torch.log_softmax(torch.stack(logits), dim=-1)
    return torch.logsumexp(log_probabilities, dim=0) - math.log(len(logits))


def may_draw_globally(
    randomness: PrivateRandomness, *parts: nn.Module
) -> AbstractContextManager[None]:
    """Return the context in which `parts` may run in training mode.

    Our own modules draw from the generator that they are given; a user's may draw from
    torch's global one, which is exchanged for a private one meanwhile.
    """
    return nullcontext() if all(map(is_ours, parts)) else randomness.active()
