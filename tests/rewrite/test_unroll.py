"""Loops of known trip counts and sequences of known lengths: what is left of them, and that the numbers stay."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from small_models import assert_same_numbers, evaluated, operators, parse

from convert.api import convert
from convert.conformance import run
from rewrite import control_flow
from rewrite.api import prepare
from rewrite.control_flow import expanded
from rewrite.graph import OPSET, Graph, static_shape
from rewrite.rule import NodeView, Op, Refusal
from sofie_bridge.grid import node_cases
from sofie_bridge.sofie import Sofie


def after(text: str) -> onnx.ModelProto:
    """The model behind the passes; checked, and of the same numbers as before."""
    model = parse(text)
    written = prepare(model).write()
    assert_same_numbers(model, written)
    return written


def refusal(text: str, operator: str = "Loop") -> str:
    """Why the first node of ``operator`` stays behind the passes, whose numbers are those before."""
    model = parse(text)
    graph = prepare(model)
    assert_same_numbers(model, graph.write())
    node = next(n for n in graph.nodes if n.op == operator)
    result = expanded(Op(graph, "y"), NodeView(node))
    assert isinstance(result, Refusal)
    return result.reason


# ----------------------------------------------------------------------------------------------------------- Loop

_STEP = """Loop <body = b (int64 i, bool c, float[3] u) => (bool d, float[3] v, float[3] w)
    { d = Identity(c) v = Mul(u, x) w = Exp(v) }> (n, t, x)"""


@pytest.mark.parametrize(
    ("trips", "left"),
    [
        (3, {"Mul": 3, "Exp": 3, "Unsqueeze": 3, "Concat": 1}),
        (1, {"Mul": 1, "Exp": 1, "Unsqueeze": 1}),
    ],
)
def test_loop(trips: int, left: dict[str, int]) -> None:
    """Carried values, results of each trip stacked, and what the body reads of the graph around it."""
    text = f"(float[3] x) => (float[3] y, float[{trips},3] z) <int64 n={{{trips}}}, bool t={{1}}> {{ y, z = {_STEP} }}"
    assert Counter(operators(after(text))) == left


@pytest.mark.parametrize("limits", ["int64 n={0}, bool t={1}", "int64 n={5}, bool t={0}", "int64 n={-1}, bool t={1}"])
def test_loop_without_a_trip(limits: str) -> None:
    """The carried values are what they were; the stack of nothing is empty."""
    text = f"(float[3] x) => (float[3] y, float[M,3] z) <{limits}> {{ a, z = {_STEP} y = Neg(a) }}"
    written = after(text)
    assert sorted(operators(written)) == ["Identity", "Neg"]
    graph = Graph.read(written)
    assert static_shape(graph.outputs[1]) == (0, 3)


def test_the_number_of_the_trip_is_a_constant() -> None:
    text = """(float[4,3] x, float[3] s) => (float[3] y) <int64 n={3}, bool t={1}, int64 o={1}> { y = Loop
        <body = b (int64 i, bool c, float[3] u) => (bool d, float[3] v)
        { d = Identity(c) j = Add(i, o) e = Gather(x, j) v = Add(u, e) }> (n, t, s) }"""
    assert operators(after(text)) == ["Gather", "Add"] * 3


@pytest.mark.parametrize(("most", "trips"), [("n", 2), ('""', 3)])
def test_the_condition_is_computed_in_the_body(most: str, trips: int) -> None:
    """While k < 6, k = 2 k from 1: three trips, or as many as the count says."""
    text = f"""(float[3] x) => (float[3] y) <int64 n={{2}}, bool t={{1}}, int64 one={{1}}, int64 six={{6}}> {{ k, y = Loop
        <body = b (int64 i, bool c, int64 p, float[3] u) => (bool d, int64 q, float[3] v)
        {{ q = Add(p, p) d = Less(q, six) v = Exp(u) }}> ({most}, t, one, x) }}"""
    assert operators(after(text)) == ["Exp"] * trips


def test_without_a_condition() -> None:
    text = """(float[3] x) => (float[3] y) <int64 n={2}> { y = Loop
        <body = b (int64 i, bool c, float[3] u) => (bool d, float[3] v) { d = Identity(c) v = Neg(u) }> (n, "", x) }"""
    assert operators(after(text)) == ["Neg", "Neg"]


def test_loops_in_loops_and_ifs() -> None:
    """The inner trip count is the outer trip's number; the inner body reads of both bodies around it."""
    text = """(float[3] x) => (float[3] y) <int64 n={3}, bool t={1}, int64 one={1}> { y = Loop
        <body = b (int64 i, bool c, float[3] u) => (bool d, float[3] v) {
            d = Identity(c) e = Exp(u) first = Equal(i, one)
            r = If(first) <then_branch = p () => (float[3] k) { k = Neg(e) }, else_branch = q () => (float[3] l)
                { l = Identity(e) }>
            v = Loop <body = inner (int64 j, bool f, float[3] g) => (bool m, float[3] h)
                { m = Identity(f) s = Add(g, e) h = Mul(s, x) }> (i, t, r) }> (n, t, x) }"""
    counts = Counter(operators(after(text)))
    assert counts == {"Exp": 3, "Neg": 1, "Add": 3, "Mul": 3}


def test_a_loop_settles_the_next() -> None:
    """The length of what the first one stacks is the trip count of the second."""
    text = """(float[3] x) => (float[3] y) <int64 n={2}, bool t={1}> {
        a, z = Loop <body = b (int64 i, bool c, float[3] u) => (bool d, float[3] v, float[3] w)
            { d = Identity(c) v = Exp(u) w = Neg(v) }> (n, t, x)
        s = Size(z)
        y = Loop <body = b (int64 i, bool c, float[3] u) => (bool d, float[3] v)
            { d = Identity(c) v = Tanh(u) }> (s, t, a) }"""
    assert operators(after(text)) == ["Exp", "Exp"] + ["Tanh"] * 6


def test_a_value_that_grows() -> None:
    text = """(float[2] x) => (float[M] y, int64[1] z) <int64 n={3}, bool t={1}> {
        y = Loop <body = b (int64 i, bool c, float[K] u) => (bool d, float[L] v)
            { d = Identity(c) v = Concat<axis=0>(u, x) }> (n, t, x)
        z = Shape(y) }"""
    written = after(text)
    assert operators(written)[:3] == ["Concat"] * 3
    assert static_shape(Graph.read(written).outputs[0]) == (8,)


def test_what_does_not_change_from_trip_to_trip_is_there_once() -> None:
    """A transposed weight, and a node that reads of nothing that is carried."""
    text = """(float[2] x) => (float[2] y) <int64 n={3}, bool t={1}, float[2,2] w={1,2,3,4}> { y = Loop
        <body = b (int64 i, bool c, float[2] u) => (bool d, float[2] v)
        { d = Identity(c) k = Transpose(w) m = MatMul(u, k) e = Exp(x) v = Add(m, e) }> (n, t, x) }"""
    written = after(text)
    assert Counter(operators(written)) == {"Exp": 1, "MatMul": 3, "Add": 3}
    assert sum(len(i.dims) == 2 for i in written.graph.initializer) == 1


def test_names_in_bodies_may_be_those_outside() -> None:
    """Two loops, each with an initializer and a tensor of its own by one name, and another of it outside."""
    loop = """Loop <body = b (int64 i, bool c, float[2] u) => (bool d, float[2] v) <float[2] k={%s}>
        { d = Identity(c) a = Add(u, k) v = Mul(a, k) }> (n, t, x)"""
    text = f"""(float[2] x) => (float[2] y, float[2] z) <int64 n={{2}}, bool t={{1}}>
        {{ p = {loop % "1,2"} q = {loop % "3,5"} y = Add(p, q) z = Neg(q) }}"""
    counts = Counter(operators(after(text)))
    assert counts == {"Add": 5, "Mul": 4, "Neg": 1}


def test_provenance() -> None:
    model = parse(f"(float[3] x) => (float[3] y, float[2,3] z) <int64 n={{2}}, bool t={{1}}> {{ y, z = {_STEP} }}")
    model.graph.node[0].name = "the loop"
    next(a for a in model.graph.node[0].attribute).g.node[1].name = "its product"
    graph = prepare(model)
    names = {(n.op, graph.origin(n).node) for n in graph.nodes}
    assert ("Mul", "its product") in names
    assert ("Concat", "the loop") in names


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"(float[3] x, int64 n) => (float[3] y, float[M,3] z) <bool t={{1}}> {{ y, z = {_STEP} }}", "trip count"),
        (f"(float[3] x, bool t) => (float[3] y, float[M,3] z) <int64 n={{2}}> {{ y, z = {_STEP} }}", "at all"),
        (
            """(float[3] x, bool q) => (float[3] y) <int64 n={1}, int64 m={2}, bool t={1}> { y = Loop
            <body = b (int64 i, bool c, float[3] u) => (bool d, float[3] v) { d = Identity(c) v = Loop
            <body = a (int64 j, bool e, float[3] f) => (bool g, float[3] h) { g = Identity(q) h = Neg(f) }>
            (m, c, u) }> (n, t, x) }""",
            "Loop inside it: whether it goes on after trip 1 is not known",
        ),
    ],
)
def test_what_stays(text: str, reason: str) -> None:
    assert reason in refusal(text)


def test_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """On what is gone through, where a condition may end it sooner than the count says."""
    text = """(float[3] x) => (float[3] y) <int64 n={9}, bool t={1}, int64 k={4}> { y = Loop
        <body = b (int64 i, bool c, float[3] u) => (bool d, float[3] v) { d = Less(i, k) v = Neg(u) }> (n, t, x) }"""
    monkeypatch.setattr(control_flow, "LIMIT", 10)
    assert operators(after(text)) == ["Neg"] * 5
    monkeypatch.setattr(control_flow, "LIMIT", 9)
    assert refusal(text) == "unrolled it would be more than 9 nodes"


def test_a_loop_that_nothing_ends() -> None:
    """onnxruntime would not come back from it either, so nothing is run."""
    model = parse("""(float[3] x) => (float[3] y) <bool t={1}> { y = Loop
        <body = b (int64 i, bool c, float[3] u) => (bool d, float[3] v) { d = Identity(c) v = Identity(u) }>
        ("", t, x) }""")
    assert operators(prepare(model).write()) == ["Loop"]


# ----------------------------------------------------------------------------------------------------------- Scan


@pytest.mark.parametrize("attributes", ["", "scan_input_directions = [1, 0], scan_output_directions = [1, 0],"])
def test_scan(attributes: str) -> None:
    """Two states, two scanned inputs along different axes, two results along different axes."""
    text = f"""(float[2] s, float[2] p, float[3,2] a, float[2,3] b)
        => (float[2] t, float[2] q, float[3,2] y, float[2,3] z) {{ t, q, y, z = Scan
        <num_scan_inputs = 2, scan_input_axes = [0, -1], scan_output_axes = [0, 1], {attributes}
        body = f (float[2] s0, float[2] p0, float[2] k, float[2] l) => (float[2] s1, float[2] p1, float[2] u, float[2] v)
        {{ s1 = Add(s0, k) p1 = Mul(p0, l) u = Sub(s1, p1) v = Exp(s0) }}> (s, p, a, b) }}"""
    counts = Counter(operators(after(text)))
    assert counts == {"Gather": 6, "Unsqueeze": 6, "Concat": 2, **dict.fromkeys(("Add", "Mul", "Sub", "Exp"), 3)}


def test_scan_of_nothing() -> None:
    """onnxruntime does not run it: the states are what they were, and the stack is empty."""
    text = """(float[2] s, float[3,2] e) => (float[2] t, float[0,2] z) <int64[1] o = {0}> { x = Slice(e, o, o)
        a, z = Scan <num_scan_inputs = 1, body = f (float[2] u, float[2] k) => (float[2] v, float[2] w)
        { v = Add(u, k) w = Neg(v) }> (s, x) t = Neg(a) }"""
    written = prepare(parse(text)).write()
    assert sorted(operators(written)) == ["Identity", "Neg"]
    results = evaluated(written, {"s": np.array([1, -2], np.float32), "e": np.zeros((3, 2), np.float32)})
    np.testing.assert_array_equal(results["t"], [-1, 2])
    assert results["z"].shape == (0, 2)


def test_scan_of_an_open_length_stays() -> None:
    text = """(float[2] s, float[N,2] x) => (float[2] t) { t = Scan <num_scan_inputs = 1, body = f
        (float[2] u, float[2] k) => (float[2] v) { v = Add(u, k) }> (s, x) }"""
    assert refusal(text, "Scan") == "the size of the axis it scans is not known before the model runs"


def test_a_long_scan_stays() -> None:
    text = """(float[2] s, float[65,2] x) => (float[2] t) { t = Scan <num_scan_inputs = 1, body = f
        (float[2] u, float[2] k) => (float[2] v) { a = Add(u, k) v = Neg(a) }> (s, x) }"""
    assert refusal(text, "Scan") == "unrolled it would be 65 times 2 nodes, more than 128"
    assert "Scan" not in operators(after(text.replace("65", "64")))


# ------------------------------------------------------------------------------------------------------ sequences


def test_a_loop_that_fills_a_sequence() -> None:
    """As torch writes a list that a loop appends to."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["c"], ["d"]),
            helper.make_node("Gather", ["x", "i"], ["e"], axis=0),
            helper.make_node("Exp", ["e"], ["f"]),
            helper.make_node("SequenceInsert", ["l", "f"], ["m"]),
        ],
        "b",
        [_tensor("i", TensorProto.INT64), _tensor("c", TensorProto.BOOL), _sequence("l")],
        [_tensor("d", TensorProto.BOOL), _sequence("m")],
    )
    model = _model(
        [
            helper.make_node("SequenceEmpty", [], ["none"]),
            helper.make_node("Loop", ["n", "t", "none"], ["list"], body=body),
            helper.make_node("SequenceLength", ["list"], ["k"]),
            helper.make_node("SequenceAt", ["list", "back"], ["last"]),
            helper.make_node("ConcatFromSequence", ["list"], ["y"], axis=0, new_axis=1),
            helper.make_node("Cast", ["k"], ["length"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["last", "length"], ["z"]),
        ],
        [_tensor("x", TensorProto.FLOAT, [3, 2])],
        [_tensor("y", TensorProto.FLOAT, [3, 2]), _tensor("z", TensorProto.FLOAT, [2])],
        {"n": np.array(3), "t": np.array(True), "back": np.array(-1)},
    )
    written = prepare(model).write()
    assert_same_numbers(model, written)
    counts = Counter(operators(written))
    assert counts == {"Gather": 3, "Exp": 3, "Unsqueeze": 3, "Concat": 1, "Mul": 1}


@pytest.mark.parametrize(
    ("way", "sizes", "shape"),
    [
        ("SplitToSequence<axis=1>(x, k)", "int64 k={2}", "2,1"),
        ("SplitToSequence<axis=-1>(x, k)", "int64[2] k={1, 4}", "2,4"),
        ("SplitToSequence<axis=1, keepdims=0>(x)", "int64 k={2}", "2"),
        ("SplitToSequence<axis=1>(x)", "int64 k={2}", "2,1"),
    ],
)
def test_the_last_part(way: str, sizes: str, shape: str) -> None:
    text = f"""(float[2,5] x) => (float[{shape}] y) <{sizes}, int64 last={{-1}}>
        {{ s = {way} a = SequenceAt(s, last) y = Exp(a) }}"""
    assert set(operators(after(text))) <= {"Split", "Squeeze", "Exp"}


def test_sequences_put_together() -> None:
    text = """(float[1] a, float[1] b, float[1] c) => (float[3] y, int64 n) <int64 one={1}, int64 zero={0}> {
        s = SequenceConstruct(a, b) t = SequenceInsert(s, c, zero) u = SequenceInsert(t, a, one) v = SequenceErase(u, one)
        w = SequenceErase(u) y = ConcatFromSequence<axis=0>(v) n = SequenceLength(w) }"""
    assert operators(after(text)) == ["Concat", "Identity"]


def test_sequence_map() -> None:
    text = """(float[2] a, float[2] b, float[2] k) => (float[4] y) { s = SequenceConstruct(a, b)
        t = SequenceMap <body = f (float[2] e, float[2] m) => (float[2] g) { g = Mul(e, m) }> (s, k)
        y = ConcatFromSequence<axis=0>(t) }"""
    assert operators(after(text)) == ["Mul", "Mul", "Concat"]


@pytest.mark.parametrize(
    ("text", "operator", "reason"),
    [
        ("(float[2] a, int64 k) => (float[2] y) { s = SequenceConstruct(a, a) y = SequenceAt(s, k) }", "SequenceAt",
         "the position in the sequence is not known"),
        ("(float[2,N] a) => (float[2,M] y) <int64 k={0}> { s = SplitToSequence<axis=1>(a) y = SequenceAt(s, k) }",
         "SequenceAt", "the length of the sequence is not known"),
    ],
)  # fmt: skip
def test_sequences_that_stay(text: str, operator: str, reason: str) -> None:
    assert reason in refusal(text, operator)


def _tensor(name: str, kind: int, shape: list[int] | None = None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape or [])


def _sequence(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_sequence_value_info(name, TensorProto.FLOAT, None)


def _model(nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: dict[str, Any]) -> onnx.ModelProto:
    held = [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)


# ------------------------------------------------------------------------------------------------------ to a header


def test_to_a_header(tmp_path: Path) -> None:
    """A recurrence over a scanned input, and a loop over its result, in a header that is right."""
    model = parse("""(float[5,4] x, float[4] h) => (float[4] y, float[5,4] z) <int64 n={3}, bool t={1},
        float[4,4] w={1,0,2,0, 0,1,0,-1, 0.5,0,1,0, 0,0,0.25,1}> {
        a, z = Scan <num_scan_inputs = 1, body = f (float[4] u, float[4] e) => (float[4] v, float[4] o)
            { m = MatMul(u, w) s = Add(m, e) v = Tanh(s) o = Neg(v) }> (h, x)
        y = Loop <body = b (int64 i, bool c, float[4] u) => (bool d, float[4] v)
            { d = Identity(c) r = Gather(z, i) v = Mul(u, r) }> (n, t, a) }""")
    onnx.save(model, tmp_path / "recurrence.onnx")
    report = convert(tmp_path / "recurrence.onnx", output=tmp_path / "made", paranoid=True)
    assert report.verified


#: A function body of another domain with bodies of its own, one that scans, and scans as such.
NAMES = (
    "test_flexattention_score_mod",
    "test_flexattention_relative_positional",
    "test_linear_attention_gated_delta_gqa",
    "test_scan9_multi_state",
)


def test_operators_defined_by_bodies() -> None:
    cases = [c for c in node_cases() if c.name in NAMES]
    with Sofie() as sofie:
        outcomes = {r.name: r.outcome for r in run(cases, constants=False, sofie=sofie)}
    assert outcomes == dict.fromkeys(NAMES, "right")
