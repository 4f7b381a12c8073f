"""The engine against targets of our own making: rules fire because the target refuses, and for no other reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from small_models import arrays_for, assert_same_numbers, operators, parse

from convert.errors import IllegalOperators, NotConverging, WrongRewrite
from rewrite import rule as registry
from rewrite.api import load_rules, prepare, rewrite_model
from rewrite.engine import GENERATIONS, Engine, Outcome
from rewrite.graph import Graph
from rewrite.origin import Origin
from rewrite.rule import Body, NodeView, Op, Result, case, refuse, rule
from rewrite.target import Verdict

CASE = [case("(float[3] x) => (float[3] y) { y = Neg(x) }")]


class Fake:
    """Takes all but some operators, and counts how often it is asked."""

    name = "the fake"
    merges: frozenset[tuple[str, str]] = frozenset()

    def __init__(self, *refused: str, only: set[str] | None = None) -> None:
        self.refused, self.only = refused, only
        self.asked: Counter[str] = Counter()

    def judge(self, probe: onnx.ModelProto) -> Verdict:
        onnx.checker.check_model(probe)
        operator = probe.graph.node[-1].op_type
        self.asked[operator] += 1
        legal = operator not in self.refused and (self.only is None or operator in self.only)
        return Verdict(legal, "" if legal else f"no {operator} here")


AddRule = Callable[..., Callable[[Body], Body]]


@pytest.fixture
def add_rule(monkeypatch: pytest.MonkeyPatch) -> AddRule:
    """``add_rule(operator)(body)``: a rule that is gone after the test; the project's own are out of the way."""
    load_rules()
    monkeypatch.setattr(registry, "_RULES", {})
    return lambda *operators: rule(*operators, cases=CASE)


def run(text: str, target: Fake) -> tuple[Graph, Outcome]:
    graph = prepare(parse(text))
    return graph, Engine(graph, target).run()


def softplus_body(op: Op, node: NodeView) -> Result:
    """Softplus(x) = Log(Exp(x) + 1)"""
    return op.Log(op.Add(op.Exp(node.x), 1.0))


# -------------------------------------------------------------------------------------------------------- legality


def test_a_rule_fires_because_the_target_refuses(add_rule: AddRule) -> None:
    add_rule("Softplus")(softplus_body)
    text = "(float[3] x) => (float[3] y) { y = Softplus(x) }"
    graph, outcome = run(text, Fake("Softplus"))
    assert operators(graph.write()) == ["Exp", "Add", "Log"]
    assert_same_numbers(parse(text), graph.write())
    (step,) = outcome.trail
    assert (step.rule, step.because, step.after) == ("softplus_body", "no Softplus here", ("Exp", "Add", "Log"))
    assert step.before == "Softplus(float32[3])"
    assert outcome.native == Counter()


def test_rules_are_silent_where_the_target_takes_all(add_rule: AddRule) -> None:
    called: list[str] = []

    def never(_: Op, node: NodeView) -> Result:
        """f(x) = f(x)"""
        called.append(node.op)
        return refuse("never")

    add_rule("Softplus", "Neg")(never)
    graph, outcome = run("(float[3] x) => (float[3] y) { a = Softplus(x) y = Neg(a) }", Fake())
    assert operators(graph.write()) == ["Softplus", "Neg"]
    assert (called, outcome.trail, outcome.stuck) == ([], [], [])
    assert outcome.native == Counter(Softplus=1, Neg=1)


def test_what_a_rule_emits_is_judged_in_turn(add_rule: AddRule) -> None:
    add_rule("Softplus")(softplus_body)

    @add_rule("Log")
    def log_to_anything(op: Op, node: NodeView) -> Result:
        """a chain of two"""
        return op.Sqrt(node.x)

    graph, outcome = run("(float[3] x) => (float[3] y) { y = Softplus(x) }", Fake("Softplus", "Log"))
    assert operators(graph.write()) == ["Exp", "Add", "Sqrt"]
    assert [(s.generation, s.rule) for s in outcome.trail] == [(0, "softplus_body"), (1, "log_to_anything")]


def test_refusals_of_all_rules_are_gathered(add_rule: AddRule) -> None:
    def first(op: Op, node: NodeView) -> Result:
        """f(x) = 1"""
        op.Exp(node.x)  # built in vain
        return refuse("the first does not like it")

    def second(_: Op, __: NodeView) -> Result:
        """f(x) = 2"""
        return refuse("nor does the second")

    add_rule("Tan")(first)
    add_rule("Tan")(second)
    graph, outcome = run("(float[3] x) => (float[3] y) { y = Tan(x) }", Fake("Tan"))
    (stuck,) = outcome.stuck
    assert stuck.refusals == (("first", "the first does not like it"), ("second", "nor does the second"))
    finding = stuck.finding("the fake")
    assert finding.where == "Tan node 'y'"
    assert "the fake says: no Tan here" in finding.why
    assert "first: the first does not like it; second: nor does the second" in finding.why
    assert [n.op for n in graph.inputs[0].outputs] == ["Tan"], "what was built in vain is still hooked in"


def test_rules_that_undo_each_other(add_rule: AddRule) -> None:
    @add_rule("Softplus")
    def to_softsign(op: Op, node: NodeView) -> Result:
        """f(x) = g(x)"""
        return op.Softsign(node.x)

    @add_rule("Softsign")
    def to_softplus(op: Op, node: NodeView) -> Result:
        """g(x) = f(x)"""
        return op.Softplus(node.x)

    with pytest.raises(NotConverging, match="keep undoing") as caught:
        run("(float[3] x) => (float[3] y) { y = Softplus(x) }", Fake("Softplus", "Softsign"))
    assert "to_softsign turned Softplus" in caught.value.finding.why
    assert "to_softplus turned Softsign" in caught.value.finding.why
    assert GENERATIONS < 100


def test_an_invalid_node_is_the_rules_fault(add_rule: AddRule) -> None:
    @add_rule("Softplus")
    def broken(op: Op, node: NodeView) -> Result:
        """f(x) = x W with W of the wrong size"""
        return op.MatMul(node.x, op.const(np.zeros((7, 7)), np.float32))

    with pytest.raises(WrongRewrite, match="broken"):
        run("(float[3] x) => (float[3] y) { y = Softplus(x) }", Fake("Softplus"))


def test_a_rule_may_give_back_its_input_or_a_constant(add_rule: AddRule) -> None:
    @add_rule("Softplus")
    def to_nothing(_: Op, node: NodeView) -> Result:
        """f(x) = x"""
        return node.x

    @add_rule("Softsign")
    def to_constant(op: Op, _: NodeView) -> Result:
        """f(x) = 1"""
        return op.const([1, 1, 1], np.float32)

    graph, _ = run("(float[3] x) => (float[3] y) { a = Neg(x) b = Softplus(a) y = Exp(b) }", Fake("Softplus"))
    assert operators(graph.write()) == ["Neg", "Exp"]
    graph, _ = run("(float[3] x) => (float[3] y) { a = Softsign(x) y = Add(a, x) }", Fake("Softsign"))
    assert operators(graph.write()) == ["Add"]
    graph, _ = run("(float[3] x) => (float[3] y) { y = Softsign(x) }", Fake("Softsign"))
    assert operators(graph.write()) == ["Identity"]


def test_what_is_left_of_a_constant_output_is_judged_too(add_rule: AddRule) -> None:
    """An output of the model needs a node that makes it: Identity, which a target may refuse."""

    @add_rule("Identity")
    def identity_to_sum(op: Op, node: NodeView) -> Result:
        """x = x + 0"""
        return op.Add(node.x, op.const(0, op.dtype(node.x)))

    text = "(float[2,3] x) => (int64[2] y) { y = Shape(x) }"
    graph, _ = run(text, Fake("Identity"))
    assert operators(graph.write()) == ["Shape"]
    graph, outcome = run(text, Fake("Identity", "Shape"))
    assert not outcome.stuck
    assert operators(graph.write()) == ["Add"]
    assert_same_numbers(parse(text), graph.write())
    _, outcome = run(text, Fake("Identity", "Shape", "Add"))
    assert [s.operator for s in outcome.stuck] == ["Add"]


def test_nodes_that_nobody_reads_are_not_judged(add_rule: AddRule) -> None:
    @add_rule("Softplus")
    def wasteful(op: Op, node: NodeView) -> Result:
        """f(x) = exp(x), and more than that"""
        op.Abs(op.Sqrt(node.x))
        return op.Exp(node.x)

    target = Fake("Softplus", "Sqrt", "Abs")
    _, outcome = run("(float[3] x) => (float[3] y) { y = Softplus(x) }", target)
    assert not outcome.stuck
    assert target.asked == Counter(Softplus=1, Exp=1)


def test_a_result_that_is_read_must_be_given(add_rule: AddRule) -> None:
    @add_rule("TopK")
    def topk_to_max(op: Op, node: NodeView) -> Result:
        """the values alone"""
        return [op.ReduceMax(node.x, op.ints(-1)), None]

    text = "(float[4] x) => (float[1] y, int64[1] j) <int64[1] k={1}> { y, i = TopK(x, k) j = Neg(i) }"
    with pytest.raises(WrongRewrite, match="nothing for 'i'"):
        run(text, Fake("TopK"))


def test_outputs_that_nobody_wants_need_no_result(add_rule: AddRule) -> None:
    @add_rule("TopK")
    def topk_to_max(op: Op, node: NodeView) -> Result:
        """the values alone"""
        return [op.ReduceMax(node.x, op.ints(-1)), None]

    graph, _ = run("(float[4] x) => (float[1] y) <int64[1] k={1}> { y, i = TopK(x, k) }", Fake("TopK"))
    assert operators(graph.write()) == ["ReduceMax"]


# ------------------------------------------------------------------------------------------------- function bodies


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("(float[3] x) => (float[3] y) { y = Softsign(x) }", ["Softsign"]),
        ("(float[3] x) => (float[3] y) { y = Mish(x) }", ["Mish"]),
        ("(float[3] x) => (float[3] y) { y = Celu<alpha=0.7>(x) }", ["Celu"]),
        ("(float[3] x) => (float[3] y) { y = ThresholdedRelu<alpha=0.3>(x) }", ["ThresholdedRelu"]),
        ("(int32[3] x, float[1] t) => (float[3] y) { y = CastLike(x, t) }", ["CastLike"]),
        ("(float[2,4,3] x) => (float[2,4,3] y) <float[4] s={1,2,3,4}, float[4] b={0,1,0,1}>"
         " { y = GroupNormalization<num_groups=2>(x, s, b) }", ["GroupNormalization"]),
        ("(float[2,3,4] x) => (float[2,3,4] y) <float[4] s={1,2,3,4}> { y = LayerNormalization(x, s) }",
         ["LayerNormalization"]),
        ("(float[2,3] x) => (float[2,3] y) <float z={0.5}> { y = Clip(x, , z) }", ["Clip"]),
        ("(float[1,2,3,4] q, float[1,2,5,4] k, float[1,2,5,4] v) => (float[1,2,3,4] y) { y = Attention(q, k, v) }",
         ["Attention"]),
        ("(float[2,3] x) => (float[2,3] y) { y = HardSwish(x) }", ["HardSwish", "HardSigmoid"]),
    ],
)  # fmt: skip
def test_function_bodies_expand(text: str, refused: list[str], add_rule: AddRule) -> None:
    graph, outcome = run(text, Fake(*refused))
    assert not outcome.stuck
    assert not {*refused} & {n.op for n in graph.nodes}
    assert {s.rule for s in outcome.trail} == {"function_body"}
    written = graph.write()
    assert_same_numbers(parse(text), written, rtol=1e-5)


def test_no_function_body(add_rule: AddRule) -> None:
    _, outcome = run("(float[3] x) => (float[3] y) { y = Tan(x) }", Fake("Tan"))
    assert [s.refusals for s in outcome.stuck] == [()]
    assert "no rule expresses it" in outcome.stuck[0].finding("x").why


# --------------------------------------------------------------------------------------------------- folding inside


def test_what_a_rule_leaves_constant_is_folded(add_rule: AddRule) -> None:
    @add_rule("Softplus")
    def scaled(op: Op, node: NodeView) -> Result:
        """f(x) = x * sqrt(16)"""
        return op.Mul(node.x, op.Sqrt(op.const(16, np.float32)))

    target = Fake("Softplus", "Sqrt")
    graph, _ = run("(float[3] x) => (float[3] y) { y = Softplus(x) }", target)
    assert operators(graph.write()) == ["Mul"]
    assert target.asked["Sqrt"] == 0


def test_shapes_that_settle_are_passed_on(add_rule: AddRule) -> None:
    """A rule makes a run-time shape constant; what follows is judged with the size that comes of it."""

    @add_rule("NonZero")
    def to_two(op: Op, _: NodeView) -> Result:
        """a shape that is known after all"""
        return op.const([[0, 1]], np.int64)

    seen: list[Any] = []

    class Watching(Fake):
        def judge(self, probe: onnx.ModelProto) -> Verdict:
            seen.append([d.dim_value for d in probe.graph.output[0].type.tensor_type.shape.dim])
            return super().judge(probe)

    text = "(float[3] x) => (float[1,K] y) { i = NonZero(x) g = Gather(x, i) y = Neg(g) }"
    run(text, Watching("NonZero"))
    assert seen[-2:] == [[1, 2], [1, 2]]


def test_defaults_are_written_out_for_new_nodes(add_rule: AddRule) -> None:
    @add_rule("Softplus")
    def to_softmax(op: Op, node: NodeView) -> Result:
        """f(x) = g(x)"""
        return op.LeakyRelu(node.x)

    graph, _ = run("(float[3] x) => (float[3] y) { y = Softplus(x) }", Fake("Softplus"))
    assert graph.nodes[0].attrs == {"alpha": pytest.approx(0.01)}


# ------------------------------------------------------------------------------------------------------ provenance


def test_provenance_survives_rules(add_rule: AddRule) -> None:
    add_rule("Softplus")(softplus_body)
    model = parse("(float[3] x) => (float[3] y) { a = Softplus(x) y = Neg(a) }")
    model.graph.node[0].name = "act/softplus"
    trace = 'File "model/net.py", line 42, in forward\n    return softplus(x)'
    model.graph.node[0].metadata_props.add(key="pkg.torch.onnx.stack_trace", value=trace)
    rewritten = rewrite_model(model, Fake("Softplus"))
    origins = [_origin(n) for n in rewritten.model.graph.node]
    assert origins == ["Softplus node 'act/softplus' (model/net.py:42)"] * 3 + ["Neg node 'y'"]
    assert str(rewritten.trail[0]).startswith("Softplus node 'act/softplus' (model/net.py:42): softplus_body turned")
    assert model.graph.node[0].op_type == "Softplus", "the user's model was changed"


def _origin(node: onnx.NodeProto) -> str:
    return str(Origin.of(node))


# -------------------------------------------------------------------------------------------------------- the end


def test_the_report_names_every_stuck_node(add_rule: AddRule) -> None:
    model = parse("(float[3] x) => (float[3] y) { a = Tan(x) b = Neg(a) c = Tan(b) y = Sinh(c) }")
    for serial, node in enumerate(model.graph.node):
        node.name = f"node {serial}"
    with pytest.raises(IllegalOperators, match="3 of 4 nodes have no way to the fake") as caught:
        rewrite_model(model, Fake("Tan", "Sinh"))
    assert [f.where for f in caught.value.findings] == ["Tan node 'node 0'", "Tan node 'node 2'", "Sinh node 'node 3'"]


def test_analysis_raises_nothing_and_changes_nothing(add_rule: AddRule) -> None:
    model = parse("(float[3] x) => (float[3] y) { a = Tan(x) y = Neg(a) }")
    kept = model.SerializeToString(deterministic=True)
    rewritten = rewrite_model(model, Fake("Tan"), analysis=True)
    assert [s.operator for s in rewritten.stuck] == ["Tan"]
    assert rewritten.native == Counter(Neg=1)
    assert model.SerializeToString(deterministic=True) == kept


def test_unknown_types_and_ranks_are_not_asked_about(add_rule: AddRule) -> None:
    target = Fake()
    graph = prepare(parse("(float[3] x) => (float[3] y) { a = my.Thing(x) y = Neg(a) }", domains={"my": 1}))
    outcome = Engine(graph, target).run()
    assert "dtype of 'a'" in outcome.stuck[0].reason
    assert outcome.stuck[0].signature == "my.Thing(float32[3])"
    graph = prepare(parse("(float[3] x, int64[K] s) => (float[] y) { y = Reshape(x, s) }"))
    assert "rank" in Engine(graph, Fake()).run().stuck[0].reason


def test_the_target_is_asked_once_per_distinct_node(add_rule: AddRule) -> None:
    """2000 equal nodes, one question; the time is linear in what comes out."""
    nodes = [helper.make_node("Softplus", [f"t{i}"], [f"t{i + 1}"]) for i in range(2000)]
    infos = [helper.make_tensor_value_info(n, 1, [3]) for n in ("t0", "t2000")]
    graph = helper.make_graph(nodes, "m", infos[:1], infos[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 26)], ir_version=10)
    add_rule("Softplus")(softplus_body)
    target = Fake("Softplus")
    rewritten = rewrite_model(model, target)
    assert target.asked == Counter(Softplus=1, Exp=1, Add=1, Log=1)
    assert len(rewritten.trail) == 2000
    assert rewritten.after == Counter(Exp=2000, Add=2000, Log=2000)


def test_a_registry_refuses_a_name_twice(add_rule: AddRule) -> None:
    body: Body = softplus_body
    add_rule("Softplus")(body)
    with pytest.raises(ValueError, match="already"):
        add_rule("Softplus")(body)
    with pytest.raises(ValueError, match="equation"):
        add_rule("Softplus")(lambda _, __: refuse(""))


def test_shape_arithmetic_that_its_reader_no_longer_reads(add_rule: AddRule) -> None:
    @add_rule("Reshape")
    def reshape_to_flatten(op: Op, node: NodeView) -> Result:
        """Reshape(x; Shape(x)[:1], -1) = Flatten(x)"""
        return op.Flatten(node.x)

    text = """(float[N,3,4] x) => (float[N,12] y) <int64[1] r={-1}>
        { n = Shape<end=1>(x) s = Concat<axis=0>(n, r) y = Reshape(x, s) }"""
    graph, outcome = run(text, Fake("Shape", "Reshape", "Concat"))
    assert not outcome.stuck
    assert operators(graph.write()) == ["Flatten"]
    assert_same_numbers(parse(text), graph.write(), arrays_for(parse(text)))
