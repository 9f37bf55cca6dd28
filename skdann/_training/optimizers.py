"""Optimizers: `optimizer`, `lr` and `weight_decay` to a factory, which is tried before training."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from skdann._torch.compat import fused_adam_step

MakeOptimizer = Callable[..., torch.optim.Optimizer]


@dataclass(frozen=True)
class OptimizerFactory:
    """Makes the optimizer of k networks from their parameters.

    Attributes
    ----------
    make : {"adam", "sgd"} or callable
    arguments : sequence of k dicts
        The keyword arguments of `make` for the parameters of each network.
    """

    make: str | MakeOptimizer
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
        return _made_by(self.make)(several if len(several) > 1 else several[0]["params"], **first)

    def of(self, networks: Sequence[int]) -> OptimizerFactory:
        """Return the factory for some of the networks."""
        return replace(self, arguments=[self.arguments[i] for i in networks])

    def with_others(self, others: Sequence[OptimizerFactory]) -> OptimizerFactory:
        """Return the factory for these networks and those of others."""
        arguments = [one for factory in (self, *others) for one in factory.arguments]
        return replace(self, arguments=arguments)


# Where parameters share memory, each starts at a multiple of this many numbers. The kernel computes
# the last few of a tensor, fewer than fill a vector register, in another way, with other last
# digits. These are never a network's: what lies beside it changes nothing.
ALIGNED_TO = 16


class JointAdam:
    """A fused Adam for parameters that all have a gradient in every step.

    Torch's Adam counts the steps of each parameter by itself, and visits one after the other: for
    small ones that takes several times as long as the arithmetic. Here one count serves all, and
    parameters that lie side by side in memory, with their gradients, are one. The numbers are the
    same.

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
        self._count = torch.zeros((), dtype=torch.float32, device=gradients[0][1].device)
        self._runs: list[list[_Run]] = []
        for group in self.param_groups:
            own = {id(parameter) for parameter in group["params"]}
            self._runs.append(_runs([pair for pair in gradients if id(pair[0]) in own]))
        self._values = _lists(self._runs, "values")
        self._gradients = _lists(self._runs, "gradients")
        self._first, self._second = _lists(self._runs, "first"), _lists(self._runs, "second")

    @torch.no_grad()
    def step(self) -> None:
        """Take a step."""
        self._count += 1
        tensors = self._values, self._gradients, self._first, self._second
        for group, values, gradients, first, second in zip(
            self.param_groups, *tensors, strict=True
        ):
            fused_adam_step(group, values, gradients, first, second, self._count)

    def hand_back(self, optimizer: torch.optim.Optimizer) -> None:
        """Give the state to an optimizer of the same parameters, so that it can go on."""
        for run in itertools.chain.from_iterable(self._runs):
            start = 0
            for parameter in run.parameters:
                layout = parameter.shape, parameter.stride(), start
                optimizer.state[parameter] = {
                    "step": self._count.clone(),
                    "exp_avg": _copied(run.first.as_strided(*layout)),
                    "exp_avg_sq": _copied(run.second.as_strided(*layout)),
                }
                start += aligned(parameter.numel())

    @torch.no_grad()
    def take_over(self, optimizer: torch.optim.Optimizer) -> None:
        """Take the state from an optimizer that `hand_back` has given it to."""
        for run in itertools.chain.from_iterable(self._runs):
            start = 0
            for parameter in run.parameters:
                layout = parameter.shape, parameter.stride(), start
                state = optimizer.state.pop(parameter)
                self._count.copy_(state["step"])
                run.first.as_strided(*layout).copy_(state["exp_avg"])
                run.second.as_strided(*layout).copy_(state["exp_avg_sq"])
                start += aligned(parameter.numel())

    def forget(self, optimizer: torch.optim.Optimizer) -> None:
        """Take the state away again that `hand_back` has given to an optimizer."""
        for run in itertools.chain.from_iterable(self._runs):
            for parameter in run.parameters:
                optimizer.state.pop(parameter, None)


def _copied(moments: Tensor) -> Tensor:
    """Return moments in memory of their own: a view would take everybody's into every file."""
    return moments.clone(memory_format=torch.contiguous_format)


class _Run(NamedTuple):
    """Parameters side by side in memory; the tensors have one axis."""

    parameters: list[nn.Parameter]
    values: Tensor
    gradients: Tensor
    first: Tensor  # moments
    second: Tensor


def _runs(pairs: Sequence[tuple[nn.Parameter, Tensor]]) -> list[_Run]:
    """Return parameters and gradients, in runs of those that lie side by side."""
    several: list[list[tuple[nn.Parameter, Tensor]]] = []
    for pair in sorted(pairs, key=lambda pair: pair[0].data_ptr()):
        if several and all(map(_follows, pair, several[-1][-1])):
            several[-1].append(pair)
        else:
            several.append([pair])
    runs = []
    for run in several:
        parameters = [parameter for parameter, _ in run]
        size = sum(aligned(parameter.numel()) for parameter in parameters)
        values, gradients = (
            one.detach().as_strided((min(size, _n_numbers_from(one)),), (1,)) for one in run[0]
        )
        moments = torch.zeros_like(values), torch.zeros_like(values)
        runs.append(_Run(parameters, values, gradients, *moments))
    return runs


def _lists(runs: Sequence[Sequence[_Run]], name: str) -> list[list[Tensor]]:
    """Return a tensor of all runs of each group, as the kernel takes them."""
    return [[getattr(run, name) for run in of_group] for of_group in runs]


def aligned(n_numbers: int) -> int:
    """Return how many numbers of memory a parameter takes."""
    return -(-n_numbers // ALIGNED_TO) * ALIGNED_TO


def _n_numbers_from(tensor: Tensor) -> int:
    """Return how many numbers the memory holds from the start of a tensor."""
    n_numbers = tensor.untyped_storage().nbytes() // tensor.element_size()
    return int(n_numbers - tensor.storage_offset())


def _follows(tensor: Tensor, before: Tensor) -> bool:
    """Tell whether a tensor starts behind another, in the same memory."""
    start = before.storage_offset() + aligned(before.numel())
    same = tensor.untyped_storage().data_ptr() == before.untyped_storage().data_ptr()
    return same and tensor.storage_offset() == start


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
    make = _made_by(optimizer)
    fixed = make.keywords if isinstance(make, functools.partial) else {}
    passed = [name for name in ("lr", "weight_decay") if name not in fixed and _takes(make, name)]
    arguments = []
    for rate, decay in zip(lr, weight_decay, strict=True):
        values = {"lr": rate, "weight_decay": decay}
        arguments.append({name: values[name] for name in passed})
    factory = OptimizerFactory(optimizer, arguments)
    _try_optimizer(factory, optimizer)
    return factory


def _made_by(optimizer: str | MakeOptimizer) -> MakeOptimizer:
    named: dict[str, MakeOptimizer] = {
        "adam": functools.partial(torch.optim.Adam, fused=True),
        "sgd": functools.partial(torch.optim.SGD, momentum=0.9),
    }
    return named[optimizer] if isinstance(optimizer, str) else optimizer


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
    unusable = torch.optim.LBFGS, torch.optim.SparseAdam
    if not isinstance(made, torch.optim.Optimizer) or isinstance(made, unusable):
        raise ValueError(
            f"optimizer={optimizer!r} makes a {type(made).__name__}; it must make a torch "
            "optimizer whose step needs no closure and takes dense gradients."
        )
