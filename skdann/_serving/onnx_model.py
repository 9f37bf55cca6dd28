"""A fitted classifier as an ONNX model, from raw rows to labels and probabilities."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

# Names of the model's input and outputs; the outputs are called as skl2onnx calls them.
ROWS, LABEL, PROBABILITIES = "X", "label", "probabilities"

# Older ones export in another way, which was not tried.
_OLDEST_TORCH = 2, 6

_CURE = 'It is not installed: pip install "skdann[onnx]".'


def onnx_model(
    module: nn.Module, row_shape: tuple[int, ...], classes: np.ndarray, opset: int | None = None
) -> Any:
    """Return the ONNX model of a module, with the labels as a second output.

    Parameters
    ----------
    module : Module, (n, *row_shape) to (n, n_classes) probabilities
    row_shape : tuple of int
    classes : ndarray of shape (n_classes,)
        Integers, floats, booleans or text.
    opset : int, default=None
        Version of ONNX's operators; None for torch's own choice.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    ImportError
        Without the extra "onnx", or with an older torch.
    ValueError
        For labels that ONNX has no type for, and modules that torch can't export.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401 (torch.onnx needs it)
    except ImportError as error:
        raise ImportError(f"to_onnx needs the package {error.name}. {_CURE}") from error
    if _torch_version() < _OLDEST_TORCH:
        oldest = ".".join(map(str, _OLDEST_TORCH))
        raise ImportError(f"to_onnx needs torch {oldest} or later, got {torch.__version__}.")
    labels = _label_values(classes)
    rows = torch.zeros((2, *row_shape))
    try:
        with _quiet():
            program = torch.onnx.export(
                module,
                (rows,),
                input_names=[ROWS],
                output_names=[PROBABILITIES],
                dynamic_shapes=({0: torch.export.Dim("rows")},),
                opset_version=opset,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # of any class: the exporter runs modules of the user's
        reason = str(error).strip().partition("\n")[0][:200]
        raise ValueError(
            f"torch.onnx can't export this network: {reason} A custom part must be one that "
            "torch.export.export(clf.to_torch(), ...) takes."
        ) from error
    model = program.model_proto
    _add_labels(model, onnx.numpy_helper.from_array(labels, "classes"))
    onnx.checker.check_model(model)
    return model


def _torch_version() -> tuple[int, ...]:
    return tuple(map(int, torch.__version__.split(".")[:2]))


def write_whole(path: Any, content: bytes) -> None:
    """Write a file whole or not at all."""
    path = Path(os.fspath(path))
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(unfinished, 0o666 & ~_umask())
        os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unfinished)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _label_values(classes: np.ndarray) -> np.ndarray:
    """Return the labels in a type that ONNX has."""
    if classes.dtype.kind in "biu":
        return classes.astype(np.int64)
    if classes.dtype.kind == "f":
        return classes
    if all(isinstance(label, str) for label in classes.tolist()):
        return classes.astype(object)
    raise ValueError(
        f"ONNX has no labels of dtype {classes.dtype}. Fit with integers or text as labels: "
        "y.astype(str)."
    )


def _add_labels(model: Any, classes: Any) -> None:
    """Add an output with the most probable label, in front of the probabilities."""
    from onnx import helper

    graph = model.graph
    (of_probabilities,) = graph.output
    graph.initializer.append(classes)
    graph.node.extend(
        [
            helper.make_node("ArgMax", [PROBABILITIES], ["code"], axis=1, keepdims=0),
            helper.make_node("Gather", ["classes", "code"], [LABEL]),
        ]
    )
    n_rows = of_probabilities.type.tensor_type.shape.dim[0].dim_param
    graph.output.insert(0, helper.make_tensor_value_info(LABEL, classes.data_type, [n_rows]))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what torch's exporter says of itself from users, who can do nothing about it."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logger.setLevel(level)
