"""Losses: logits, codes and a weight per row to one number."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def cross_entropy(logits: Tensor, codes: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the mean over rows of weight times cross-entropy.

    It serves both objectives: the label loss on source rows and the domain loss on source
    and target rows. Weights are not divided by their sum in the batch: they have mean 1
    over the whole training set, and a batch of light rows is meant to pull less than one of
    heavy rows.

    Parameters
    ----------
    logits : Tensor of shape (n_rows, n_codes)
        Unnormalised log-probabilities.

    codes : int64 Tensor of shape (n_rows,)
        The right column of each row.

    weights : Tensor of shape (n_rows,), default=None
        Weights >= 0; None weighs all rows by 1.

    Returns
    -------
    Tensor of shape ()
        In nats; ``log(n_codes)`` is what a guess by equal chances pays.

    Examples
    --------
    >>> import torch
    >>> from skdann._losses import cross_entropy
    >>> cross_entropy(torch.zeros(3, 2), torch.tensor([0, 1, 1]))
    tensor(0.6931)
    """
    if weights is None:
        return functional.cross_entropy(logits, codes)
    return (weights * functional.cross_entropy(logits, codes, reduction="none")).mean()


def accuracy(logits: Tensor, codes: Tensor) -> Tensor:
    """Return the share of rows, a Tensor of shape (), whose largest logit is the right one."""
    return (logits.argmax(dim=-1) == codes).to(torch.float32).mean()
