"""What a model is without its names."""

from __future__ import annotations

from hashlib import sha256

import onnx


def form_of(model: onnx.ModelProto) -> str:
    """The outputs as expressions of the inputs, weights by value, in a digest: the model without its names."""
    known = {v.name: f"input {k} {v.type}" for k, v in enumerate(model.graph.input)}
    known |= {t.name: str((t.dims, onnx.numpy_helper.to_array(t).tobytes())) for t in model.graph.initializer}
    for node in model.graph.node:
        attributes = sorted(map(str, node.attribute))
        inputs = [known.get(name, name) for name in node.input]
        digest = sha256(str((node.op_type, attributes, inputs)).encode()).hexdigest()
        known |= {name: f"{digest} {k}" for k, name in enumerate(node.output)}
    return str([known[v.name] for v in model.graph.output])
