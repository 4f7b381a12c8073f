"""Numbers without axes that nodes compute: how a target is asked about them, and rows of one in their place."""

from __future__ import annotations

import onnx
import pytest
from fake_targets import Without
from small_models import assert_same_numbers, operators, parse

from rewrite.api import prepare, rewrite_model
from rewrite.passes._operators import ELEMENTWISE
from rewrite.target import Verdict

#: A number of an input, and two that are computed.
NUMBERS = "g = ReduceSum<keepdims=0>(w) h = ReduceMax<keepdims=0>(w)"


class Rows:
    """Knows tensors without axes as inputs of the model alone, but for what makes rows of them and back."""

    name = "the fake"
    merges: frozenset[tuple[str, str]] = frozenset()

    def judge(self, probe: onnx.ModelProto) -> Verdict:
        inner = {i.name for i in probe.graph.value_info if not i.type.tensor_type.shape.dim}
        node = probe.graph.node[-1]
        legal = node.op_type not in ELEMENTWISE or not inner.intersection(node.input)
        return Verdict(legal, "" if legal else "no computed number here")


@pytest.mark.parametrize(
    "body",
    [
        "(float[4] w) => (bool d) <float k={{0.5}}> {{ {n} d = Greater(g, k) }}",
        "(float[4] w) => (float d) {{ {n} d = Max(h, g, g) }}",
        "(float[4] w, bool c) => (float d) {{ {n} d = Where(c, g, h) }}",
        "(float[4] w) => (int64 d) {{ {n} d = Cast<to=7>(h) }}",
        "(float[4] w) => (float d) <float k={{0.5}}> {{ {n} d = Clip(g, k) }}",
        "(float[4] w) => (float d) {{ {n} d = LeakyRelu<alpha=0.3>(g) }}",
    ],
)
def test_a_computed_number_is_worked_on_in_a_row(body: str) -> None:
    model = parse(body.format(n=NUMBERS))
    after = rewrite_model(model, Rows()).model
    assert operators(after)[-2:] == [model.graph.node[-1].op_type, "Reshape"]
    assert_same_numbers(model, after)


def test_a_chain_stays_in_its_row() -> None:
    """Between what works on it no number is made of the row."""
    model = parse(
        f"(float[4] w) => (float d) <float k={{0.5}}> {{ {NUMBERS} a = Max(g, k) b = Sub(a, h) d = Relu(b) }}"
    )
    after = rewrite_model(model, Rows()).model
    assert operators(after)[2:] == ["Reshape", "Max", "Reshape", "Sub", "Relu", "Reshape"]
    assert_same_numbers(model, after)


def test_bounds_that_are_computed() -> None:
    """ONNX's are numbers without axes, so they are compared in rows."""
    model = parse(f"(float[4] w) => (float d) {{ {NUMBERS} d = Clip(g, , h) }}")
    after = rewrite_model(model, Rows()).model
    assert operators(after)[-2:] == ["Min", "Reshape"]
    assert_same_numbers(model, after)


def test_a_size_that_is_compared_is_in_a_row() -> None:
    """A node that computes sizes is judged with those that read them, but not as to this."""
    text = """(float[N,4] x) => (float[M] y) <int64 z={0}, int64 k={2}, int64[1] one={1}, float v={1}>
        { s = Shape(x) n = Gather(s, z) c = Greater(n, k) q = Where(c, k, n) r = Reshape(q, one) y = Expand(v, r) }"""
    model = parse(text)
    after = rewrite_model(model, Rows()).model
    assert [o for o in operators(after) if o != "Reshape"] == ["Shape", "Gather", "Greater", "Where", "Expand"]
    assert operators(after).count("Reshape") > 1
    assert_same_numbers(model, after)


@pytest.mark.parametrize(
    "text",
    [
        "(float x, float z) => (bool d) { d = Less(x, z) }",
        "(float[1] x, float[1] z) => (bool[1] d) { y = Neg(x) d = Less(y, z) }",
        "(float[3] x, float z) => (float[3] d) { g = ReduceSum<keepdims=0>(x) d = Sub(x, z) }",
    ],
)
def test_others_stay(text: str) -> None:
    assert "Reshape" not in operators(rewrite_model(parse(text), Rows()).model)


def test_what_is_refused_of_a_row_too_is_for_the_rules() -> None:
    model = parse("(float[4] w) => (float d) { g = ReduceSum<keepdims=0>(w) d = Ceil(g) }")
    after = rewrite_model(model, Without("Ceil")).model
    assert "Floor" in operators(after)
    assert_same_numbers(model, after)


def test_the_target_is_asked_about_a_number_that_it_makes_and_one_that_it_is_given() -> None:
    """It may hold them differently, and the number be of either kind where the model is cut."""
    graph = prepare(parse(f"(float[4] w, float x) => (float d) {{ {NUMBERS} d = Max(g, x) }}"))
    given, made = graph.probes(next(n for n in graph.nodes if n.op == "Max"))
    onnx.checker.check_model(made, full_check=True)
    assert [n.op_type for n in given.graph.node] == ["Max"]
    assert [n.op_type for n in made.graph.node] == ["Reshape", "Max"]
    assert [len(i.type.tensor_type.shape.dim) for i in made.graph.input] == [1, 0]
    assert len(graph.probes(graph.nodes[0])) == 1
