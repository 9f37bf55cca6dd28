"""Networks and their optimizer as plain data, which is what files of them hold.

They are then on no device, and don't hang on the layout of any class of torch or skorch. Modules of
the user's own have no such form: they are kept in a pickle of torch (`UncheckedParts`).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from skdann._data.denoising import Denoising
from skdann._network.conditioning import MultilinearConditioning
from skdann._network.denoising import InputDenoising
from skdann._network.layers import MultilayerPerceptron, is_ours
from skdann._network.network import DomainAdversarialNetwork
from skdann._network.scaling import InputScaling
from skdann._torch.compat import has_hooks
from skdann._training.optimizers import OptimizerFactory
from skdann._training.plain_records import packed, unpacked

_PARTS = "feature_extractor", "label_predictor", "domain_classifier"

# What a network without custom parts is made of.
_USUAL = {
    *(DomainAdversarialNetwork, InputDenoising, InputScaling, MultilayerPerceptron),
    *(MultilinearConditioning, nn.Linear, nn.ModuleList),
}

Loaded = tuple[list[DomainAdversarialNetwork], torch.optim.Optimizer]


class UncheckedParts:
    """Networks with modules of the user's own, and their optimizer, in a pickle of torch.

    A pickle can run any program when it is loaded. With skops the name of this class is among the
    types that such a file asks to be trusted: whoever trusts it trusts the file like a pickle.

    Parameters
    ----------
    networks : sequence of DomainAdversarialNetwork
    optimizer : torch.optim.Optimizer
    """

    def __init__(
        self, networks: Sequence[DomainAdversarialNetwork], optimizer: torch.optim.Optimizer
    ) -> None:
        file = io.BytesIO()
        torch.save((list(networks), optimizer), file)
        self.file = file.getvalue()

    def load(self, device: torch.device) -> Loaded:
        """Return networks and optimizer, on a device."""
        file = io.BytesIO(self.file)
        found: Loaded = torch.load(file, map_location=device, weights_only=False)
        return found


def plain_networks(
    networks: Sequence[DomainAdversarialNetwork],
    optimizer: torch.optim.Optimizer,
    factory: OptimizerFactory,
) -> dict[str, Any] | UncheckedParts:
    """Return networks and their optimizer as plain data, or as `UncheckedParts`.

    Parameters
    ----------
    networks : sequence of DomainAdversarialNetwork
    optimizer : torch.optim.Optimizer
    factory : OptimizerFactory
        What made the optimizer.
    """
    if not (all(map(_is_usual, networks)) and _is_made_by(factory, optimizer, networks)):
        return UncheckedParts(networks, optimizer)
    # A denoising is large, and all networks share it.
    layers = list({id(one.input_scaling): one.input_scaling for one in networks}.values())
    state = optimizer.state_dict()
    # Each has its tensors taken out, by names that start with what they belong to.
    tensors: dict[str, Tensor] = {}
    return {
        "networks": [
            _plain_network(one, layers, tensors, f"network {i} ") for i, one in enumerate(networks)
        ],
        "layers": [_plain_layer(one, tensors, f"layer {i} ") for i, one in enumerate(layers)],
        "optimizer": {
            i: _taken_out(values, tensors, f"optimizer {i} ")
            for i, values in state["state"].items()
        },
        "param_groups": state["param_groups"],
        "tensors": packed(tensors),
    }


def networks_of(
    plain: dict[str, Any] | UncheckedParts, factory: OptimizerFactory, device: torch.device
) -> Loaded:
    """Return the networks and the optimizer that `plain_networks` was called with, on a device."""
    if isinstance(plain, UncheckedParts):
        return plain.load(device)
    tensors = unpacked(plain["tensors"])
    layers = [
        _layer_of(one, _those_of(f"layer {i} ", tensors)) for i, one in enumerate(plain["layers"])
    ]
    networks = [
        _network_of(one, layers, _those_of(f"network {i} ", tensors)).to(device)
        for i, one in enumerate(plain["networks"])
    ]
    optimizer = factory([list(one.parameters()) for one in networks])
    state = {
        i: {**values, **_those_of(f"optimizer {i} ", tensors)}
        for i, values in plain["optimizer"].items()
    }
    optimizer.load_state_dict({"state": state, "param_groups": plain["param_groups"]})
    return networks, optimizer


# -- what can be plain ---------------------------------------------------------------------------


def _is_usual(network: DomainAdversarialNetwork) -> bool:
    """Tell whether a network can be made anew from sizes and numbers."""
    return (
        all(map(is_ours, network.parts))
        and {type(one) for one in network.modules()} <= _USUAL
        and all(one.dtype is torch.float32 for one in network.parameters())
        and not has_hooks(network)
    )


def _is_made_by(
    factory: OptimizerFactory,
    optimizer: torch.optim.Optimizer,
    networks: Sequence[DomainAdversarialNetwork],
) -> bool:
    """Tell whether an optimizer is as the factory makes it; a callback may have changed it."""
    made = factory([list(network.parameters()) for network in networks])
    here, there = (
        [[id(parameter) for parameter in group["params"]] for group in one.param_groups]
        for one in (made, optimizer)
    )
    return type(made) is type(optimizer) and here == there


# -- to plain data -------------------------------------------------------------------------------


def _plain_network(
    network: DomainAdversarialNetwork,
    layers: Sequence[nn.Module | None],
    tensors: dict[str, Tensor],
    prefix: str,
) -> dict[str, Any]:
    own = network.state_dict()
    _taken_out({k: v for k, v in own.items() if not k.startswith("input_")}, tensors, prefix)
    return {
        **{name: _sizes_of(getattr(network, name)) for name in _PARTS},
        "conditioning": network.conditioning is not None,
        "layer": next(i for i, one in enumerate(layers) if one is network.input_scaling),
        "multiply_adds": network.multiply_adds,
        "frozen": [name for name, one in network.named_parameters() if not one.requires_grad],
    }


def _sizes_of(part: MultilayerPerceptron) -> dict[str, Any]:
    sizes = [part.layers[0].in_features, *(layer.out_features for layer in part.layers)]
    return {
        "sizes": sizes,
        "n_hidden": part.n_hidden,
        "activation": part.activation,
        "dropout": part.dropout,
    }


def _plain_layer(
    layer: InputScaling | InputDenoising | None, tensors: dict[str, Tensor], prefix: str
) -> dict[str, Any] | None:
    if layer is None:
        return None
    _taken_out(layer.state_dict(), tensors, prefix)
    return {"factor": layer.factor} if isinstance(layer, InputDenoising) else {}


def _taken_out(values: dict[str, Any], tensors: dict[str, Tensor], prefix: str) -> dict[str, Any]:
    """Return what are not tensors; put the tensors where they are collected."""
    tensors |= {prefix + str(k): v for k, v in values.items() if isinstance(v, Tensor)}
    return {k: v for k, v in values.items() if not isinstance(v, Tensor)}


# -- from plain data -----------------------------------------------------------------------------


def _those_of(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of one owner."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _network_of(
    plain: dict[str, Any], layers: Sequence[nn.Module | None], tensors: dict[str, Tensor]
) -> DomainAdversarialNetwork:
    conditioning = None
    if plain["conditioning"]:
        mixtures = (tensors.get(f"conditioning.of_{one}") for one in ("embedding", "probability"))
        conditioning = MultilinearConditioning(*mixtures)
    extractor, label_predictor, domain_classifier = (_part_of(plain[name]) for name in _PARTS)
    network = DomainAdversarialNetwork(extractor, label_predictor, domain_classifier, conditioning)
    network.target_shares = tensors.get("target_shares")
    network.load_state_dict(tensors)
    for name in plain["frozen"]:
        network.get_parameter(name).requires_grad_(False)
    network.multiply_adds = plain["multiply_adds"]
    network.input_scaling = layers[plain["layer"]]
    return network


def _part_of(plain: dict[str, Any]) -> MultilayerPerceptron:
    n_inputs, *outputs = plain["sizes"]
    hidden = tuple(outputs[: plain["n_hidden"]])
    n_outputs = outputs[-1] if len(outputs) > len(hidden) else None
    # Its first weights are drawn in vain, from a generator that nobody else has.
    options = plain["activation"], plain["dropout"], torch.Generator()
    return MultilayerPerceptron(n_inputs, hidden, n_outputs, *options)


def _layer_of(plain: dict[str, Any] | None, tensors: dict[str, Tensor]) -> nn.Module | None:
    if plain is None:
        return None
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    if "factor" in plain:
        return InputDenoising(Denoising(**arrays, factor=plain["factor"]))
    return InputScaling(**arrays)
