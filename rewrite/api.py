"""ONNX in, ONNX that the target takes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

import onnx

import rewrite.rules
from convert.errors import IllegalOperators, WrongRewrite
from rewrite.engine import Engine, Step, Stuck
from rewrite.graph import Graph
from rewrite.origin import Origin, origins_of
from rewrite.passes.densify import densify
from rewrite.passes.drop_no_ops import drop_no_ops
from rewrite.passes.fold_constants import fold_constants
from rewrite.passes.infer_shapes import infer_shapes
from rewrite.passes.inline_functions import inline_functions
from rewrite.passes.inline_if import inline_if
from rewrite.passes.resolve_auto_pad import resolve_auto_pad
from rewrite.passes.settle_opset import settle_opset
from rewrite.passes.write_defaults import write_defaults
from rewrite.target import Target

#: Passes on the graph, in order. Folding follows `If`, whose branches may hold what can be folded.
PASSES: tuple[Callable[[Graph], None], ...] = (
    fold_constants,
    inline_if,
    write_defaults,
    resolve_auto_pad,
    fold_constants,
    drop_no_ops,
)


#: Whether a verdict on one of these nodes has changed.
Review = Callable[[Sequence[onnx.ModelProto]], bool]

#: Second looks at what one model's rewriting comes to: each may show rules that emit what is wrong in its turn.
REVIEWS = 8


@dataclass(frozen=True)
class Rewritten:
    """What rewriting gives.

    :param model: the rewritten model, at :data:`rewrite.graph.OPSET`.
    :param before: nodes per operator, as exported, functions inlined.
    :param after: nodes per operator now.
    :param native: nodes that the target took as they were.
    :param trail: every application of a rule, in order.
    :param stuck: nodes that have no way; empty but in analysis.
    """

    model: onnx.ModelProto
    before: Counter[str]
    after: Counter[str]
    native: Counter[str]
    trail: tuple[Step, ...]
    stuck: tuple[Stuck, ...]
    origins: dict[str, Origin]


def rewrite_model(
    model: onnx.ModelProto, target: Target, *, analysis: bool = False, review: Review | None = None
) -> Rewritten:
    """Rewrite ``model`` (left as it is) until ``target`` takes every node.

    :param analysis: report nodes that have no way instead of raising.
    :param review: a second look at the nodes that ended legal; True if it found that one is not after all.
    :raises convert.errors.IllegalOperators: every node that has no way, each with its place and reasons.
    :raises convert.errors.LoadError: the model is not valid ONNX.
    """
    load_rules()
    for _ in range(REVIEWS):
        graph = prepare(model)
        before = Counter(n.op for n in graph.nodes)
        outcome = Engine(graph, target).run()
        if review is None or not review([graph.probe(n) for n in graph.nodes]):
            break
    if outcome.stuck and not analysis:
        raise IllegalOperators(
            f"{len(outcome.stuck)} of {len(graph.nodes)} nodes have no way to {target.name}",
            findings=tuple(s.finding(target.name) for s in outcome.stuck),
            advice="see --check for the whole picture; what ONNX cannot express needs another design of the model",
        )
    drop_no_ops(graph)
    graph.drop_dead()
    written = graph.write()
    if not outcome.stuck:
        written = _checked(written)
    after = Counter(n.op for n in graph.nodes)
    return Rewritten(
        written, before, after, outcome.native, tuple(outcome.trail), tuple(outcome.stuck), dict(graph.origins)
    )


def prepare(model: onnx.ModelProto) -> Graph:
    """The passes that always run: what rules then see."""
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    densify(copied)
    copied = inline_functions(copied)
    origins = origins_of(copied)
    graph = Graph.read(infer_shapes(settle_opset(copied)), origins)
    for run in PASSES:
        run(graph)
    graph.drop_dead()
    return graph


def _checked(model: onnx.ModelProto) -> onnx.ModelProto:
    try:
        onnx.checker.check_model(model)
        return infer_shapes(model)
    except onnx.checker.ValidationError as error:
        raise WrongRewrite(
            "the rewritten model is not valid ONNX", why=str(error).splitlines()[0], advice="report this with the model"
        ) from error


def load_rules() -> None:
    """Import every module of :mod:`rewrite.rules`; each registers its rules."""
    for module in iter_modules(rewrite.rules.__path__):
        import_module(f"rewrite.rules.{module.name}")
