"""Optimizers: `optimizer`, `lr` and `weight_decay` to a factory, which is tried before training."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from skdann._torch.compat import fused_adam_step

MakeOptimizer = Callable[..., torch.optim.Optimizer]


@dataclass(frozen=True)
class OptimizerFactory:
    """Makes the optimizer of k networks from their parameters.

    Attributes
    ----------
    make : callable
    arguments : sequence of k dicts
        The keyword arguments of `make` for the parameters of each network.
    """

    make: MakeOptimizer
    arguments: Sequence[dict[str, float]]

    def __call__(self, networks: Sequence[Sequence[nn.Parameter]]) -> torch.optim.Optimizer:
        """Make it, with one group of parameters for all networks with equal arguments."""
        # Few groups: an optimizer steps through them one after the other.
        groups: dict[tuple[float, ...], dict[str, Any]] = {}
        for arguments, parameters in zip(self.arguments, networks, strict=True):
            key = tuple(arguments.values())
            group = groups.setdefault(key, {"params": [], **arguments})
            group["params"].extend(parameters)
        several = list(groups.values())
        first = self.arguments[0]
        return self.make(several if len(several) > 1 else several[0]["params"], **first)

    def of(self, networks: Sequence[int]) -> OptimizerFactory:
        """Return the factory for some of the networks."""
        return replace(self, arguments=[self.arguments[i] for i in networks])

    def with_others(self, others: Sequence[OptimizerFactory]) -> OptimizerFactory:
        """Return the factory for these networks and those of others."""
        arguments = [one for factory in (self, *others) for one in factory.arguments]
        return replace(self, arguments=arguments)


class JointAdam:
    """A fused Adam for parameters that all have a gradient in every step.

    Torch's Adam counts the steps of each parameter by itself, which for a hundred small ones takes
    several times as long as the arithmetic. Here one count serves all; the numbers are the same.

    Parameters
    ----------
    optimizer : torch.optim.Adam
        Its ``param_groups`` are read in each step: learning rates may change.
    gradients : sequence of pairs of Parameter and Tensor
        The tensors that hold the gradients of its parameters when a step is taken.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, gradients: Sequence[tuple[nn.Parameter, Tensor]]
    ) -> None:
        self.param_groups = optimizer.param_groups
        of_parameter = {id(parameter): gradient for parameter, gradient in gradients}
        self._tensors: list[list[list[Tensor]]] = []
        for group in self.param_groups:
            values: list[Tensor] = [parameter.detach() for parameter in group["params"]]
            first, second = ([torch.zeros_like(value) for value in values] for _ in range(2))
            grads = [of_parameter[id(parameter)] for parameter in group["params"]]
            self._tensors.append([values, grads, first, second])
        self._count = torch.zeros((), device=gradients[0][1].device)

    @torch.no_grad()
    def step(self) -> None:
        """Take a step."""
        self._count += 1
        for group, (values, grads, first, second) in zip(
            self.param_groups, self._tensors, strict=True
        ):
            fused_adam_step(group, values, grads, first, second, self._count)


def can_be_joint(optimizer: torch.optim.Optimizer) -> bool:
    """Tell whether `JointAdam` can take the optimizer's steps."""
    return type(optimizer) is torch.optim.Adam and all(
        group["fused"] and not group["amsgrad"] for group in optimizer.param_groups
    )


def optimizer_factory(
    optimizer: str | MakeOptimizer, lr: Sequence[float], weight_decay: Sequence[float]
) -> OptimizerFactory:
    """Return the factory of the optimizer of several networks, after having tried it once.

    A partial keeps what it fixes: ``partial(AdamW, lr=0.1)`` trains with 0.1 whatever `lr` is. An
    optimizer that takes no `weight_decay`, such as ``torch.optim.Rprop``, gets none.

    Parameters
    ----------
    optimizer : {"adam", "sgd"}, torch optimizer class or partial of one
    lr, weight_decay : sequences of k floats
        One for each network.
    """
    named: dict[str, MakeOptimizer] = {
        "adam": functools.partial(torch.optim.Adam, fused=True),
        "sgd": functools.partial(torch.optim.SGD, momentum=0.9),
    }
    make = named[optimizer] if isinstance(optimizer, str) else optimizer
    fixed = make.keywords if isinstance(make, functools.partial) else {}
    passed = [name for name in ("lr", "weight_decay") if name not in fixed and _takes(make, name)]
    arguments = []
    for rate, decay in zip(lr, weight_decay, strict=True):
        values = {"lr": rate, "weight_decay": decay}
        arguments.append({name: values[name] for name in passed})
    factory = OptimizerFactory(make, arguments)
    _try_optimizer(factory, optimizer)
    return factory


def _takes(make: MakeOptimizer, name: str) -> bool:
    """Tell whether an optimizer takes an argument of this name."""
    try:
        parameters = inspect.signature(make).parameters
    except (TypeError, ValueError):  # no signature to look at
        return True
    return name in parameters or any(one.kind is one.VAR_KEYWORD for one in parameters.values())


def _try_optimizer(factory: OptimizerFactory, optimizer: str | MakeOptimizer) -> None:
    try:
        made = factory([[nn.Parameter(torch.zeros(1))] for _ in factory.arguments])
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"optimizer={optimizer!r} can't be made with lr and weight_decay: {error}. Pass a "
            "torch optimizer class or a functools.partial of one."
        ) from error
    if not isinstance(made, torch.optim.Optimizer) or isinstance(made, torch.optim.LBFGS):
        raise ValueError(
            f"optimizer={optimizer!r} makes a {type(made).__name__}; it must make a torch "
            "optimizer whose step needs no closure."
        )
