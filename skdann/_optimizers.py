"""Optimizers: the parameters `optimizer`, `lr` and `weight_decay` to a factory that was tried."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import nn

OptimizerFactory = Callable[..., torch.optim.Optimizer]


def optimizer_factory(
    optimizer: str | OptimizerFactory, lr: float, weight_decay: float
) -> OptimizerFactory:
    """Return a function of the parameters' list that makes the optimizer.

    A partial keeps what it fixes: ``partial(AdamW, lr=0.1)`` trains with 0.1 whatever `lr` is.
    """
    named: dict[str, OptimizerFactory] = {
        "adam": functools.partial(torch.optim.Adam, fused=True),
        "sgd": functools.partial(torch.optim.SGD, momentum=0.9),
    }
    make = named[optimizer] if isinstance(optimizer, str) else optimizer
    fixed = make.keywords if isinstance(make, functools.partial) else {}
    given = {"lr": lr, "weight_decay": weight_decay}
    factory = functools.partial(make, **{k: v for k, v in given.items() if k not in fixed})
    _try_optimizer(factory, optimizer)
    return factory


def _try_optimizer(factory: OptimizerFactory, optimizer: str | OptimizerFactory) -> None:
    try:
        made = factory([nn.Parameter(torch.zeros(1))])
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
