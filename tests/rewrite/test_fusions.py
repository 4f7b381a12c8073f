"""Fusions: what becomes one, what does not and why, and that the numbers stay."""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from fake_targets import Without
from improved import improved
from onnx import helper, numpy_helper
from small_models import operators, parse

import convert
from convert.errors import IllegalOperators
from rewrite.api import prepare, rewrite_model
from rewrite.graph import Node
from rewrite.passes.fold_into_weights import fold_into_weights
from rewrite.target import Verdict

CONV = "float[2,1,3,3] w = {1,2,3,4,5,6,7,8,9,-1,-2,-3,-4,-5,-6,-7,-8,-9}"
NORM = "float[2] s={1.5,-2.0}, float[2] b={0.5,0.25}, float[2] m={1.0,-1.0}, float[2] v={0.5,2.0}"
GEMM = "float[3,2] w = {1,2,3,-4,5,6}, float[2] k = {1,-1}"


def after(text: str, takes: Callable[[Node], bool] = lambda _: True) -> list[str]:
    # sums of products round differently with other factors: by the last bits of their terms, some tens here
    return operators(improved(parse(text), takes, atol=1e-5))


# ------------------------------------------------------------------------------------------------- into the weights


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"(float[1,1,4,4] x) => (float[1,2,2,2] y) <{CONV}, {NORM}> {{ a = Conv(x, w) y = BatchNormalization(a, s, b, m, v) }}", ["Conv"]),
        (f"(float[N,1,H,W] x) => (float[N,2,P,Q] y) <{CONV}, {NORM}, float[2] k = {{3, 4}}> {{ a = Conv(x, w, k) y = BatchNormalization<epsilon=0.1>(a, s, b, m, v) }}", ["Conv"]),
        (f"(float[1,2,3,3] x) => (float[1,1,5,5] y) <{CONV}, float[1,1,1,1] k = {{3}}, float c = {{2}}> {{ a = ConvTranspose(x, w) d = Mul(a, k) e = Sub(d, c) y = Relu(e) }}", ["ConvTranspose", "Relu"]),
        ("(float[1,2,3] x) => (float[1,4,4] y) <float[2,2,2] w = {1,2,3,4,5,6,7,8}, float[4,1] k = {1,2,-3,4}> { a = ConvTranspose<group=2>(x, w) y = Mul(a, k) }", ["ConvTranspose"]),
        (f"(float[1,1,4,4] x) => (float[1,2,2,2] y) <{CONV}, float[2,1,1] k = {{3, -4}}, float[1,2,1,1] c = {{2, 1}}> {{ a = Conv(x, w) d = Mul(k, a) e = Add(d, c) f = Div(e, k) y = Sub(c, f) }}", ["Conv"]),
        (f"(float[4,3] x) => (float[4,2] y) <{GEMM}, {NORM}> {{ a = Gemm<alpha=0.5, beta=2.0>(x, w, k) y = BatchNormalization(a, s, b, m, v) }}", ["Gemm"]),
        ("(float[4,3] x) => (float[4,2] y) <float[2,3] w = {1,2,3,-4,5,6}, float[1,2] k = {2, 3}> { a = Gemm<transB=1>(x, w) d = Mul(a, k) y = Add(k, d) }", ["Gemm"]),
        (f"(float[2,4,3] x) => (float[2,4,2] y) <{GEMM}> {{ a = MatMul(x, w) d = Mul(a, k) y = Add(d, k) }}", ["MatMul", "Add"]),
    ],
)  # fmt: skip
def test_into_the_weights(text: str, left: list[str]) -> None:
    assert after(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        # read by others, an output itself
        (f"(float[1,1,4,4] x) => (float[1,2,2,2] y, float[1,2,2,2] z) <{CONV}, {NORM}> {{ a = Conv(x, w) y = BatchNormalization(a, s, b, m, v) z = Relu(a) }}", ["Conv", "BatchNormalization", "Relu"]),
        (f"(float[1,1,4,4] x) => (float[1,2,2,2] y, float[1,2,2,2] a) <{CONV}, {NORM}> {{ a = Conv(x, w) y = BatchNormalization(a, s, b, m, v) }}", ["Conv", "BatchNormalization"]),
        # parameters, weights, a bias known only at run time
        (f"(float[1,1,4,4] x, float[2] t) => (float[1,2,2,2] y) <{CONV}, {NORM}> {{ a = Conv(x, w) y = BatchNormalization(a, t, b, m, v) }}", ["Conv", "BatchNormalization"]),
        (f"(float[1,1,4,4] x, float[2,1,3,3] w) => (float[1,2,2,2] y) <{NORM}> {{ a = Conv(x, w) y = BatchNormalization(a, s, b, m, v) }}", ["Conv", "BatchNormalization"]),
        (f"(float[1,1,4,4] x, float[2] t) => (float[1,2,2,2] y) <{CONV}, {NORM}> {{ a = Conv(x, w, t) y = BatchNormalization(a, s, b, m, v) }}", ["Conv", "BatchNormalization"]),
        # along the last axis, over places, more than the channels
        (f"(float[1,1,4,4] x) => (float[1,2,2,2] y) <{CONV}, float[2] k = {{3, 4}}> {{ a = Conv(x, w) y = Mul(a, k) }}", ["Conv", "Mul"]),
        (f"(float[1,1,4,4] x) => (float[1,2,2,2] y) <{CONV}, float[2,2] k = {{3, 4, 5, 6}}> {{ a = Conv(x, w) y = Add(a, k) }}", ["Conv", "Add"]),
        ("(float[1,1,3] x) => (float[1,2,3] y) <float[1,1,1] w = {2}, float[2,1] k = {3, 4}> { a = Conv(x, w) y = Mul(a, k) }", ["Conv", "Mul"]),
        (f"(float[4,3] x) => (float[4,2] y) <{GEMM}, float[4,1] c = {{1, 2, 3, 4}}> {{ a = Gemm(x, w, k) y = Mul(a, c) }}", ["Gemm", "Mul"]),
        # no product
        (f"(float[1,1,4,4] x) => (float[1,2,2,2] y) <{CONV}, float k = {{3}}> {{ a = Conv(x, w) y = Div(k, a) }}", ["Conv", "Div"]),
    ],
)  # fmt: skip
def test_what_stays_out_of_the_weights(text: str, left: list[str]) -> None:
    assert after(text) == left


@pytest.mark.parametrize(
    "parameters",
    [
        "float[2] s={1,1}, float[2] b={0,0}, float[2] m={0,0}, float[2] v={-0.00001,1}",  # variance + epsilon is 0
        "float[2] s={1,1}, float[2] b={0,0}, float[2] m={0,0}, float[2] v={-1,1}",  # and below
        "float[2] s={3e38,1}, float[2] b={0,0}, float[2] m={0,0}, float[2] v={1e-10,1}",  # beyond float32
    ],
)
def test_a_batch_norm_without_value_stays(parameters: str) -> None:
    text = f"(float[1,1,4,4] x) => (float[1,2,2,2] y) <{CONV}, {parameters}> {{ a = Conv(x, w) y = BatchNormalization<epsilon=1e-5>(a, s, b, m, v) }}"
    graph = prepare(parse(text))
    fold_into_weights(graph)
    assert operators(graph.write()) == ["Conv", "BatchNormalization"]


def test_shared_weights_are_not_touched() -> None:
    text = f"(float[1,1,4,4] x) => (float[1,2,2,2] y, float[1,2,2,2] z) <{CONV}, {NORM}> {{ a = Conv(x, w) y = BatchNormalization(a, s, b, m, v) z = Conv(x, w) }}"
    assert after(text) == ["Conv", "Conv"]


def test_provenance_and_names_survive() -> None:
    text = f"(float[1,1,4,4] x) => (float[1,2,2,2] y) <{CONV}, {NORM}> {{ a = Conv(x, w) y = BatchNormalization(a, s, b, m, v) }}"
    model = parse(text)
    for line, node in enumerate(model.graph.node):
        node.metadata_props.add(key="pkg.torch.onnx.stack_trace", value=f'File "net.py", line {line}, in forward')
    graph = prepare(model)
    fold_into_weights(graph)
    assert [(graph.origin(n).source, n.outputs[0].name) for n in graph.nodes] == [("net.py:0", "y")]


# ------------------------------------------------------------------------------------------------------ MatMul + Add


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"(float[N,3] x) => (float[N,2] y) <{GEMM}> {{ a = MatMul(x, w) y = Add(k, a) }}", ["Gemm"]),
        ("(float[4,3] x, float[3,2] w, float[4,1] c) => (float[4,2] y) { a = MatMul(x, w) y = Add(a, c) }", ["Gemm"]),
        # the bias broadcasts the product; has no axis; stacks; a second reader
        ("(float[1,3] x, float[3,2] w, float[4,1] c) => (float[4,2] y) { a = MatMul(x, w) y = Add(a, c) }", ["MatMul", "Add"]),
        ("(float[4,3] x, float[3,2] w, float[1,4,2] c) => (float[1,4,2] y) { a = MatMul(x, w) y = Add(a, c) }", ["MatMul", "Add"]),
        (f"(float[2,4,3] x) => (float[2,4,2] y) <{GEMM}> {{ a = MatMul(x, w) y = Add(a, k) }}", ["MatMul", "Add"]),
        (f"(float[4,3] x) => (float[4,2] y, float[4,2] z) <{GEMM}> {{ a = MatMul(x, w) y = Add(a, k) z = Neg(a) }}", ["MatMul", "Add", "Neg"]),
        ("(int32[4,3] x, int32[3,2] w, int32[2] c) => (int32[4,2] y) { a = MatMul(x, w) y = Add(a, c) }", ["MatMul", "Add"]),
    ],
)  # fmt: skip
def test_matmul_and_add(text: str, left: list[str]) -> None:
    assert after(text) == left


# --------------------------------------------------------------------------------------------------------- constants


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("(float[2,2] x) => (float[2,2] y) <float[2] a = {2, 3}, float b = {0.5}> { c = Mul(x, a) y = Mul(b, c) }", ["Mul"]),
        ("(float[2,2] x) => (float[2,2] y) <float[2] a = {2, 3}, float b = {0.5}> { c = Add(a, x) d = Add(c, b) y = Add(d, b) }", ["Add"]),
        # a sum that rounds x away in between; a product beyond float32; a larger constant; a second reader
        ("(float[2,2] x) => (float[2,2] y) <float a = {1e8}, float b = {-1e8}> { c = Add(x, a) y = Add(c, b) }", ["Add", "Add"]),
        ("(float[2,2] x) => (float[2,2] y) <float a = {1e-30}, float b = {1e-30}> { c = Mul(x, a) y = Mul(c, b) }", ["Mul", "Mul"]),
        ("(float[2,2] x) => (float[2,2] y) <float[2] a = {2, 3}, float[2,1] b = {2, 3}> { c = Mul(x, a) y = Mul(c, b) }", ["Mul", "Mul"]),
        ("(float[2,2] x) => (float[2,2] y, float[2,2] z) <float a = {2}, float b = {3}> { c = Mul(x, a) y = Mul(c, b) z = Neg(c) }", ["Mul", "Mul", "Neg"]),
    ],
)  # fmt: skip
def test_constants(text: str, left: list[str]) -> None:
    assert after(text) == left


# ---------------------------------------------------------------------------------------------------------- patterns

X = "(float[2,3,4] x) => (float[2,3,4] y)"
HALF = f"float r = {{{sqrt(2)}}}, float one = {{1}}, float h = {{0.5}}"
TANH = (
    f"float q = {{{sqrt(2 / pi)}}}, float c = {{0.044715}}, float three = {{3}}, float one = {{1}}, float h = {{0.5}}"
)
CLIP = "float three = {3}, float zero = {0}, float six = {6}, float sixth = {0.16666667}"
LAYER = "int64[1] k = {-1}, float two = {2}, float e = {1e-5}, float[4] s = {1, -2, 3, 4}, float[4] b = {4, 3, 2, 1}"


@pytest.mark.parametrize(
    ("text", "operator"),
    [
        (f"{X} <{TANH}> {{ g = Mul(h, x) d = Pow(x, three) f = Mul(c, d) a = Add(x, f) j = Mul(a, q) t = Tanh(j) p = Add(t, one) y = Mul(g, p) }}", "Gelu"),
        (f"{X} <{TANH}> {{ w = Mul(x, x) d = Mul(x, w) f = Mul(d, c) a = Add(f, x) j = Mul(q, a) t = Tanh(j) p = Add(one, t) m = Mul(x, p) y = Mul(m, h) }}", "Gelu"),
        (f"{X} {{ s = Sigmoid(x) y = Mul(x, s) }}", "Swish"),
        (f"{X} <{LAYER}> {{ m = ReduceMean(x, k) d = Sub(x, m) p = Pow(d, two) v = ReduceMean(p, k) w = Add(v, e) r = Sqrt(w) n = Div(d, r) f = Mul(n, s) y = Add(f, b) }}", "LayerNormalization"),
        (f"{X} <{LAYER}> {{ m = ReduceMean(x, k) d = Sub(x, m) g = Sub(x, m) p = Mul(g, g) v = ReduceMean(p, k) w = Add(e, v) r = Sqrt(w) n = Div(d, r) y = Mul(s, n) }}", "LayerNormalization"),
        (f"(float[N,3,4] x) => (float[N,3,4] y) <{LAYER}> {{ m = ReduceMean(x, k) d = Sub(x, m) p = Pow(d, two) v = ReduceMean(p, k) w = Add(v, e) r = Sqrt(w) y = Div(d, r) }}", "LayerNormalization"),
    ],
)  # fmt: skip
def test_patterns(text: str, operator: str) -> None:
    assert after(text) == [operator]
    assert operator not in after(text, lambda n: n.op != operator), "only where the target takes it"


@pytest.mark.parametrize(
    "text",
    [
        f"{X} {{ y = HardSwish(x) }}",
        f"{X} {{ s = HardSigmoid<alpha=0.16666667, beta=0.5>(x) y = Mul(x, s) }}",
        f"{X} <{CLIP}> {{ a = Add(x, three) c = Clip(a, zero, six) m = Mul(x, c) y = Div(m, six) }}",
        f"{X} <{CLIP}> {{ a = Add(three, x) c = Clip(a, zero, six) m = Mul(c, sixth) y = Mul(x, m) }}",
    ],
)
def test_hard_swish(text: str) -> None:
    assert after(text) == ["HardSigmoid", "Mul"]
    left = after(text, lambda n: n.op == "HardSwish")
    assert left == ["HardSigmoid", "Mul"] if "HardSigmoid" in text else left == ["HardSwish"]


@pytest.mark.parametrize(
    "text",
    [
        # Gelu by erf, which is slower in one operator
        f"(float[3] x) => (float[3] y) <{HALF}> {{ a = Div(x, r) e = Erf(a) p = Add(e, one) m = Mul(x, p) y = Mul(m, h) }}",
        # what is in between has another reader, or is an output
        "(float[3] x) => (float[3] y, float[3] z) { s = Sigmoid(x) y = Mul(x, s) z = Neg(s) }",
        "(float[3] x) => (float[3] y, float[3] s) { s = Sigmoid(x) y = Mul(x, s) }",
        f"(float[3] x) => (float[3] y, float[3] j) <{TANH}> {{ g = Mul(h, x) d = Pow(x, three) f = Mul(c, d) a = Add(x, f) j = Mul(a, q) t = Tanh(j) p = Add(t, one) y = Mul(g, p) }}",
        # other numbers, other tensors
        f"(float[3] x) => (float[3] y) <{TANH}> {{ g = Mul(h, x) d = Pow(x, three) f = Mul(h, d) a = Add(x, f) j = Mul(a, q) t = Tanh(j) p = Add(t, one) y = Mul(g, p) }}",
        f"(float[3] x, float[3] z) => (float[3] y) <{TANH}> {{ g = Mul(h, x) d = Pow(z, three) f = Mul(c, d) a = Add(x, f) j = Mul(a, q) t = Tanh(j) p = Add(t, one) y = Mul(g, p) }}",
        "(float[3] x, float[3] w) => (float[3] y) { s = Sigmoid(x) y = Mul(w, s) }",
        "(float[3] x) => (float[3] y) { s = HardSigmoid<alpha=0.2, beta=0.5>(x) y = Mul(s, x) }",
        f"(float[3] x) => (float[3] y) <{CLIP}> {{ a = Add(x, three) c = Clip(a, zero, three) m = Mul(x, c) y = Div(m, six) }}",
        f"(float[3] x) => (float[3] y) <{CLIP}> {{ a = Add(x, three) c = Clip(a, zero, six) m = Mul(x, c) y = Div(six, m) }}",
        # doubles
        "(double[3] x) => (double[3] y) { s = Sigmoid(x) y = Mul(x, s) }",
        # over an axis that is not the last, and two that differ
        "(float[2,3,4] x) => (float[2,3,4] y) <int64[1] k = {1}, float two = {2}, float e = {1e-5}> { m = ReduceMean(x, k) d = Sub(x, m) p = Pow(d, two) v = ReduceMean(p, k) w = Add(v, e) r = Sqrt(w) y = Div(d, r) }",
        "(float[2,3,4] x) => (float[2,3,4] y) <int64[1] k = {2}, int64[2] j = {1,2}, float two = {2}, float e = {1e-5}> { m = ReduceMean(x, k) d = Sub(x, m) p = Pow(d, two) v = ReduceMean(p, j) w = Add(v, e) r = Sqrt(w) y = Div(d, r) }",
    ],
)  # fmt: skip
def test_what_is_no_pattern(text: str) -> None:
    assert after(text) == operators(prepare(parse(text)).write())


def test_a_scale_along_another_axis_stays_behind_the_normalization() -> None:
    text = f"(float[2,4,4] x) => (float[2,4,4] y) <{LAYER}, float[4,1] t = {{1, 2, 3, 4}}> {{ m = ReduceMean(x, k) d = Sub(x, m) p = Pow(d, two) v = ReduceMean(p, k) w = Add(v, e) r = Sqrt(w) n = Div(d, r) f = Mul(n, t) y = Add(f, b) }}"
    assert after(text) == ["LayerNormalization", "Mul", "Add"]


# ------------------------------------------------------------------------------------------------------------ the whole


def test_to_be_faster_costs_no_node_its_way() -> None:
    """A convolution with a bias has no way here, one without has."""

    class NoBias(Without):
        def judge(self, probe: onnx.ModelProto) -> Verdict:
            biased = any(n.op_type == "Conv" and len(n.input) > 2 for n in probe.graph.node)
            return Verdict(False, "no bias") if biased else super().judge(probe)

    text = f"(float[1,1,4,4] x) => (float[1,2,2,2] y) <{CONV}, {NORM}> {{ a = Conv(x, w) y = BatchNormalization(a, s, b, m, v) }}"
    rewritten = rewrite_model(parse(text), NoBias("Add"))
    assert rewritten.after == {"Conv": 1, "BatchNormalization": 1}
    with pytest.raises(IllegalOperators):
        rewrite_model(parse(text), NoBias("Add", "BatchNormalization"))


def test_to_a_header(tmp_path: Path) -> None:
    """A block of a transformer as exporters wrote it before opset 17."""
    generator = np.random.default_rng(1)
    weights = {"w": generator.standard_normal((16, 16)) / 4, "u": generator.standard_normal((16, 4)) / 4}
    weights |= {"s": generator.random(16) + 0.5, "b": generator.standard_normal(16)}
    weights |= {"two": np.array(2), "e": np.array(1e-5), "r": np.array(sqrt(2)), "one": np.array(1), "h": np.array(0.5)}
    steps = "ReduceMean x -> m|Sub x m -> d|Pow d two -> p|ReduceMean p -> v|Add v e -> g|Sqrt g -> q|Div d q -> n|Mul n s -> f"
    steps += (
        "|Add f b -> l|MatMul l w -> a|Div a r -> i|Erf i -> j|Add j one -> k|Mul a k -> o|Mul o h -> z|MatMul z u -> t"
    )
    steps += "|Sigmoid t -> sig|Mul t sig -> y"
    nodes = []
    for step in steps.split("|"):
        op, *names = step.replace("-> ", "").split()
        attrs: dict[str, Any] = {"axes": [-1]} if op == "ReduceMean" else {}
        nodes.append(helper.make_node(op, names[:-1], names[-1:], **attrs))
    held = [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in weights.items()]
    infos = [helper.make_tensor_value_info(k, 1, [2, 5, n]) for k, n in (("x", 16), ("y", 4))]
    graph = helper.make_graph(nodes, "block", infos[:1], infos[1:], held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), tmp_path / "b.onnx")
    report = convert.convert(tmp_path / "b.onnx", output=tmp_path / "out")
    assert report.rewritten is not None
    expected = {"LayerNormalization": 1, "MatMul": 2, "Erf": 1, "Swish": 1}
    assert {k: v for k, v in report.rewritten.after.items() if k in expected} == expected
    assert report.verification is not None
    assert report.verification.failures == ()


def test_a_target_is_asked_about_the_fused_node() -> None:
    seen: list[str] = []

    def takes(node: Node) -> bool:
        seen.append(node.op)
        return True

    assert after(f"{X} {{ s = Sigmoid(x) y = Mul(x, s) }}", takes) == ["Swish"]
    assert seen == ["Swish"]
