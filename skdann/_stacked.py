"""The objective of k networks at once, for networks of our own layers: no autograd.

Small networks are all overhead: a step by autograd is a hundred calls of operators of a few
microseconds each. Here the weights of k networks lie behind one another, a layer of all of them
is one batched matrix product, and the gradient is written out by hand. A single network is
k = 1. The numbers are those of `AutogradObjective`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from skdann._batches import Batch
from skdann._losses import cross_entropy_gradient
from skdann._network import (
    ACTIVATIONS,
    DomainAdversarialNetwork,
    MultilayerPerceptron,
    is_ours,
)
from skdann._objective import Logits
from skdann._randomness import RandomStreams, draw_keep_masks_

# Turn the gradient behind an activation into the one before it, in place, by the values there.
_aten = torch.ops.aten
DERIVATIVES: dict[str, Callable[[Tensor, Tensor, Tensor], Any]] = {
    "identity": lambda g, before, after: g,
    "logistic": lambda g, before, after: _aten.sigmoid_backward.grad_input(g, after, grad_input=g),
    "tanh": lambda g, before, after: _aten.tanh_backward.grad_input(g, after, grad_input=g),
    "relu": lambda g, before, after: _aten.threshold_backward.grad_input(g, after, 0, grad_input=g),
    "gelu": lambda g, before, after: _aten.gelu_backward.grad_input(g, before, grad_input=g),
}


def can_be_stacked(network: DomainAdversarialNetwork) -> bool:
    """Tell whether the network has only layers of ours, all to be trained and none watched."""
    return (
        all(map(is_ours, network.parts))
        and not any(
            module._forward_hooks or module._forward_pre_hooks or module._backward_hooks
            for module in network.modules()
        )
        and all(parameter.requires_grad for parameter in network.parameters())
    )


class StackedObjective:
    """The objectives of k networks of equal sizes, whose gradients are found together.

    The networks' parameters become views of tensors that hold those of all k, and their
    ``grad`` after each step likewise; to every other user they are ordinary parameters.

    Parameters
    ----------
    networks : sequence of k DomainAdversarialNetwork
        For which `can_be_stacked` holds.
    streams : sequence of k RandomStreams
        Where each network's dropout draws from.
    """

    def __init__(
        self, networks: Sequence[DomainAdversarialNetwork], streams: Sequence[RandomStreams]
    ) -> None:
        self._networks = networks
        self._features = _StackedPart([n.feature_extractor for n in networks])
        self._label = _StackedPart([n.label_predictor for n in networks])
        self._label_dropout = [s.label_dropout for s in streams]
        self._domain_dropout = [s.domain_dropout for s in streams]

    @functools.cached_property
    def _domain(self) -> _StackedPart:
        # Made when it is first used: without target rows it gets no gradient, not even zero.
        return _StackedPart([n.domain_classifier for n in self._networks])

    @torch.no_grad()
    def adversarial(self, batch: Batch, coefficient: Tensor) -> Logits:
        """Leave the gradient of label and domain loss in the parameters' ``grad``.

        Parameters
        ----------
        batch : Batch with a leading axis of length k
        coefficient : Tensor of shape (k,)
            Lambda of each network.
        """
        n_source = batch.y.shape[1]
        embedding = self._features.forward(batch.X, self._label_dropout)
        label_logits = self._label.forward(embedding[:, :n_source], self._label_dropout)
        domain_logits = self._domain.forward(embedding, self._domain_dropout)
        gradient = self._domain.backward(_domain_gradient(domain_logits, batch))
        gradient.mul_(coefficient.neg().view(-1, 1, 1))  # the reversal
        label_gradient = self._label.backward(_label_gradient(label_logits, batch))
        gradient[:, :n_source].add_(label_gradient)
        self._features.backward(gradient, to_inputs=False)
        return Logits(label_logits, domain_logits)

    @torch.no_grad()
    def source_only(self, batch: Batch) -> Logits:
        """Leave the gradient of the label loss in feature extractor and label predictor.

        With target rows the domain classifier learns too, from an embedding that it can't
        change.
        """
        embedding = self._features.forward(batch.X[:, : batch.y.shape[1]], self._label_dropout)
        label_logits = self._label.forward(embedding, self._label_dropout)
        self._features.backward(
            self._label.backward(_label_gradient(label_logits, batch)), to_inputs=False
        )
        if batch.domain is None:
            return Logits(label_logits, None)
        embedding = self._features.forward(batch.X, None)
        domain_logits = self._domain.forward(embedding, self._domain_dropout)
        self._domain.backward(_domain_gradient(domain_logits, batch), to_inputs=False)
        return Logits(label_logits, domain_logits)


class _Layer(NamedTuple):
    """Weights (k, n_out, n_in) and biases (k, 1, n_out) of k layers, and their gradients."""

    weight: Tensor
    bias: Tensor
    weight_gradient: Tensor
    bias_gradient: Tensor
    of_parameters: list[tuple[Tensor, Tensor]]

    def hand_out(self) -> None:
        """Make the gradients those of the parameters; a callback may have put others there."""
        for parameter, gradient in self.of_parameters:
            parameter.grad = gradient


class _Passed(NamedTuple):
    """What a layer keeps of the way forwards: input, both sides of the activation, mask."""

    x: Tensor
    before: Tensor
    after: Tensor
    mask: Tensor | None


class _StackedPart:
    """The same part of k networks: a multilayer perceptron with a leading axis of length k."""

    def __init__(self, parts: Sequence[nn.Module]) -> None:
        first = parts[0]
        assert isinstance(first, MultilayerPerceptron)
        self._n_hidden, self._dropout = first.n_hidden, first.dropout
        self._activate = ACTIVATIONS[first.activation]
        self._derivative = DERIVATIVES[first.activation]
        layers = [part.layers for part in parts if isinstance(part, MultilayerPerceptron)]
        self._layers = [_stacked_layer(of_all) for of_all in zip(*layers, strict=True)]
        self._passed: list[_Passed] = []
        self._masks: dict[int, Tensor] = {}

    def forward(self, x: Tensor, generators: Sequence[torch.Generator] | None) -> Tensor:
        """Return (k, n, n_outputs) of (k, n, n_inputs); None as generators drops no units."""
        self._passed = []
        for i, layer in enumerate(self._layers):
            before = torch.baddbmm(layer.bias, x, layer.weight.transpose(1, 2))
            after, mask, out = before, None, before
            if i < self._n_hidden:
                out = after = self._activate(before)
                if generators is not None and self._dropout > 0:
                    mask = self._mask(i, after)
                    out = after * draw_keep_masks_(mask, self._dropout, generators)
            self._passed.append(_Passed(x, before, after, mask))
            x = out
        return x

    def _mask(self, layer: int, like: Tensor) -> Tensor:
        """Return memory for the layer's dropout mask: the same in every step of an epoch."""
        mask = self._masks.get(layer)
        if mask is None or mask.shape != like.shape:
            mask = self._masks[layer] = torch.empty_like(like)
        return mask

    def backward(self, gradient: Tensor, to_inputs: bool = True) -> Tensor:
        """Fill the layers' gradients; return that of the inputs, where it is asked for.

        `gradient` may be overwritten.
        """
        for i in reversed(range(len(self._layers))):
            layer, passed = self._layers[i], self._passed[i]
            if i < self._n_hidden:
                if passed.mask is not None:
                    gradient.mul_(passed.mask)
                self._derivative(gradient, passed.before, passed.after)
            torch.bmm(gradient.transpose(1, 2), passed.x, out=layer.weight_gradient)
            torch.sum(gradient, dim=1, keepdim=True, out=layer.bias_gradient)
            layer.hand_out()
            if i > 0 or to_inputs:
                gradient = torch.bmm(gradient, layer.weight)
        return gradient


def _stacked_layer(layers: Sequence[nn.Linear]) -> _Layer:
    weight, weight_gradient = _joined(weights := [layer.weight for layer in layers])
    bias, bias_gradient = _joined(biases := [layer.bias for layer in layers])
    of_parameters = [*zip(weights, weight_gradient, strict=True)]
    of_parameters += zip(biases, bias_gradient, strict=True)
    return _Layer(
        weight, bias.unsqueeze(1), weight_gradient, bias_gradient.unsqueeze(1), of_parameters
    )


def _joined(parameters: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return a tensor of which the parameters become views, and one for their gradients."""
    if len(parameters) == 1:
        values = parameters[0].data[None]
    else:
        values = torch.stack([parameter.data for parameter in parameters])
        for parameter, value in zip(parameters, values, strict=True):
            parameter.data = value
    return values, torch.empty_like(values)


def _label_gradient(logits: Tensor, batch: Batch) -> Tensor:
    return cross_entropy_gradient(logits, batch.y, batch.label_weight)


def _domain_gradient(logits: Tensor, batch: Batch) -> Tensor:
    assert batch.domain is not None
    return cross_entropy_gradient(logits, batch.domain, batch.domain_weight)
