"""Model-local functions become plain nodes."""

from __future__ import annotations

import onnx
import onnx.inliner

from convert.errors import BadModel
from rewrite.protos import nodes

_ONNX = ("", "ai.onnx")


def inline_functions(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without local functions.

    ``onnx.inliner`` silently leaves a function that imports a domain at another version than the model does; exporters
    write such imports for domains of their own, where versions mean nothing. Imports are made equal first; a function
    written for another opset of ONNX itself is converted by the inliner.

    :raises BadModel: a function could not be inlined.
    """
    if not model.functions:
        return model
    versions = {i.domain: i.version for i in model.opset_import}
    for function in model.functions:
        for imported in function.opset_import:
            if imported.domain not in versions:
                model.opset_import.add(domain=imported.domain, version=imported.version)
                versions[imported.domain] = imported.version
            elif imported.domain not in _ONNX:
                imported.version = versions[imported.domain]
    names = {(f.domain, f.name) for f in model.functions}
    others = sorted(
        f.name
        for f in model.functions
        for i in f.opset_import
        if i.domain in _ONNX and i.version != versions.get(i.domain)
    )
    why = f"of another opset of ONNX than the model: {', '.join(others)}" if others else ""
    try:
        # the inliner converts between opsets, and needs the types at each call for that
        typed = onnx.shape_inference.infer_shapes(model) if others else model
        inlined = onnx.inliner.inline_local_functions(typed, convert_version=True)
    except RuntimeError as error:
        raise BadModel(
            "local functions could not be inlined", why=why or str(error), advice="export it with one opset throughout"
        ) from error
    left = sorted({n.op_type for n in nodes(inlined.graph) if (n.domain, n.op_type) in names})
    if left:
        raise BadModel(
            f"local functions that could not be inlined: {', '.join(left)}",
            why=why,
            advice="export it with one opset throughout",
        )
    return inlined
