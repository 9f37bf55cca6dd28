"""Losses: logits, codes and a weight per row to one number, or to its gradient."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def cross_entropy(
    logits: Tensor, codes: Tensor, weights: Tensor | None = None, smoothing: float = 0.0
) -> Tensor:
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

    smoothing : float in [0, 1), default=0
        Share of each row's label that is spread evenly over all codes.

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
        return functional.cross_entropy(logits, codes, label_smoothing=smoothing)
    losses = functional.cross_entropy(logits, codes, reduction="none", label_smoothing=smoothing)
    return (weights * losses).mean()


def cross_entropy_gradient(
    logits: Tensor,
    codes: Tensor,
    weights: Tensor | None = None,
    dim: int = -1,
    smoothing: float = 0.0,
) -> Tensor:
    """Return the gradient of `cross_entropy` for the logits, of k networks at once.

    Parameters
    ----------
    logits : Tensor of shape (k, n_rows, n_codes), or (k, n_codes, n_rows) for a `dim` of 1
    codes : int64 Tensor of shape (k, n_rows)
    weights : Tensor of shape (k, n_rows), default=None
    dim : int, default=-1
        Where the codes are. A softmax over columns takes a tenth of one over short rows.
    smoothing : float in [0, 1), default=0

    Returns
    -------
    Tensor of the shape of `logits`
        Of the sum of the k losses: each row's softmax minus its one-hot code, weighted.
    """
    gradient = torch.softmax(logits, dim=dim)
    if smoothing:
        gradient.sub_(smoothing / logits.shape[dim])
    gradient.scatter_(dim, codes.unsqueeze(dim), smoothing - 1.0, reduce="add")
    if weights is not None:
        gradient.mul_(weights.unsqueeze(dim))
    return gradient.mul_(1.0 / codes.shape[-1])


def row_losses(
    logits: Tensor, codes: Tensor, weights: Tensor | None = None, dim: int = -1
) -> Tensor:
    """Return weight times cross-entropy of each row; `dim` is where the logits' codes are."""
    losses = -torch.log_softmax(logits, dim=dim).gather(dim, codes.unsqueeze(dim)).squeeze(dim)
    return losses if weights is None else weights * losses


def negative_information(logits: Tensor) -> Tensor:
    """Return minus the mutual information of rows and predicted labels, in nats.

    The mean entropy of the rows' predictions minus the entropy of their mean (Krause et al.
    2010): lowest where each row is sure of its label, and rows are not all sure of the same.

    Parameters
    ----------
    logits : Tensor of shape (n_rows, n_codes)
    """
    log_proba = torch.log_softmax(logits, dim=-1)
    proba = log_proba.exp()
    log_mean = torch.logsumexp(log_proba, dim=0, keepdim=True) - math.log(len(logits))
    return (proba * (log_mean - log_proba)).sum(dim=-1).mean()


def negative_information_gradient(logits: Tensor, dim: int = -1) -> Tensor:
    """Return the gradient of `negative_information` for the logits, of k networks at once.

    `logits` are of shape (k, n_rows, n_codes), or (k, n_codes, n_rows) for a `dim` of 1.
    """
    rows = 3 - dim % 3
    n_rows = logits.shape[rows]
    log_proba = torch.log_softmax(logits, dim=dim)
    proba = log_proba.exp()
    ratio = torch.logsumexp(log_proba, dim=rows, keepdim=True) - math.log(n_rows) - log_proba
    ratio.sub_((proba * ratio).sum(dim=dim, keepdim=True))
    return ratio.mul_(proba).mul_(1.0 / n_rows)


def certainty_weights(logits: Tensor, n_source: int, dim: int = -1) -> Tensor:
    """Return a weight for each row, larger where the predicted label is certain.

    ``1 + exp(-entropy)``, with mean 1 over each domain's rows (CDAN+E, Long et al. 2018).

    Parameters
    ----------
    logits : Tensor of shape (..., n_rows, n_codes), or (..., n_codes, n_rows) for a `dim` of -2
        Source rows first.
    n_source : int
    dim : int, default=-1

    Returns
    -------
    Tensor of shape (..., n_rows), detached
    """
    log_proba = torch.log_softmax(logits.detach(), dim=dim)
    certainty = (log_proba.exp() * log_proba).sum(dim=dim).exp_().add_(1.0)
    domains = certainty[..., :n_source], certainty[..., n_source:]
    return torch.cat([rows / rows.mean(dim=-1, keepdim=True) for rows in domains], dim=-1)


def multiplied(weight: Tensor, other: Tensor | None) -> Tensor:
    """Return the product of weights, of which the second may be missing."""
    return weight if other is None else weight * other


def hits(logits: Tensor, codes: Tensor) -> Tensor:
    """Return 1.0 for each row whose largest logit is the right one, else 0.0."""
    return (logits.argmax(dim=-1) == codes).to(torch.float32)
