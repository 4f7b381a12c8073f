"""What the tests of layout and fusions share: models before and after, by operators and by numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import onnx
from small_models import arrays_for, assert_same_numbers, operators

from rewrite.api import prepare
from rewrite.graph import Node
from rewrite.passes.improve import improve
from rewrite.witness import Watch


def improved(
    model: onnx.ModelProto,
    takes: Callable[[Node], bool] = lambda _: True,
    *,
    rtol: float = 1e-5,
    atol: float = 1e-6,
) -> onnx.ModelProto:
    """The model behind the passes; valid, and of the same numbers as before. Every node has provenance."""
    graph = prepare(model)
    improve(graph, takes, Watch())
    graph.drop_dead()
    lost = [n.op for n in graph.nodes if not any(o.name in graph.origins for o in n.outputs)]
    assert lost == [], "without provenance"
    after = graph.write()
    for seed in range(2):
        assert_same_numbers(model, after, arrays_for(model, seed), rtol=rtol, atol=atol)
    return after


def counts(model: onnx.ModelProto) -> Counter[str]:
    return Counter(operators(model))
