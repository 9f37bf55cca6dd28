"""Serving through other programs: converters for skl2onnx.

A classifier alone needs nothing of this: see :meth:`skdann.DANNClassifier.to_onnx`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skdann._classifier import DANNClassifier
from skdann._classifier_cv import DANNClassifierCV
from skdann._serving.onnx_model import onnx_model
from skdann.pipeline import DANNPipeline

__all__ = ["register_skl2onnx"]

# Options that skl2onnx has for every classifier: "nocl" wants the codes of classes as labels.
_FLAGS = "nocl", "output_class_labels"


def register_skl2onnx() -> None:
    """Teach skl2onnx this package's classifiers, alone and as the last step of Pipelines.

    Call it once in a process, before ``skl2onnx.to_onnx``. It needs
    ``pip install "skdann[onnx]"``. The input of the classifier must be dense. Source rows are
    recognised as in `predict`.

    Raises
    ------
    ImportError
        Without skl2onnx.

    See Also
    --------
    skdann.DANNClassifier.to_onnx : The file of a classifier alone.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdann.datasets import make_rotated_moons
    >>> from skdann.pipeline import make_dann_pipeline
    >>> from skdann.serving import register_skl2onnx
    >>> X_src, y_src, X_tgt, _ = make_rotated_moons(random_state=0)
    >>> pipe = make_dann_pipeline(StandardScaler(), lambda_max=1.0, max_epochs=5)
    >>> pipe = pipe.fit(X_src, y_src, X_tgt)
    >>> import skl2onnx  # doctest: +SKIP
    >>> register_skl2onnx()  # doctest: +SKIP
    >>> rows = X_tgt[:1].astype(np.float32)
    >>> model = skl2onnx.to_onnx(pipe, rows, options={"zipmap": False})  # doctest: +SKIP
    """
    try:
        from skl2onnx import update_registered_converter
        from skl2onnx._parse import _parse_sklearn_pipeline  # it has no public name
        from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
    except ImportError as error:
        raise ImportError(
            f"register_skl2onnx needs the package {error.name}. It is not installed: "
            'pip install "skdann[onnx]".'
        ) from error
    options = {"zipmap": [True, False, "columns"], **{flag: [True, False] for flag in _FLAGS}}
    shapes = calculate_linear_classifier_output_shapes
    for classifier in (DANNClassifier, DANNClassifierCV):
        alias = f"Skdann{classifier.__name__}"
        update_registered_converter(classifier, alias, shapes, _convert, options=options)
    # Read as scikit-learn's own Pipeline, step by step; it has no node of its own to convert.
    update_registered_converter(
        DANNPipeline,
        "SkdannDANNPipeline",
        shapes,
        _convert,
        parser=_parse_sklearn_pipeline,
        options=options,
    )


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a classifier's own model; skl2onnx calls it."""
    from onnx import TensorProto, compose, helper

    fitted = operator.raw_operator._fitted_classifier()
    codes_only = container.get_options(operator.raw_operator, {"nocl": False})["nocl"]
    labels = np.arange(len(fitted.classes_)) if codes_only else fitted.classes_
    model = onnx_model(fitted.to_torch(), fitted._row_shape, labels, container.target_opset)
    graph = compose.add_prefix(model, scope.get_unique_operator_name("Dann") + "_").graph
    kinds = {"FloatTensorType": TensorProto.FLOAT, "DoubleTensorType": TensorProto.DOUBLE}
    (given,), (label, probabilities) = operator.inputs, operator.outputs
    names = [
        (given.onnx_name, graph.input[0].name, TensorProto.FLOAT),
        (graph.output[0].name, label.onnx_name, graph.output[0].type.tensor_type.elem_type),
        (graph.output[1].name, probabilities.onnx_name, kinds[type(probabilities.type).__name__]),
    ]
    casts = [
        helper.make_node("Cast", [source], [target], scope.get_unique_operator_name("Cast"), to=to)
        for source, target, to in names
    ]
    container.nodes.extend([casts[0], *graph.node, *casts[1:]])
    container.initializers.extend(graph.initializer)
    for one in model.opset_import:
        container.node_domain_version_pair_sets.add((one.domain, one.version))
