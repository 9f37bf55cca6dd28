"""Private names of torch, each used in this file only, with what to do when one goes away."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from skdann._hidden_warnings import hidden_warnings

_aten = torch.ops.aten

# Each turns the gradient g behind an activation into the one before it, in place, from the values
# before and after the activation. These are the operators that autograd itself calls, and have no
# public name; `grad_input` is where they write. If one goes away: write the derivative out, such as
# g.mul_(after * (1 - after)) for "logistic". A test compares them all with autograd.
ACTIVATION_BACKWARD: dict[str, Callable[[Tensor, Tensor, Tensor], Any]] = {
    "identity": lambda g, before, after: g,
    "logistic": lambda g, before, after: _aten.sigmoid_backward.grad_input(g, after, grad_input=g),
    "tanh": lambda g, before, after: _aten.tanh_backward.grad_input(g, after, grad_input=g),
    "relu": lambda g, before, after: _aten.threshold_backward.grad_input(g, after, 0, grad_input=g),
    "gelu": lambda g, before, after: _aten.gelu_backward.grad_input(g, before, grad_input=g),
}

# Hooks are dicts under private names. If a name goes away, hooks of that kind are no longer seen
# here, and a test that registers one of each kind turns red: look up the new name.
_MODULE_HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
)

_PARAMETER_HOOKS = "_backward_hooks", "_post_accumulate_grad_hooks"


def has_hooks(module: nn.Module) -> bool:
    """Tell whether a hook is registered on the module, one inside it, or a parameter."""
    of_modules = any(getattr(one, name, None) for one in module.modules() for name in _MODULE_HOOKS)
    return of_modules or any(
        getattr(parameter, name, None)
        for parameter in module.parameters()
        for name in _PARAMETER_HOOKS
    )


def fused_adam_step(
    group: dict[str, Any],
    values: list[Tensor],
    gradients: list[Tensor],
    first_moments: list[Tensor],
    second_moments: list[Tensor],
    count: Tensor,
) -> None:
    """Take a step of Adam, by the kernel that ``torch.optim.Adam(fused=True)`` calls.

    The public optimizer counts the steps of each parameter by itself; called here, one `count`
    serves all. If the kernel goes away: let `can_be_joint` return False, and every network takes
    its steps by the public optimizer, more slowly.

    Parameters
    ----------
    group : dict
        An element of the optimizer's ``param_groups``.
    values, gradients, first_moments, second_moments : lists of n Tensor
    count : Tensor of shape ()
        The number of this step, from 1.
    """
    beta1, beta2 = group["betas"]
    torch._fused_adam_(
        values,
        gradients,
        first_moments,
        second_moments,
        [],
        [count] * len(values),
        lr=group["lr"],
        beta1=beta1,
        beta2=beta2,
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        amsgrad=False,
        maximize=group["maximize"],
    )


def csr_tensor(start: Tensor, column: Tensor, value: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return a CSR tensor of int32 positions.

    Torch calls them a beta feature. If they change: `SparseRows.transposed_times` can be written
    with scipy's product, at twice the time.
    """
    _hear_csr_warning()
    return torch.sparse_csr_tensor(start, column, value, shape, check_invariants=False)


@functools.cache
def _hear_csr_warning() -> None:
    """Let torch warn of the beta feature here, which it does once in a process."""
    with hidden_warnings(UserWarning, message="Sparse CSR tensor support is in beta"):
        torch.eye(1).to_sparse_csr()


def counted_multiply_adds(function: Callable[[], object]) -> int:
    """Return the multiply-adds of a call: matrix products, convolutions, attention, LSTM layers.

    By torch's own counter, which is public but young. If it goes away: return 0, and the number of
    weights is taken for the work, which is too little for convolutions. If the LSTM operator goes
    away, drop its line: LSTMs are then counted by their weights.
    """
    known = {_aten.mkldnn_rnn_layer: _lstm_flops}
    # With gradients, although none are wanted: without them a transformer's layers are one fused
    # operator that the counter does not know.
    with torch.enable_grad(), FlopCounterMode(display=False, custom_mapping=known) as counter:
        function()
    return counter.get_total_flops() // 2


def _lstm_flops(
    sequences: torch.Size, of_inputs: torch.Size, of_hidden: torch.Size, *args: Any, **kwargs: Any
) -> int:
    """Return two operations for each weight, row and time step of an LSTM layer on a CPU.

    `sequences` is (n_steps, n_rows, n_inputs); the others are the shapes of its weights.
    """
    n_steps, n_rows = sequences[:2]
    return 2 * n_steps * n_rows * (of_inputs.numel() + of_hidden.numel())
