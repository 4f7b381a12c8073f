"""A folder that stands alone: header, weights, test vectors, and a CMake project that runs the one on the other."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from convert.errors import Finding, WriteError
from convert.report import Port
from sofie_bridge import signature
from sofie_bridge.filled import filled
from sofie_bridge.names import comment
from sofie_bridge.signature import Signature

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

#: SOFIE keeps bools as bytes.
_CPP_TYPES = {"float32": "float", "float64": "double", "bool": "std::uint8_t"} | {
    f"{sign}int{bits}": f"std::{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
_ROUTINE = re.compile(r'\bextern\s+"C"\s+\w+\s+(\w+)\s*\(')
_RETURNS = re.compile(r"^[ \t]*(?:inline\s+)?std::(\w+)\s*<[^\n]*>\s*infer\s*\(", re.MULTILINE)


@dataclass(frozen=True)
class Vector:
    """One stored test vector.

    :param name: for people: "random 0".
    :param sizes: of each symbolic dimension that ``infer`` takes, by its C++ name.
    :param inputs: by C++ name, of the ports' dtypes and shapes.
    :param outputs: the reference's, by C++ name.
    """

    name: str
    sizes: Mapping[str, int]
    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]


def write_project(
    folder: Path,
    *,
    name: str,
    header: Path,
    weights: Path | None,
    inputs: Sequence[Port],
    outputs: Sequence[Port],
    vectors: Sequence[Vector],
    tolerances: Mapping[str, tuple[float, float]],
) -> list[Path]:
    """Write the folder. Equal arguments give equal bytes; nothing outside ``folder`` is written.

    ``infer`` and ``Session`` take the sizes of symbolic dimensions in different orders, which are read in the header.

    :param name: the model's C++ name, as in the header's ``namespace SOFIE_<name>``; the header becomes ``<name>.hxx``.
    :param weights: copied under its own file name; None if the header reads none.
    :param outputs: in the header's order.
    :param vectors: at least one; the header must agree with every element of each within the tolerances.
    :param tolerances: (rtol, atol) of each output, by C++ name.
    :returns: the files written, the header first.
    :raises WriteError: what does not fit together, all of it; or the disk's refusal.
    :raises CompileFailed: the header is none of SOFIE's.
    """
    try:
        text = header.read_text(encoding="utf-8", errors="surrogateescape")
        names = signature.read(text, str(header))
        wrong = [
            *_interface(name, names, weights, inputs, outputs, tolerances),
            *(f for v in vectors for f in _vector(v, names, inputs, outputs)),
        ]
        if not vectors:
            wrong.append(Finding("there are no test vectors"))
        if wrong:
            raise WriteError("the project cannot be written", where=str(folder), findings=tuple(wrong))
        copies = {f"{name}.hxx": header} | ({weights.name: weights} if weights else {})
        facts = _facts(name, text, names, weights, inputs, outputs, tolerances)
        return [
            *(_copy(source, folder / place) for place, source in copies.items()),
            *_render(folder, facts),
            *_write_vectors(folder / "vectors", vectors, _symbols(names, inputs), inputs, outputs),
        ]
    except OSError as error:
        raise WriteError(
            f"cannot write {error.filename or folder}",
            why=error.strerror or str(error),
            advice="free some space or give another --output",
        ) from error


def _symbols(names: Signature, inputs: Sequence[Port]) -> list[str]:
    """The sizes that ``infer`` takes, in its order, between its pointers."""
    tensors = {p.cpp for p in inputs}
    return [a for a in names.arguments if a not in tensors]


# --------------------------------------------------------------------------------------- does it fit together


def _interface(
    name: str,
    names: Signature,
    weights: Path | None,
    inputs: Sequence[Port],
    outputs: Sequence[Port],
    tolerances: Mapping[str, tuple[float, float]],
) -> Iterator[Finding]:
    """The ports held against the header."""
    if names.name != name or not names.has_session:
        yield Finding(f"the header has no SOFIE_{name}::Session", where=names.namespace)
    if (weights is None) != (not names.weights):
        yield Finding(f"the header reads {names.weights or 'no weight file'}", why=f"given is {weights}")
    for p in inputs:
        if p.cpp not in names.arguments:
            yield Finding(f"{p.cpp} is no argument of infer", why=", ".join(names.arguments))
    known = {d for p in inputs for d in p.shape}
    for symbol in _symbols(names, inputs):
        if symbol not in known:
            yield Finding(f"infer takes {symbol}, which is neither an input nor a dimension of one")
    for size in sorted({d for d in known if isinstance(d, str)} - set(names.arguments)):
        yield Finding(f"the dimension {size} is no argument of infer", why=", ".join(names.arguments))
    if names.outputs and names.outputs != tuple(p.cpp for p in outputs):
        yield Finding("the outputs are not the header's", why=f"it has {', '.join(names.outputs)}")
    ports = [*inputs, *outputs]
    for p in ports:
        if p.dtype not in _CPP_TYPES:
            yield Finding(f"{p.cpp} is {p.dtype}, which has no C++ type here")
    for twice in sorted({p.cpp for p in ports if [q.cpp for q in ports].count(p.cpp) > 1}):
        yield Finding(f"{twice} is the name of two tensors")
    for p in outputs:
        if p.cpp not in tolerances:
            yield Finding(f"there is no tolerance for {p.cpp}")


def _vector(vector: Vector, names: Signature, inputs: Sequence[Port], outputs: Sequence[Port]) -> Iterator[Finding]:
    """One vector held against the ports."""
    for symbol in _symbols(names, inputs):
        if symbol not in vector.sizes:
            yield Finding(f"{vector.name} does not say the size of {symbol}")
    for p, arrays in (*((p, vector.inputs) for p in inputs), *((p, vector.outputs) for p in outputs)):
        if p.cpp not in arrays:
            yield Finding(f"{vector.name} has no array for {p.cpp}")
            continue
        array = arrays[p.cpp]
        if _stored(str(array.dtype)) != _stored(p.dtype) or not _fits(array.shape, p.shape, vector.sizes):
            shape = ",".join(map(str, p.shape))
            yield Finding(f"{vector.name}: {p.cpp} is {array.dtype}{list(array.shape)}, not {p.dtype}[{shape}]")


def _fits(shape: tuple[int, ...], wanted: tuple[int | str, ...], sizes: Mapping[str, int]) -> bool:
    """Dimensions that are expressions of symbols, as outputs can have, are left to the run."""
    if {shape, wanted} <= {(), (1,)}:  # SOFIE makes scalars one element
        return True
    expected = [sizes.get(d) if isinstance(d, str) else d for d in wanted]
    return len(shape) == len(wanted) and all(e is None or e == n for e, n in zip(expected, shape, strict=True))


def _stored(dtype: str) -> str:
    return "uint8" if dtype == "bool" else dtype


# ------------------------------------------------------------------------------------------------- the files


def _facts(
    name: str,
    text: str,
    names: Signature,
    weights: Path | None,
    inputs: Sequence[Port],
    outputs: Sequence[Port],
    tolerances: Mapping[str, tuple[float, float]],
) -> dict[str, Any]:
    """What the templates are filled with."""
    symbols = _symbols(names, inputs)
    mixed = _returns_tuple(text)
    several = len(outputs) > 1
    file = json.dumps(weights.name) if weights else '""'
    return {
        "name": name,
        "namespace": names.namespace,
        "weights": weights.name if weights else "",
        "routines": list(dict.fromkeys(_ROUTINE.findall(text))),
        "symbols": symbols,
        "session_sizes": names.sizes,
        "session": [f"(folder / {file}).string()" if weights else file, *names.sizes],
        "readme_session": [file, *(f"largest_{s}" for s in names.sizes)] if weights or names.sizes else [],
        "arguments": [f"c.{a}" if a in symbols else f"tensor_{a}.data()" for a in names.arguments],
        "readme_arguments": [a if a in symbols else f"tensor_{a}.data()" for a in names.arguments],
        "mixed": mixed,
        "several": several,
        "result": _result(outputs, mixed=mixed),
        "inputs": [_shown(p) | {"count": _count(p)} for p in inputs],
        "outputs": [
            _shown(p)
            | {"value": f"outputs[{i}]" if several and not mixed else f"tensor_{p.cpp}"}
            | dict(zip(("rtol", "atol"), map(float, tolerances[p.cpp]), strict=True))
            for i, p in enumerate(outputs)
        ],
    }


def _returns_tuple(text: str) -> bool:
    """Not told by the dtypes: SOFIE makes a tuple of bool and uint8, which are one type in C++."""
    found = _RETURNS.findall(text)
    if not found or found[-1] not in ("tuple", "vector"):
        raise WriteError("the project cannot be written", why="it cannot be read in the header what infer returns")
    return bool(found[-1] == "tuple")


def _result(outputs: Sequence[Port], *, mixed: bool) -> str:
    """The declaration of what ``infer`` returns."""
    kind = f"std::vector<{_CPP_TYPES[outputs[0].dtype]}>"
    if mixed:
        return f"const auto [{', '.join(f'tensor_{p.cpp}' for p in outputs)}]"
    return f"const std::vector<{kind}> outputs" if len(outputs) > 1 else f"const {kind} tensor_{outputs[0].cpp}"


def _shown(port: Port) -> dict[str, Any]:
    original = comment(port.name).replace("`", "'").replace("|", "\\|")
    shape = f"[{', '.join(map(str, port.shape))}]"
    return {"name": port.cpp, "type": _CPP_TYPES[port.dtype], "shape": shape, "original": original}


def _count(port: Port) -> str:
    """The number of elements as C++: ``c.N * 12``."""
    fixed = math.prod(d for d in port.shape if isinstance(d, int))
    symbols = [f"c.{d}" for d in port.shape if isinstance(d, str)]
    return " * ".join([*symbols, *([str(fixed)] if fixed != 1 or not symbols else [])])


def _render(folder: Path, facts: Mapping[str, Any]) -> Iterator[Path]:
    files = ["CMakeLists.txt", "main.cpp", "README.md", *(["minimal_blas.cpp"] if facts["routines"] else [])]
    for file in files:
        place = folder / file
        text = filled(f"{file}.j2", facts, package="convert", folder="templates/project")
        place.write_text(text, encoding="utf-8", newline="\n")
        yield place


def _copy(source: Path, place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, place)
    return place


def _write_vectors(
    folder: Path, vectors: Sequence[Vector], symbols: Sequence[str], inputs: Sequence[Port], outputs: Sequence[Port]
) -> Iterator[Path]:
    """``<k>/<port>.bin``: raw little-endian numbers; ``index.txt``: a line of column names, then a line a vector."""
    lines = [" ".join(["folder", *symbols, "name"])]
    for k, vector in enumerate(vectors):
        lines.append(" ".join([str(k), *(str(vector.sizes[s]) for s in symbols), comment(vector.name).strip() or "-"]))
        for p, arrays in (*((p, vector.inputs) for p in inputs), *((p, vector.outputs) for p in outputs)):
            place = folder / str(k) / f"{p.cpp}.bin"
            place.parent.mkdir(parents=True, exist_ok=True)
            dtype = np.dtype(_stored(p.dtype)).newbyteorder("<")
            place.write_bytes(np.ascontiguousarray(arrays[p.cpp]).astype(dtype).tobytes())
            yield place
    index = folder / "index.txt"
    index.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    yield index
