"""Dtypes and shapes of every tensor, by ONNX's own inference."""

from __future__ import annotations

import onnx

from convert.errors import BadModel
from rewrite.along import infer_along
from rewrite.carried import infer_carried
from rewrite.declared import infer_declared


def infer_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with ``value_info`` for all that ONNX can infer, values of shape arithmetic included.

    Behind a node of a custom operator inference goes on with what its declaration says, and behind a Loop
    with what a trip through it keeps.

    What the exporter wrote there is dropped first: it goes stale when an input's dimension is fixed.

    :raises BadModel: the model contradicts itself.
    """
    del model.graph.value_info[:]
    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        for _ in model.graph.node:  # each time round something more is known
            found = [*infer_declared(inferred), *infer_carried(inferred), *infer_along(inferred)]
            if not found:
                break
            inferred.graph.value_info.extend(found)
            inferred = onnx.shape_inference.infer_shapes(inferred, strict_mode=True, data_prop=True)
        return inferred
    except onnx.shape_inference.InferenceError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise BadModel(
            "the model's shapes or types contradict each other",
            why=lines[-1] if lines else "",
            advice="if an open dimension was fixed with --input, check it against the model's own constants",
        ) from error
