"""Inputs to compare on: random with a fixed seed, the edges of each dtype, and what the user or the file brings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import ml_dtypes
import numpy as np
import onnx
from onnx import helper

from convert.errors import BadSamples, Finding

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Arrays: TypeAlias = Mapping[str, Array]

SEED = 20210713

#: Sizes that symbolic dimensions may take, the first that the model runs with; each symbol is given its own offset, so
#: that two of them differ.
SIZES = (5, 16, 40, 100)
#: Elements of an input beyond which a larger size is not tried.
LARGEST = 1 << 24

#: Operators whose second input counts along an axis of the first, at ``axis``; those of ND along the first.
_INDEXED = ("Gather", "GatherElements", "GatherND", "ScatterElements", "ScatterND")
#: Operators that hand integers on as they are, of the first input alone: rows of connections, edges that are no loops.
_PICKING = {"Gather", "GatherElements", "GatherND", "Compress", "Split"}
#: Operators that hand integers on as they are.
_PASSING = {
    "Cast",
    "Reshape",
    "Unsqueeze",
    "Squeeze",
    "Flatten",
    "Transpose",
    "Identity",
    "Slice",
    "Concat",
    "Expand",
    "Max",
}


@dataclass(frozen=True)
class Sample:
    """One set of inputs.

    :param name: for the report: "random 0", "zeros", "user 3".
    :param strict: must the numbers be judged, nearly all of them? Edges may drive a model where float32 has no answer.
    :param defined: are they inputs that the model is for? Then NaN is its answer; of invented ones it may mean that
        there is none.
    """

    name: str
    arrays: Arrays
    strict: bool = True
    defined: bool = False

    @property
    def typical(self) -> bool:
        """Does it vary as real inputs do? At edges, where all values are equal, a variance of 0 may be divided by."""
        return self.defined or self.name.startswith("random")


def make_samples(
    model: onnx.ModelProto, given: Sequence[tuple[str, Arrays]] = (), size: int = SIZES[0]
) -> list[Sample]:
    """Inputs for a model whose dimensions are numbers or symbols; symbols take about ``size``, 1 and three times that.

    :param given: named sets of arrays from the user or the model's file, by input name.
    :raises BadSamples: given arrays that do not fit the inputs; all findings.
    """
    check(model, given)
    bounds = index_bounds(model)
    generator = np.random.default_rng(SEED)
    random = []
    for i, (about, scale) in enumerate(zip((size, 1, 3 * size + 1), (1.0, 0.3, 3.0), strict=True)):
        last = _resolved(bounds, model, about)
        arrays = {n: _random(generator, d, s, last.get(n), scale) for n, d, s in _inputs(model, about)}
        random.append(Sample(f"random {i}", arrays))
    last = _resolved(bounds, model, size)
    edges = [
        Sample(
            kind,
            {n: _edge(generator, kind, d, s, last.get(n)) for n, d, s in _inputs(model, size)},
            strict=kind == "zeros",
        )
        for kind in ("zeros", "ones", "tiny", "large")
    ]
    for sample in (*random, *edges):
        for name in divisors(model):  # division of integers by zero has no value, and ends the process
            array = sample.arrays[name]
            array[array == 0] = 1
    return [*random, *edges, *(Sample(name, dict(arrays), defined=True) for name, arrays in given)]


def fitting_size(model: onnx.ModelProto, ask: Callable[[Arrays], object], sizes: Sequence[int] = SIZES) -> int:
    """The first of the sizes that the reference runs the model with: a TopK of 8 wants more than 5."""
    if not any(d.dim_param for i in model.graph.input for d in i.type.tensor_type.shape.dim):
        return sizes[0]
    for size in sizes:
        if any(prod(shape) > LARGEST for *_, shape in _inputs(model, 3 * size + 1)):
            break  # four axes of 300 fill no memory that there is
        try:
            ask(make_samples(model, size=size)[0].arrays)
        except BadSamples:
            continue
        return size
    return sizes[0]


def _inputs(model: onnx.ModelProto, size: int) -> Iterator[tuple[str, np.dtype[Any], tuple[int, ...]]]:
    """Name, dtype and shape of each input, symbols replaced by sizes around ``size``."""
    sizes: dict[str, int] = {}
    for info in model.graph.input:
        kind = info.type.tensor_type
        shape = tuple(
            d.dim_value if d.HasField("dim_value") else sizes.setdefault(d.dim_param, size + (size > 1) * len(sizes))
            for d in kind.shape.dim
        )
        yield info.name, np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type)), shape


def _random(
    generator: np.random.Generator, dtype: np.dtype[Any], shape: tuple[int, ...], bound: int | None, scale: float
) -> Array:
    if dtype == np.bool_:
        return np.asarray(generator.random(shape) < 0.5)  # of no axes, numpy makes a number
    if bound is not None or np.issubdtype(dtype, np.integer):
        low = 0 if bound is not None or np.issubdtype(dtype, np.unsignedinteger) else -8
        return np.asarray(generator.integers(low, bound if bound is not None else 9, shape), dtype)
    return np.asarray(generator.standard_normal(shape) * scale, dtype)


def _edge(
    generator: np.random.Generator, kind: str, dtype: np.dtype[Any], shape: tuple[int, ...], bound: int | None
) -> Array:
    if dtype == np.bool_:
        return np.full(shape, kind in ("ones", "large"))
    if bound is not None or np.issubdtype(dtype, np.integer):
        last = bound - 1 if bound is not None else 11  # it may become a size: no more
        return np.full(shape, {"zeros": 0, "ones": min(1, last), "tiny": 0, "large": last}[kind], dtype)
    tiny = _tiny(dtype)
    large = [88.0, -88.0, 3e4, -3e4]
    values = {"zeros": [0.0, -0.0], "ones": [1.0], "tiny": [tiny, -tiny, tiny / 4, 0.0], "large": large}
    return np.asarray(generator.choice(np.array(values[kind], dtype), shape), dtype)


def _tiny(dtype: np.dtype[Any]) -> float:
    """The smallest normal number."""
    if dtype.kind == "f":
        return float(np.finfo(dtype).tiny)
    finfo: Any = ml_dtypes.finfo  # not annotated
    return float(finfo(dtype).tiny)


def index_bounds(model: onnx.ModelProto) -> dict[str, tuple[int | str, ...]]:
    """For inputs that end as indices: the sizes of the axes that they count along, numbers and symbols.

    Floats too: Keras's inputs are floats unless one says so, and its Embedding casts them.
    """
    shapes = {
        i.name: [d.dim_value if d.HasField("dim_value") else d.dim_param for d in i.type.tensor_type.shape.dim]
        for i in (*model.graph.input, *model.graph.value_info, *model.graph.output)
    }
    shapes |= {i.name: list(i.dims) for i in model.graph.initializer}
    sources = {i.name: {i.name} for i in model.graph.input}
    bounds: dict[str, tuple[int | str, ...]] = {}
    for node in model.graph.node:
        attributes = {a.name: a.i for a in node.attribute if a.type == onnx.AttributeProto.INT}
        if node.op_type in _INDEXED and node.input[1] in sources:
            axis = attributes.get("axis", 0)
            shape, places = shapes.get(node.input[0]), shapes.get(node.input[1])
            if node.op_type.endswith("ND") and (attributes.get("batch_dims") or not places or places[-1] != 1):
                continue  # it counts along several axes
            size = shape[axis] if shape else None
            for name in sources[node.input[1]] if size else ():
                bounds[name] = tuple(dict.fromkeys((*bounds.get(name, ()), size or 1)))
        if node.op_type in _PASSING | _PICKING:
            read = node.input[:1] if node.op_type in _PICKING else node.input
            reached = set().union(*(sources.get(n, set()) for n in read))
            sources |= dict.fromkeys(node.output, reached) if reached else {}
    return bounds


def _resolved(bounds: Mapping[str, Sequence[int | str]], model: onnx.ModelProto, size: int) -> dict[str, int]:
    """The smallest of each, with the sizes that symbols take; what is no size of an input's is not known."""
    sizes: dict[str, int] = {}
    for info, (_, _, shape) in zip(model.graph.input, _inputs(model, size), strict=True):
        sizes |= {d.dim_param: n for d, n in zip(info.type.tensor_type.shape.dim, shape, strict=True) if d.dim_param}
    known = {
        n: [b if isinstance(b, int) else sizes[b] for b in given if isinstance(b, int) or b in sizes]
        for n, given in bounds.items()
    }
    return {name: min(found) for name, found in known.items() if found}


def divisors(model: onnx.ModelProto) -> list[str]:
    """Integer inputs that something is divided by."""
    by = {n.input[1] for n in model.graph.node if n.op_type in ("Div", "Mod")}
    kinds = {i.name: helper.tensor_dtype_to_np_dtype(i.type.tensor_type.elem_type) for i in model.graph.input}
    return [name for name, dtype in kinds.items() if name in by and np.issubdtype(dtype, np.integer)]


def check(model: onnx.ModelProto, given: Sequence[tuple[str, Arrays]]) -> None:
    """Hold the user's arrays against the model's inputs.

    :raises BadSamples: names, dtypes and shapes that do not fit; all of them.
    """
    findings = []
    for name, arrays in given:
        wanted = {i.name: i.type.tensor_type for i in model.graph.input}
        sizes: dict[str, tuple[int, str]] = {}
        missing, extra = sorted(set(wanted) - set(arrays)), sorted(set(arrays) - set(wanted))
        findings += [Finding(f"{name} has no array for the input {n!r}") for n in missing]
        advice = f"inputs: {', '.join(wanted)}"
        findings += [Finding(f"{name} has {n!r}, which is no input", advice=advice) for n in extra]
        for key in sorted(set(wanted) & set(arrays)):
            dims = [d.dim_value if d.HasField("dim_value") else d.dim_param for d in wanted[key].shape.dim]
            dtype = np.dtype(helper.tensor_dtype_to_np_dtype(wanted[key].elem_type))
            array = np.asarray(arrays[key])
            fits = len(dims) == array.ndim and all(
                d == n for d, n in zip(dims, array.shape, strict=True) if isinstance(d, int)
            )
            if not fits or array.dtype != dtype:
                shape = ",".join(map(str, dims))
                findings.append(
                    Finding(f"{name}: {key!r} is {array.dtype}{list(array.shape)}, the model takes {dtype}[{shape}]")
                )
                continue
            for symbol, n in zip(dims, array.shape, strict=True):
                size, other = (
                    sizes.setdefault(str(symbol), (n, key)) if symbol and isinstance(symbol, str) else (n, key)
                )
                if size != n:
                    findings.append(Finding(f"{name}: {symbol!r} is {size} in {other!r} and {n} in {key!r}"))
    if findings:
        raise BadSamples("the given inputs do not fit the model", findings=tuple(findings))
