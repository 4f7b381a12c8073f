"""Dtypes and shapes of every tensor, by ONNX's own inference."""

from __future__ import annotations

import onnx

from convert.errors import BadModel


def infer_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with ``value_info`` for all that ONNX can infer, values of shape arithmetic included.

    What the exporter wrote there is dropped first: it goes stale when an input's dimension is fixed.

    :raises BadModel: the model contradicts itself.
    """
    del model.graph.value_info[:]
    try:
        return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise BadModel(
            "the model's shapes or types contradict each other",
            why=lines[-1] if lines else "",
            advice="if an open dimension was fixed with --input, check it against the model's own constants",
        ) from error
