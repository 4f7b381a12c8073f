"""Comparisons of single numbers that nodes compute."""

from __future__ import annotations

import pytest
from small_models import assert_same_numbers, operators, parse

from rewrite.api import prepare


@pytest.mark.parametrize("comparison", ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"])
def test_a_computed_number_is_compared_in_a_row(comparison: str) -> None:
    text = f"(float[4] w) => (bool d) <float k={{0.5}}> {{ g = ReduceSum<keepdims=0>(w) d = {comparison}(g, k) }}"
    model = parse(text)
    after = prepare(model).write()
    assert operators(after)[-2:] == [comparison, "Reshape"]
    assert_same_numbers(model, after)


@pytest.mark.parametrize(
    "text",
    [
        "(float x, float z) => (bool d) { d = Less(x, z) }",
        "(float[1] x, float[1] z) => (bool[1] d) { y = Neg(x) d = Less(y, z) }",
    ],
)
def test_others_stay(text: str) -> None:
    assert "Reshape" not in operators(prepare(parse(text)).write())
