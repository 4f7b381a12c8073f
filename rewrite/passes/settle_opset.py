"""One opset for all that follows: :data:`rewrite.graph.OPSET`."""

from __future__ import annotations

import onnx
from onnx import version_converter

from convert.errors import BadModel
from rewrite.graph import IR_VERSION, OPSET
from rewrite.passes.lower_opset import lower_opset
from rewrite.passes.mend_conversion import mend_conversion, refuse_unconvertible
from rewrite.protos import nodes

_ONNX = ("", "ai.onnx")


def opset_of(model: onnx.ModelProto) -> int:
    """The opset of ONNX's own operators that the model imports; 0 where it imports none."""
    return max((i.version for i in model.opset_import if i.domain in _ONNX), default=0)


def settle_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model at opset :data:`OPSET`: older ones converted up, newer ones relabelled where no operator changed.

    :raises BadModel: an operator has no equal at that opset.
    """
    version = opset_of(model)
    foreign = [i for i in model.opset_import if i.domain not in _ONNX]
    for node in nodes(model.graph):
        if node.domain == "ai.onnx":
            node.domain = ""
    if version > OPSET:
        model = lower_opset(model, version)
    elif 0 < version < OPSET:
        model = _raised(model, version)
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    model.opset_import.extend(foreign)
    model.ir_version = IR_VERSION
    _write_misread(model)
    return model


def _raised(model: onnx.ModelProto, version: int) -> onnx.ModelProto:
    refuse_unconvertible(model, version)
    model.ir_version = max(model.ir_version, IR_VERSION)  # older ones want every initializer among the inputs
    try:
        converted = version_converter.convert_version(model, OPSET)
    except (RuntimeError, version_converter.ConvertError) as error:
        raise BadModel(
            f"the model's opset {version} could not be converted to {OPSET}",
            why=str(error).splitlines()[-1],
            advice="export the model with a newer opset, 18 or above",
        ) from error
    mend_conversion(model, converted, version)
    return converted


def _write_misread(model: onnx.ModelProto) -> None:
    """Attributes left out over which ONNX's own inference stumbles.

    It goes through a function body for MeanVarianceNormalization, and takes STFT's ``onesided`` for 0 (onnx 1.23).
    """
    for node in nodes(model.graph):
        if node.domain:
            continue
        if node.op_type == "MeanVarianceNormalization" and not node.attribute:
            node.attribute.append(onnx.helper.make_attribute("axes", [0, 2, 3]))
        if node.op_type == "STFT" and not node.attribute:
            node.attribute.append(onnx.helper.make_attribute("onesided", 1))
