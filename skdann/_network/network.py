"""The network: feature extractor, label predictor, domain classifier, and their assembly.

Modules hold weights and return logits. Random generators and lambda are arguments, and losses
are computed elsewhere. Shapes in the docstrings: n rows of any shape in, ``n_embedding`` features
between the parts, one logit per class or per domain out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from skdann._network.conditioning import MultilinearConditioning
from skdann._network.custom_parts import Part, _try_part, given_part, lay_out_channels_last
from skdann._network.denoising import InputDenoising
from skdann._network.layers import MultilayerPerceptron, _apply, is_ours
from skdann._network.reversal import reverse_gradient
from skdann._network.scaling import InputScaling
from skdann._torch.compat import counted_multiply_adds
from skdann._torch.randomness import PrivateRandomness, RandomStreams


@dataclass(frozen=True)
class Architecture:
    """Sizes and modules of the three parts: parameters of the same names in `DANNClassifier`."""

    hidden_layer_sizes: tuple[int, ...]
    activation: str
    dropout: float
    feature_extractor: Part | None = None
    label_predictor: tuple[int, ...] | Part = ()
    domain_classifier: tuple[int, ...] | Part = (100,)
    conditioning: str | None = None

    @property
    def has_own_parts(self) -> bool:
        """Whether the user gives a module for some part; such networks take their steps alone."""
        given = self.feature_extractor, self.label_predictor, self.domain_classifier
        return any(part is not None and not isinstance(part, tuple) for part in given)


class DomainAdversarialNetwork(nn.Module):
    """The three parts of Ganin et al. (2016), figure 1.

    Called on raw rows, as after training, it returns their label logits. A training step calls
    `adversarial_logits` instead.

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
        self.input_scaling: InputScaling | InputDenoising | None = None
        # Of one row in a forward pass; set by `build_network`.
        self.multiply_adds = 0
        # Class shares of the target by which source rows are weighted; None: no such weights.
        self.target_shares: Tensor | None
        self.register_buffer("target_shares", None)

    @property
    def parts(self) -> tuple[nn.Module, nn.Module, nn.Module]:
        """What is trained."""
        return self.feature_extractor, self.label_predictor, self.domain_classifier

    def scaled(self, X: Tensor, domain: Tensor | int | None = None) -> Tensor:
        """Return rows with the input scaling applied; see `InputScaling`."""
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

        `label_logits` of the same rows are for the conditioning; None computes them if needed.
        """
        if self.conditioning is not None:
            logits = self.label_logits(embedding) if label_logits is None else label_logits
            embedding = self.conditioning(embedding, logits.detach().softmax(dim=1))
        return _apply(self.domain_classifier, embedding, generator)

    def forward(self, X: Tensor) -> Tensor:
        """Return the label logits of raw rows, which count as target rows for the input scaling.

        For tools that call a module on a tensor: ``torch.export``, ``torch.jit.trace`` and others.

        Parameters
        ----------
        X : Tensor of shape (n, *row_shape)
            Of any type; it is computed with as float32.

        Returns
        -------
        Tensor of shape (n, n_classes)
        """
        return self.label_logits(self.embed(self.scaled(X.to(torch.float32))))

    def adversarial_logits(
        self,
        X: Tensor,
        n_labelled: int,
        coefficient: Tensor,
        *,
        n_few: int = 0,
        label_dropout: torch.Generator | None = None,
        domain_dropout: torch.Generator | None = None,
        label_target: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Return label logits of the first rows, and domain logits of the last behind a reversal.

        Parameters
        ----------
        X : Tensor of shape (n, *row_shape)
            Scaled: target rows with a label, source rows, target rows. All pass the feature
            extractor at once.
        n_labelled : int
            How many rows have a label.
        coefficient : Tensor of shape ()
            Lambda of the gradient reversal layer.
        n_few : int, default=0
            How many of the rows with a label are the target's. These have no domain logits.
        label_dropout, domain_dropout : torch.Generator
            For the dropout masks of feature extractor and label predictor, and of the domain
            classifier.
        label_target : bool, default=False
            Whether to return label logits of the last rows too. Conditioning needs them.

        Returns
        -------
        label_logits : Tensor of shape (n_labelled, n_classes), or (n, n_classes)
        domain_logits : Tensor of shape (n - n_few, n_domains)
        """
        embedding = self.embed(X, label_dropout)
        labelled = embedding if label_target else embedding[:n_labelled]
        label_logits = self.label_logits(labelled, label_dropout)
        reversed_embedding = reverse_gradient(embedding[n_few:], coefficient)
        domain_logits = self.domain_logits(reversed_embedding, domain_dropout, label_logits[n_few:])
        return label_logits, domain_logits


class Ensemble(nn.ModuleList):
    """Several networks as one module; called on raw rows it returns their joint label logits."""

    def forward(self, X: Tensor) -> Tensor:
        """Return (n, n_classes): the softmax of it is the mean of the networks' softmaxes."""
        return joint_output(list(self), X.to(torch.float32), "label_logits")  # type: ignore[arg-type]


def build_network(
    architecture: Architecture,
    row_shape: tuple[int, ...],
    n_classes: int,
    n_domains: int,
    streams: RandomStreams,
) -> DomainAdversarialNetwork:
    """Return a new network; modules that the user gave are copied, callables called with sizes.

    Parameters
    ----------
    architecture : Architecture
    row_shape : tuple of int
        Shape of one row of `X`.
    n_classes, n_domains : int
    streams : RandomStreams
        For the initial weights.

    Raises
    ------
    ValueError
        Where a custom part does not fit the sizes, naming the parameter.
    """
    a = architecture
    # Two rows of zeros go from part to part, to find out the sizes between them and what fails.
    rows = torch.zeros((2, *row_shape), dtype=torch.float32)
    feature_extractor, embedding = _part(
        "feature_extractor", a, rows, None, streams.label_modules, streams.feature_init
    )
    if streams.label_modules.device.type == "cpu":
        lay_out_channels_last(feature_extractor, rows)
    label_predictor, label_logits = _part(
        "label_predictor", a, embedding, n_classes, streams.label_modules, streams.label_init
    )
    conditioning, domain_inputs = None, embedding
    if a.conditioning == "multilinear":
        n_embedding = embedding.shape[1]
        conditioning = MultilinearConditioning.drawn(n_embedding, n_classes, streams.domain_init)
        domain_inputs = conditioning(embedding, torch.zeros_like(label_logits))
    domain_classifier, _ = _part(
        "domain_classifier",
        a,
        domain_inputs,
        n_domains,
        streams.domain_modules,
        streams.domain_init,
    )
    network = DomainAdversarialNetwork(
        feature_extractor, label_predictor, domain_classifier, conditioning
    )
    network.multiply_adds = _multiply_adds(network, rows)
    return network


def _part(
    name: str,
    architecture: Architecture,
    rows: Tensor,
    n_outputs: int | None,
    randomness: PrivateRandomness,
    init: torch.Generator,
) -> tuple[nn.Module, Tensor]:
    """Return a part, custom or of the package's layers, and what it returns for `rows`.

    `n_outputs` is None for the feature extractor, which ends with its last hidden layer.
    """
    n_inputs = rows.shape[1] if rows.ndim == 2 else tuple(rows.shape[1:])
    sizes = (n_inputs,) if n_outputs is None else (n_inputs, n_outputs)
    given = getattr(architecture, name)
    if given is None:  # only the feature extractor has another parameter for its sizes
        given = architecture.hidden_layer_sizes
    if isinstance(given, tuple):
        options = architecture.activation, architecture.dropout
        module: nn.Module = MultilayerPerceptron(rows.shape[1], given, n_outputs, *options, init)
    else:
        module = given_part(name, given, sizes, randomness)
    return module, _try_part(name, module, rows, n_outputs)


def _multiply_adds(network: DomainAdversarialNetwork, rows: Tensor) -> int:
    """Return about how many multiply-adds a row takes in one forward pass of all three parts.

    Fully connected layers multiply once for each weight. A convolution uses each weight many
    times: custom parts are measured.
    """
    of_weights = sum(parameter.numel() for parameter in network.parameters())
    if all(map(is_ours, network.parts)):
        return of_weights

    def forward() -> None:
        embedding = network.embed(rows)
        network.domain_logits(embedding, None, network.label_logits(embedding))

    try:
        measured = counted_multiply_adds(forward) // len(rows)
    except Exception:  # a compiled or scripted module may not run inside the counter
        measured = 0
    return max(of_weights, measured)  # nor does the counter know every operator


def joint_output(
    networks: Sequence[DomainAdversarialNetwork],
    X: Tensor,
    of: str,
    domain: Tensor | int | None = None,
    *,
    scaled: bool = False,
) -> Tensor:
    """Return the "embedding", "label_logits" or "domain_logits" of one or several networks.

    Embeddings of several networks are concatenated. Their logits are averaged as probabilities:
    the softmax of what is returned is the mean of the networks' softmaxes. `domain` is the code of
    the rows' domain (0 for the source), for the input scaling; None for new target rows. `scaled`
    tells that the rows have passed what stands in front of the networks.

    Returns
    -------
    Tensor of shape (n, n_networks * n_embedding), (n, n_classes) or (n, n_domains)
    """
    embeddings = [n.embed(X if scaled else n.scaled(X, domain)) for n in networks]
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

    The package's layers draw from the generator that they get as an argument. Custom modules may
    draw from torch's global generator, which is exchanged for a private one in this context.
    """
    return nullcontext() if all(map(is_ours, parts)) else randomness.active()
