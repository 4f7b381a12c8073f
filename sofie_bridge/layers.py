"""Every tensor inside a header, beside the reference's: which is the first that differs?

A header's tensors share one memory, so they are taken while it runs: a copy of the header is compiled in which each
operator's code is followed by a call that hands over what it wrote. SOFIE marks where an operator begins by a comment.
"""

from __future__ import annotations

import ctypes
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx

from convert.errors import RunFailed
from rewrite.declared import infer_declared
from sofie_bridge.compare import Comparison, Tolerance, compare
from sofie_bridge.header import Built, Header, build
from sofie_bridge.noise import most, moves
from sofie_bridge.process import run_child
from sofie_bridge.reference import OnnxReference
from sofie_bridge.samples import Array, Arrays, Sample
from sofie_bridge.signature import Signature
from sofie_bridge.toolchain import Toolchain

_SINK = (
    'extern "C" __attribute__((visibility("default"), used)) inline '
    "void (*sofie_layer)(char const *, void const *) = nullptr;\n"
)
#: Where an operator begins: "//----  operator Conv op_0", "//------ RELU", "///--------Reshape operator 6". Not where
#: one goes on: "//--- applying RELU to output" of a Gemm that took the Relu behind it.
_OPERATOR = re.compile(r"^[ \t]*//+[ \t]*-{3,}(?! *applying ).*$", re.MULTILINE)
_BODY = re.compile(r"^(?:inline )?void doInfer\([^;{]*\)\s*\{|\binfer\s*\([^;{}]*\)\s*\{", re.MULTILINE)
_TENSOR = re.compile(r"\btensor_(\w+)")
_START = "import sys; sys.path.insert(0, sys.argv[1]); from sofie_bridge.layers import main; main(sys.argv[2])"


@dataclass(frozen=True)
class Layer:
    """One tensor inside, in the order in which the header computes them.

    :param tensor: its ONNX name. :param operator: what gives it.
    """

    tensor: str
    operator: str
    seen: Comparison


def layers(
    header: Path,
    weights: Path | None,
    model: onnx.ModelProto,
    sample: Sample,
    inputs: Arrays,
    toolchain: Toolchain,
    *,
    tolerance: Tolerance | None = None,
) -> list[Layer]:
    """Compare the tensors that header and model have in common.

    :param model: the ONNX model that the header was made from, as SOFIE was given it: tensors are told by their names.
    :param sample: the model's inputs. :param inputs: the same by the header's names.
    :param tolerance: of floats; by dtype where None.
    :raises CompileFailed: the header, or its copy, does not compile. :raises RunFailed: it crashes.
    """
    inner = with_all_outputs(model)
    reference = OnnxReference(inner)
    expected = reference(sample.arrays)
    noise = most(moves(reference, sample, expected))
    by_name = _by_plain_name(expected)
    wanted = {c: (str(np.asarray(expected[n]).dtype), int(np.size(expected[n]))) for c, n in by_name.items()}
    found = _run(header, weights, inputs, wanted, toolchain)
    operators = {o: n.op_type for n in model.graph.node for o in n.output}
    told = []
    for plain, array in found.items():
        name = by_name[plain]
        want = np.asarray(expected[name])
        limit = tolerance if tolerance is not None and want.dtype.kind == "f" else Tolerance.of(want.dtype)
        seen = compare(array.reshape(want.shape), want, limit, noise[name], strict=sample.strict)
        told.append(Layer(name, operators.get(name, ""), seen))
    return told


def with_all_outputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose every tensor of known type is an output."""
    inferred = onnx.shape_inference.infer_shapes(model)
    while found := infer_declared(inferred):
        inferred.graph.value_info.extend(found)
        inferred = onnx.shape_inference.infer_shapes(inferred)
    known = {o.name for o in inferred.graph.output}
    made = {o for n in inferred.graph.node for o in n.output}
    inferred.graph.output.extend(
        i for i in inferred.graph.value_info if i.name in made - known and i.type.HasField("tensor_type")
    )
    return inferred


def instrumented(text: str, wanted: Sequence[str]) -> str:
    """The header's text with a call behind each operator that gives one of the tensors.

    :param wanted: plain names (:func:`plain_name`).
    """
    for found in reversed(list(_BODY.finditer(text))):
        start = found.end()
        end = re.compile(r"^\}", re.MULTILINE).search(text, start)
        body = text[start : end.start() if end else len(text)]
        marks = [m.start() for m in _OPERATOR.finditer(body)]
        if marks:  # the last that has operators: an infer behind it may be one around it
            break
    else:
        raise RunFailed("the header has no code to look into", advice="compare its outputs alone, without --layers")
    pieces, left = [body[: marks[0]]], set(wanted)
    for begin, stop in zip(marks, [*marks[1:], len(body)], strict=True):
        piece = body[begin:stop]
        given = [n for n in dict.fromkeys(_TENSOR.findall(piece)) if plain_name(n) in left]
        left -= {plain_name(n) for n in given}
        calls = "".join(f'if (sofie_layer) sofie_layer("{n}", tensor_{n});\n' for n in given)
        pieces.append(piece.rstrip() + "\n" + calls)
    return _SINK + text[:start] + "".join(pieces) + (text[end.start() :] if end else "")


def plain_name(text: str) -> str:
    """What is left of a tensor's name however it was brought into C++: letters and digits."""
    return re.sub(r"[^0-9A-Za-z]", "", text)


def _by_plain_name(arrays: Mapping[str, Array]) -> dict[str, str]:
    """Names by their plain names; those that two share are left out."""
    names: dict[str, list[str]] = {}
    for name in arrays:
        names.setdefault(plain_name(name), []).append(name)
    return {plain: found[0] for plain, found in names.items() if len(found) == 1 and plain}


def _run(
    header: Path, weights: Path | None, inputs: Arrays, wanted: Mapping[str, tuple[str, int]], toolchain: Toolchain
) -> dict[str, Array]:
    with TemporaryDirectory(prefix="sofie-layers-") as name:
        folder = Path(name)
        copy = folder / header.name
        copy.write_text(instrumented(header.read_text(encoding="utf-8"), list(wanted)), encoding="utf-8")
        beside = build(header, weights, toolchain=toolchain, optimise="-O0").weights
        built = build(copy, beside or None, toolchain=toolchain, optimise="-O0", includes=(header.parent,))
        np.savez(folder / "in.npz", *inputs.values())
        order = {
            "library": str(built.library), "names": asdict(built.names), "weights": built.weights,
            "inputs": list(inputs), "wanted": wanted,
        }  # fmt: skip
        (folder / "order.json").write_text(json.dumps(order))
        done = run_child(
            [sys.executable, "-c", _START, str(Path(__file__).parents[1]), name],
            time_limit=600,
            env={"OPENBLAS_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"},
        )
        if not (folder / "told.json").exists():
            words = done.signal_name or "\n".join(done.stderr.strip().splitlines()[-2:])
            raise RunFailed("the header crashed when it was looked into", where=header.name, why=words)
        names = json.loads((folder / "told.json").read_text())
        with np.load(folder / "out.npz", allow_pickle=False) as stored:
            return {n: stored[f"arr_{k}"] for k, n in enumerate(names)}


def main(name: str) -> None:
    """The process: one run of the copy, every tensor as it is handed over."""
    folder = Path(name)
    order = json.loads((folder / "order.json").read_text())
    names: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in order["names"].items()}
    found: dict[str, Array] = {}

    def take(tensor: bytes, place: int) -> None:
        plain = plain_name(tensor.decode())
        dtype, count = order["wanted"][plain]
        held = "uint8" if dtype == "bool" else dtype
        data = ctypes.string_at(place, count * np.dtype(held).itemsize) if place else b""
        found[plain] = np.frombuffer(data, held)

    sink = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_void_p)(take)
    with np.load(folder / "in.npz") as stored:
        inputs = {n: stored[f"arr_{k}"] for k, n in enumerate(order["inputs"])}
    with Header(Built(Path(order["library"]), Signature(**names), order["weights"])) as header:
        library = ctypes.CDLL(order["library"])
        ctypes.c_void_p.in_dll(library, "sofie_layer").value = ctypes.cast(sink, ctypes.c_void_p).value
        outputs = header(**inputs)
        wanted = {plain_name(n): n for n in outputs}
        found |= {p: np.asarray(outputs[n]).ravel() for p, n in wanted.items() if p in order["wanted"]}
    np.savez(folder / "out.npz", *found.values())
    (folder / "told.json").write_text(json.dumps(list(found)))
