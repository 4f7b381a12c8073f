"""One opset for all that follows: :data:`rewrite.graph.OPSET`."""

from __future__ import annotations

import onnx
from onnx import helper, version_converter

from convert.errors import BadModel, Finding
from rewrite.graph import IR_VERSION, OPSET
from rewrite.origin import Origin

_ONNX = ("", "ai.onnx")


def opset_of(model: onnx.ModelProto) -> int:
    """The opset of ONNX's own operators that the model imports; 0 where it imports none."""
    return max((i.version for i in model.opset_import if i.domain in _ONNX), default=0)


def settle_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model at opset :data:`OPSET`: older ones converted up, newer ones relabelled where no operator changed.

    :raises BadModel: an operator has no equal at that opset.
    """
    version = opset_of(model)
    if version > OPSET:
        return _relabel(model, version)
    if 0 < version < OPSET:
        foreign = [i for i in model.opset_import if i.domain not in _ONNX]
        try:
            model = version_converter.convert_version(model, OPSET)
        except (RuntimeError, version_converter.ConvertError) as error:
            raise BadModel(
                f"the model's opset {version} could not be converted to {OPSET}",
                why=str(error).splitlines()[-1],
                advice="export the model with a newer opset, 18 or above",
            ) from error
        known = {i.domain for i in model.opset_import}
        model.opset_import.extend(i for i in foreign if i.domain not in known)
    model.ir_version = IR_VERSION
    return model


def _relabel(model: onnx.ModelProto, version: int) -> onnx.ModelProto:
    """Opsets above ours: types were added to operators, few operators changed. The checker says which it cannot take."""
    findings = [
        Finding(f"{node.op_type} of opset {version}", str(Origin.of(node)), f"it does not exist at opset {OPSET}")
        for node in model.graph.node
        if node.domain in _ONNX and onnx.defs.has(node.op_type) and not onnx.defs.has(node.op_type, OPSET, "")
    ]
    if findings:
        raise BadModel(f"the model needs opset {version}", findings=tuple(findings), advice=f"export it at {OPSET}")
    foreign = [i for i in model.opset_import if i.domain not in _ONNX]
    del model.opset_import[:]
    model.opset_import.extend([helper.make_opsetid("", OPSET), *foreign])
    model.ir_version = IR_VERSION
    return model
