"""Optimizers: the parameters `optimizer`, `lr` and `weight_decay` to a factory that was tried."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

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
