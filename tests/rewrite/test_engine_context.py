"""What the engine judges together: pairs that a target merges, and shape arithmetic with what reads it."""

from __future__ import annotations

import onnx
import pytest
from fake_targets import Without
from small_models import assert_same_numbers, operators, parse

from convert.errors import BadModel
from rewrite import rule as registry
from rewrite.api import load_rules, prepare
from rewrite.engine import Engine, Outcome
from rewrite.graph import Graph
from rewrite.rule import NodeView, Op, Result, case, rule
from rewrite.target import Target, Verdict


def run(text: str, target: Target) -> tuple[Graph, Outcome]:
    graph = prepare(parse(text))
    return graph, Engine(graph, target).run()


@pytest.fixture
def no_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    load_rules()
    monkeypatch.setattr(registry, "_RULES", {})


class Merging:
    """Makes one of MatMul and Add, and gets it wrong where what is added has two axes."""

    name = "the fake"
    merges = frozenset({("MatMul", "Add")})

    def judge(self, probe: onnx.ModelProto) -> Verdict:
        operators = [n.op_type for n in probe.graph.node]
        if operators == ["MatMul", "Add"]:
            added = {i.name: i for i in probe.graph.input}[probe.graph.node[1].input[1]]
            legal = len(added.type.tensor_type.shape.dim) == 1
            return Verdict(legal, "" if legal else "no such sum")
        return Verdict(True)


PRODUCT = "(float[2,3] x, float[3,4] w, float[{b}] b) => (float[2,4] y) {{ t = MatMul(x, w) y = Add(t, b) }}"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (PRODUCT.format(b="4"), ["MatMul", "Add"]),
        (PRODUCT.format(b="2,4"), ["MatMul", "Neg", "Sub"]),
        # who reads the product twice keeps the two apart
        (PRODUCT.format(b="2,4").replace("y = Add(t, b)", "u = Add(t, b) y = Mul(u, t)"), ["MatMul", "Add", "Mul"]),
    ],
)
def test_pairs_that_the_target_merges_are_judged_together(text: str, left: list[str]) -> None:
    load_rules()
    graph, outcome = run(text, Merging())
    assert not outcome.stuck
    assert operators(graph.write()) == left
    assert_same_numbers(parse(text), graph.write())


def test_a_merged_pair_without_a_way_is_told(no_rules: None) -> None:
    _, outcome = run(PRODUCT.format(b="2,4"), Merging())
    assert [(s.operator, s.reason) for s in outcome.stuck] == [("Add", "no such sum")]


def test_shape_arithmetic_is_judged_with_what_reads_it(no_rules: None) -> None:
    """A target that follows sizes takes Shape before Reshape, and may refuse it alone."""
    seen: list[list[str]] = []

    class Watching(Without):
        def judge(self, probe: onnx.ModelProto) -> Verdict:
            seen.append([n.op_type for n in probe.graph.node])
            return super().judge(probe)

    text = "(float[N,4] x, float[N,2,2] z) => (float[N,2,2] y) { s = Shape(z) h = Neg(x) y = Reshape(h, s) }"
    graph, outcome = run(text, Watching("Shape"))
    assert not outcome.stuck
    assert seen == [["Neg"], ["Shape", "Reshape"]]
    assert operators(graph.write()) == ["Shape", "Neg", "Reshape"]
    _, outcome = run(text, Watching("Reshape"))
    assert [s.operator for s in outcome.stuck] == ["Reshape"]


def test_sizes_that_the_model_gives_are_judged_as_tensors(no_rules: None) -> None:
    _, outcome = run("(float[N,4] x) => (int64[2] y) { y = Shape(x) }", Without("Shape"))
    assert [s.operator for s in outcome.stuck] == ["Shape"]


def test_a_node_that_is_none_is_no_rules_fault(no_rules: None) -> None:
    """Sizes that a branch of an If is not for come to light as its nodes are rewritten."""

    @rule("LSTM", cases=[case("(float[3] x) => (float[3] y) { y = Neg(x) }")])
    def again(op: Op, node: NodeView) -> Result:
        """the same"""
        return list(op.build("LSTM", node.inputs, node.attributes, outputs=len(node.outputs)))

    weights = "float[1,8,3] w, float[1,8,2] r"
    graph = prepare(parse(f"(float[4,1,3] x, {weights}) => (float[4,1,1,2] y) {{ y = LSTM<hidden_size=2>(x, w, r) }}"))
    graph.nodes[0].inputs[0].shape = [4, 1, 1, 3]
    with pytest.raises(BadModel, match="is not valid ONNX") as caught:
        Engine(graph, Without("LSTM")).run()
    assert "rank" in caught.value.finding.why
