"""The parts through SOFIE, each in a namespace of its own; parts that come to the same code are emitted once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from sofie_bridge.emit import Emitted, Weights, emit
from sofie_bridge.sofie import Sofie
from sofie_bridge.stages.cut import Part
from sofie_bridge.stages.inner import Inner
from sofie_bridge.stages.whole import Whole


@dataclass(frozen=True)
class Emission(Inner):
    """A part as SOFIE emitted it."""

    part: Part


@dataclass(frozen=True)
class _Form:
    """A part's model with names that do not depend on the model around it: equal parts are equal in it.

    :param tensors: its names by the part's. :param symbols: of open dimensions likewise.
    """

    model: onnx.ModelProto
    key: bytes
    tensors: Mapping[str, str]
    symbols: Mapping[str, str]


def emit_parts(
    whole: Whole, parts: Sequence[Part], name: str, folder: Path, sofie: Sofie, weights: Weights
) -> list[Emission]:
    """Every part, in order.

    :raises convert.errors.EmitError: as :func:`sofie_bridge.emit.emit`.
    """
    made: list[Emission] = []
    forms = [_form(p.model(whole)) for p in parts]
    often = Counter(f.key for f in forms)
    codes: dict[bytes, list[Emission]] = {}
    for k, (part, form) in enumerate(zip(parts, forms, strict=True)):
        found: Emission | None = None
        for held in codes.get(form.key, []):  # its numbers may be in the code: then it is another
            again = _emission(part, form, held.names.name, folder / f"{k}_as_{held.names.name}", sofie, weights)
            if again.code == held.code:
                found = again
                break
        if found is None:
            settled = form if often[form.key] > 1 else _as_it_is(part.model(whole))
            found = _emission(part, settled, f"{name}_part{len(made)}", folder / f"part{k}", sofie, weights)
            codes.setdefault(form.key, []).append(found)
        made.append(found)
    return made


def _emission(part: Part, form: _Form, name: str, folder: Path, sofie: Sofie, weights: Weights) -> Emission:
    folder.mkdir(parents=True)
    emitted: Emitted = emit(form.model, name, folder, sofie, weights=weights)
    made = Inner.of(emitted)
    tensors = {n: made.tensors[t] for n, t in form.tensors.items() if t in made.tensors}
    symbols = {n: made.symbols[t] for n, t in form.symbols.items() if t in made.symbols}
    return Emission(made.code, made.names, made.weights, tensors, symbols, made.dims, part)


def _as_it_is(model: onnx.ModelProto) -> _Form:
    graph = model.graph
    names = {n for node in graph.node for n in (*node.input, *node.output)} | {i.name for i in graph.input}
    return _Form(model, b"", {n: n for n in names if n}, {d: d for d in _open(model)})


def _form(model: onnx.ModelProto) -> _Form:
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    graph = plain.graph
    order = [*(i.name for i in graph.input), *(n for node in graph.node for n in (*node.input, *node.output))]
    tensors = {n: f"t{k}" for k, n in enumerate(dict.fromkeys(n for n in order if n))}
    symbols = {d: f"S{k}" for k, d in enumerate(_open(model))}
    for node in graph.node:
        node.name = node.doc_string = ""
        del node.metadata_props[:]
        for names in (node.input, node.output):
            names[:] = [tensors.get(n, n) for n in names]
    for info in (*graph.input, *graph.output, *graph.value_info):
        info.name = tensors[info.name]
        for dim in info.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = symbols[dim.dim_param]
    for tensor in graph.initializer:
        tensor.name = tensors[tensor.name]
    graph.name, graph.doc_string = "part", ""
    kept = sorted(graph.value_info, key=lambda i: i.name)
    weights = sorted(graph.initializer, key=lambda i: i.name)
    skeleton = onnx.ModelProto(graph=onnx.GraphProto(node=graph.node, input=graph.input, output=graph.output))
    skeleton.graph.value_info.extend(kept)
    skeleton.graph.initializer.extend(
        onnx.TensorProto(name=w.name, data_type=w.data_type, dims=w.dims) for w in weights
    )
    return _Form(plain, skeleton.SerializeToString(deterministic=True), tensors, symbols)


def _open(model: onnx.ModelProto) -> list[str]:
    infos = (*model.graph.input, *model.graph.value_info, *model.graph.output)
    dims = (d.dim_param for i in infos for d in i.type.tensor_type.shape.dim)
    return list(dict.fromkeys(d for d in dims if d))
