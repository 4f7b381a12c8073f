"""Inputs as the user gives them, matched to a model's and written into it.

Works on any ModelProto, so every front end can use it. Afterwards each dimension of each input is a size or a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from convert.errors import BadInput, Finding
from convert.spec import TensorSpec
from converters.quiet import first_line
from converters.symbols import Sizes, substitute
from converters.vetting import dtype_name, is_serialisable, real_inputs

if TYPE_CHECKING:
    import onnx

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def specs_of(model: onnx.ModelProto) -> tuple[TensorSpec, ...]:
    """The model's real inputs; an open dimension without a name is None."""
    return tuple(_spec(value) for value in real_inputs(model))


def match_specs(given: Sequence[TensorSpec], names: Sequence[str]) -> tuple[dict[str, TensorSpec], list[Finding]]:
    """Specs by the name of the input that each is for: by name, or else the next one in order. Misfits are findings."""
    matched: dict[str, TensorSpec] = {}
    findings: list[Finding] = []
    for spec in (s for s in given if s.name):
        if spec.name not in names:
            close = get_close_matches(spec.name, names, n=1)
            advice = f"did you mean {close[0]}?" if close else ""
            findings.append(Finding(f"there is no input {spec.name}", advice=advice))
        elif spec.name in matched:
            findings.append(Finding(f"the input {spec.name} is given twice"))
        else:
            matched[spec.name] = spec
    free = [name for name in names if name not in matched]
    for spec in (s for s in given if not s.name):
        if free:
            name = free.pop(0)
            matched[name] = replace(spec, name=name)
        else:
            findings.append(Finding(f"{spec} is one input too many"))
    return matched, findings


def fix_batch(own: Sequence[TensorSpec], matched: dict[str, TensorSpec], batch: int | None) -> list[Finding]:
    """Give the size ``batch`` (``--batch``) to every open first axis: into ``matched``, in place.

    :param own: the model's inputs, of known rank. :param matched: what the user gives for them, by name.
    """
    if batch is None:
        return []
    firsts = [spec.shape[0] for spec in own if spec.shape]
    findings = []
    if all(isinstance(first, int) and first != batch for first in firsts):
        sizes = " and ".join(sorted({str(first) for first in firsts})) or "not there"
        findings.append(Finding(f"the batch cannot be {batch}: the first axes of the inputs are {sizes}"))
    for spec in (s for s in own if s.shape and not isinstance(s.shape[0], int)):
        given = matched.get(spec.name, replace(spec, shape=(None,) * len(spec.shape)))
        if given.shape and isinstance(given.shape[0], int) and given.shape[0] != batch:
            findings.append(Finding(f"the batch of the input {spec.name} is given as {given.shape[0]} and as {batch}"))
        matched[spec.name] = replace(given, shape=(batch, *given.shape[1:]))
    return findings


def batched(given: Sequence[TensorSpec], batch: int | None, *, where: str) -> tuple[TensorSpec, ...]:
    """The user's specs of a model that has none of its own, with ``batch`` for the dimensions that stand first by name.

    :raises BadInput: no first axis is open.
    """
    if batch is None or not given:
        return tuple(given)
    first = {spec.shape[0] for spec in given if spec.shape and not isinstance(spec.shape[0], int)}
    findings = fix_batch(given, {}, batch)
    if findings:
        raise BadInput("the given inputs do not fit the model", where=where, findings=tuple(findings))
    return tuple(replace(s, shape=tuple(batch if d in first else d for d in s.shape)) for s in given)


def apply_specs(
    model: onnx.ModelProto, given: Sequence[TensorSpec], *, where: str, batch: int | None = None
) -> tuple[str, ...]:
    """Write the given sizes and names into the model, in place, and name every dimension that has none.

    Dimensions of one name change together: in inputs, outputs and what is known of inner tensors.

    :param batch: a size for every open first axis.
    :returns: notes for the user.
    :raises BadInput: all that does not fit, and the model's real inputs.
    """
    before = [_text(value) for value in real_inputs(model)]
    matched, findings = match_specs(given, [value.name for value in real_inputs(model)])
    _give_rank(model, matched, findings)
    findings += fix_batch(specs_of(model), matched, batch)
    made_up = _name_dimensions(model)
    sizes: Sizes = {}
    for value in real_inputs(model):
        if value.name in matched:
            findings.extend(_fit(value, matched[value.name], sizes))
    if findings:
        advice = "the model's inputs are " + " ".join(before) if before else "the model has no inputs"
        raise BadInput("the given inputs do not fit the model", where=where, advice=advice, findings=tuple(findings))
    substitute(model, sizes)
    if any(isinstance(size, int) for size in sizes.values()):
        _infer_outputs(model, where)
    return tuple(
        f"{what} is called {name}; give it a size with --input" for name, what in made_up.items() if name not in sizes
    )


def _dims(value: onnx.ValueInfoProto) -> list[onnx.TensorShapeProto.Dimension]:
    return list(value.type.tensor_type.shape.dim)


def _is_open(dim: onnx.TensorShapeProto.Dimension) -> bool:
    return not dim.dim_param and (not dim.HasField("dim_value") or dim.dim_value < 0)


def _spec(value: onnx.ValueInfoProto) -> TensorSpec:
    shape = tuple(None if _is_open(d) else d.dim_param or d.dim_value for d in _dims(value))
    return TensorSpec(value.name, dtype_name(value.type.tensor_type.elem_type), shape)


def _text(value: onnx.ValueInfoProto) -> str:
    spec = _spec(value)
    return str(spec) if value.type.tensor_type.HasField("shape") else f"{spec.name}:{spec.dtype}[...]"


def _give_rank(model: onnx.ModelProto, matched: Mapping[str, TensorSpec], findings: list[Finding]) -> None:
    for value in real_inputs(model):
        if value.type.tensor_type.HasField("shape"):
            continue
        if value.name not in matched:
            text = f"{value.name}:{_spec(value).dtype}"
            findings.append(
                Finding(f"the model does not say how many axes the input {value.name} has",
                        advice=f"give its shape, as in --input '{text}[1,3]'")
            )  # fmt: skip
            continue
        value.type.tensor_type.shape.SetInParent()
        for _ in matched[value.name].shape:
            value.type.tensor_type.shape.dim.add()


def _name_dimensions(model: onnx.ModelProto) -> dict[str, str]:
    """Give a name to each dimension that has none, or one that is no name ("N + 1"); name → what it is."""
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for dim in _dims(value):
            if dim.dim_param and (dim.dim_param == "None" or not re.search(r"[A-Za-z_]", dim.dim_param)):
                dim.ClearField("dim_param")  # "?" stands for any size: two of them need not be equal
    taken = {d.dim_param for v in (*model.graph.input, *model.graph.output, *model.graph.value_info) for d in _dims(v)}
    made_up: dict[str, str] = {}
    renamed: Sizes = {}
    for value in real_inputs(model):
        for axis, dim in enumerate(_dims(value)):
            if dim.dim_param in renamed or not (_is_open(dim) or not _is_name(dim)):
                continue
            name = re.sub(r"\W", "_", f"{value.name}_{axis}", flags=re.ASCII)
            name = name if _IDENTIFIER.fullmatch(name) else f"d_{name}"
            while name in taken:
                name += "_"
            taken.add(name)
            made_up[name] = f"axis {axis} of the input {value.name}"
            if dim.dim_param:
                renamed[dim.dim_param] = name
            else:
                dim.dim_param = name
    substitute(model, renamed)
    return made_up


def _is_name(dim: onnx.TensorShapeProto.Dimension) -> bool:
    return not dim.dim_param or _IDENTIFIER.fullmatch(dim.dim_param) is not None


def misfits(own: TensorSpec, given: TensorSpec) -> Iterator[Finding]:
    """Dtype, number of axes and sizes that are not the input's own."""
    if given.dtype != own.dtype:
        yield Finding(f"input {own.name} has the dtype {own.dtype}, not {given.dtype}")
    if len(given.shape) != len(own.shape):
        yield Finding(f"input {own.name} has {len(own.shape)} axes, not {len(given.shape)}")
        return
    for axis, (want, have) in enumerate(zip(given.shape, own.shape, strict=True)):
        if isinstance(have, int) and want not in (None, have):
            yield Finding(f"axis {axis} of the input {own.name} has the fixed size {have}, not {want}")
        elif want == 0:
            yield Finding(f"axis {axis} of the input {own.name} is given the size 0")


def _fit(value: onnx.ValueInfoProto, spec: TensorSpec, sizes: Sizes) -> Iterator[Finding]:
    """Misfits, and dimensions of one name that are given two sizes; ``sizes`` gathers what each name is given."""
    real = _spec(value)
    yield from misfits(real, spec)
    for want, have in zip(spec.shape, real.shape, strict=True) if len(spec.shape) == len(real.shape) else ():
        if isinstance(have, str) and want and sizes.setdefault(have, want) != want:
            yield Finding(f"the dimension {have} is given as {sizes[have]} and as {want}")


def _infer_outputs(model: onnx.ModelProto, where: str) -> None:
    """Shapes of outputs that followed from a dimension which now has a size."""
    import onnx

    open_outputs = [v for v in model.graph.output if any(_is_open(d) for d in _dims(v))]
    if not open_outputs or not is_serialisable(model):
        return
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        raise BadInput("the model does not work with this shape", where=where, why=first_line(str(error))) from error
    for value, found in zip(model.graph.output, inferred.graph.output, strict=True):
        value.CopyFrom(found)
