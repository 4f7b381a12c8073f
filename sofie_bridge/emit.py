"""ONNX to header: the whole model through SOFIE, its view of every tensor compared with ONNX's."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from onnx import helper, numpy_helper

from convert.errors import Finding, SofieCrashed, SofieRefused, WrongShapes
from convert.root_layout import WEIGHTS
from rewrite.origin import Origin
from sofie_bridge.names import distinct, identifier, symbols
from sofie_bridge.root_file import write_directory
from sofie_bridge.root_session import INNER, around
from sofie_bridge.samples import Array
from sofie_bridge.session_weights import read_safetensors
from sofie_bridge.shapes import disagreements
from sofie_bridge.sofie import NO_WEIGHT_FILE, SAFETENSORS, Sofie, words
from sofie_bridge.truncate import truncated
from sofie_bridge.worker import Answer, Request

Weights = Literal["file", "embed", "safetensors", "root"]
#: A ROOT file is filled from the safetensors file that SOFIE writes (see root_session).
_OPTIONS: dict[str, int] = {"file": 0, "embed": NO_WEIGHT_FILE, "safetensors": SAFETENSORS, "root": SAFETENSORS}
_SUFFIXES = {"file": ".dat", "embed": "", "safetensors": ".safetensors", "root": ".safetensors"}

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
    :param form: where its weights are. :param blob: they as a safetensors file, where SOFIE wrote one.
    :param described: the header begins with what it is, as it does once it was written (convert.preamble).
    :param beside: C++ files that it includes, by their places beside it. :param includes: the folders they are in now.
    """

    header: Path
    weights: Path | None
    onnx: Path
    named: Named
    form: Weights = "file"
    blob: Path | None = None
    described: bool = False
    beside: Mapping[Path, Path] = field(default_factory=dict)
    includes: tuple[Path, ...] = ()


def emit(
    model: onnx.ModelProto, name: str, folder: Path, sofie: Sofie, *, weights: Weights = "file", root: str = ""
) -> Emitted:
    """Write ``<name>.hxx``, its weights and the ``.onnx`` that they were made of into ``folder``.

    :param model: rewritten, every node legal, shapes inferred.
    :param root: name of the ROOT file for ``weights="root"``; by default ``<name>.root``.
    :raises SofieRefused: SOFIE takes each node but not the whole; with SOFIE's words.
    :raises SofieCrashed: with the node that causes it.
    :raises WrongShapes: every tensor whose shape or type SOFIE sees otherwise.
    """
    if not model.graph.node:
        raise SofieRefused("the model computes nothing", why="SOFIE crashes on a graph without nodes")
    named = with_cpp_names(model, name)
    stem = named.name + (INNER if weights == "root" else "")
    path = folder / f"{stem}.onnx"
    onnx.save(named.model, path)
    header = folder / f"{stem}.hxx"
    answer = _generate(named, path, header, _OPTIONS[weights], sofie)
    if answer.outcome == "lacking":
        raise SofieRefused(f"this SOFIE does not write --weights {weights}", why=answer.words, advice="other --weights")
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
    header.write_text(re.sub(r"\A//Code generated automatically by (?:SOFIE|TMVA)[^\n]*\n", "", text))
    file = folder / (stem + _SUFFIXES[weights])
    del named.model.graph.initializer[:]  # a copy of the weights less
    held = file if _SUFFIXES[weights] and file.exists() else None
    blob = held if _OPTIONS[weights] == SAFETENSORS else None
    if weights == "root":
        if blob is None:  # nothing to read, from whatever file
            return replace(emit(model, name, folder, sofie, weights="safetensors"), form="root")
        return _with_root(Emitted(header, held, path, named, weights, blob), blob, root or f"{named.name}.root")
    return Emitted(header, held, path, named, weights, blob)


def _with_root(emitted: Emitted, blob: Path, file: str) -> Emitted:
    """The same with the weights in a ROOT file, and a Session that reads them there."""
    name, folder = emitted.named.name, emitted.header.parent
    header, tensors = folder / f"{name}.hxx", read_safetensors(blob)
    header.write_text(around(emitted.header.read_text(), name, tensors, file=file, folder=f"{name}/{WEIGHTS}"))
    write_directory(folder / file, name, {f"{WEIGHTS}/{n}": a for n, a in tensors.items()})
    return replace(emitted, header=header, weights=folder / file)


def session_tensors(emitted: Emitted, sofie: Sofie, folder: Path) -> dict[str, Array]:
    """What the header's Session reads, flat, by SOFIE's names; SOFIE is asked once more where it wrote no blob.

    :param folder: for what SOFIE writes.
    :raises SofieRefused: it does not write safetensors of this model.
    """
    if emitted.blob is not None:
        return read_safetensors(emitted.blob)
    header = folder / "session.hxx"
    answer = _generate(emitted.named, emitted.onnx, header, SAFETENSORS, sofie)
    if answer.outcome != "generated" and emitted.form == "embed":
        return {}  # of several stages, with all weights in the header: there is no Session that reads any
    if answer.outcome != "generated":
        raise SofieRefused("SOFIE does not write the weights as safetensors", why=words(answer))
    blob = header.with_suffix(".safetensors")
    return read_safetensors(blob) if blob.exists() else {}


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
        for side in (node.input, node.output):
            names = [tensors.get(n, n) for n in side]
            del side[:]
            side.extend(names)
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
