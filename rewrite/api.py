"""ONNX in, ONNX that the target takes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pkgutil import iter_modules

import onnx

import rewrite.rules
from convert.errors import IllegalOperators, WrongRewrite
from rewrite.bodies import settle_bodies
from rewrite.engine import Engine, Step, Stuck
from rewrite.graph import Graph
from rewrite.kept import mark
from rewrite.origin import Origin, origins_of
from rewrite.passes.densify import densify
from rewrite.passes.drop_empty_inputs import drop_empty_inputs
from rewrite.passes.drop_no_ops import drop_no_ops
from rewrite.passes.fold_constants import fold_constants
from rewrite.passes.hand_over_channels_first import Layout, hand_over_channels_first
from rewrite.passes.improve import improve
from rewrite.passes.infer_shapes import infer_shapes
from rewrite.passes.inline_functions import inline_functions
from rewrite.passes.inline_if import inline_if
from rewrite.passes.plain_slices import plain_slices
from rewrite.passes.read_sizes_at_hand import read_sizes_at_hand
from rewrite.passes.resolve_auto_pad import resolve_auto_pad
from rewrite.passes.resolve_sizes import resolve_sizes
from rewrite.passes.run_in_float32 import STANDS_FOR, reads_bits, run_in_float32
from rewrite.passes.settle_opset import settle_opset
from rewrite.passes.unroll_loops import unroll_loops
from rewrite.passes.write_defaults import write_defaults
from rewrite.target import Library, Target
from rewrite.weights import set_aside
from rewrite.witness import Watch, Witness

#: Passes on the graph, in order. Folding follows `If`, whose branches may hold what can be folded.
PASSES: tuple[Callable[[Graph], None], ...] = (
    drop_empty_inputs,
    fold_constants,
    plain_slices,
    inline_if,
    unroll_loops,
    resolve_sizes,
    fold_constants,
    inline_if,
    unroll_loops,
    resolve_sizes,
    read_sizes_at_hand,
    write_defaults,
    resolve_auto_pad,
    fold_constants,
    drop_no_ops,
)


#: Whether a verdict on one of these nodes has changed.
Review = Callable[[Iterable[onnx.ModelProto]], bool]

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
    :param in_float32: dtypes of the exported model that run in float32, inputs and outputs too.
    :param layout: inputs and outputs that are channels first, where that was asked for.
    :param kept: names of the outputs of nodes that are left to the library's kernels.
    """

    model: onnx.ModelProto
    before: Counter[str]
    after: Counter[str]
    native: Counter[str]
    trail: tuple[Step, ...]
    stuck: tuple[Stuck, ...]
    origins: dict[str, Origin]
    in_float32: frozenset[str] = frozenset()
    layout: Layout = field(default_factory=Layout)
    kept: frozenset[str] = frozenset()


def rewrite_model(
    model: onnx.ModelProto,
    target: Target,
    *,
    analysis: bool = False,
    review: Review | None = None,
    in_float32: frozenset[str] = frozenset(),
    witness: Witness | None = None,
    improving: bool = True,
    channels_first: bool = False,
    library: Library | None = None,
) -> Rewritten:
    """Rewrite ``model`` (left as it is) until ``target`` takes every node.

    :param analysis: report nodes that have no way instead of raising.
    :param review: a second look at the nodes that ended legal; True if it found that one is not after all.
    :param in_float32: dtypes to run in float32; others join them where nodes of theirs have no way.
    :param improving: whether to look for faster forms first (:mod:`rewrite.passes.improve`).
    :param channels_first: whether inputs and outputs change to that layout where the model is channels last.
    :param library: kernels for nodes that have no way.
    :param witness: sees each pass and each application of a rule; a raise of its ends the rewriting.
    :raises convert.errors.IllegalOperators: every node that has no way, each with its place and reasons.
    :raises convert.errors.LoadError: the model is not valid ONNX.
    """
    load_rules()
    for _ in range(REVIEWS):
        graph = prepare(model, in_float32, witness)
        before = Counter(n.op for n in graph.nodes)
        engine = Engine(graph, target, witness, library)
        if improving:
            improve(graph, engine.takes, Watch(witness))
            Watch(witness).on_graph(read_sizes_at_hand, graph)
        layout = hand_over_channels_first(graph) if channels_first else Layout()
        outcome = engine.run()
        wider = _stuck_for_their_dtype(outcome.stuck) - in_float32
        if wider and not reads_bits(model):
            in_float32 |= wider
            continue
        if outcome.stuck and improving:
            improving = False  # to be faster must not cost a node its way
            continue
        if review is None or not review(engine.probes()):
            break
    if outcome.stuck and not analysis:
        raise IllegalOperators(
            f"{len(outcome.stuck)} of {len(graph.nodes)} nodes have no way to {target.name}",
            findings=tuple(s.finding(target.name) for s in outcome.stuck),
            advice="see --check for the whole picture; what ONNX cannot express needs another design of the model",
        )
    Watch(witness).on_graph(drop_no_ops, graph)
    graph.drop_dead()
    written = graph.write(None if outcome.stuck else _checked)
    mark(written, outcome.kept)

    again = partial(rewrite_model, target=target, analysis=analysis, review=review, witness=witness, library=library)
    inner = [] if outcome.stuck else settle_bodies(written, lambda body: again(body, in_float32=in_float32))
    wider = frozenset(d for r in inner for d in r.in_float32) - in_float32
    if wider:  # what enters a body, or leaves it, has one dtype inside and outside
        return again(model, in_float32=in_float32 | wider, channels_first=channels_first)
    after = Counter(n.op for n in graph.nodes)
    return Rewritten(
        written,
        before,
        after,
        outcome.native,
        (*outcome.trail, *(s for r in inner for s in r.trail)),
        (*outcome.stuck, *(s for r in inner for s in r.stuck)),
        dict(graph.origins),
        in_float32,
        layout,
        frozenset(outcome.kept),
    )


def _stuck_for_their_dtype(stuck: Sequence[Stuck]) -> frozenset[str]:
    return frozenset(dtype for s in stuck for dtype in s.dtypes) & STANDS_FOR.keys()


def prepare(model: onnx.ModelProto, in_float32: frozenset[str] = frozenset(), witness: Witness | None = None) -> Graph:
    """The passes that always run: what rules then see."""
    watch = Watch(witness)
    copied, weights = set_aside(model, stay=(STANDS_FOR[k] for k in in_float32))
    copied = watch.on_model(densify, copied)
    copied = watch.on_model(inline_functions, copied)
    origins = origins_of(copied)
    copied = watch.on_model(settle_opset, copied)
    run_in_float32(copied, in_float32)
    graph = Graph.read(infer_shapes(copied), origins, weights)
    for run in PASSES:
        watch.on_graph(run, graph)
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
