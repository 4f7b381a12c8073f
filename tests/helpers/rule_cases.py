"""What the tests of rules share: a case's model, its inputs, a rule applied by hand."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from rewrite.api import load_rules, prepare
from rewrite.graph import IR_VERSION, OPSET, Graph, Node
from rewrite.rule import Case, NodeView, Op, Refusal, Rule, all_rules, operator_of

#: Values that every float input of a case meets: zeros of both signs, tiny, saturating, large, and ordinary ones.
EDGES = (0.0, -0.0, 1e-38, -1e-38, 0.5, -0.5, 1.5, 2.5, 1.0, -1.0, 88.0, -88.0, 3e4, -3e4)

#: Versions of the other domains whose operators have rules.
DOMAINS = {"ai.onnx.ml": 3, "ai.onnx.preview.training": 1}


def model_of(case: Case) -> onnx.ModelProto:
    """The case's text as a model."""
    imports = "".join(f', "{domain}": {version}' for domain, version in DOMAINS.items() if f"{domain}." in case.text)
    text = f'<ir_version: {IR_VERSION}, opset_import: ["": {OPSET}{imports}]> case {case.text}'
    model = onnx.parser.parse_model(text)
    onnx.checker.check_model(model)
    return model


def inputs_of(model: onnx.ModelProto, seed: int) -> dict[str, np.ndarray]:
    """Arrays for the model's inputs: seed 0 holds the edges, others noise; symbolic dimensions are 3."""
    generator = np.random.default_rng(seed)
    arrays = {}
    for info in model.graph.input:
        dtype = helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
        shape = [d.dim_value if d.HasField("dim_value") else 3 for d in info.type.tensor_type.shape.dim]
        if dtype == np.bool_:
            arrays[info.name] = generator.random(shape) < 0.5
        elif np.issubdtype(dtype, np.integer):
            arrays[info.name] = generator.integers(0, 3, shape).astype(dtype)
        elif seed == 0:
            arrays[info.name] = generator.choice(np.array(EDGES), shape).astype(dtype)
        else:
            arrays[info.name] = generator.standard_normal(shape).astype(dtype)
    return arrays


def every_case() -> list[tuple[Rule, Case]]:
    load_rules()
    return [(r, c) for r in all_rules() for c in r.cases if f"{r.operator}<" in c.text or f"{r.operator}(" in c.text]


def apply_rule(rule: Rule, model: onnx.ModelProto) -> tuple[Graph, Refusal | list[Node]]:
    """The rule on the first node of its operator, whatever a target says of it."""
    graph = prepare(model)
    node = next(n for n in graph.nodes if operator_of(n) == rule.operator)
    op = Op(graph, node.outputs[0].name)
    origin = graph.origin(node)
    result = rule.body(op, NodeView(node))
    if isinstance(result, Refusal):
        return graph, result
    results = result if isinstance(result, list | tuple) else [result]
    position = next(i for i, n in enumerate(graph.nodes) if n is node)
    made = [*op.nodes, *graph.substitute(node, results)]
    for new in made:
        for out in new.outputs:
            graph.origins.setdefault(out.name, origin)
    graph.nodes = [*graph.nodes[:position], *made, *graph.nodes[position + 1 :]]
    return graph, made
