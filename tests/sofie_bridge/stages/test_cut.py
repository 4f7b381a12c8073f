"""Where a model is cut: as few parts as can be, sizes computed where they are read."""

from __future__ import annotations

import onnx
import pytest
from small_models import parse

from rewrite.passes.infer_shapes import infer_shapes
from sofie_bridge.stages.cut import Part, cut
from sofie_bridge.stages.whole import Whole

_DOMAIN = {"d": 1}


def steps(text: str) -> list[str]:
    """Each step as its operators; of parts with what they take and give."""
    model = parse(text, domains=_DOMAIN)
    found = []
    for step in cut(infer_shapes(model), lambda node: node.domain == "d"):
        if isinstance(step, Part):
            inner = " ".join(n.op_type for n in step.nodes)
            found.append(f"{','.join(step.inputs)} -> {inner} -> {','.join(step.outputs)}")
        else:
            found.append(step.node.op_type)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(float[2] x) => (float[2] y) { a = d.C(x) b = Neg(a) y = Abs(b) }", ["C", "a -> Neg Abs -> y"]),
        ("(float[2] x) => (float[2] y) { a = Neg(x) y = d.C(a) }", ["x -> Neg -> a", "C"]),
        ("(float[2] x) => (float[2] y) { y = d.C(x) }", ["C"]),
        ("(float[2] x) => (float[2] y) { a = d.C(x) b = d.D(a) y = Neg(b) }", ["C", "D", "b -> Neg -> y"]),
        # two branches are run side by side: one part in front of both, one behind
        (
            "(float[2] x) => (float[2] y) { a = Neg(x) b = d.C(a) e = Abs(x) f = d.D(e) g = Neg(b) h = Abs(f)"
            " y = Add(g, h) }",
            ["x -> Neg Abs -> a,e", "C", "D", "b,f -> Neg Abs Add -> y"],
        ),
        # a node that could be run early waits for none: it is in the first part
        (
            "(float[2] x) => (float[2] y) { a = Neg(x) b = d.C(a) e = Abs(x) y = Add(b, e) }",
            ["x -> Neg Abs -> a,e", "C", "b,e -> Add -> y"],
        ),
        # a tensor crosses two parts
        (
            "(float[2] x) => (float[2] y) { a = Neg(x) b = d.C(a) e = Add(a, b) f = d.C(e) y = Mul(f, a) }",
            ["x -> Neg -> a", "C", "a,b -> Add -> e", "C", "f,a -> Mul -> y"],
        ),
    ],
)
def test_steps(text: str, expected: list[str]) -> None:
    assert steps(text) == expected


def test_an_output_that_is_read_further_on_is_made_once() -> None:
    text = "(float[2] x) => (float[2] a, float[2] y) { a = Neg(x) b = d.C(a) y = Mul(b, a) }"
    assert steps(text) == ["x -> Neg -> a", "C", "b,a -> Mul -> y"]


def test_sizes_are_computed_where_they_are_read() -> None:
    """Code that is generated knows a size where it sees the shape that it comes from."""
    text = (
        "(float[N,6] x, float[M,3] z) => (float[K,3] y) <int64[1] zero={0}, int64[1] three={3}>"
        "{ s = Shape(z) n = Gather<axis=0>(s, zero) t = Concat<axis=0>(n, three) a = Neg(x) b = d.C(a) c = Reshape(b, t)"
        " y = Abs(c) }"
    )
    assert steps(text) == ["x -> Neg -> a", "C", "z,b -> Shape Gather Concat Reshape Abs -> y"]


def test_sizes_that_an_operator_reads_are_a_tensor() -> None:
    text = "(float[N,6] x) => (float[N,6] y) { s = Shape(x) a = d.C(x, s) y = Reshape(a, s) }"
    assert steps(text) == ["x -> Shape -> s", "C", "x,a -> Shape Reshape -> y"]


def test_a_part_is_a_model_of_its_own() -> None:
    text = "(float[2] x) => (float[2] y) <float[2] w={1,2}> { a = Mul(x, w) b = d.C(a) y = Mul(b, w) }"
    model = infer_shapes(parse(text, domains=_DOMAIN))
    typed = onnx.ModelProto()
    typed.CopyFrom(model)
    typed.graph.value_info.extend([onnx.helper.make_tensor_value_info("b", onnx.TensorProto.FLOAT, [2])])
    parts = [s.model(Whole(typed)) for s in cut(typed, lambda node: node.domain == "d") if isinstance(s, Part)]
    assert [[i.name for i in p.graph.initializer] for p in parts] == [["w"], ["w"]]
    for part in parts:
        onnx.checker.check_model(part, full_check=True)


def test_what_a_body_reads_from_around_it_is_an_input() -> None:
    text = (
        "(bool c, float[2] x) => (float[2] y) { a = Neg(x) b = d.C(x)"
        " y = If(c) <then_branch = t () => (float[2] u) { u = Abs(a) }, else_branch = e () => (float[2] v) { v = Neg(b) }> }"
    )
    assert steps(text) == ["C", "x,c,b -> Neg If -> y"]
