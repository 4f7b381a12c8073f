"""Concat, without what adds nothing."""

from __future__ import annotations

from rewrite.rule import NodeView, Op, Result, case, refuse, rule


@rule("Concat", cases=[
    case("(float[2,3] x, float[2,1] z) => (float[2,4] y) <float[2,0] e = {}> { y = Concat<axis=1>(x, e, z) }"),
    case("(int64[3] x) => (int64[3] y) <int64[0] e = {}> { y = Concat<axis=0>(e, x) }"),
    case("(float[2,3] x, float[2,1] z) => (float[2,4] y) { y = Concat<axis=1>(x, z) }", refuses="none of its inputs"),
])  # fmt: skip
def concat_without_empty(op: Op, node: NodeView) -> Result:
    """Concat(a, [], b) = Concat(a, b)"""
    left = [t for t in node.inputs if t is not None and 0 not in (op.shape(t) or ())]
    if len(left) == len(node.inputs) or not left:
        return refuse("none of its inputs is empty, or all are")
    return op.Identity(left[0]) if len(left) == 1 else op.Concat(*left, axis=node.attr("axis"))
