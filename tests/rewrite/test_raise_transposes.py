"""Transposes at the entrance, and those that a product takes into its columns."""

from __future__ import annotations

import pytest
from improved import improved
from small_models import operators, parse

FIRST, LAST = "perm=[0,3,1,2]", "perm=[0,2,3,1]"
KERNEL = "float[1,2,1,1] k = {1, -2}"
CONV = "y = Conv(t, k)"


def after(text: str) -> list[str]:
    model = improved(parse(text))
    inputs = {i.name for i in model.graph.input}
    assert all(n.input[0] in inputs for n in model.graph.node if n.op_type == "Transpose"), operators(model)
    return operators(model)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        # preprocessing
        (f"(float[N,4,3,2] x) => (float[N,1,4,3] y) <{KERNEL}, float[2] c = {{2, 3}}> {{ a = Mul(x, c) b = Sub(a, c) t = Transpose<{FIRST}>(b) {CONV} }}", ["Transpose", "Mul", "Sub", "Conv"]),
        (f"(float[N,4,3,2] x) => (float[N,1,5,3] y) <{KERNEL}, int64[8] p = {{0,1,0,0,0,0,0,0}}> {{ a = Pad(x, p) t = Transpose<{FIRST}>(a) {CONV} }}", ["Transpose", "Pad", "Conv"]),
        # two readers inside
        (f"(float[N,4,3,2] x) => (float[N,1,4,3] y) <{KERNEL}> {{ a = Tanh(x) b = Mul(a, x) t = Transpose<{FIRST}>(b) {CONV} }}", ["Transpose", "Tanh", "Mul", "Conv"]),
        # two ends, the inner one written last
        (f"(float[N,4,3,2] x) => (float[N,1,4,3] y, float[N,1,4,3] z) <{KERNEL}> {{ a = Tanh(x) b = Neg(a) t = Transpose<{FIRST}>(b) {CONV} u = Transpose<{FIRST}>(a) z = Conv(u, k) }}", ["Transpose", "Tanh", "Neg", "Conv", "Conv"]),
        # two inputs
        (f"(float[N,4,3,1] x, float[N,4,3,1] z) => (float[N,1,4,3] y) <{KERNEL}> {{ a = Concat<axis=3>(x, z) t = Transpose<{FIRST}>(a) {CONV} }}", ["Reshape", "Reshape", "Concat", "Conv"]),
        # a sequence as an image of one row
        (f"(float[N,4,2] x) => (float[N,1,1,4] y) <{KERNEL}, int64[1] i = {{1}}> {{ a = Unsqueeze(x, i) t = Transpose<{FIRST}>(a) {CONV} }}", ["Transpose", "Unsqueeze", "Conv"]),
        # a sequence of images as a batch of them
        (f"(float[N,5,4,3,2] x) => (float[M,1,4,3] y) <{KERNEL}, int64[4] s = {{-1,4,3,2}}> {{ a = Reshape(x, s) t = Transpose<{FIRST}>(a) {CONV} }}", ["Transpose", "Reshape", "Conv"]),
        # one channel
        ("(float[N,4,3,1] x) => (float[N,1,4,3] y) <float[1,1,1,1] k = {2}, int64[4] s = {-1,1,4,3}, float c = {3}> { a = Mul(x, c) t = Reshape(a, s) y = Conv(t, k) }", ["Reshape", "Mul", "Conv"]),
    ],
)  # fmt: skip
def test_to_the_input(text: str, left: list[str]) -> None:
    assert after(text) == left


@pytest.mark.parametrize(
    ("made", "left"),
    [
        ("a = MatMul(x, w)", ["MatMul", "Reshape", "Conv"]),
        ("a = MatMul(x, w) b = Add(a, c)", ["Gemm", "Reshape", "Conv"]),
        ("a = Gemm(x, w, c) d = Sigmoid(a) b = Mul(a, d)", ["Gemm", "Swish", "Reshape", "Conv"]),
        ("a = Gemm<transB=1>(x, v, c) b = Relu(a)", ["Gemm", "Relu", "Reshape", "Conv"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("batch", ["N", 2])
def test_into_the_columns(made: str, left: list[str], batch: int | str) -> None:
    """A decoder: rows of a product become an image, channels last."""
    numbers = ",".join(map(str, range(1, 13)))
    last = "b" if "b =" in made else "a"
    text = f"""(float[{batch},2] x) => (float[{batch},1,3,1] y)
        <{KERNEL}, float[2,6] w = {{{numbers}}}, float[6,2] v = {{{numbers}}}, float[6] c = {{1,2,3,4,5,6}}, int64[4] s = {{-1,3,1,2}}>
        {{ {made} r = Reshape({last}, s) q = Neg(r) t = Transpose<{FIRST}>(q) {CONV} }}"""
    assert [op for op in after(text) if op != "Neg"] == left


@pytest.mark.parametrize(
    "text",
    [
        # read in the layout that it has, too
        f"(float[1,4,3,2] x) => (float[1,1,4,3] y, float[1,4,3,2] z) <{KERNEL}> {{ a = Tanh(x) z = Neg(a) t = Transpose<{FIRST}>(a) {CONV} }}",
        # an output itself
        f"(float[1,4,3,2] x) => (float[1,1,4,3] y, float[1,4,3,2] a) <{KERNEL}> {{ a = Tanh(x) t = Transpose<{FIRST}>(a) {CONV} }}",
        # rows that others read
        f"(float[1,2] x) => (float[1,1,3,1] y, float[1,6] b) <{KERNEL}, float[2,6] w = {{1,2,3,4,5,6,7,8,9,1,2,3}}, int64[4] s = {{-1,3,1,2}}> {{ a = MatMul(x, w) b = Neg(a) r = Reshape(a, s) t = Transpose<{FIRST}>(r) {CONV} }}",
        # columns that are known only at run time
        f"(float[1,2] x, float[2,6] w) => (float[1,1,3,1] y) <{KERNEL}, int64[4] s = {{-1,3,1,2}}> {{ a = MatMul(x, w) r = Reshape(a, s) t = Transpose<{FIRST}>(r) {CONV} }}",
    ],
)  # fmt: skip
def test_what_stays(text: str) -> None:
    assert "Transpose" in operators(improved(parse(text)))


def test_what_a_body_reads_stays() -> None:
    text = f"""(float[1,4,3,2] x, bool c) => (float[1,1,4,3] y, float[1,4,3,2] z) <{KERNEL}> {{
        a = Tanh(x) t = Transpose<{FIRST}>(a) {CONV}
        z = If(c) <then_branch = p () => (float[1,4,3,2] u) {{ u = Identity(a) }}, else_branch = q () => (float[1,4,3,2] v) {{ v = Neg(a) }}> }}"""
    assert operators(improved(parse(text))) == ["Tanh", "Transpose", "Conv", "If"]
