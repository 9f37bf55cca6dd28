"""Custom parts: the modules that a user passes, made new for each fit and tried before training."""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from skdann._network.layers import _apply
from skdann._torch.randomness import PrivateRandomness

Part = nn.Module | type | Callable[..., nn.Module]

# What a class or callable is called with.
_ARGUMENTS = {
    "feature_extractor": ("width",),
    "label_predictor": ("n_embedding", "n_classes"),
    "domain_classifier": ("n_embedding", "n_domains"),
}


def given_part(
    parameter: str, part: Part, sizes: tuple[Any, ...], randomness: PrivateRandomness
) -> nn.Module:
    """Return a new module from what the user gave.

    Parameters
    ----------
    parameter : str
        The name of the parameter, for error messages.
    part : Module, type or callable
        A module is copied; a class or callable is called.
    sizes : tuple
        What a class or callable is called with: the width (or shape) of a row that comes in and,
        for a part that makes logits, their number.
    randomness : PrivateRandomness
        Where initial weights are drawn from.
    """
    if isinstance(part, nn.Module):
        return copy.deepcopy(part)
    takes_sizes = _takes_sizes(parameter, part, sizes)
    with randomness.active():
        try:
            module = part(*sizes) if takes_sizes else part()
        except TypeError as error:
            raise ValueError(
                f"{parameter} can't be called with {sizes if takes_sizes else 'nothing'}: "
                f"{str(error)[:300]}"
            ) from error
    if not isinstance(module, nn.Module):
        raise ValueError(
            f"{parameter} must be a torch.nn.Module, a module class or a callable that returns a "
            f"module; called with {sizes} it returned a {type(module).__name__}."
        )
    return module


def _takes_sizes(parameter: str, part: Callable[..., Any], sizes: tuple[Any, ...]) -> bool:
    """Tell whether `part` is to be called with `sizes`; if not, it is called with nothing.

    Only what it *requires* counts. An optional parameter has a meaning of its own, such as
    ``hidden=64``, and must not get the width of X because it happens to come first.
    """
    try:
        parameters = inspect.signature(part).parameters.values()
    except ValueError:  # no signature to look at: a builtin
        return True
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return True
    required = [one for one in parameters if one.default is one.empty]
    positional = [
        one for one in required if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    by_name = [one.name for one in required if one.kind is one.KEYWORD_ONLY]
    if len(positional) in (0, len(sizes)) and not by_name:
        return len(positional) == len(sizes)
    names = [one.name for one in positional] + by_name
    name = getattr(part, "__name__", type(part).__name__)
    arguments = _ARGUMENTS[parameter]
    given = ", ".join(f"{one}={size}" for one, size in zip(arguments, sizes, strict=True))
    call = ", ".join(f"{one}=..." for one in names)
    raise ValueError(
        f"{parameter} is called with {given}, but {name} requires {len(names)} arguments: "
        f"{', '.join(names)}. Pass a function that fills them in, {parameter}="
        f"lambda {', '.join(arguments)}: {name}({call}), or functools.partial({name}, ...) with "
        "the others given by name."
    )


def _try_part(parameter: str, part: nn.Module, rows: Tensor, n_outputs: int | None) -> Tensor:
    """Run `part` once on two rows of zeros, and say what does not fit before training."""
    wanted = "(2, n_embedding)" if n_outputs is None else f"(2, {n_outputs})"
    part.eval()
    try:
        with torch.set_grad_enabled(n_outputs is not None):
            output = _apply(part, rows.requires_grad_(n_outputs is not None), None)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise ValueError(
            f"{parameter} does not fit: given input of shape {tuple(rows.shape)} it failed with: "
            f"{str(error)[:200]} It must return a tensor of shape {wanted}. Sparse X reaches it as "
            "flat rows; images need a dense array of shape (n_samples, channels, height, width)."
        ) from error
    shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
    fits = isinstance(output, Tensor) and output.ndim == 2 and len(output) == len(rows)
    if not fits or (n_outputs is not None and output.shape[1] != n_outputs):
        raise ValueError(
            f"{parameter} does not fit: given input of shape {tuple(rows.shape)} it returned "
            f"{shape}, but must return a tensor of shape {wanted}. End a feature extractor with "
            "torch.nn.Flatten() where it has more dimensions."
        )
    if output.dtype != torch.float32:
        raise ValueError(
            f"{parameter} does not fit: it returned {output.dtype}, but must return "
            "torch.float32. End it with a conversion by .float()."
        )
    if n_outputs is not None and not output.requires_grad:
        raise ValueError(
            f"{parameter} returned logits without a gradient, so nothing could learn from them. "
            "Leave out detach() and torch.no_grad() there."
        )
    return output.detach()


def lay_out_channels_last(part: nn.Module, rows: Tensor) -> None:
    """Store the weights of 2-d convolutions channels last, if the part runs as well then.

    On a CPU a step takes two thirds of the time; the values stay what they are. What comes out of
    such a convolution has its channels last in memory too. A part that depends on where values
    lie, as ``view`` does, is left as it was.

    Parameters
    ----------
    part : Module
        In evaluation mode.
    rows : float32 Tensor of shape (n, *row_shape)
    """
    if not any(parameter.ndim == 4 for parameter in part.parameters()):
        return
    try:
        part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in its stub
        with torch.no_grad():
            part(rows)
    except Exception:  # of any class: it is the user's module
        part.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def refuse_scaled_codes(feature_extractor: nn.Module, input_scaling: str | None) -> None:
    """Raise where a module that reads codes would be given scaled rows: other codes, or none."""
    reads_codes = (one for one in feature_extractor.modules() if getattr(one, "reads_codes", False))
    reader = next(reads_codes, None)
    if input_scaling is not None and reader is not None:
        raise ValueError(
            f"input_scaling={input_scaling!r} would scale the codes that {type(reader).__name__} "
            "reads. Set input_scaling=None, and scale columns of numbers before the classifier, "
            "for example by sklearn.compose.make_column_transformer."
        )


@contextlib.contextmanager
def explains_single_rows() -> Iterator[None]:
    """Say what to do where a batch of a single row is too small for a part, such as batch norm."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ValueError(
            "A part normalises over the rows of a batch, and one row is too few. Raise batch_size, "
            "pass more source rows, or use a layer that normalises each row, such as LayerNorm."
        ) from error
