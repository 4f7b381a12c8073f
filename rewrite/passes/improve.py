"""The passes that make a model faster, ahead of the rules."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeAlias

from rewrite.graph import Graph, Node
from rewrite.passes.collapse_shape_chains import collapse_shape_chains
from rewrite.passes.fold_into_weights import fold_into_weights
from rewrite.passes.fuse_matmul_add import fuse_matmul_add
from rewrite.passes.fuse_patterns import fuse_patterns
from rewrite.passes.merge_constants import merge_constants
from rewrite.passes.push_transposes import push_transposes
from rewrite.passes.raise_transposes import raise_transposes
from rewrite.passes.spell_hard_swish import spell_hard_swish
from rewrite.witness import Watch

Fusion: TypeAlias = Callable[[Graph, Callable[[Node], bool]], None]

#: Layout first: what a transpose or a Reshape keeps apart can be fused only then.
LAYOUT: tuple[Callable[[Graph], None], ...] = (
    collapse_shape_chains,
    push_transposes,
    raise_transposes,
    collapse_shape_chains,
)
#: Fusions into operators that the target has to have. They look for what exporters write, so they come before
#: constants are merged and folded into weights.
INTO_OPERATORS: tuple[Fusion, ...] = (fuse_patterns, spell_hard_swish, fuse_matmul_add)
#: Fusions of constants.
INTO_CONSTANTS: tuple[Callable[[Graph], None], ...] = (fold_into_weights, merge_constants)


def improve(graph: Graph, takes: Callable[[Node], bool], watch: Watch) -> None:
    """Transposes out of the way, then fusions; in place.

    It runs once, before the rules: they judge, and rewrite where need be, all that it leaves, so nothing that the
    target does not take can come out of it; and as nothing of this runs behind a rule, the two cannot go in circles.
    Besides, there is less to look for: the patterns are those that exporters write, and transposes meet ONNX's own
    operators (Resize, Pad, Softmax, ReduceMean) rather than the many that a rule expresses one of them by.

    :param takes: whether the target takes a node, as it is now.
    """
    for run in LAYOUT:
        watch.on_graph(run, graph)
    for fuse in INTO_OPERATORS:
        watch.on_graph(_asking(fuse, takes), graph)
    for run in INTO_CONSTANTS:
        watch.on_graph(run, graph)


def _asking(fuse: Fusion, takes: Callable[[Node], bool]) -> Callable[[Graph], None]:
    @wraps(fuse)
    def run(graph: Graph) -> None:
        fuse(graph, takes)

    return run
