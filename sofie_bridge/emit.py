"""ONNX to header: the whole model through SOFIE, its view of every tensor compared with ONNX's."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from onnx import helper, numpy_helper

from convert.errors import Finding, SofieCrashed, SofieRefused, WrongShapes
from rewrite.origin import Origin
from sofie_bridge.names import distinct, identifier, symbols
from sofie_bridge.shapes import disagreements
from sofie_bridge.sofie import NO_WEIGHT_FILE, SAFETENSORS, Sofie, words
from sofie_bridge.truncate import truncated
from sofie_bridge.worker import Answer, Request

Weights = Literal["file", "embed", "safetensors"]
_OPTIONS: dict[str, int] = {"file": 0, "embed": NO_WEIGHT_FILE, "safetensors": SAFETENSORS}
_SUFFIXES = {"file": ".dat", "embed": "", "safetensors": ".safetensors"}

#: Whole models: SOFIE takes seconds for hundreds of megabytes.
SECONDS = 900.0
#: Bytes of address space, beyond sixteen times the model's file: weights become text in memory.
MEMORY = 8 << 30
#: A constant with up to this many elements is given to each of its readers as a copy of its own.
SHARED = 1 << 16


@dataclass(frozen=True)
class Named:
    """A model whose names are C++ identifiers.

    :param model: what SOFIE is given.
    :param name: the namespace's last part and the file's stem.
    :param tensors: C++ name by ONNX name.
    :param symbols: C++ name of each symbolic dimension.
    """

    model: onnx.ModelProto
    name: str
    tensors: dict[str, str]
    symbols: dict[str, str]


@dataclass(frozen=True)
class Emitted:
    """A header as SOFIE wrote it, and its weight file where it has one.

    :param onnx: the model as SOFIE was given it. :param named: its names; the weights are in that file alone.
    """

    header: Path
    weights: Path | None
    onnx: Path
    named: Named


def emit(model: onnx.ModelProto, name: str, folder: Path, sofie: Sofie, *, weights: Weights = "file") -> Emitted:
    """Write ``<name>.hxx``, its weights and the ``<name>.onnx`` that they were made of into ``folder``.

    :param model: rewritten, every node legal, shapes inferred.
    :raises SofieRefused: SOFIE takes each node but not the whole; with SOFIE's words.
    :raises SofieCrashed: with the node that causes it.
    :raises WrongShapes: every tensor whose shape or type SOFIE sees otherwise.
    """
    if not model.graph.node:
        raise SofieRefused("the model computes nothing", why="SOFIE crashes on a graph without nodes")
    named = with_cpp_names(model, name)
    path = folder / f"{named.name}.onnx"
    onnx.save(named.model, path)
    header = folder / f"{named.name}.hxx"
    answer = _generate(named, path, header, _OPTIONS[weights], sofie)
    if answer.outcome != "generated":
        path.unlink()
        _raise(model, named, answer, folder, sofie)
    text = header.read_text()
    wrong = disagreements(named.model, answer.tensors, text)
    if wrong:
        path.unlink()
        raise WrongShapes(
            "SOFIE sees tensors otherwise than ONNX does",
            findings=tuple(Finding(w) for w in wrong),
            advice="report this with the model: a rule is missing",
        )
    header.write_text(re.sub(r"\A//Code generated automatically by SOFIE[^\n]*\n", "", text))
    file = folder / (named.name + _SUFFIXES[weights])
    del named.model.graph.initializer[:]  # a copy of the weights less
    return Emitted(header, file if _SUFFIXES[weights] and file.exists() else None, path, named)


def _generate(named: Named, path: Path, header: Path | None, options: int, sofie: Sofie) -> Answer:
    graph = named.model.graph
    tensors = tuple(i.name for i in (*graph.input, *graph.value_info, *graph.output))
    memory = MEMORY + 16 * path.stat().st_size
    return sofie.ask(Request(None, str(path), options, str(header) if header else None, tensors, SECONDS, memory))


def with_cpp_names(model: onnx.ModelProto, name: str) -> Named:
    """A copy of the model (weights included) with distinct identifiers for tensors, nodes and symbolic dimensions.

    Constants that several nodes read are copied for each: SOFIE changes some in place, and derives tensors of one name
    from others, as if each had one reader.
    """
    graph = model.graph
    infos = (*graph.input, *graph.output, *graph.value_info)
    dims = [d.dim_param for i in infos for d in i.type.tensor_type.shape.dim if d.dim_param]
    sizes = symbols(dims)
    texts = [i.name for i in (*graph.input, *graph.output)]
    texts += [n for node in graph.node for n in (*node.input, *node.output) if n]
    tensors = distinct(texts, taken=set(sizes.values()))
    renamed = onnx.ModelProto()
    renamed.CopyFrom(model)
    renamed.graph.name = identifier(name)
    for i in (*renamed.graph.input, *renamed.graph.output, *renamed.graph.value_info):
        i.name = tensors.get(i.name, i.name)
        for d in i.type.tensor_type.shape.dim:
            if d.dim_param:
                d.dim_param = sizes[d.dim_param]
    for initializer in renamed.graph.initializer:
        initializer.name = tensors.get(initializer.name, initializer.name)
    for serial, node in enumerate(renamed.graph.node):
        node.name = f"op_{serial}"
        node.doc_string = ""
        for field in (node.input, node.output):
            names = [tensors.get(n, n) for n in field]
            del field[:]
            field.extend(names)
    renamed.graph.doc_string = renamed.doc_string = ""
    _unshare(renamed.graph)
    _read_apart(renamed.graph)
    return Named(renamed, identifier(name), tensors, sizes)


def _unshare(graph: onnx.GraphProto) -> None:
    readers = Counter(n for node in graph.node for n in node.input)
    held = {i.name: i for i in graph.initializer if readers[i.name] > 1}
    taken = set(readers) | {o for node in graph.node for o in node.output}
    first: set[str] = set()
    for node in graph.node:
        for k, n in enumerate(node.input):
            if n not in held or prod(held[n].dims) > SHARED:
                continue
            if n not in first:
                first.add(n)
                continue
            copy = next(iter(distinct([f"{n}_copy"], taken).values()))
            taken.add(copy)
            tensor = graph.initializer.add()
            tensor.CopyFrom(held[n])
            tensor.name = node.input[k] = copy


def _read_apart(graph: onnx.GraphProto) -> None:
    """SOFIE names a recurrent operator's inner tensors after its input: two that read one get inputs of their own."""
    shapes = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim] for i in (*graph.input, *graph.value_info)}
    taken = {o for node in graph.node for o in node.output} | set(shapes)
    seen: set[tuple[str, str]] = set()
    nodes = []
    for node in graph.node:
        key = (node.op_type, node.input[0]) if node.op_type in ("GRU", "LSTM", "RNN") else ("", "")
        if key[0] and key in seen and all(shapes.get(key[1], [0])):
            (copy, shape) = distinct([f"{key[1]}_copy", f"{key[1]}_shape"], taken).values()
            taken |= {copy, shape}
            graph.initializer.append(numpy_helper.from_array(np.array(shapes[key[1]], np.int64), shape))
            nodes.append(helper.make_node("Reshape", [key[1], shape], [copy], f"{node.name}_input"))
            node.input[0] = copy
        seen.add(key)
        nodes.append(node)
    if len(nodes) > len(graph.node):
        kept = [onnx.NodeProto.FromString(n.SerializeToString()) for n in nodes]
        del graph.node[:]
        graph.node.extend(kept)


def _raise(model: onnx.ModelProto, named: Named, answer: Answer, folder: Path, sofie: Sofie) -> None:
    """Find the first node with which SOFIE fails, by taking ever shorter beginnings of the model, and name it."""
    good, bad = 0, len(model.graph.node)
    last = answer
    while bad - good > 1:
        middle = (good + bad) // 2
        path = folder / "prefix.onnx"
        onnx.save(truncated(named.model, middle), path)
        found = sofie.ask(Request(None, str(path), NO_WEIGHT_FILE, None, (), SECONDS))
        path.unlink()
        if found.outcome == "generated":
            good = middle
        else:
            bad, last = middle, found
    where = str(Origin.of(model.graph.node[bad - 1]))
    if answer.outcome == "refused":
        raise SofieRefused(
            "SOFIE takes every node of the model, but not the whole",
            where=where,
            why=words(last),
            advice="report this with the model: a rule is missing",
        )
    raise SofieCrashed("SOFIE failed on the model", where=where, why=words(last), advice="report this with the model")
