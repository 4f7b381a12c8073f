"""Points of the survey: one-node models of the onnx package's tests, and of our own grid."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import onnx
import onnx.parser
from onnx import numpy_helper

from convert.errors import ConvertError
from rewrite.api import prepare
from rewrite.graph import OPSET
from sofie_bridge import grid_attributes
from sofie_bridge.samples import Array

#: Types of the tensors that the pipeline takes.
_NAMES = "FLOAT DOUBLE FLOAT16 BFLOAT16 BOOL INT8 INT16 INT32 INT64 UINT8 UINT16 UINT32 UINT64"
NUMBERS = frozenset(getattr(onnx.TensorProto, name) for name in _NAMES.split())


@dataclass(frozen=True)
class Case:
    """One of the onnx package's node tests: a model, inputs in its order, outputs that it shall give, how exactly."""

    name: str
    model: onnx.ModelProto
    inputs: list[Array]
    outputs: list[Array]
    rtol: float
    atol: float


def node_tests() -> Iterator[onnx.ModelProto]:
    """The nodes of the onnx package's node tests, as the passes leave them: inputs at run time, and as constants."""
    for case in node_cases():
        yield from _probes(case.model)
        yield from _probes(with_constants(case.model, case.inputs))


def node_cases() -> Iterator[Case]:
    """The node tests whose tensors are all of numbers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.loader import load_model_tests

        tests = load_model_tests(kind="node")
    for test in tests:
        if test.model is not None and test.data_sets and takes_numbers(test.model):
            inputs, outputs = test.data_sets[0]
            yield Case(
                test.name, test.model, [_array(a) for a in inputs], [_array(a) for a in outputs], test.rtol, test.atol
            )


def takes_numbers(model: onnx.ModelProto) -> bool:
    """Are all inputs and outputs tensors of numbers?"""
    infos = [*model.graph.input, *model.graph.output]
    return all(i.type.HasField("tensor_type") and i.type.tensor_type.elem_type in NUMBERS for i in infos)


def with_constants(model: onnx.ModelProto, inputs: list[Array]) -> onnx.ModelProto:
    """All inputs but the first as initializers."""
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    for info, array in list(zip(model.graph.input, inputs, strict=False))[1:]:
        copied.graph.initializer.append(numpy_helper.from_array(array, info.name))
    del copied.graph.input[1:]
    return copied


def grid() -> Iterator[onnx.ModelProto]:
    """Operators over dtypes, ranks, broadcasting, attributes, and constant or run-time operands."""
    for written in (*_texts(), *grid_attributes.texts()):
        text = written.replace("[]", "")  # the parser writes a scalar's shape as none
        model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": {OPSET}]> point {text}')
        yield from _probes(model)


_UNARY = [
    "Abs",
    "Neg",
    "Exp",
    "Log",
    "Sqrt",
    "Reciprocal",
    "Relu",
    "Sigmoid",
    "Tanh",
    "Erf",
    "Floor",
    "Sin",
    "Cos",
    "Softplus",
    "Elu",
    "Selu",
    "LeakyRelu",
    "HardSigmoid",
    "HardSwish",
    "Gelu",
    "Swish",
    "Softmax",
    "LogSoftmax",
    "Identity",
]
_BINARY = ["Add", "Sub", "Mul", "Div", "Pow"]
_LOGIC = ["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"]
_REDUCE = ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceSumSquare", "ReduceL2"]
_SHAPES = ("", "4", "3,4", "2,3,4", "2,2,3,4", "1,2,2,3,4")
_PAIRS = (("3,4", "3,4"), ("3,4", "4"), ("3,4", "1"), ("3,4", "3,1"), ("2,3,4", "3,4"), ("4", "3,4"), ("3,1", "1,4"),
          ("2,1,4", "3,1"), ("2,3,4", ""), ("1", "1"))  # fmt: skip
_PRODUCTS = (("3,4", "4,5", "3,5"), ("2,3,4", "2,4,5", "2,3,5"), ("2,3,4", "4,5", "2,3,5"), ("4", "4,5", "5"),
             ("3,4", "2,4,5", "2,3,5"), ("2,1,3,4", "5,4,3", "2,5,3,3"), ("3,4", "4", "3"), ("4", "4", ""))  # fmt: skip


def _texts() -> Iterator[str]:
    for op, shape in product(_UNARY, _SHAPES):
        if op not in ("Softmax", "LogSoftmax") or shape:
            yield f"(float[{shape}] x) => (float[{shape}] y) {{ y = {op}(x) }}"
    for op, (a, b), kind in product(_BINARY, _PAIRS, ("float", "int64", "int32")):
        yield f"({kind}[{a}] x, {kind}[{b}] z) => ({kind}[{_joined(a, b)}] y) {{ y = {op}(x, z) }}"
    for op, (a, b), kind in product(_BINARY, _PAIRS, ("float", "int64")):
        values = ", ".join(str(k % 3 + 1) for k in range(_count(b)))
        yield f"({kind}[{a}] x) => ({kind}[{_joined(a, b)}] y) <{kind}[{b}] z = {{{values}}}> {{ y = {op}(x, z) }}"
    for op, (a, b), kind in product(_LOGIC, _PAIRS, ("float", "int64")):
        yield f"({kind}[{a}] x, {kind}[{b}] z) => (bool[{_joined(a, b)}] y) {{ y = {op}(x, z) }}"
    for op, axis, keep in product(_REDUCE, (0, 1, 2, -1), (0, 1)):
        left = [d for k, d in enumerate("234") if k != axis % 3]
        shape = ",".join("1" if k == axis % 3 else d for k, d in enumerate("234")) if keep else ",".join(left)
        yield f"(float[2,3,4] x) => (float[{shape}] y) <int64[1] a = {{{axis}}}> {{ y = {op}<keepdims={keep}>(x, a) }}"
    for perm in ((1, 0), (0, 2, 1), (2, 0, 1), (0, 2, 3, 1), (0, 3, 1, 2), (0, 2, 1, 3), (0, 2, 3, 4, 1)):
        before = [str(k + 2) for k in range(len(perm))]
        after = ",".join(before[p] for p in perm)
        yield f"(float[{','.join(before)}] x) => (float[{after}] y) {{ y = Transpose<perm={list(perm)}>(x) }}"
    for axis, rank in ((a, r) for r in (1, 2, 3, 4) for a in range(r)):
        sizes = [str(k + 2) for k in range(rank)]
        joined = [str(2 * int(d)) if k == axis else d for k, d in enumerate(sizes)]
        for kind in ("float", "int64"):
            shape = f"{kind}[{','.join(sizes)}]"
            yield f"({shape} x, {shape} z) => ({kind}[{','.join(joined)}] y) {{ y = Concat<axis={axis}>(x, z) }}"
    for a, b, out in _PRODUCTS:
        yield f"(float[{a}] x, float[{b}] z) => (float[{out}] y) {{ y = MatMul(x, z) }}"
        values = ", ".join(f"{(k * 7 % 5 - 2) / 4}" for k in range(_count(b)))
        yield f"(float[{a}] x) => (float[{out}] y) <float[{b}] z = {{{values}}}> {{ y = MatMul(x, z) }}"


def _joined(a: str, b: str) -> str:
    shapes = [[int(d) for d in s.split(",") if d] for s in (a, b)]
    return ",".join(str(d) for d in np.broadcast_shapes(*map(tuple, shapes)))


def _count(shape: str) -> int:
    return int(np.prod([int(d) for d in shape.split(",") if d], dtype=int))


def _probes(model: onnx.ModelProto) -> Iterator[onnx.ModelProto]:
    try:
        graph = prepare(model)
    except (ConvertError, ValueError, RuntimeError, TypeError):
        return  # not a model that rewriting takes: it ends in a refusal before a target is asked
    for node in graph.nodes:
        if all(t.dtype is not None and t.shape is not None for t in (*node.inputs, *node.outputs) if t.name):
            yield graph.probe(node)


def _array(given: object) -> Array:
    return numpy_helper.to_array(given) if isinstance(given, onnx.TensorProto) else np.asarray(given)
