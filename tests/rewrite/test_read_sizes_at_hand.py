"""A Reshape takes sums of sizes from the tensor that it reshapes; the numbers stay."""

from __future__ import annotations

import pytest
from small_models import assert_same_numbers, operators, parse

from rewrite.api import prepare

PAIR = "(float[N,A,8] a, float[N,B,8] b) => (float[N,C,4,2] y) "
SUM = "n = Shape<end=1>(a) p = Shape<start=1, end=2>(a) q = Shape<start=1, end=2>(b) r = Add(p, q) "
ENDS = "<int64[1] f = {4}, int64[1] t = {2}>"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"{PAIR}{ENDS} {{ x = Concat<axis=1>(a, b) {SUM} s = Concat<axis=0>(n, r, f, t) y = Reshape(x, s) }}",
         ["Concat", "Reshape"]),
        ("(float[1,A,8] a, float[1,B,8] b) => (float[1,C,4,2] y) <int64[4] s = {1, -1, 4, 2}>"
         " { x = Concat<axis=1>(a, b) y = Reshape<allowzero=1>(x, s) }", ["Concat", "Reshape"]),
        (f"{PAIR}{ENDS} {{ x = Concat<axis=1>(a, b) {SUM} e = Mul(r, f) s = Concat<axis=0>(n, e, t)"
         " w = Reshape(x, s) m = Concat<axis=0>(n, r, f, t) y = Reshape(w, m) }", None),
    ],
)  # fmt: skip
def test_sums_are_read_off_the_tensor(text: str, left: list[str] | None) -> None:
    model = parse(text)
    written = prepare(model).write()
    assert "Add" not in operators(written)
    assert left is None or operators(written) == left
    assert_same_numbers(model, written)


def test_sizes_of_an_input_stay_as_they_are() -> None:
    model = parse("(float[N,8] x) => (float[N,4,2] y) <int64[3] s = {-1, 4, 2}> { y = Reshape(x, s) }")
    (node,) = prepare(model).nodes
    assert node.inputs[1].values.tolist() == [-1, 4, 2]
