"""TopK, the order of equals and of zeros settled."""

from __future__ import annotations

import numpy as np

from rewrite.graph import Tensor
from rewrite.rule import NodeView, Op, Result, case, refuse, rule
from rewrite.rules._shapes import integers


@rule("TopK", cases=[
    case("(float[3,5] x) => (float[3,2] y, int64[3,2] i) <int64[1] k = {2}> { y, i = TopK(x, k) }"),
    case("(float[3,5] x) => (float[3,5] y, int64[3,5] i) <int64[1] k = {5}> { y, i = TopK<largest=0>(x, k) }"),
    case("(float[5,3] x) => (float[1,3] y, int64[1,3] i) <int64[1] k = {1}> { y, i = TopK<axis=0, sorted=0>(x, k) }"),
    case("(float[2,5,3] x) => (int64[2,4,3] i) <int64[1] k = {4}> { y, i = TopK<axis=-2>(x, k) }"),
    case("(float[N,5] x) => (float[N,2] y, int64[N,2] i) <int64[1] k = {2}> { y, i = TopK(x, k) }"),
    case("(int64[3,5] x) => (int64[3,1] y, int64[3,1] i) <int64[1] k = {1}> { y, i = TopK<sorted=0>(x, k) }"),
    case("(int64[3,5] x) => (int64[3,2] y, int64[3,2] i) <int64[1] k = {2}> { y, i = TopK(x, k) }", refuses="as plain"),
    case("(float[3,5] x) => (float[3,2] y, int64[3,2] i) <int64[1] k = {2}> { y, i = TopK<sorted=0>(x, k) }",
         refuses="order"),
    case("(int64[3,5] x, int64[1] n) => (int64[3,2] y, int64[3,2] i) <int64[1] o = {0}, int64[1] t = {2}> "
         "{ m = Mul(n, o) k = Add(m, t) y, i = TopK(x, k) }"),
    case("(float[3,5] x, int64[1] k) => (float[3,K] y, int64[3,K] i) { y, i = TopK(x, k) }", refuses="not constant"),
])  # fmt: skip
def top_k_to_one_zero(op: Op, node: NodeView) -> Result:
    """TopK(x) = TopK(x + 0), which makes -0 and 0 equals by their bits too; of a tensor with one axis more"""
    count = integers(op, node.input(1))
    shapes = [op.shape(t) for i, t in enumerate(node.outputs) if node.wants(i)]
    sizes = {s[node.attr("axis")] for s in shapes if s is not None}
    if count is None:
        count = [k for k in sizes if isinstance(k, int)][:1]
        if not count:
            return refuse("k is not constant")
    if not node.attr("sorted") and count[0] != 1:
        return refuse("the order of unsorted results is not defined")
    floating = op.dtype(node.x).kind == "f"
    if _is_result(node.x) or (node.attr("sorted") and not floating and op.value(node.input(1)) is not None):
        return refuse("it is as plain as it gets")
    rank = op.rank(node.x)
    if rank is None:
        return refuse("the rank is not known")
    same = op.Add(node.x, np.zeros((), op.dtype(node.x))) if floating else node.x
    attrs = {"axis": node.attr("axis") % rank + 1, "largest": node.attr("largest"), "sorted": 1}
    values, indices = op.build("TopK", [op.Unsqueeze(same, op.ints(0)), op.ints(*count)], attrs, outputs=2)
    return [op.Squeeze(t, op.ints(0)) if node.wants(i) else None for i, t in enumerate((values, indices))]


def _is_result(x: Tensor) -> bool:
    """Did this rule make what ``x`` is?"""
    maker = x.inputs[0] if x.inputs else None
    source = maker.inputs[0] if maker is not None and maker.op == "Unsqueeze" else None
    return source is not None and bool(source.inputs) and source.inputs[0].op == "Add"
