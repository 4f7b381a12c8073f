"""Dtypes and shapes of every tensor, by ONNX's own inference."""

from __future__ import annotations

import onnx

from convert.errors import BadModel
from rewrite.along import infer_along
from rewrite.carried import infer_carried
from rewrite.declared import infer_declared
from rewrite.reshaped import forget_nameless, name_reshaped


def infer_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with ``value_info`` for all that ONNX can infer, values of shape arithmetic included.

    Behind a node of a custom operator inference goes on with what its declaration says, and behind a Loop
    with what a trip through it keeps.

    What the exporter wrote there is dropped first: it goes stale when an input's dimension is fixed.

    :raises BadModel: the model contradicts itself.
    """
    del model.graph.value_info[:]
    try:
        inferred = _inferred(model)
        told: set[str] = set()
        for _ in model.graph.node:  # each time round something more is known
            named = name_reshaped(inferred)
            found = [*infer_declared(inferred), *infer_carried(inferred), *infer_along(inferred)]
            if not (found or named):
                break
            told |= {i.name for i in found}
            forget_nameless(inferred, but=told)
            inferred.graph.value_info.extend(found)
            inferred = _inferred(inferred)
        return inferred
    except onnx.shape_inference.InferenceError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise BadModel(
            "the model's shapes or types contradict each other",
            why=lines[-1] if lines else "",
            advice="if an open dimension was fixed with --input, check it against the model's own constants",
        ) from error


def _inferred(model: onnx.ModelProto) -> onnx.ModelProto:
    """ONNX's inference, values of shape arithmetic included; a model contradicts itself where its shapes alone do.

    Since https://github.com/onnx/onnx/pull/6557 ONNX follows any short vector as if it were a shape, through Unsqueeze
    too, and then finds that two columns cannot be multiplied that broadcast well: "Invalid rank for Mul broadcasting".
    Of what follows values that is no reason to stop: it goes on without them.

    :raises onnx.shape_inference.InferenceError: the shapes contradict each other.
    """
    try:
        return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError:
        onnx.shape_inference.infer_shapes(model, strict_mode=True)
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
