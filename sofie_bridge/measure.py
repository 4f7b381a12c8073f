"""Accepted is not right: small models are compiled, run and compared, many at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import onnx

from convert.errors import BadSamples
from rewrite.probe import filled
from sofie_bridge.batch import CHUNK, Piece, Ran, run_pieces
from sofie_bridge.compare import Tolerance, compare
from sofie_bridge.noise import noise
from sofie_bridge.reference import OnnxReference
from sofie_bridge.samples import SEED, SIZES, Array, Arrays, Sample, fitting_size, make_samples
from sofie_bridge.sofie import Sofie
from sofie_bridge.toolchain import Toolchain

#: Bytes that measuring several models at once may take, and how often each sample is held: given, expected, moved.
MEMORY = 1 << 30
COPIES = 4
#: Open sizes where that is more than enough for one model.
FEW = 2

#: Inputs of zeros, ones and -inf.
MASKED = "masked"


@dataclass(frozen=True)
class Measured:
    """What measuring one model gave.

    :param outcome: "right", "wrong", or where it stopped: "refused", "crashed", "uncompilable", "died";
        "unjudged" where the reference itself runs on none of the inputs.
    """

    outcome: str
    words: str = ""


@dataclass(frozen=True)
class _Judged:
    sample: Sample
    expected: Arrays
    noise: dict[str, Array | float]


def measure(
    models: Sequence[onnx.ModelProto], sofie: Sofie, toolchain: Toolchain, *, masked: bool = False
) -> list[Measured]:
    """Each model, held against onnxruntime on inputs of :func:`sofie_bridge.samples.make_samples`.

    :param models: small, shapes inferred; weights that probes leave out are filled with noise.
    :param masked: also on inputs with rows of -inf, as the masks of attention have them, and where an open size may
        make the result less than the input, of sizes 0; for single nodes.
    """
    found: list[Measured] = []
    for part in _parts(models):
        found += _measured(part, sofie, toolchain, masked=masked)
    return found


def _parts(models: Sequence[onnx.ModelProto]) -> Iterator[list[onnx.ModelProto]]:
    """As many models at a time as one library takes, and as memory does."""
    part: list[onnx.ModelProto] = []
    held = 0
    for model in models:
        size = _bytes(model)
        if part and (len(part) == CHUNK or held + size > MEMORY):
            yield part
            part, held = [], 0
        part.append(model)
        held += size
    if part:
        yield part


def _bytes(model: onnx.ModelProto) -> int:
    """What measuring it takes, about: its weights twice, its inputs and outputs as often as there are samples."""
    graph = model.graph
    weights: int = sum(prod(t.dims) for t in graph.initializer)
    shapes = (i.type.tensor_type.shape.dim for i in (*graph.input, *graph.output))
    samples: int = sum(prod(d.dim_value or 16 for d in shape) for shape in shapes)
    return 8 * (weights + 4 * COPIES * samples)


def _measured(models: Sequence[onnx.ModelProto], sofie: Sofie, toolchain: Toolchain, *, masked: bool) -> list[Measured]:
    filled = [with_noise(m) for m in models]
    judged = [_references(m, masked=masked) for m in filled]
    pieces = [
        Piece(f"p{k}", m, [j.sample.arrays for j in js]) for k, (m, js) in enumerate(zip(filled, judged, strict=True))
    ]
    ran = {piece.name: result for piece, result in run_pieces(pieces, sofie, toolchain)}
    return [_verdict(ran[f"p{k}"], js) for k, js in enumerate(judged)]


def with_noise(probe: onnx.ModelProto) -> onnx.ModelProto:
    """Weights, of which a probe keeps the shape alone, get values that show what is done with them.

    Vectors get positive ones: among them are variances and scales.
    """
    generator = np.random.default_rng(SEED)

    def numbers(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        if dtype.kind in "biu":
            return np.zeros(shape, dtype)
        drawn = generator.random(shape, np.float32)  # in float32 from the start: it may be a large matrix
        drawn += np.float32(0.5)
        if len(shape) > 1:
            drawn -= 1
            drawn *= np.float32((12 / shape[-1]) ** 0.5)
        return drawn.astype(dtype, copy=False)

    return filled(probe, numbers)


def _references(model: onnx.ModelProto, *, masked: bool) -> list[_Judged]:
    ask = OnnxReference(model)
    found = []
    alone = (*_masked(model), *_of_nothing(model)) if masked else ()
    size = fitting_size(model, ask, (FEW, *SIZES) if _bytes(model) > MEMORY else SIZES)
    for sample in (*make_samples(model, size=size), *alone):
        try:
            expected = ask(sample.arrays)
            if sample.name == MASKED and not _agreed(model, sample, expected):
                continue
            found.append(_Judged(sample, expected, noise(ask, sample, expected)))
        except BadSamples:
            continue  # the reference refuses these inputs: they say nothing
    return found


def _agreed(model: onnx.ModelProto, sample: Sample, expected: Arrays) -> bool:
    """Does ONNX's own evaluator answer the same? onnxruntime's MaxPool makes -3.4e38 of infinities here and there."""
    other = OnnxReference(model, second=True)(sample.arrays)
    pairs = ((a, other[n]) for n, a in expected.items())
    return all(a.shape == b.shape and compare(b, a, Tolerance.of(a.dtype)).good for a, b in pairs)


def _masked(model: onnx.ModelProto) -> Iterator[Sample]:
    """Floats as masks have them, a whole row of -inf among them: what minima and maxima begin with shows there."""
    generator = np.random.default_rng(SEED)
    arrays = dict(make_samples(model)[0].arrays)
    floats = [n for n, a in arrays.items() if a.dtype.kind == "f" and a.size]
    for name in floats:
        array = generator.choice(np.array([0.0, 1.0, -np.inf]), arrays[name].shape).astype(arrays[name].dtype)
        array.reshape(-1)[: array.shape[-1] if array.ndim else 1] = -np.inf
        arrays[name] = array
    if floats:
        yield Sample(MASKED, arrays)


def _of_nothing(model: onnx.ModelProto) -> Iterator[Sample]:
    """One open size after the other 0, as of an event without particles: what copies all of an input to a result that
    may be less writes past its end."""
    if not any(node.op_type == "Expand" for node in model.graph.node):
        return
    arrays = make_samples(model)[0].arrays
    dims = {i.name: [d.dim_param for d in i.type.tensor_type.shape.dim] for i in model.graph.input}
    for symbol in sorted({d for named in dims.values() for d in named if d}):
        cut = {n: a[tuple(slice(0 if d == symbol else None) for d in dims[n])] for n, a in arrays.items()}
        yield Sample(f"of no {symbol}", cut)


def _verdict(ran: Ran, judged: Sequence[_Judged]) -> Measured:
    if ran.outcome != "ran":
        return Measured(ran.outcome, ran.words)
    if not judged:
        return Measured("unjudged", "the reference cannot run it")
    for one, outputs in zip(judged, ran.outputs, strict=True):
        for name, reference in one.expected.items():
            value = outputs[name]
            if value.size != reference.size:
                return Measured("wrong", f"{value.size} elements instead of {reference.size}")
            seen = compare(
                value.reshape(reference.shape),
                reference,
                Tolerance.of(reference.dtype),
                one.noise[name],
                strict=one.sample.strict,
                defined=one.sample.name != MASKED,
            )
            if not seen.good:
                return Measured("wrong", f"{seen.words}, inputs {one.sample.name!r}")
    return Measured("right")
