"""Names of symbolic dimensions, changed everywhere in a model at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

Sizes = dict[str, int | str]


def substitute(model: onnx.ModelProto, sizes: Mapping[str, int | str]) -> None:
    """Replace symbolic dimensions by sizes or by other names, all at once and in place.

    Expressions ("2*N") follow a renaming. Once N has a size, an expression or a name that no input has may be stale: in
    an output it is left open, and what is known of an inner tensor is dropped with it.
    """
    changed = {name: size for name, size in sizes.items() if name != size}
    if not changed:
        return
    fixes = any(isinstance(size, int) for size in changed.values())
    for value in model.graph.input:
        for dim in value.type.tensor_type.shape.dim:
            _replace(dim, changed)
    known = {d.dim_param for v in model.graph.input for d in v.type.tensor_type.shape.dim}
    for graph in _graphs(model.graph):
        for value in (*graph.output, *graph.value_info):
            for dim in value.type.tensor_type.shape.dim:
                _replace(dim, changed)
        stale = [v for v in graph.value_info if fixes and _unknown(v, known)]
        for value in stale:
            graph.value_info.remove(value)
        for value in graph.output if fixes else ():
            for dim in _unknown(value, known):
                dim.ClearField("dim_param")


def _replace(dim: onnx.TensorShapeProto.Dimension, changed: Mapping[str, int | str]) -> None:
    if not dim.dim_param:
        return
    size = changed.get(dim.dim_param)
    if isinstance(size, int):
        dim.dim_value = size
    elif size is not None:
        dim.dim_param = size
    else:
        dim.dim_param = re.sub(r"[A-Za-z_]\w*", lambda m: str(changed.get(m[0], m[0])), dim.dim_param)


def _unknown(value: onnx.ValueInfoProto, known: set[str]) -> list[onnx.TensorShapeProto.Dimension]:
    return [d for d in value.type.tensor_type.shape.dim if d.dim_param and d.dim_param not in known]


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)
            for inner in attribute.graphs:
                yield from _graphs(inner)
