"""``--paranoid``: a change that keeps the numbers passes, one that does not is named, one that cannot be told is listed."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from fake_targets import Without
from rule_cases import every_case, model_of
from small_models import parse

from convert.errors import WrongRewrite
from rewrite import rule as registry
from rewrite.api import load_rules, prepare, rewrite_model
from rewrite.engine import Engine
from rewrite.graph import Graph
from rewrite.rule import Case, NodeView, Op, Result, Rule, case, operator_of, rule
from rewrite.target import Verdict
from sofie_bridge.witness import OnnxWitness

CASE = [case("(float[3] x) => (float[3] y) { y = Neg(x) }")]


@pytest.fixture
def only_rules_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    load_rules()
    monkeypatch.setattr(registry, "_RULES", {})


def softplus_to_nearly(op: Op, node: NodeView) -> Result:
    """Softplus(x) = log(exp(x) + 1.001), which is wrong"""
    return op.Log(op.Add(op.Exp(node.x), 1.001))


def softplus_to_log(op: Op, node: NodeView) -> Result:
    """Softplus(x) = max(x, 0) + log(exp(-|x|) + 1)"""
    return op.Add(op.Relu(node.x), op.Log(op.Add(op.Exp(op.Neg(op.Abs(node.x))), 1.0)))


@pytest.mark.usefixtures("only_rules_of_the_test")
@pytest.mark.parametrize("shape", ["2,3", "N,3", "", "0,3"])
def test_a_wrong_rule_is_named_with_its_place(shape: str) -> None:
    rule("Softplus", cases=CASE)(softplus_to_nearly)
    shape = f"[{shape}]" if shape else ""
    model = parse(f"(float{shape} x) => (float{shape} y) {{ a = Neg(x) b = Softplus(a) y = Abs(b) }}")
    model.graph.node[1].name = "act/softplus"
    witness = OnnxWitness()
    if "0" in shape:  # nothing is in it that could be wrong
        rewrite_model(model, Without("Softplus"), witness=witness)
        return
    with pytest.raises(WrongRewrite, match="the rule softplus_to_nearly changed the numbers of Softplus") as caught:
        rewrite_model(model, Without("Softplus"), witness=witness)
    assert caught.value.finding.where == "Softplus node 'act/softplus'"
    assert "max |difference|" in caught.value.finding.why
    assert "inputs 'random 0': t1 float32" in caught.value.finding.why


@pytest.mark.usefixtures("only_rules_of_the_test")
def test_without_a_witness_nobody_looks() -> None:
    rule("Softplus", cases=CASE)(softplus_to_nearly)
    assert rewrite_model(parse("(float[3] x) => (float[3] y) { y = Softplus(x) }"), Without("Softplus")).trail


@pytest.mark.usefixtures("only_rules_of_the_test")
def test_a_right_model_passes_and_is_counted() -> None:
    rule("Softplus", cases=CASE)(softplus_to_log)
    model = parse("(float[N,3] x) => (float[N,3] y) { a = Softplus(x) b = Mish(a) c = Softplus(b) y = Celu(c) }")
    witness = OnnxWitness()
    rewritten = rewrite_model(model, Without("Softplus", "Mish", "Celu"), witness=witness)
    assert {s.rule for s in rewritten.trail} == {"softplus_to_log", "function_body"}
    assert witness.unjudged == []
    assert witness.checked > len(rewritten.trail)
    assert witness.summary == f"{witness.checked} changes checked"


@pytest.mark.usefixtures("only_rules_of_the_test")
@pytest.mark.parametrize("wrong", ["dtype", "shape", "order"])
def test_other_dtypes_shapes_and_outputs_are_wrong_too(wrong: str) -> None:
    @rule("TopK", cases=CASE)
    def top_k_to_sorted(op: Op, node: NodeView) -> Result:
        """the two largest"""
        values, indices = op.TopK(node.x, op.ints(3 if wrong == "shape" else 2), largest=1, outputs=2)
        if wrong == "dtype":
            return [values, op.Cast(indices, to=onnx.TensorProto.INT32)]
        return [op.Neg(values), indices] if wrong == "order" else [values, indices]

    graph = prepare(parse("(float[4] x) => (float[U] y, int64[V] i) <int64[1] k={2}> { y, i = TopK(x, k) }"))
    engine = Engine(graph, Without("TopK"), OnnxWitness())
    with pytest.raises(WrongRewrite, match="top_k_to_sorted changed"):
        engine.run()


def test_a_wrong_pass_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget_a_node(graph: Graph) -> None:
        graph.nodes = [*graph.substitute(graph.nodes[0], [graph.nodes[0].inputs[0]]), *graph.nodes[1:]]

    monkeypatch.setattr("rewrite.api.PASSES", (forget_a_node,))
    model = parse("(float[3] x) => (float[3] y) { a = Neg(x) y = Exp(a) }")
    with pytest.raises(WrongRewrite, match="the pass forget_a_node changed the numbers of the model"):
        rewrite_model(model, Without(), witness=OnnxWitness())


@pytest.mark.usefixtures("only_rules_of_the_test")
def test_what_does_not_run_is_wrong() -> None:
    @rule("Softplus", cases=CASE)
    def softplus_to_gather(op: Op, node: NodeView) -> Result:
        """f(x) = x[7]"""
        index = op.Add(op.Cast(op.Mul(node.x, 0.0), to=onnx.TensorProto.INT64), 7)
        return op.Gather(node.x, index, axis=0)

    with pytest.raises(WrongRewrite, match="what it made does not run"):
        rewrite_model(
            parse("(float[3] x) => (float[3] y) { y = Softplus(x) }"), Without("Softplus"), witness=OnnxWitness()
        )


def test_random_numbers_cannot_be_judged() -> None:
    model = parse("(float[3] x) => (float[3] y) { r = RandomNormal<shape=[3]>() a = Mul(x, r) y = Neg(a) }")
    witness = OnnxWitness()
    rewritten = rewrite_model(model, Without(), witness=witness, analysis=True)
    assert [s.operator for s in rewritten.stuck] == ["RandomNormal"]
    assert witness.checked == 0
    assert {f.why for f in witness.unjudged} == {"RandomNormal is random"}
    assert witness.summary.endswith("could not be")


def test_equal_changes_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from sofie_bridge import witness as module

    ran: list[str] = []
    judge = module._judge

    def counting(before: onnx.ModelProto, after: onnx.ModelProto, change: Any) -> str:
        ran.append(change.by)
        return judge(before, after, change)

    monkeypatch.setattr(module, "_judge", counting)
    model = parse("(float[3] x) => (float[3] y) { a = Mish(x) b = Mish(a) y = Mish(b) }")
    witness = OnnxWitness()
    rewrite_model(model, Without("Mish"), witness=witness)
    assert ran.count("the rule function_body") == 1


def test_constants_enter_with_their_values() -> None:
    """A rule that works on large weights is checked on them; a probe would have had zeros for them."""
    model = parse("(float[1,2000] x) => (float[1,2000] y) { y = Mul(x, w) }")
    weights = np.linspace(-1, 1, 2000, dtype=np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weights, "w"))
    seen: list[onnx.ModelProto] = []

    class Watching(OnnxWitness):
        def compare(self, before: onnx.ModelProto, after: onnx.ModelProto, *, by: str, what: str, where: str) -> None:
            if "rule" in by:
                seen.extend((before, after))
            super().compare(before, after, by=by, what=what, where=where)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_RULES", {})

        @rule("Mul", cases=CASE)
        def mul_to_div(op: Op, node: NodeView) -> Result:
            """x w = x / (1 / w)"""
            held = op.value(node.inputs[1])
            assert held is not None
            return op.Div(node.x, op.const(1 / held))

        rewrite_model(model, Without("Mul"), witness=Watching())
    before, after = seen
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(before.graph.initializer[0]), weights)
    assert [n.op_type for n in after.graph.node] == ["Div", "Identity"]


@pytest.mark.usefixtures("only_rules_of_the_test")
@pytest.mark.parametrize("right", [True, False])
def test_bodies_read_what_is_around_them(*, right: bool) -> None:
    @rule("If", cases=CASE)
    def if_to_where(op: Op, node: NodeView) -> Result:
        """If(c; -z, |z|) = Where(c, -z, |z|)"""
        z = node.attr("then_branch").nodes[0].inputs[0]
        return op.Where(node.x, op.Neg(z), op.Abs(z) if right else z)

    model = parse("""(float[3] x, bool c) => (float[3] y) { z = Sin(x) y = If(c)
        <then_branch = t () => (float[3] a) { a = Neg(z) }, else_branch = e () => (float[3] b) { b = Abs(z) }> }""")
    witness = OnnxWitness()
    if right:
        rewrite_model(model, Without("If"), witness=witness)
        assert witness.unjudged == []
    else:
        with pytest.raises(WrongRewrite, match="if_to_where changed the numbers of If"):
            rewrite_model(model, Without("If"), witness=witness)


def firing() -> list[tuple[Rule, Case]]:
    return [(r, c) for r, c in every_case() if not c.refuses]


def test_every_rule_passes_on_its_own_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    """No right rule is accused, and next to none is left unjudged."""
    cases = firing()
    witness = OnnxWitness()
    for held, text in cases:
        monkeypatch.setattr(registry, "_RULES", {(held.operator, held.merged): [held]})
        monkeypatch.setattr("rewrite.engine.expand", lambda _, __: registry.refuse(""))
        graph = prepare(model_of(text))
        engine = Engine(graph, Without(held.operator), witness)
        for node in [n for n in graph.nodes if operator_of(n) == held.operator]:
            engine._rewrite(node, 0, Verdict(False, "no"), merged=held.merged)
    assert witness.checked > 0.9 * len(cases)
    assert len(witness.unjudged) < 0.1 * len(cases), [str(f) for f in witness.unjudged]
