"""The objective of k networks at once, without autograd, for the package's own layers.

A step of a small network by autograd is mostly overhead: a hundred calls of operators that take a
few microseconds each. Here the weights of k networks are stacked along a leading axis, a layer of
all of them is one batched matrix product, and the gradient is written out by hand. A single
network is k = 1. The numbers are those of `AutogradObjective`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from skdann._data.batches import Batch, slots_of
from skdann._data.sparse_rows import SparseRows
from skdann._network.conditioning import MultilinearConditioning
from skdann._network.layers import ACTIVATIONS, MultilayerPerceptron, is_ours
from skdann._network.network import DomainAdversarialNetwork
from skdann._torch.compat import ACTIVATION_BACKWARD, has_hooks
from skdann._torch.randomness import RandomStreams, draw_keep_masks_
from skdann._training.autograd_objective import Logits, ObjectiveTerms, Strengths, labels_target
from skdann._training.losses import cross_entropy_gradient, negative_information_gradient
from skdann._training.optimizers import aligned

# Activations whose derivative can be computed from the output after dropout. With these, dropout
# multiplies the output in place, and the output before it need not be kept.
_DERIVATIVE_FROM_DROPPED: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": ACTIVATIONS["identity"],
    "relu": torch.relu_,
}


def can_be_stacked(network: DomainAdversarialNetwork) -> bool:
    """Tell whether the network has only the package's layers, all trained, and no hooks."""
    return (
        all(map(is_ours, network.parts))
        and not has_hooks(network)
        and all(parameter.requires_grad for parameter in network.parameters())
        and all(type(layer) is nn.Linear for layer in _layers(network))
    )


def _layers(network: DomainAdversarialNetwork) -> list[nn.Module]:
    """Return all layers; a callback may have parametrized one, which changes its class."""
    return [
        layer
        for part in network.parts
        if isinstance(part, MultilayerPerceptron)
        for layer in part.layers
    ]


def step_bytes(network: DomainAdversarialNetwork, n_rows: int) -> int:
    """Return about how many bytes a step takes for each network of a stack."""
    weights = [p for p in network.parameters() if p.ndim > 1]
    # For each weight: itself, its gradient and Adam's two moments. For each unit of each row: its
    # value and two gradients and, for some activations, the values before it and after dropout.
    activations = {getattr(part, "activation", None) for part in network.parts}
    of_unit = 3 if activations <= _DERIVATIVE_FROM_DROPPED.keys() else 5
    n_units = sum(len(weight) for weight in weights)
    return 4 * (4 * sum(weight.numel() for weight in weights) + of_unit * n_rows * n_units)


class StackedObjective:
    """The objectives of k networks of equal sizes, whose gradients are found together.

    The networks' parameters become views of tensors that hold those of all k, and their
    ``grad`` after each step likewise; to every other user they are ordinary parameters.

    Parameters
    ----------
    networks : sequence of k DomainAdversarialNetwork
        For which `can_be_stacked` holds.
    streams : sequence of k RandomStreams
        Hold the generators of each network's dropout masks.
    terms : ObjectiveTerms
    shared : bool, default=False
        Whether networks whose generators started with equal seeds share their dropout masks. Only
        for networks that take all their steps together: the generators of all but the first of
        them are never drawn from.
    """

    def __init__(
        self,
        networks: Sequence[DomainAdversarialNetwork],
        streams: Sequence[RandomStreams],
        terms: ObjectiveTerms,
        shared: bool = False,
    ) -> None:
        self._networks = networks
        self._terms = terms
        self._label_target = labels_target(networks[0], terms)
        several = [n.conditioning for n in networks if n.conditioning is not None]
        self._conditioning = MultilinearConditioning.stacked(several) if several else None
        keys: list[Hashable] = [s.key if shared else i for i, s in enumerate(streams)]
        self._mask_slots, first_networks = slots_of(keys)
        self._label_dropout = [streams[i].label_dropout for i in first_networks]
        self._domain_dropout = [streams[i].domain_dropout for i in first_networks]
        self._features = self._part("feature_extractor")
        self._label = self._part("label_predictor")

    @functools.cached_property
    def _domain(self) -> _StackedPart:
        # Made when it is first used. Without target rows it never is, and its parameters have no
        # gradient, not even zero: an optimizer with weight decay leaves them as they are.
        return self._part("domain_classifier")

    def _part(self, name: str) -> _StackedPart:
        parts = [getattr(network, name) for network in self._networks]
        return _StackedPart(parts, self._mask_slots)

    def take_gradients(
        self, domain: bool, sparse_rows: bool = False
    ) -> list[tuple[nn.Parameter, Tensor]]:
        """Return pairs of a parameter and the tensor that holds its gradient after each step.

        From now on the parameters' ``grad`` is not set. All parameters lie in one piece of memory,
        and their gradients in another: an optimizer can step through them as if they were one.
        `domain` tells whether the domain classifier is trained, and `sparse_rows` whether batches
        bring SparseRows.
        """
        parts = [self._features, self._label, *([self._domain] if domain else [])]
        first = self._features.layers[0].weight
        n_numbers = sum(part.memory_size for part in parts)
        memory = first.new_zeros(n_numbers), first.new_zeros(n_numbers)
        pairs, start = [], 0
        for part in parts:
            for_sparse = sparse_rows and part is self._features
            values, gradients = (numbers[start:] for numbers in memory)
            pairs += part.take_gradients(values, gradients, for_sparse)
            start += part.memory_size
        return pairs

    @torch.no_grad()
    def adversarial(self, batch: Batch, strengths: Strengths) -> Logits:
        """Leave the gradient of label and domain loss in the parameters' ``grad``.

        Parameters
        ----------
        batch : Batch with a leading axis of length k
        strengths : Strengths of k networks
        """
        # The way forwards. Rows are (k, n, width), and logits (k, n_logits, n): see `_StackedPart`.
        n_labelled, n_few = batch.y.shape[1], batch.n_few
        embedding = self._features.forward(batch.X, self._label_dropout)  # (k, n, n_embedding)
        labelled = embedding if self._label_target else embedding[:, :n_labelled]
        all_label_logits = self._label.forward(labelled, self._label_dropout)  # in columns
        label_logits = all_label_logits[:, :, :n_labelled]
        domain_inputs, probability = self._conditioned(
            embedding[:, n_few:], all_label_logits[:, :, n_few:]
        )
        domain_logits = self._domain.forward(domain_inputs, self._domain_dropout)
        # The way back: the domain loss through the domain classifier and the reversal layer ...
        gradient = self._domain.backward(self._domain_gradient(domain_logits, batch))
        if self._conditioning is not None:
            gradient = self._conditioning.backward_to_embedding(gradient, probability)
        gradient.mul_(strengths.reversal.neg().view(-1, 1, 1))  # times -lambda of each network
        if n_few:  # the domain loss has no rows in front
            gradient = nn.functional.pad(gradient, (0, 0, n_few, 0))
        # ... plus the label loss, for source rows and, with an information term, target rows.
        of_label = _label_gradient(label_logits, batch)
        if self._label_target:
            of_target = self._target_gradient(all_label_logits[:, :, n_labelled:], strengths)
            of_label = torch.cat([of_label, of_target], dim=2)
        # Labelled rows come first, so the label's gradient belongs to the first rows.
        gradient[:, : of_label.shape[2]].add_(self._label.backward(of_label))
        self._features.backward(gradient, to_inputs=False)
        return Logits(label_logits.mT, domain_logits.mT)

    @torch.no_grad()
    def source_only(self, batch: Batch) -> Logits:
        """Leave the gradient of the label loss in feature extractor and label predictor.

        With target rows the domain classifier learns too, from an embedding that it can't
        change.
        """
        # Labelled rows only, so that the label path and its dropout are the same with and without
        # target rows.
        labelled = _first_rows(batch.X, batch.y.shape[1])
        embedding = self._features.forward(labelled, self._label_dropout)
        label_logits = self._label.forward(embedding, self._label_dropout)
        self._features.backward(
            self._label.backward(_label_gradient(label_logits, batch)), to_inputs=False
        )
        if batch.domain is None:
            return Logits(label_logits.mT, None)
        # All rows again, without dropout and without a way back to the features.
        embedding = self._features.forward(batch.X, None)[:, batch.n_few :]
        if self._conditioning is not None:
            embedding, _ = self._conditioned(embedding, self._label.forward(embedding, None))
        domain_logits = self._domain.forward(embedding, self._domain_dropout)
        self._domain.backward(self._domain_gradient(domain_logits, batch), to_inputs=False)
        return Logits(label_logits.mT, domain_logits.mT)

    def _conditioned(self, embedding: Tensor, label_logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the inputs of the domain classifiers, and the class probabilities in them."""
        if self._conditioning is None:
            return embedding, label_logits
        probability = torch.softmax(label_logits, dim=1).mT
        return self._conditioning(embedding, probability), probability

    def _domain_gradient(self, logits: Tensor, batch: Batch) -> Tensor:
        """Return the gradient for the domain logits (k, n_domains, n)."""
        assert batch.domain is not None
        smoothing = self._terms.domain_label_smoothing
        return cross_entropy_gradient(
            logits, batch.domain, batch.domain_weight, dim=1, smoothing=smoothing
        )

    def _target_gradient(self, logits: Tensor, strengths: Strengths) -> Tensor:
        """Return the gradient for the label logits of the target rows."""
        if not self._terms.target_information:
            return torch.zeros_like(logits)
        gradient = negative_information_gradient(logits, dim=1)
        return gradient.mul_(strengths.target_information.view(-1, 1, 1))


class _Layer(NamedTuple):
    """Weights (k, n_out, n_in) and biases (k, n_out) of k layers, and their gradients."""

    weight: Tensor
    bias: Tensor
    weight_gradient: Tensor
    bias_gradient: Tensor
    of_parameters: list[tuple[nn.Parameter, Tensor]]

    def forward(self, x: Tensor | list[SparseRows]) -> Tensor:
        """Return the outputs (k, n, n_out) for (k, n, n_in)."""
        if isinstance(x, list):
            products = [one.times(w.mT) for one, w in zip(x, self.weight, strict=True)]
            return torch.stack(products).add_(self.bias.unsqueeze(1))
        return torch.baddbmm(self.bias.unsqueeze(1), x, self.weight.mT)

    def leave_weight_gradient(self, gradient: Tensor, x: Tensor | list[SparseRows]) -> None:
        """Fill the gradient of the weights, by that of the outputs in columns, (k, n_out, n)."""
        if isinstance(x, list):
            parts = zip(x, gradient, self.weight_gradient, strict=True)
            for one, of_outputs, of_weight in parts:
                one.transposed_times(of_outputs.mT.contiguous(), of_weight.mT)
        else:
            torch.bmm(gradient, x, out=self.weight_gradient)

    def hand_out(self) -> None:
        """Put the gradients in the parameters' ``grad``, where a callback may have put others."""
        for parameter, gradient in self.of_parameters:
            parameter.grad = gradient

    def moved(self, values: Tensor, gradients: Tensor, by_column: bool) -> _Layer:
        """Return the layer with its numbers in other memory, of which its parameters are views.

        `by_column` tells whether the weights of an input lie side by side, for sparse rows.
        """
        weight, bias = self._views(values, by_column)
        weight_gradient, bias_gradient = self._views(gradients, by_column)
        weight.copy_(self.weight)
        bias.copy_(self.bias)
        parameters = [parameter for parameter, _ in self.of_parameters]
        for parameter, value in zip(parameters, [*weight, *bias], strict=True):
            parameter.data = value
        of_parameters = [*zip(parameters, [*weight_gradient, *bias_gradient], strict=True)]
        return _Layer(weight, bias, weight_gradient, bias_gradient, of_parameters)

    def _views(self, memory: Tensor, by_column: bool) -> list[Tensor]:
        """Return views in the shapes of weights and biases, each network's aligned."""
        like, views, start = (self.weight.mT if by_column else self.weight, self.bias), [], 0
        for values in like:
            k, n_numbers = len(values), values[0].numel()
            end = start + k * aligned(n_numbers)
            views.append(memory[start:end].view(k, -1)[:, :n_numbers].view(values.shape))
            start = end
        return [views[0].mT, views[1]] if by_column else views


def _memory_size(layer: _Layer) -> int:
    """Return how many numbers of memory a layer of all k networks takes."""
    return sum(len(one) * aligned(one[0].numel()) for one in (layer.weight, layer.bias))


class _Passed(NamedTuple):
    """Values of a layer that the backward pass needs."""

    x: Tensor | list[SparseRows]
    before: Tensor
    after: Tensor
    mask: Tensor | None


class _StackedPart:
    """The same part of k networks: a multilayer perceptron with a leading axis of length k.

    The outputs of a linear layer at its end are in columns, (k, n_outputs, n): over short rows, a
    softmax would take as long as the layer.

    Parameters
    ----------
    parts : sequence of k MultilayerPerceptron
    mask_slots : sequence of k int
        Which of the dropout masks is each network's.
    """

    def __init__(self, parts: Sequence[nn.Module], mask_slots: Sequence[int]) -> None:
        first = parts[0]
        assert isinstance(first, MultilayerPerceptron)
        self._n_hidden, self._dropout = first.n_hidden, first.dropout
        self._in_place = first.activation in _DERIVATIVE_FROM_DROPPED
        self._activate = _DERIVATIVE_FROM_DROPPED.get(
            first.activation, ACTIVATIONS[first.activation]
        )
        self._derivative = ACTIVATION_BACKWARD[first.activation]
        layers = [part.layers for part in parts if isinstance(part, MultilayerPerceptron)]
        self.layers = [_stacked_layer(of_all) for of_all in zip(*layers, strict=True)]
        self._passed: list[_Passed] = []
        self._masks: dict[int, Tensor] = {}
        self._n_masks = 1 + max(mask_slots)
        # Only where some networks share a mask and others do not: a single mask is broadcast, and
        # one for each network is used as it is.
        self._mask_slots: Tensor | None = None
        if 1 < self._n_masks < len(mask_slots):
            self._mask_slots = torch.tensor(mask_slots, device=self.layers[0].weight.device)
        self._hands_out = True

    @property
    def memory_size(self) -> int:
        """How many numbers of memory the parameters of all k networks take."""
        return sum(map(_memory_size, self.layers))

    def take_gradients(
        self, values: Tensor, gradients: Tensor, sparse_rows: bool
    ) -> list[tuple[nn.Parameter, Tensor]]:
        """Return pairs of a parameter and its gradient's tensor; ``grad`` is no longer set.

        Both move to the start of the given memory, which is 0.
        """
        self._hands_out = False
        start = 0
        for i, layer in enumerate(self.layers):
            end = start + _memory_size(layer)
            by_column = sparse_rows and i == 0
            self.layers[i] = layer.moved(values[start:end], gradients[start:end], by_column)
            start = end
        return [pair for layer in self.layers for pair in layer.of_parameters]

    def forward(
        self, x: Tensor | list[SparseRows], generators: Sequence[torch.Generator] | None
    ) -> Tensor:
        """Return the outputs for (k, n, n_inputs); without generators there is no dropout."""
        self._passed = []
        for i, layer in enumerate(self.layers[: self._n_hidden]):
            before = layer.forward(x)  # (k, n, n_out)
            out = after = self._activate(before)
            mask = None
            if generators is not None and self._dropout > 0:
                mask = self._mask(i, after, generators)
                out = after.mul_(mask) if self._in_place else after * mask
            self._passed.append(_Passed(x, before, after, mask))
            x = out
        assert isinstance(x, Tensor)  # sparse rows have passed a hidden layer
        if len(self.layers) > self._n_hidden:
            layer = self.layers[-1]
            out = torch.baddbmm(layer.bias.unsqueeze(2), layer.weight, x.mT)
            self._passed.append(_Passed(x, out, out, None))
            x = out
        return x

    def _mask(self, layer: int, like: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """Return the layer's dropout masks, in the same memory in every step of an epoch."""
        mask, shape = self._masks.get(layer), (self._n_masks, *like.shape[1:])
        if mask is None or mask.shape != shape:
            mask = self._masks[layer] = like.new_empty(shape)
        draw_keep_masks_(mask, self._dropout, generators)
        return mask if self._mask_slots is None else mask[self._mask_slots]

    def backward(self, gradient: Tensor, to_inputs: bool = True) -> Tensor:
        """Fill the layers' gradients; return that of the inputs, if `to_inputs`.

        `gradient` is that of the outputs, in their shape, and may be overwritten.
        """
        for i in reversed(range(len(self.layers))):
            layer, passed = self.layers[i], self._passed.pop()
            if i < self._n_hidden:
                if passed.mask is not None:
                    gradient.mul_(passed.mask)
                self._derivative(gradient, passed.before, passed.after)
                gradient = gradient.mT  # from here in columns, as that of a last layer is
            layer.leave_weight_gradient(gradient, passed.x)
            torch.sum(gradient, dim=2, out=layer.bias_gradient)
            if self._hands_out:
                layer.hand_out()
            if i > 0 or to_inputs:
                gradient = torch.bmm(gradient.mT, layer.weight)
        return gradient


def _stacked_layer(layers: Sequence[nn.Linear]) -> _Layer:
    weight, weight_gradient = _joined(weights := [layer.weight for layer in layers])
    bias, bias_gradient = _joined(biases := [layer.bias for layer in layers])
    parameters: list[nn.Parameter] = [*weights, *biases]  # type: ignore[list-item]
    gradients = [*weight_gradient, *bias_gradient]
    of_parameters = [*zip(parameters, gradients, strict=True)]
    return _Layer(weight, bias, weight_gradient, bias_gradient, of_parameters)


def _joined(parameters: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return a tensor of which the parameters become views, and one for their gradients."""
    if len(parameters) == 1:
        values = parameters[0].data[None]
    else:
        values = torch.stack([parameter.data for parameter in parameters])
        for parameter, value in zip(parameters, values, strict=True):
            parameter.data = value
    return values, torch.empty_like(values)


def _first_rows(X: Tensor | list[SparseRows], n_rows: int) -> Tensor | list[SparseRows]:
    """Return the first rows of each network."""
    return [one.first(n_rows) for one in X] if isinstance(X, list) else X[:, :n_rows]


def _label_gradient(logits: Tensor, batch: Batch) -> Tensor:
    return cross_entropy_gradient(logits, batch.y, batch.label_weight, dim=1)
