"""The cases of the library's kernels: as models, as pieces to run, and what onnxruntime makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper
from small_models import Arrays, arrays_for, parse

from rewrite.graph import OPSET
from rewrite.kept import mark
from rewrite.passes.infer_shapes import infer_shapes
from sofie_bridge.batch import Piece
from sofie_bridge.reference import OnnxReference
from sofie_bridge.stages.library import Case, Entry, LibraryKernel, entry_of, library
from sofie_bridge.stages.whole import Whole

#: Sizes of open dimensions that every case is run at.
SIZES = (5, 2)


def all_cases() -> Iterator[tuple[str, Entry, Case]]:
    """Each with a name: ``non_zero_2``."""
    for entry in library().values():
        for number, case in enumerate(entry.cases):
            yield f"{entry.header.stem}_{number}", entry, case


def model_of(case: Case) -> onnx.ModelProto:
    return infer_shapes(parse(case.text, case.opset or OPSET, {"ai.onnx.ml": 4}))


def piece_of(name: str, case: Case) -> Piece:
    """The case, with the nodes that the library knows left to it."""
    model = model_of(case)
    kept = {o for n in model.graph.node if entry_of(n) is not None for o in n.output if o}
    samples = [arrays_of(model, case.inputs, size) for size in SIZES]
    mark(model, kept)
    return Piece(name, model, samples)


def refusal_of(entry: Entry, case: Case) -> str:
    """Why the kernel does not take its node; "" where it does."""
    model = model_of(case)
    whole = Whole(model)
    node = next(n for n in model.graph.node if entry_of(n) is entry)
    dims = (d.dim_param for i in model.graph.input for d in i.type.tensor_type.shape.dim)
    return LibraryKernel(entry, whole.outputs(node), frozenset(dims)).refuses(node, whole.inputs(node))


def arrays_of(model: onnx.ModelProto, given: Mapping[str, Any], size: int) -> Arrays:
    """What the case gives, noise for the rest."""
    arrays = arrays_for(model, seed=size, size=size)
    for info in model.graph.input:
        if info.name in given:
            dtype = helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
            arrays[info.name] = np.array(given[info.name], dtype)
    return arrays


def differences(piece: Piece, outputs: Sequence[Arrays]) -> list[str]:
    """What the header gives against onnxruntime, per sample; nothing where all of it is right."""
    found = []
    reference = OnnxReference(piece.model)
    if reference.name != "onnxruntime":
        return ["onnxruntime does not run it: there is nothing to compare with"]
    for sample, given in zip(piece.samples, outputs, strict=True):
        for name, expected in reference(sample).items():
            value = given[name]
            if value.size != expected.size:
                found.append(f"{name}: {value.size} elements instead of {expected.size}")
            elif not np.allclose(value.reshape(expected.shape), expected, 1e-5, 1e-5, equal_nan=True):
                difference = np.abs(value.reshape(expected.shape).astype(np.float64) - expected)
                found.append(f"{name}: off by {np.nanmax(difference):.3g}, at {np.argmax(difference)}")
    return found
