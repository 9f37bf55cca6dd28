"""Optimizers: the parameters `optimizer`, `lr` and `weight_decay` to a factory that was tried."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

MakeOptimizer = Callable[..., torch.optim.Optimizer]


@dataclass(frozen=True)
class OptimizerFactory:
    """Makes the optimizer of k networks from their parameters.

    Attributes
    ----------
    make : callable
    settings : sequence of k dicts
        What `make` gets for the parameters of each network.
    """

    make: MakeOptimizer
    settings: Sequence[dict[str, float]]

    def __call__(self, networks: Sequence[Sequence[nn.Parameter]]) -> torch.optim.Optimizer:
        """Make it, with one group of parameters for networks of equal settings."""
        groups: dict[tuple[float, ...], dict[str, Any]] = {}
        for setting, parameters in zip(self.settings, networks, strict=True):
            group = groups.setdefault(tuple(setting.values()), {"params": [], **setting})
            group["params"].extend(parameters)
        several = list(groups.values())
        first = self.settings[0]
        return self.make(several if len(several) > 1 else several[0]["params"], **first)

    def of(self, networks: Sequence[int]) -> OptimizerFactory:
        """Return the factory for some of the networks."""
        return replace(self, settings=[self.settings[i] for i in networks])

    def with_others(self, others: Sequence[OptimizerFactory]) -> OptimizerFactory:
        """Return the factory for these networks and those of others."""
        settings = [one for factory in (self, *others) for one in factory.settings]
        return replace(self, settings=settings)


class JointAdam:
    """Takes the steps of a fused Adam, all of whose parameters have a gradient in every step.

    Adam counts the steps of each parameter by itself, which for a hundred small ones takes several
    times as long as the arithmetic. Here one count serves all; the numbers are Adam's.

    Parameters
    ----------
    optimizer : torch.optim.Adam
        Gives the parameters and, in each step, their settings.
    gradients : sequence of pairs of Parameter and Tensor
        Where the gradients of its parameters will be.
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
            beta1, beta2 = group["betas"]
            torch._fused_adam_(
                values,
                grads,
                first,
                second,
                [],
                [self._count] * len(values),
                lr=group["lr"],
                beta1=beta1,
                beta2=beta2,
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                amsgrad=False,
                maximize=group["maximize"],
            )


def can_be_joint(optimizer: torch.optim.Optimizer) -> bool:
    """Tell whether `JointAdam` can take the optimizer's steps."""
    return type(optimizer) is torch.optim.Adam and all(
        group["fused"] and not group["amsgrad"] for group in optimizer.param_groups
    )


def optimizer_factory(
    optimizer: str | MakeOptimizer, lr: Sequence[float], weight_decay: Sequence[float]
) -> OptimizerFactory:
    """Return the factory of the optimizer of several networks, tried once.

    A partial keeps what it fixes: ``partial(AdamW, lr=0.1)`` trains with 0.1 whatever `lr` is.

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
    settings = [
        {name: value for name, value in (("lr", one), ("weight_decay", decay)) if name not in fixed}
        for one, decay in zip(lr, weight_decay, strict=True)
    ]
    factory = OptimizerFactory(make, settings)
    _try_optimizer(factory, optimizer)
    return factory


def _try_optimizer(factory: OptimizerFactory, optimizer: str | MakeOptimizer) -> None:
    try:
        made = factory([[nn.Parameter(torch.zeros(1))] for _ in factory.settings])
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
