"""Modules of the user's: a new one from what was passed, tried before training."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from skdann._network.layers import _apply
from skdann._torch.randomness import PrivateRandomness

Part = nn.Module | type | Callable[..., nn.Module] | None


def _given_part(
    parameter: str, part: Part, sizes: tuple[Any, ...], randomness: PrivateRandomness
) -> nn.Module | None:
    """Return a new module from what the user gave, or None where nothing was given."""
    if part is None:
        return None
    if isinstance(part, nn.Module):
        return copy.deepcopy(part)
    with randomness.active():
        module = part(*sizes) if _takes(part, sizes) else part()
    if not isinstance(module, nn.Module):
        raise ValueError(
            f"{parameter} must be a torch.nn.Module, a module class or a callable that returns a "
            f"module; called with {sizes} it returned a {type(module).__name__}."
        )
    return module


def _takes(part: Callable[..., Any], sizes: tuple[Any, ...]) -> bool:
    """Tell whether `part` can be called with `sizes`; a class may fix its sizes by itself."""
    try:
        inspect.signature(part).bind(*sizes)
    except TypeError:
        return False
    except ValueError:  # no signature to look at: a builtin
        return True
    return True


def _try_part(parameter: str, part: nn.Module, rows: Tensor, n_outputs: int | None) -> Tensor:
    """Run `part` once on two rows of zeros, and say what does not fit before training."""
    wanted = "(2, n_embedding)" if n_outputs is None else f"(2, {n_outputs})"
    part.eval()
    try:
        with torch.no_grad():
            output = _apply(part, rows, None)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise ValueError(
            f"{parameter} does not fit: given input of shape {tuple(rows.shape)} it failed with: "
            f"{error}. It must return a tensor of shape {wanted}. Sparse X reaches it as flat "
            "rows; images need a dense array of shape (n_samples, channels, height, width)."
        ) from error
    shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
    fits = isinstance(output, Tensor) and output.ndim == 2 and len(output) == len(rows)
    if not fits or (n_outputs is not None and output.shape[1] != n_outputs):
        raise ValueError(
            f"{parameter} does not fit: given input of shape {tuple(rows.shape)} it returned "
            f"{shape}, but must return a tensor of shape {wanted}. End a feature extractor with "
            "torch.nn.Flatten() where it has more dimensions."
        )
    return output
