"""Transposes meet Reshapes: flattened rows, axes merged and split, products of stacks."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from improved import counts, improved
from onnx import helper, numpy_helper
from small_models import operators, parse

LAST, FIRST = "perm=[0,2,3,1]", "perm=[0,3,1,2]"


def after(text: str) -> list[str]:
    return operators(improved(parse(text)))


# ------------------------------------------------------------------------------------------- behind a flattening

#: x, [N,2,1,2], channels last and flattened to f, [N,4]; v and w are to be constants.
FLAT = f"a = Transpose<{LAST}>(x) f = Reshape(a, s)"
SHAPES = "int64[2] s = {-1, 4}, float[4] c = {1,2,3,4}, float[4,2] w = {1,2,3,4,5,6,7,8}"


@pytest.mark.parametrize(
    ("behind", "left"),
    [
        ("g = Mul(f, c) r = Relu(g) y = MatMul(r, w)", ["Reshape", "Mul", "Relu", "MatMul"]),
        # an operand that is made of the flattened rows as well
        ("g = Sigmoid(f) h = Mul(f, g) k = Add(h, c) y = MatMul(k, w)", ["Reshape", "Swish", "Add", "MatMul"]),
        ("g = PRelu(f, c) y = Gemm(g, w)", ["Reshape", "PRelu", "Gemm"]),
        ("d = Abs(c) g = BatchNormalization(f, c, c, c, d) y = MatMul(g, w)", ["Reshape", "BatchNormalization", "MatMul"]),
        ("g = LayerNormalization(f, c, c) y = MatMul(g, w)", ["Reshape", "LayerNormalization", "MatMul"]),
        ("g = Softmax<axis=-1>(f) y = MatMul(g, w)", ["Reshape", "Softmax", "MatMul"]),
        ("k = Constant<value_ints=[1]>() g = ReduceMax(f, k) h = Sub(f, g) y = MatMul(h, w)", ["Reshape", "ReduceMax", "Sub", "MatMul"]),
    ],
)  # fmt: skip
def test_what_is_between_a_flattening_and_its_product(behind: str, left: list[str]) -> None:
    for batch in ("N", 3):
        assert after(f"(float[{batch},2,1,2] x) => (float[{batch},2] y) <{SHAPES}> {{ {FLAT} {behind} }}") == left


@pytest.mark.parametrize("axis", [1, -1])
def test_flattened_rows_beside_others(axis: int) -> None:
    """They get their place in the weights of the product."""
    text = f"""(float[N,2,1,2] x, float[N,3] z) => (float[N,1] y)
        <int64[2] s = {{-1, 4}}, float[7,1] w = {{1,2,3,4,5,6,7}}>
        {{ {FLAT} r = Relu(f) c = Concat<axis={axis}>(z, r) y = MatMul(c, w) }}"""
    assert after(text) == ["Reshape", "Relu", "Concat", "MatMul"]


@pytest.mark.parametrize(
    "behind",
    [
        "g = Relu(f) y = Identity(g)",  # rows go out as they are
        "g = Mul(f, z) y = MatMul(g, w)",  # rows that are known only at run time
        "g = Concat<axis=1>(f, f) y = MatMul(g, u)",  # in two places
        "g = Relu(f) t = Transpose(g) y = MatMul(t, g)",  # products of the rows with each other
        "g = Reshape(f, r) y = MatMul(g, w)",  # rows of others than the flattened ones
    ],
)
def test_what_keeps_the_order_of_the_rows(behind: str) -> None:
    held = f"{SHAPES}, int64[2] r = {{-1, 4}}, float[8,2] u = {{1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7}}"
    text = f"(float[3,2,2,1] x, float[3,4] z) => (float[a,b] y) <{held}> {{ {FLAT} {behind} }}"
    left = after(text)
    assert "Transpose" in left or "Reshape" in behind


def test_reordered_rows_are_no_output() -> None:
    text = f"(float[3,2,2,1] x) => (float[3,2] y, float[3,4] g) <{SHAPES}> {{ {FLAT} g = Relu(f) y = MatMul(g, w) }}"
    assert "Transpose" in after(text)


# ------------------------------------------------------------------------------------------------ axes that stay


@pytest.mark.parametrize(
    ("text", "left"),
    [
        # GroupNormalization: channels into groups
        (f"(float[N,4,2,3] x) => (float[N,2,2,2,3] y) <int64[5] s = {{-1,2,3,2,2}}> {{ a = Transpose<{LAST}>(x) b = Reshape(a, s) y = Transpose<perm=[0,3,4,1,2]>(b) }}", ["Reshape"]),
        # nearest neighbours: an axis of copies goes into the one before it
        (f"(float[N,4,2,3] x) => (float[N,4,4,3] y) <int64[1] k = {{2}}, int64[5] t = {{1,1,2,1,1}}, int64[4] s = {{-1,4,3,4}}> {{ a = Transpose<{LAST}>(x) b = Unsqueeze(a, k) c = Tile(b, t) d = Reshape(c, s) y = Transpose<{FIRST}>(d) }}", ["Unsqueeze", "Tile", "Reshape"]),
        # pixels in a row
        (f"(float[N,4,2,3] x) => (float[N,4,6] y) <int64[3] s = {{-1,6,4}}> {{ a = Transpose<{LAST}>(x) b = Reshape(a, s) y = Transpose<perm=[0,2,1]>(b) }}", ["Reshape"]),
        # open sizes
        ("(float[N,3,L] x) => (float[N,3,L,1] y) <int64[4] s = {0,0,1,3}> { a = Transpose<perm=[0,2,1]>(x) b = Reshape(a, s) y = Transpose<perm=[0,3,1,2]>(b) }", None),
        # channels between the pixels: that is a transposition, whatever the layout
        (f"(float[2,4,2,3] x) => (float[2,6,4] y) <int64[3] s = {{2,6,4}}, int64[3] r = {{2,4,6}}> {{ a = Transpose<{LAST}>(x) b = Reshape(a, r) y = Transpose<perm=[0,2,1]>(b) }}", ["Transpose", "Reshape", "Transpose"]),
    ],
)  # fmt: skip
def test_axes_merged_and_split(text: str, left: list[str] | None) -> None:
    seen = after(text)
    assert left is None or seen == left


# ------------------------------------------------------------------------------------------- products of stacks


def dense(rank: int, batch: int | str, *, bias: bool = True) -> onnx.ModelProto:
    """Convolution, Dense, Gelu, Dense, convolution, channels last, as TensorFlow writes them."""
    generator = np.random.default_rng(3)
    spatial = [4, 3, 2][: rank - 2]
    weights = {
        "k": generator.standard_normal((5, 3, *[1] * (rank - 2))),
        "v": generator.standard_normal((5, 7)),
        "w": generator.standard_normal((7, 5)),
        "b": generator.standard_normal(7),
        "l": generator.standard_normal((2, 5, *[1] * (rank - 2))),
    }
    last, first = [0, *range(2, rank), 1], [0, rank - 1, *range(1, rank - 1)]
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=first),
        helper.make_node("Conv", ["t", "k"], ["c"]),
        helper.make_node("Transpose", ["c"], ["d"], perm=last),
        helper.make_node("Reshape", ["d", "r5"], ["e"]),
        helper.make_node("MatMul", ["e", "v"], ["f"]),
        helper.make_node("Reshape", ["f", "s7"], ["g"]),
        helper.make_node("Add", ["g", "b"], ["h"]) if bias else helper.make_node("Neg", ["g"], ["h"]),
        helper.make_node("Sigmoid", ["h"], ["i"]),
        helper.make_node("Reshape", ["i", "r7"], ["j"]),
        helper.make_node("MatMul", ["j", "w"], ["m"]),
        helper.make_node("Reshape", ["m", "s5"], ["n"]),
        helper.make_node("Transpose", ["n"], ["o"], perm=first),
        helper.make_node("Conv", ["o", "l"], ["p"]),
        helper.make_node("Transpose", ["p"], ["y"], perm=last),
    ]
    ints = {"r5": [-1, 5], "s7": [-1, *spatial, 7], "r7": [-1, 7], "s5": [-1, *spatial, 5]}
    held = [numpy_helper.from_array(np.asarray(a, np.float32), k) for k, a in weights.items()]
    held += [numpy_helper.from_array(np.array(a, np.int64), k) for k, a in ints.items()]
    x, y = (helper.make_tensor_value_info(n, 1, [batch, *spatial, c]) for n, c in (("x", 3), ("y", 2)))
    graph = helper.make_graph(nodes, "net", [x], [y], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


@pytest.mark.parametrize("rank", [3, 4, 5])
@pytest.mark.parametrize("batch", ["N", 2])
def test_dense_between_convolutions(rank: int, batch: int | str) -> None:
    """Dense on the last axis is a convolution by one element."""
    left = counts(improved(dense(rank, batch)))
    assert left == {"Transpose": 2, "Conv": 4, "Sigmoid": 1}


def test_dense_without_a_transpose_stays_a_product_of_rows() -> None:
    text = f"""(float[N,2,3,4] x, float[N,4,2,3] z) => (float[N,2,3,2] y, float[N,2,3,4] u)
        <int64[2] r = {{-1, 4}}, int64[4] s = {{-1,2,3,2}}, float[4,2] w = {{1,2,3,4,5,6,7,8}}>
        {{ u = Transpose<{LAST}>(z) a = Reshape(x, r) b = MatMul(a, w) c = Reshape(b, s) y = Neg(c) }}"""
    assert sorted(after(text)) == ["MatMul", "Neg", "Reshape", "Reshape", "Transpose"]
