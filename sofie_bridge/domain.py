"""Are these inputs that a model is for? NaN on the way to its outputs says that they are not."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from sofie_bridge.reference import OnnxReference
from sofie_bridge.samples import Arrays


def nan_inside(model: onnx.ModelProto, arrays: Arrays) -> str:
    """The first tensor that holds NaN though no input does, and the node that makes it; empty where none does.

    A mass of less than nothing has no square root. What a model makes of NaN afterwards, say with IsNaN, follows no
    rule that holds between two programs: comparisons and maxima of NaN are everybody's own.
    """
    if any(np.isnan(a).any() for a in arrays.values() if a.dtype.kind == "f"):
        return ""
    makers = {o: node for node in model.graph.node for o in node.output if o}
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    given = {o.name for o in model.graph.output}
    watched.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in makers if name not in given)
    seen = OnnxReference(watched)(arrays)
    for name, node in makers.items():
        if seen[name].dtype.kind == "f" and np.isnan(seen[name]).any():
            return f"{name!r}, output of {node.op_type}, is NaN"
    return ""
