"""Is this a usable model? Every ONNX passes here, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from convert.errors import BadModel, Finding
from convert.spec import DTYPES
from converters.quiet import first_line

if TYPE_CHECKING:
    import onnx

OLDEST_OPSET = 7
#: Protobuf cannot serialise 2 GiB; the rest of the model needs room as well.
_SERIALISABLE = 2**31 - 2**26


def vet(model: onnx.ModelProto, *, where: str) -> None:
    """Check opset, outputs and dtypes.

    :raises BadModel: all findings.
    """
    _vet_opset(model, where)
    _vet_values(model, where)


def is_serialisable(model: onnx.ModelProto) -> bool:
    """Do the weights leave the model below protobuf's 2 GiB?"""
    return sum(len(tensor.raw_data) for tensor in model.graph.initializer) < _SERIALISABLE


def dtype_name(elem_type: int) -> str:
    """numpy's name of an ONNX element type; the ONNX name where numpy has none."""
    import onnx

    if elem_type == onnx.TensorProto.STRING:
        return "string"
    if elem_type in (onnx.TensorProto.UNDEFINED, *onnx.helper.get_all_tensor_dtypes()):
        return "" if elem_type == 0 else str(onnx.helper.tensor_dtype_to_np_dtype(elem_type).name)
    return f"type {elem_type}"


def real_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Graph inputs that are not initializers (before IR version 4 every initializer is listed as an input too)."""
    weights = {t.name for t in model.graph.initializer} | {t.values.name for t in model.graph.sparse_initializer}
    return [value for value in model.graph.input if value.name not in weights]


def _vet_opset(model: onnx.ModelProto, where: str) -> None:
    import onnx

    newest = onnx.defs.onnx_opset_version()
    version = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), None)
    if version is not None and version > newest:
        advice = "update with pip install --upgrade onnx, or export with an older opset"
        why = f"the installed onnx {onnx.__version__} knows opsets up to {newest}"
        raise BadModel(f"the model uses ONNX opset {version}", where=where, why=why, advice=advice)
    if version is not None and version < OLDEST_OPSET:
        advice = f"export again with opset {OLDEST_OPSET} or newer, or use onnx.version_converter"
        raise BadModel(f"the model uses ONNX opset {version}, older than {OLDEST_OPSET}", where=where, advice=advice)


def _vet_values(model: onnx.ModelProto, where: str) -> None:
    if not model.graph.output:
        raise BadModel("the model has no outputs", where=where, advice="export it with at least one output")
    findings = [
        *_bad_values("input", real_inputs(model)),
        *_bad_values("output", model.graph.output),
    ]
    if findings:
        raise BadModel("the model's inputs or outputs cannot be used", where=where, findings=tuple(findings))


def _bad_values(role: str, values: Iterable[onnx.ValueInfoProto]) -> Iterable[Finding]:
    for value in values:
        kind = value.type.WhichOneof("value")
        if kind not in (None, "tensor_type"):
            yield Finding(
                f"{role} {value.name} is not a tensor but a {kind.removesuffix('_type').replace('_', ' ')}",
                advice="cut the model before or after that part",
            )
            continue
        name = dtype_name(value.type.tensor_type.elem_type)
        if name and name not in DTYPES:
            yield Finding(f"{role} {value.name} has the dtype {name}", advice="use one of " + ", ".join(DTYPES))
        elif not name and role == "input":
            yield Finding(f"input {value.name} has no dtype", advice="export the model again with typed inputs")


def run_checker(model: onnx.ModelProto, *, where: str, path: str | None = None) -> None:
    """onnx's own rules.

    :param path: where the model lies on the disk, for models too big to be checked in memory.
    :raises BadModel: the checker's first line.
    """
    import onnx

    subject = model if is_serialisable(model) else path
    if subject is None:
        raise BadModel("the model is larger than 2 GB", where=where, advice="save it with external data")
    try:
        onnx.checker.check_model(subject)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise BadModel("onnx.checker refuses the model", where=where, why=first_line(str(error))) from error
