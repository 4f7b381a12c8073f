"""Weights that lie in files beside an ONNX model: read into the model, from its own folder only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from convert.errors import BadModel, Finding, UnsafeFile

if TYPE_CHECKING:
    import onnx


def inline_external_data(model: onnx.ModelProto, folder: Path, *, where: str) -> int:
    """Read all external tensors into ``raw_data``, in place.

    :returns: how many there were.
    :raises UnsafeFile: a location that leads out of ``folder``, itself or through symbolic links.
    :raises BadModel: files that are missing or too short.
    """
    tensors = list(external_tensors(model))
    unsafe = [finding for t in tensors if (finding := _unsafe(t, folder)) is not None]
    if unsafe:
        advice = "move the data files beside the model (as plain files) and save it again with relative locations"
        what = "external data lies outside the model's folder"
        raise UnsafeFile(what, where=where, advice=advice, findings=_merged(unsafe))
    broken = [finding for t in tensors if (finding := _broken(t, folder)) is not None]
    if broken:
        advice = "put the data files beside the model, complete"
        raise BadModel("external data cannot be read", where=where, advice=advice, findings=_merged(broken))
    for tensor in tensors:
        _inline(tensor, folder)
    return len(tensors)


def external_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor of the model, its subgraphs and its functions whose data lies elsewhere."""
    import onnx

    found = [*_of_graph(model.graph)]
    for function in model.functions:
        found.extend(_of_nodes(function.node))
    yield from (t for t in found if t.data_location == onnx.TensorProto.EXTERNAL)


def _of_graph(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for graph in (attribute.g, *attribute.graphs):
                yield from _of_graph(graph)


def _entries(tensor: onnx.TensorProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _unsafe(tensor: onnx.TensorProto, folder: Path) -> Finding | None:
    location = _entries(tensor).get("location", "")
    if PurePosixPath(location).is_absolute() or PureWindowsPath(location).drive or location.startswith("\\"):
        return Finding(f"{location!r}", why="an absolute path")
    if ".." in location.replace("\\", "/").split("/"):
        return Finding(f"{location!r}", why="it steps out with '..'")
    if "\0" in location:
        return Finding(f"{location!r}", why="not a file name")
    if not (folder / location).resolve().is_relative_to(folder.resolve()):
        return Finding(f"{location!r}", why="a symbolic link leads out of the folder")
    return None


def _broken(tensor: onnx.TensorProto, folder: Path) -> Finding | None:
    location = _entries(tensor).get("location", "")
    path = folder / location
    if not location or not path.is_file():
        return Finding(f"{location!r} does not exist" if location else "a tensor without a location", tensor.name)
    offset, length = _span(tensor, path)
    if offset < 0 or length < 0 or offset + length > path.stat().st_size:
        return Finding(f"{location!r} is too short", tensor.name)
    return None


def _span(tensor: onnx.TensorProto, path: Path) -> tuple[int, int]:
    entries = _entries(tensor)
    numbers = {key: entries.get(key, "") for key in ("offset", "length")}
    offset, length = (int(n) if n.isdecimal() else 0 if not n else -1 for n in numbers.values())
    return offset, length if numbers["length"] else path.stat().st_size - offset


def _inline(tensor: onnx.TensorProto, folder: Path) -> None:
    import onnx

    path = folder / _entries(tensor)["location"]
    offset, length = _span(tensor, path)
    with path.open("rb") as file:
        file.seek(offset)
        tensor.raw_data = file.read(length)
    tensor.data_location = onnx.TensorProto.DEFAULT
    del tensor.external_data[:]


def _merged(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple({(f.what, f.why): f for f in findings}.values())[:20]
