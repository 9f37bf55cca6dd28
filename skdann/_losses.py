"""Losses: logits, codes and a weight per row to one number, or to its gradient."""

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


def cross_entropy_gradient(
    logits: Tensor, codes: Tensor, weights: Tensor | None = None, dim: int = -1
) -> Tensor:
    """Return the gradient of `cross_entropy` for the logits, of k networks at once.

    Parameters
    ----------
    logits : Tensor of shape (k, n_rows, n_codes), or (k, n_codes, n_rows) for a `dim` of 1
    codes : int64 Tensor of shape (k, n_rows)
    weights : Tensor of shape (k, n_rows), default=None
    dim : int, default=-1
        Where the codes are. A softmax over columns takes a tenth of one over short rows.

    Returns
    -------
    Tensor of the shape of `logits`
        Of the sum of the k losses: each row's softmax minus its one-hot code, weighted.
    """
    gradient = torch.softmax(logits, dim=dim)
    gradient.scatter_(dim, codes.unsqueeze(dim), -1.0, reduce="add")
    if weights is not None:
        gradient.mul_(weights.unsqueeze(dim))
    return gradient.mul_(1.0 / codes.shape[-1])


def row_losses(
    logits: Tensor, codes: Tensor, weights: Tensor | None = None, dim: int = -1
) -> Tensor:
    """Return weight times cross-entropy of each row; `dim` is where the logits' codes are."""
    losses = -torch.log_softmax(logits, dim=dim).gather(dim, codes.unsqueeze(dim)).squeeze(dim)
    return losses if weights is None else weights * losses


def hits(logits: Tensor, codes: Tensor) -> Tensor:
    """Return 1.0 for each row whose largest logit is the right one, else 0.0."""
    return (logits.argmax(dim=-1) == codes).to(torch.float32)
