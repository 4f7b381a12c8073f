"""Model-local functions become plain nodes."""

from __future__ import annotations

import onnx
import onnx.inliner

from convert.errors import BadModel


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
            elif imported.domain not in ("", "ai.onnx"):
                imported.version = versions[imported.domain]
    names = {(f.domain, f.name) for f in model.functions}
    inlined = onnx.inliner.inline_local_functions(model, convert_version=True)
    left = sorted({n.op_type for n in inlined.graph.node if (n.domain, n.op_type) in names})
    if left:
        raise BadModel(
            f"local functions that could not be inlined: {', '.join(left)}",
            why="they import ONNX at another opset than the model, and no conversion leads there",
            advice="export the model again with one opset throughout",
        )
    return inlined
