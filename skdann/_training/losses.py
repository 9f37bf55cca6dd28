"""Losses: logits, codes and a weight per row to one number, or to its gradient."""

from __future__ import annotations

import math

import numpy as np
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
        In nats; ``log(n_codes)`` for equal probabilities.

    Examples
    --------
    >>> import torch
    >>> from skdann._training.losses import cross_entropy
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
        The axis of the codes. With few codes, a softmax over columns (``dim=1``) takes a tenth of
        the time of one over rows.
    smoothing : float in [0, 1), default=0

    Returns
    -------
    Tensor of the shape of `logits`
        Of the sum of the k losses: each row's softmax minus its one-hot code, weighted.
    """
    # Smoothed truth: 1 - smoothing at the right code, plus smoothing / n_codes at every code.
    # d/dlogits of -sum q log softmax is softmax - q; q is the smoothed one-hot code:
    # (1 - smoothing) * onehot + smoothing / n_codes.
    gradient = torch.softmax(logits, dim=dim)
    if smoothing:
        gradient.sub_(smoothing / logits.shape[dim])
    gradient.scatter_(dim, codes.unsqueeze(dim), smoothing - 1.0, reduce="add")
    if weights is not None:
        gradient.mul_(weights.unsqueeze(dim))
    return gradient.mul_(1.0 / codes.shape[-1])  # of the mean over the rows


def row_losses(
    logits: Tensor, codes: Tensor, weights: Tensor | None = None, dim: int = -1
) -> Tensor:
    """Return weight times cross-entropy of each row; `dim` is the axis of the codes."""
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
    # -I = mean over rows of sum p (log mean(p) - log p)
    return (proba * (log_mean - log_proba)).sum(dim=-1).mean()


def negative_information_gradient(logits: Tensor, dim: int = -1) -> Tensor:
    """Return the gradient of `negative_information` for the logits, of k networks at once.

    `logits` are of shape (k, n_rows, n_codes), or (k, n_codes, n_rows) for a `dim` of 1.
    """
    rows = 2 if dim == 1 else 1
    n_rows = logits.shape[rows]
    log_proba = torch.log_softmax(logits, dim=dim)
    proba = log_proba.exp()
    # log (mean probability / probability) of each row and code; the mean's own derivative cancels.
    ratio = torch.logsumexp(log_proba, dim=rows, keepdim=True) - math.log(n_rows) - log_proba
    ratio.sub_((proba * ratio).sum(dim=dim, keepdim=True))
    return ratio.mul_(proba).mul_(1.0 / n_rows)


def guess_loss(target_domain: np.ndarray | None, source_domain: np.ndarray) -> float:
    """Return the domain loss of the best guess that does not look at the rows, in nats.

    Half of the rows are source rows, so each domain is guessed by its share of a batch: log 2, plus
    half the entropy of the domains' shares in either half. With one source and one target it is
    log 2.

    Parameters
    ----------
    target_domain : int64 ndarray of shape (n_target,), or None
    source_domain : int64 ndarray of shape (n_source,)
        Codes of the rows.
    """
    if target_domain is None:
        return math.log(2)
    return math.log(2) + (_entropy(target_domain) + _entropy(source_domain)) / 2


def _entropy(codes: np.ndarray) -> float:
    counts = np.bincount(codes)
    shares = counts[counts > 0] / len(codes)
    return -float((shares * np.log(shares)).sum())


def multiplied(weight: Tensor, other: Tensor | None) -> Tensor:
    """Return the product of weights; None as the second is a weight of 1."""
    return weight if other is None else weight * other


def hits(logits: Tensor, codes: Tensor) -> Tensor:
    """Return 1.0 for each row whose largest logit is the right one, else 0.0."""
    return (logits.argmax(dim=-1) == codes).to(torch.float32)
