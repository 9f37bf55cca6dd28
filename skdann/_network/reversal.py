"""Gradient reversal: the identity forwards, minus lambda times the gradient backwards."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _ReverseGradient(torch.autograd.Function):
    """The autograd function; written with ``setup_context`` so that ``torch.func`` can map it."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, coefficient: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (coefficient,) = ctx.saved_tensors
        return -coefficient * gradient, None


def reverse_gradient(x: Tensor, coefficient: Tensor) -> Tensor:
    """Return `x` unchanged; multiply the gradient that comes back by ``-coefficient``.

    Parameters
    ----------
    x : Tensor of shape (..., n_rows, n_embedding)
        The embedding on its way to the domain classifier.

    coefficient : Tensor, broadcastable to `x`
        Lambda: 0 cuts the way back, 1 reverses at full strength. A scalar, or one value
        per network along leading axes. It is a tensor so that it may change every step
        without anything being traced or compiled again.

    Returns
    -------
    Tensor of shape (..., n_rows, n_embedding)
        A view of `x`.

    References
    ----------
    Ganin, Y. and Lempitsky, V. (2015). Unsupervised domain adaptation by backpropagation.
    ICML, section 3.2.

    Examples
    --------
    >>> import torch
    >>> from skdann._network.reversal import reverse_gradient
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> reverse_gradient(x, torch.tensor(0.5)).sum().backward()
    >>> x.grad
    tensor([-0.5000, -0.5000])
    """
    return _ReverseGradient.apply(x, coefficient)
