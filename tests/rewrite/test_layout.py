"""Transposes and chains of shape operators: what is left of them, and that the numbers stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from improved import counts, improved
from onnx import helper, numpy_helper
from small_models import operators, parse

import convert
from rewrite.api import prepare
from rewrite.passes.push_transposes import push_transposes

LAST, FIRST = "perm=[0,2,3,1]", "perm=[0,3,1,2]"


def after(text: str) -> list[str]:
    return operators(improved(parse(text)))


# ------------------------------------------------------------------------------------------------ through operators


@pytest.mark.parametrize(
    ("text", "left"),
    [
        # pairs
        (f"(float[1,2,3,4] x) => (float[1,2,3,4] y) {{ a = Transpose<{LAST}>(x) b = Transpose<{FIRST}>(a) y = Relu(b) }}", ["Relu"]),
        ("(float[2,3,4] x) => (float[4,2,3] y) { a = Transpose<perm=[1,2,0]>(x) y = Transpose<perm=[1,2,0]>(a) }", ["Transpose"]),
        (f"(float[1,2,3,4] x) => (float[1,2,3,4] y) {{ a = Transpose<{LAST}>(x) y = Transpose<{FIRST}>(a) }}", ["Identity"]),
        # elementwise, with constants of any rank
        (f"(float[1,2,3,4] x) => (float[1,2,3,4] y) <float[2] c = {{2, 3}}> {{ a = Transpose<{LAST}>(x) m = Mul(a, c) r = Sigmoid(m) y = Transpose<{FIRST}>(r) }}", ["Mul", "Sigmoid"]),
        (f"(float[1,2,3,4] x) => (float[1,2,3,4] y) <float[4,1] c = {{1, 2, 3, 4}}> {{ a = Transpose<{LAST}>(x) m = Sub(c, a) y = Transpose<{FIRST}>(m) }}", ["Sub"]),
        (f"(float[1,2,3,4] x) => (float[1,2,3,4] y) <float lo = {{0}}, float hi = {{1}}> {{ a = Transpose<{LAST}>(x) m = Clip(a, lo, hi) y = Transpose<{FIRST}>(m) }}", ["Clip"]),
        (f"(float[1,2,3,4] x) => (float[1,2,3,4] y) <float[3,1,1] c = {{1, 2, 3}}> {{ a = Transpose<{LAST}>(x) g = Greater(a, c) m = Where(g, a, c) y = Transpose<{FIRST}>(m) }}", ["Greater", "Where"]),
        # two operands
        (f"(float[1,2,3,4] x, float[1,2,3,4] z) => (float[1,2,3,4] y) {{ a = Transpose<{LAST}>(x) b = Transpose<{LAST}>(z) m = Add(a, b) y = Transpose<{FIRST}>(m) }}", ["Add"]),
        (f"(float[1,2,3,4] x, float[1,1,1,2] z) => (float[1,2,3,4] y) {{ a = Transpose<{LAST}>(x) m = Mul(a, z) y = Transpose<{FIRST}>(m) }}", ["Reshape", "Mul"]),
        # axes
        (f"(float[1,2,3,4] x, float[1,5,3,4] z) => (float[1,7,3,4] y) {{ a = Transpose<{LAST}>(x) b = Transpose<{LAST}>(z) m = Concat<axis=-1>(a, b) y = Transpose<{FIRST}>(m) }}", ["Concat"]),
        (f"(float[1,4,3,3] x) => (float[1,2,3,3] y, float[1,2,3,3] z) {{ a = Transpose<{LAST}>(x) b, c = Split<axis=3, num_outputs=2>(a) y = Transpose<{FIRST}>(b) z = Transpose<{FIRST}>(c) }}", ["Split"]),
        (f"(float[1,2,3,4] x) => (float[1,2,3,4] y) {{ a = Transpose<{LAST}>(x) m = Softmax<axis=-1>(a) y = Transpose<{FIRST}>(m) }}", ["Softmax"]),
        (f"(float[1,2,3,4] x) => (float[1,2] y) <int64[2] k = {{1, 2}}> {{ a = Transpose<{LAST}>(x) y = ReduceMean<keepdims=0>(a, k) }}", ["ReduceMean"]),
        (f"(float[1,2,3,4] x) => (float[1,2,1,1] y) <int64[2] k = {{1, 2}}> {{ a = Transpose<{LAST}>(x) m = ReduceMax(a, k) y = Transpose<{FIRST}>(m) }}", ["ReduceMax"]),
        (f"(float[1,2,3,4] x) => (int64[1,3,4] y) {{ a = Transpose<{LAST}>(x) y = ArgMax<axis=3, keepdims=0>(a) }}", ["ArgMax"]),
        (f"(float[1,2,3,4] x) => (float[1,2,6,4] y) <int64[8] p = {{0,1,0,0,0,2,0,0}}> {{ a = Transpose<{LAST}>(x) m = Pad(a, p) y = Transpose<{FIRST}>(m) }}", ["Pad"]),
        (f"(float[1,2,3,4] x) => (float[1,2,2,4] y) <int64[1] s = {{1}}, int64[1] e = {{3}}, int64[1] k = {{1}}> {{ a = Transpose<{LAST}>(x) m = Slice(a, s, e, k) y = Transpose<{FIRST}>(m) }}", ["Slice"]),
        (f"(float[1,2,3,4] x) => (float[1,2,6,8] y) <float[4] s = {{1, 2, 2, 1}}> {{ a = Transpose<{LAST}>(x) m = Resize<mode=\"nearest\">(a, , s) y = Transpose<{FIRST}>(m) }}", ["Resize"]),
        (f"(float[1,2,3,1] x) => (float[1,2,3] y) <int64[1] k = {{2}}> {{ a = Transpose<{LAST}>(x) m = Squeeze(a, k) y = Transpose<perm=[0,2,1]>(m) }}", ["Squeeze"]),
        ("(float[2,3,4] x) => (float[2,3,1,4] y) <int64[1] k = {1}> { a = Transpose<perm=[0,2,1]>(x) m = Unsqueeze(a, k) y = Transpose<perm=[0,3,1,2]>(m) }", ["Reshape"]),
        # what only moves axes of size 1
        (f"(float[2,5,1,1] x) => (float[2,1,1,5] y) {{ a = Relu(x) y = Transpose<{LAST}>(a) }}", ["Relu", "Reshape"]),
        (f"(float[N,5,1,1] x) => (float[N,5] y) <int64[2] s = {{-1, 5}}> {{ a = Transpose<{LAST}>(x) y = Reshape(a, s) }}", ["Reshape"]),
        # sizes
        (f"(float[N,2,H,4] x) => (int64[4] y) {{ a = Transpose<{LAST}>(x) y = Shape(a) }}", ["Shape", "Gather"]),
    ],
)  # fmt: skip
def test_what_is_left(text: str, left: list[str]) -> None:
    assert after(text) == left


def test_a_flattening_is_taken_into_the_weights() -> None:
    """Each product that reads the flattened rows gets rows in the order before the transpose."""
    generator = np.random.default_rng(3)
    for transposed in (0, 1):
        shape = (5, 24) if transposed else (24, 5)
        nodes = [
            helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 3, 1]),
            helper.make_node("Reshape", ["t", "s"], ["f"]),
            helper.make_node("Gemm", ["f", "w"], ["y"], transB=transposed),
            helper.make_node("MatMul", ["f", "v"], ["z"]),
        ]
        weights = {"w": generator.standard_normal(shape), "v": generator.standard_normal((24, 2))}
        model = model_of(nodes, {"x": ["N", 2, 3, 4]}, {"y": ["N", 5], "z": ["N", 2]}, weights, s=[-1, 24])
        assert operators(improved(model)) == ["Reshape", "Gemm", "MatMul"]


@pytest.mark.parametrize(
    "text",
    [
        # the flattened rows are an output too
        "(float[1,2,1,2] x) => (float[1,1] y, float[1,4] f) <int64[2] s = {1, 4}, float[4,1] w = {1,2,3,4}> { a = Transpose<perm=[0,3,2,1]>(x) f = Reshape(a, s) y = MatMul(f, w) }",
        # weights that are known only at run time
        "(float[1,2,1,2] x, float[4,1] w) => (float[1,1] y) <int64[2] s = {1, 4}> { a = Transpose<perm=[0,3,2,1]>(x) f = Reshape(a, s) y = MatMul(f, w) }",
        # rows of other lengths
        "(float[1,2,1,2] x) => (float[2,1] y) <int64[2] s = {2, 2}, float[2,1] w = {1,2}> { a = Transpose<perm=[0,3,2,1]>(x) f = Reshape(a, s) y = MatMul(f, w) }",
    ],
)  # fmt: skip
def test_what_keeps_its_transpose(text: str) -> None:
    assert "Transpose" in after(text)


@pytest.mark.parametrize(
    ("text", "transposes"),
    [
        # no reader undoes it: twice as many behind two readers
        ("(float[2,3] x, float[2,4] w) => (float[3,4] y, float[3,4] z) { a = Transpose(x) r = Relu(a) s = Sigmoid(a) y = MatMul(r, w) z = MatMul(s, w) }", 1),
        # the other operand would have to be transposed
        ("(float[2,3] x, float[3,2] z, float[2,4] w) => (float[3,4] y) { a = Transpose(x) b = Add(a, z) y = MatMul(b, w) }", 1),
        # one reader undoes it, one needs it
        (f"(float[1,2,3,4] x) => (float[1,2,3,4] y, float[1,3,4,2] z) {{ a = Transpose<{LAST}>(x) r = Relu(a) y = Transpose<{FIRST}>(r) z = Neg(r) }}", 1),
        # equal ones are one
        ("(float[2,3,4] x, float[5,2] w) => (float[3,5,4] y, float[3,5,4] z) { a = Transpose<perm=[1,0,2]>(x) b = Transpose<perm=[1,0,2]>(x) y = MatMul(w, a) c = MatMul(w, b) z = Neg(c) }", 1),
    ],
)  # fmt: skip
def test_transposes_do_not_become_more(text: str, transposes: int) -> None:
    assert after(text).count("Transpose") == transposes


def test_what_a_body_reads_is_written_out() -> None:
    text = """(float[2,3] x, bool c) => (float[3,2] y) { a = Transpose(x) y = If(c)
        <then_branch = t () => (float[3,2] u) { u = Neg(a) }, else_branch = e () => (float[3,2] v) { v = Relu(a) }> }"""
    assert after(text) == ["Transpose", "If"]


# ------------------------------------------------------------------------------------------------------ shape chains


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("(float[2,3,4] x) => (float[4,6] y) <int64[2] s = {6, 4}, int64[2] r = {4, 6}> { a = Reshape(x, s) y = Reshape(a, r) }", ["Reshape"]),
        ("(float[2,3,4] x) => (float[2,3,4] y) <int64[2] s = {6, 4}, int64[3] r = {2, 3, 4}> { a = Reshape(x, s) b = Reshape(a, r) y = Neg(b) }", ["Neg"]),
        ("(float[2,1,3] x) => (float[1,6] y) <int64[1] k = {1}, int64[1] j = {0}> { a = Squeeze(x, k) b = Unsqueeze(a, j) c = Flatten<axis=1>(b) y = Neg(c) }", ["Reshape", "Neg"]),
        ("(float[N,4,1,1] x) => (float[N,2,2] y) <int64[2] s = {0, -1}, int64[3] r = {-1, 2, 2}> { a = Reshape(x, s) y = Reshape(a, r) }", ["Reshape"]),
        # a second reader in the middle
        ("(float[2,3,4] x) => (float[4,6] y, float[6,4] z) <int64[2] s = {6, 4}, int64[2] r = {4, 6}> { a = Reshape(x, s) y = Reshape(a, r) z = Neg(a) }", ["Reshape", "Reshape", "Neg"]),
        # two sizes that no constant can give
        ("(float[N,1,M,1] x) => (float[N,M] y) <int64[1] k = {3}, int64[1] j = {1}> { a = Squeeze(x, k) y = Squeeze(a, j) }", ["Squeeze", "Squeeze"]),
        # chains of both kinds
        (f"(float[1,2,3,4] x) => (float[4,6] y) <int64[2] s = {{6, 4}}, int64[4] r = {{1, 2, 3, 4}}> {{ a = Reshape(x, s) b = Reshape(a, r) c = Transpose<{LAST}>(b) d = Transpose<{FIRST}>(c) t = Reshape(d, s) y = Transpose(t) }}", ["Reshape", "Transpose"]),
    ],
)  # fmt: skip
def test_chains(text: str, left: list[str]) -> None:
    assert sorted(after(text)) == sorted(left)


# ------------------------------------------------------------------------------------------------- whole networks


def model_of(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, list[int | str]],
    outputs: dict[str, list[int | str]],
    weights: dict[str, np.ndarray],
    **ints: list[int],
) -> onnx.ModelProto:
    held = [numpy_helper.from_array(np.asarray(w, np.float32), k) for k, w in weights.items()]
    held += [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in ints.items()]
    infos = [[helper.make_tensor_value_info(k, 1, s) for k, s in d.items()] for d in (inputs, outputs)]
    graph = helper.make_graph(nodes, "net", infos[0], infos[1], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


class Keras:
    """Writes nodes as tf2onnx does for a Keras model: channels last, each convolution between two transposes."""

    def __init__(self, seed: int = 5) -> None:
        self.generator = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, np.ndarray] = {}
        self.ints: dict[str, list[int]] = {}

    def add(self, op: str, *inputs: str, **attrs: Any) -> str:
        name = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name, **attrs))
        return name

    def weight(self, *shape: int, positive: bool = False) -> str:
        name = f"w{len(self.weights)}"
        values = self.generator.standard_normal(shape) / np.sqrt(np.prod(shape[1:]) if len(shape) > 1 else 1)
        self.weights[name] = np.abs(values) + 0.5 if positive else values
        return name

    def shape(self, *sizes: int) -> str:
        name = f"s{len(self.ints)}"
        self.ints[name] = list(sizes)
        return name

    def conv(self, x: str, size: tuple[int, int, int], *, group: int = 1, stride: int = 1, norm: str = "none") -> str:
        out, into, k = size
        first = self.add("Transpose", x, perm=[0, 3, 1, 2])
        pads: dict[str, Any] = {"kernel_shape": [k, k], "pads": [k // 2] * 4, "strides": [stride] * 2}
        held = self.add("Conv", first, self.weight(out, into // group, k, k), group=group, **pads)
        if norm == "batch":
            parameters = [self.weight(out, positive=p) for p in (True, False, False, True)]
            held = self.add("BatchNormalization", held, *parameters, epsilon=1e-3)
        held = self.add("Transpose", held, perm=[0, 2, 3, 1])
        if norm == "affine":
            held = self.add("Add", self.add("Mul", held, self.weight(out, positive=True)), self.weight(out))
        return held

    def head(self, x: str, channels: int, classes: int) -> str:
        mean = self.add("ReduceMean", x, self.shape(1, 2), keepdims=0)
        dense = self.add("MatMul", self.add("Reshape", mean, self.shape(-1, channels)), self.weight(channels, classes))
        return self.add("Softmax", self.add("Add", dense, self.weight(classes)), axis=-1)

    def model(self, classes: int, batch: int | str = "N") -> onnx.ModelProto:
        self.nodes[-1].output[0] = "y"
        return model_of(self.nodes, {"x": [batch, 8, 8, 3]}, {"y": [batch, classes]}, self.weights, **self.ints)


Network = Callable[[int | str], onnx.ModelProto]


def resnet(batch: int | str = "N") -> onnx.ModelProto:
    net = Keras()
    pads = net.shape(0, 1, 1, 0, 0, 1, 1, 0)
    x = net.add("Relu", net.conv(net.add("Pad", "x", pads), (4, 3, 3), norm="affine"))
    x = net.add(
        "Transpose",
        net.add("MaxPool", net.add("Transpose", x, perm=[0, 3, 1, 2]), kernel_shape=[2, 2]),
        perm=[0, 2, 3, 1],
    )
    for _ in range(2):
        inner = net.add("Relu", net.conv(x, (4, 4, 3), norm="batch"))
        inner = net.conv(inner, (4, 4, 3), norm="affine")
        x = net.add("Relu", net.add("Add", inner, x))
    both = net.add("Concat", x, net.conv(x, (2, 4, 1)), axis=-1)
    net.head(both, 6, 5)
    return net.model(5, batch)


def mobilenet(batch: int | str = "N") -> onnx.ModelProto:
    net = Keras(7)
    x = net.conv("x", (4, 3, 3), stride=2, norm="affine")
    for _ in range(2):
        wide = net.add("HardSwish", net.conv(x, (8, 4, 1), norm="batch"))
        wide = net.conv(wide, (8, 8, 3), group=8, norm="affine")
        squeezed = net.add("ReduceMean", wide, net.shape(1, 2), keepdims=1)
        gate = net.add("Relu", net.conv(squeezed, (2, 8, 1)))
        gate = net.add("HardSigmoid", net.conv(gate, (8, 2, 1)), alpha=1 / 6)
        x = net.add("Add", x, net.conv(net.add("Mul", wide, gate), (4, 8, 1), norm="affine"))
    net.head(x, 4, 3)
    return net.model(3, batch)


#: Batch norms behind a convolution by one element, which costs less without the bias that they would give it.
POINTWISE: dict[Network, int] = {resnet: 0, mobilenet: 2}


@pytest.mark.parametrize(("network", "convolutions"), [(resnet, 6), (mobilenet, 11)])
@pytest.mark.parametrize("batch", ["N", 2])
def test_networks_of_keras(network: Network, convolutions: int, batch: int | str) -> None:
    model = network(batch)
    left = counts(improved(model))
    assert counts(model)["Transpose"] >= 2 * convolutions
    assert left["Transpose"] == 1  # the model's own input
    assert left["Conv"] == convolutions
    assert left["BatchNormalization"] == POINTWISE[network]
    assert not {"Reshape", "MatMul"} & left.keys()
    assert left["Add"] == 2  # the residuals: all other Adds are in weights
    assert left["Gemm"] == 1


def test_a_residual_from_the_input() -> None:
    """The operand that is not transposed is there transposed already, for the convolution."""
    net = Keras()
    inner = net.conv("x", (3, 3, 3))
    x = net.conv(net.add("Relu", net.add("Add", inner, "x")), (3, 3, 3))
    net.head(x, 3, 5)
    left = counts(improved(net.model(5)))
    assert left["Transpose"] == 1


def test_provenance_survives() -> None:
    text = f"(float[1,2,3,4] x) => (float[1,2,3,4] y) {{ a = Transpose<{LAST}>(x) r = Relu(a) s = Exp(r) y = Transpose<{FIRST}>(s) }}"
    model = parse(text)
    for line, node in enumerate(model.graph.node):
        node.metadata_props.add(key="pkg.torch.onnx.stack_trace", value=f'File "net.py", line {line}, in forward')
    graph = prepare(model)
    push_transposes(graph)
    assert {n.op: graph.origin(n).source for n in graph.nodes} == {"Relu": "net.py:1", "Exp": "net.py:2"}


def test_a_long_chain_comes_to_nothing() -> None:
    """A thousand blocks; how long that takes is for ``bench/legalise.py``."""
    lines, last = [], "x"
    for k in range(1000):
        lines.append(f"a{k} = Transpose<{LAST}>({last}) b{k} = Relu(a{k}) c{k} = Add(b{k}, b{k})")
        lines.append(f"d{k} = Transpose<{FIRST}>(c{k})")
        last = f"d{k}"
    graph = prepare(parse(f"(float[1,2,3,4] x) => (float[1,2,3,4] y) {{ {' '.join(lines)} y = Neg({last}) }}"))
    push_transposes(graph)
    assert {n.op for n in graph.nodes} == {"Relu", "Add", "Neg"}


@pytest.mark.parametrize("network", [resnet, mobilenet])
def test_to_a_header(network: Network, tmp_path: Path) -> None:
    onnx.save(network(2), tmp_path / "net.onnx")
    report = convert.convert(tmp_path / "net.onnx", output=tmp_path / "out")
    assert report.rewritten is not None
    assert report.rewritten.after["Transpose"] == 1
    assert report.rewritten.after["BatchNormalization"] == POINTWISE[network]
    assert report.verification is not None
    assert report.verification.failures == ()
