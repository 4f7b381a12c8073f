"""The sizes of what control flow gives, and of the memory that it works in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from onnx import numpy_helper

from convert.dimensions import Counted
from convert.errors import EmitError
from sofie_bridge.stages import sizes
from sofie_bridge.stages.control import AnyBody, BodyCode, ControlStep, graph_of


class Known(Protocol):
    """What the layout tells of tensors."""

    def dims(self, tensor: str) -> tuple[Any, ...]: ...

    def dtype(self, tensor: str) -> np.dtype[Any]: ...


@dataclass(frozen=True)
class Sized:
    """What is known around the node.

    :param size: of an open dimension, None where it is not known. :param dims: of a tensor.
    """

    size: Callable[[str], Any | None]
    dims: Callable[[str], tuple[Any, ...]]


@dataclass(frozen=True)
class Scratch:
    """Memory for a tensor as ``like`` is, but for the axis ``without``."""

    like: str
    without: int | None = None

    def dims(self, known: Known) -> tuple[Any, ...]:
        dims = known.dims(self.like)
        return tuple(d for k, d in enumerate(dims) if k != self.without)

    def dtype(self, known: Known) -> np.dtype[Any]:
        return known.dtype(self.like)


def sized(step: ControlStep, around: Sized) -> dict[str, tuple[Any, ...]]:
    """The sizes of each output: numbers, expressions, or Counted.

    :raises EmitError: a size that only a body knows, or one that another trip through a body would change.
    """
    match step.node.op_type:
        case "If":
            return dict(_if(step, around))
        case "Loop":
            return dict(_loop(step, around))
    return dict(_scan(step, around))


def count_name(step: ControlStep, output: int = 0, axis: int = 0) -> str:
    """The C++ name of a size that is known when the step has run."""
    return f"count_{step.number}_{output}_{axis}"


def scratch_of(step: ControlStep) -> Iterator[tuple[str, Scratch]]:
    """What the step works in, by the names of its buffers."""
    if step.node.op_type == "If":
        return
    _, states, slices = operands(step)
    for k, name in enumerate(states):
        for which in "ab":
            yield f"{step.node.output[0]}#state{k}{which}", Scratch(name)
    if step.node.op_type == "Scan":
        axes = scan_axes(step, "input", len(slices))
        for k, (name, axis) in enumerate(zip(slices, axes, strict=True)):
            yield f"{step.node.output[0]}#slice{k}", Scratch(name, axis)
        for k, name in enumerate(step.node.output[len(states) :]):
            yield f"{step.node.output[0]}#made{k}", Scratch(name, scan_axes(step, "output", 1, k)[0])


def operands(step: ControlStep) -> tuple[int, list[str], list[str]]:
    """Of Loop and Scan: where the states begin among the body's inputs; the node's inputs for them; what is scanned."""
    inputs = list(step.node.input)
    if step.node.op_type == "Loop":
        return 2, inputs[2:], []
    scanned = step.attributes["num_scan_inputs"]
    return 0, inputs[: len(inputs) - scanned], inputs[len(inputs) - scanned :]


def scan_axes(step: ControlStep, which: str, count: int, begin: int = 0) -> list[int]:
    """Axes that a Scan goes along: of its scanned inputs, or of what it collects. From the front only."""
    given = step.attributes.get(f"scan_{which}_axes")
    found = list(given)[begin : begin + count] if given else [0] * count
    if any(a < 0 for a in found):
        raise EmitError("a Scan counts its axes from behind", where=step.node.output[0])
    return found


def _if(step: ControlStep, around: Sized) -> Iterator[tuple[str, tuple[Any, ...]]]:
    other, taken = step.bodies  # in the order of their names
    for k, name in enumerate(step.node.output):
        a, b = body_dims(taken, k, around), body_dims(other, k, around)
        if len(a) != len(b):
            raise EmitError("the branches of an If give tensors of different ranks", where=name)
        yield name, tuple(_either(step, k, axis, p, q) for axis, (p, q) in enumerate(zip(a, b, strict=True)))


def _either(step: ControlStep, output: int, axis: int, a: Any, b: Any) -> Any:
    import sympy

    if a == b:
        return a
    return Counted(count_name(step, output, axis), at_most=sympy.Max(sizes.largest(a), sizes.largest(b)))


def _loop(step: ControlStep, around: Sized) -> Iterator[tuple[str, tuple[Any, ...]]]:
    (body,) = step.bodies
    _, states, _ = operands(step)
    yield from _carried(step, body, states, around, skip=1)
    for k, name in enumerate(step.node.output[len(states) :], len(states)):
        yield name, (Counted(count_name(step), at_most=step.trips), *body_dims(body, k + 1, around))


def _scan(step: ControlStep, around: Sized) -> Iterator[tuple[str, tuple[Any, ...]]]:
    (body,) = step.bodies
    _, states, slices = operands(step)
    yield from _carried(step, body, states, around, skip=0)
    length = around.dims(slices[0])[scan_axes(step, "input", 1)[0]]
    outputs = list(step.node.output)[len(states) :]
    for k, (name, axis) in enumerate(zip(outputs, scan_axes(step, "output", len(outputs)), strict=True), len(states)):
        dims = body_dims(body, k, around)
        yield name, (*dims[:axis], length, *dims[axis:])


def _carried(
    step: ControlStep, body: AnyBody, states: Sequence[str], around: Sized, *, skip: int
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for k, (initial, name) in enumerate(zip(states, step.node.output, strict=False)):
        dims = around.dims(initial)
        if body_dims(body, k + skip, around) != dims:
            what = f"a trip through the body of {step.node.op_type} changes the size of what it carries on"
            raise EmitError(what, where=name, why=f"{list(dims)} becomes {list(body_dims(body, k + skip, around))}")
        yield name, dims


def body_dims(body: AnyBody, output: int, around: Sized) -> tuple[Any, ...]:
    """The sizes of an output of a body, in terms of what is known around the node."""
    inner = graph_of(body)
    name = inner.sources[output]
    if name in inner.constants:
        return numpy_helper.to_array(inner.constants[name]).shape
    formal = {i.name: i for i in inner.formal}
    if name in formal:
        dims = formal[name].type.tensor_type.shape.dim
        return tuple(d.dim_value if d.HasField("dim_value") else around.size(d.dim_param) for d in dims)
    if name not in inner.made:
        return around.dims(name)
    assert isinstance(body, BodyCode)
    stated = body.dims[body.tensors[name]]
    rank = body.ranks[name]
    names = {c: around.size(d) for d, c in body.symbols.items() if around.size(d) is not None}
    found = [sizes.read(str(text), names) for text in stated] if rank else []
    if len(found) != rank or any(f is None for f in found):
        what = f"a size in the body of {inner.attribute} is counted while it runs, and the code around cannot know it"
        raise EmitError(what, where=name)
    return tuple(found)
