"""Reshape takes open sizes from the tensor that it reshapes, not from sums of sizes elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from rewrite.graph import Graph, Node, Tensor, is_constant, shape_of
from rewrite.rule import Op
from rewrite.rules._shapes import constant_shape, integers, reshaped, reshaped_by_sizes
from rewrite.shape_arithmetic import shape_arithmetic


def read_sizes_at_hand(graph: Graph) -> None:
    """Reshape(x; [N, A + B, 4]) = Reshape(x; [N, S, 4]), S the size of ``x`` that is known to be A + B.

    A target that follows sizes as text loses track of sums: ``A + B * 4`` is not ``(A + B) * 4``. For the same reason
    -1 is not written for a size that is no input's own: it is 0 where the axis stays, else read off the tensor.
    A size that ``x`` has not comes from the first tensor that has it.
    """
    carriers: dict[str, tuple[Tensor, int]] = {}
    kept: list[Node] = []
    for node in graph.nodes:
        left = _settled(graph, node, carriers)
        kept += left
        for out in (o for n in left for o in n.outputs):
            for axis, size in enumerate(shape_of(out) or ()):
                if isinstance(size, str):
                    carriers.setdefault(size, (out, axis))
    graph.nodes = kept


class _Op(Op):
    """Takes sizes that are no input's own from the first tensor that has them."""

    def __init__(self, graph: Graph, stem: str, carriers: Mapping[str, tuple[Tensor, int]]) -> None:
        super().__init__(graph, stem)
        self._carriers = carriers

    def source(self, symbol: str) -> tuple[Tensor, int] | None:
        return super().source(symbol) or self._carriers.get(symbol)


def _settled(graph: Graph, node: Node, carriers: Mapping[str, tuple[Tensor, int]]) -> list[Node]:
    if node.op != "Reshape" or node.domain:
        return [node]
    constant = is_constant(node.inputs[1])
    op = Op(graph, node.outputs[0].name) if constant else _Op(graph, node.outputs[0].name, carriers)
    made = _kept(op, node) if constant else _read(op, node)
    if made is None:
        graph.discard(op.nodes)
        return [node]
    made.shape = node.outputs[0].shape
    return [*op.nodes, *graph.substitute(node, [made])]


def _kept(op: Op, node: Node) -> Tensor | None:
    """The Reshape with 0 or a size of the tensor for its -1, where that is no input's own size."""
    before, after, given = shape_of(node.inputs[0]), shape_of(node.outputs[0]), integers(op, node.inputs[1])
    if before is None or after is None or given is None or -1 not in given:
        return None
    size = after[given.index(-1)]
    if not isinstance(size, str) or op.source(size) is not None or size not in before:
        return None
    best = constant_shape(before, after)
    if best is None or -1 in best:
        return reshaped_by_sizes(op, node.inputs[0], after)
    return op.Reshape(node.inputs[0], op.ints(*best), allowzero=0)


def _read(op: Op, node: Node) -> Tensor | None:
    """The Reshape with sizes of the tensor itself, where it is given sums."""
    after = shape_of(node.outputs[0])
    if after is None or not any(n.op in ("Add", "Sub") for n in shape_arithmetic(node)):
        return None
    return reshaped(op, node.inputs[0], after)
