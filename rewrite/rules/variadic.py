"""Sum, Mean, Max and Min of several tensors."""

from __future__ import annotations

from functools import reduce

from rewrite.rule import NodeView, Op, Result, case, refuse, rule

_PAIR = {"Sum": "Add", "Mean": "Add", "Max": "Max", "Min": "Min"}


@rule(*_PAIR, cases=[
    case("(float[N,1] x, float[3] z, float[N,3] w) => (float[N,3] y) { y = Sum(x, z, w) }"),
    case("(float[N,1] x, float[3] z, float[2,1,3] w) => (float[2,N,3] y) { y = Mean(x, z, w) }"),
    case("(float[N,1] x, float[3] z, float[1] w, float[N,3] v) => (float[N,3] y) { y = Max(x, z, w, v) }"),
    case("(int64[N,1] x, int64[3] z, int64[N,3] w) => (int64[N,3] y) { y = Min(x, z, w) }"),
    case("(float[N,3] x, float[3] z) => (float[N,3] y) { y = Mean(x, z) }"),
    case("(float[2,3] x, float[2,3] z) => (float[2,3] y) { y = Max(x, z) }", refuses="of two"),
])  # fmt: skip
def variadic_to_pairs(op: Op, node: NodeView) -> Result:
    """f(a, b, c, ...) = f(f(a, b), c) ...; Mean = Sum / n"""
    pair = _PAIR[node.op]
    count = len(node.inputs)
    if count == 2 and pair == node.op:
        return refuse("it is of two tensors already")
    joined = reduce(lambda a, b: op.build(pair, [a, b], {})[0], node.inputs)
    if node.op == "Mean" and count > 1:
        return op.Div(joined, count)
    return op.Identity(joined) if count == 1 else joined
