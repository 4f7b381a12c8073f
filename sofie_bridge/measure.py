"""Accepted is not right: small models are compiled, run and compared, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from convert.errors import BadSamples
from rewrite.graph import SMALL
from sofie_bridge.batch import Piece, Ran, run_pieces
from sofie_bridge.compare import Tolerance, compare
from sofie_bridge.reference import OnnxReference
from sofie_bridge.samples import SEED, Array, Arrays, Sample, make_samples
from sofie_bridge.sofie import Sofie
from sofie_bridge.toolchain import Toolchain
from sofie_bridge.verify import noise


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


def measure(models: Sequence[onnx.ModelProto], sofie: Sofie, toolchain: Toolchain) -> list[Measured]:
    """Each model, held against onnxruntime on inputs of :func:`sofie_bridge.samples.make_samples`.

    :param models: small, shapes inferred; constants that a probe left at zero are filled with noise.
    """
    filled = [with_noise(m) for m in models]
    judged = [_references(m) for m in filled]
    pieces = [
        Piece(f"p{k}", m, [j.sample.arrays for j in js])
        for k, (m, js) in enumerate(zip(filled, judged, strict=True))
        if js
    ]
    ran = {piece.name: result for piece, result in run_pieces(pieces, sofie, toolchain)}
    return [
        _verdict(ran[f"p{k}"], js) if js else Measured("unjudged", "the reference cannot run it")
        for k, js in enumerate(judged)
    ]


def with_noise(model: onnx.ModelProto) -> onnx.ModelProto:
    """Large constants, of which a probe keeps the shape alone, get values that show what is done with them."""
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    generator = np.random.default_rng(SEED)
    for tensor in copied.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and array.size > SMALL and not array.any():
            values = generator.standard_normal(array.shape) / np.sqrt(array.shape[-1])
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float32), tensor.name))
    return copied


def _references(model: onnx.ModelProto) -> list[_Judged]:
    ask = OnnxReference(model)
    found = []
    for sample in make_samples(model):
        try:
            expected = ask(sample.arrays)
            found.append(_Judged(sample, expected, noise(ask, sample, expected)))
        except BadSamples:
            continue  # the reference refuses these inputs: they say nothing
    return found


def _verdict(ran: Ran, judged: Sequence[_Judged]) -> Measured:
    if ran.outcome != "ran":
        return Measured(ran.outcome, ran.words)
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
            )
            if not seen.good:
                return Measured("wrong", f"{seen.words}, inputs {one.sample.name!r}")
    return Measured("right")
