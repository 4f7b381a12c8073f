"""Expand to a shape that is computed from the sizes of its own input."""

from __future__ import annotations

from rewrite.rule import NodeView, Op, Result, case, refuse, rule
from rewrite.rules._shapes import integers, reshaped


@rule("Expand", cases=[
    case("(float[N,1,3] x) => (float[N,4,3] y) { n = Shape<end=1>(x) c = Constant<value_ints=[4, 3]>()"
         " s = Concat<axis=0>(n, c) y = Expand(x, s) }"),
    case("(bool[N,L,1] x) => (bool[N,L,2] y) { n = Shape<end=2>(x) c = Constant<value_ints=[2]>()"
         " s = Concat<axis=0>(n, c) y = Expand(x, s) }"),
    case("(int64[L] x) => (int64[2,L] y) { l = Shape(x) c = Constant<value_ints=[2]>()"
         " s = Concat<axis=0>(c, l) y = Expand(x, s) }"),
    case("(float[1,3] x, float[N,3] z) => (float[N,3] y) { s = Shape(z) y = Expand(x, s) }", refuses="not its own"),
    case("(float[1,3] x) => (float[2,3] y) <int64[2] s = {2, 3}> { y = Expand(x, s) }", refuses="constant already"),
])  # fmt: skip
def expand_to_constant_shape(op: Op, node: NodeView) -> Result:
    """Expand(x; s) = Expand(x; s with 1 for each size that x has itself)"""
    before, after = op.shape(node.x), op.shape(node.outputs[0])
    if before is None or after is None:
        return refuse("how many axes it gives is not known before the model runs")
    aligned = (*[1] * (len(after) - len(before)), *before)
    if any(isinstance(d, str) and d != b for d, b in zip(after, aligned, strict=True)):
        return refuse("it takes on sizes that are not its own")
    wanted = [1 if isinstance(d, str) else int(d) for d in after]
    given = integers(op, node.input(1))
    if given is not None and [1] * (len(after) - len(given)) + given == wanted:
        return refuse("its shape is constant already")
    x = reshaped(op, node.x, aligned) if len(after) > len(before) else node.x
    return refuse("it has too many open sizes") if x is None else op.Expand(x, op.ints(*wanted))
