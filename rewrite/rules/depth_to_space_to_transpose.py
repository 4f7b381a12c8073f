"""Operators that move blocks: a Reshape, a Transpose and a Reshape."""

from __future__ import annotations

from rewrite.rule import NodeView, Op, Result, case, refuse, rule
from rewrite.rules._shapes import reshaped


@rule("DepthToSpace", cases=[
    case("(float[2,8,2,3] x) => (float[2,2,4,6] y) { y = DepthToSpace<blocksize=2, mode=\"DCR\">(x) }"),
    case("(float[1,18,1,2] x) => (float[1,2,3,6] y) { y = DepthToSpace<blocksize=3, mode=\"CRD\">(x) }"),
    case("(float[N,4,2,2] x) => (float[N,1,4,4] y) { y = DepthToSpace<blocksize=2>(x) }"),
    case("(float[1,4,H,W] x) => (float[1,1,K,L] y) { y = DepthToSpace<blocksize=2>(x) }", refuses="fixed sizes"),
])  # fmt: skip
def depth_to_space_to_transpose(op: Op, node: NodeView) -> Result:
    """y[n, c, h b + p, w b + q] = x[n, (p b + q) C + c, h, w] (DCR) or x[n, (c b + p) b + q, h, w] (CRD)"""
    n, *rest = op.shape(node.x) or ("",)
    b = node.attr("blocksize")
    if len(rest) != 3 or not all(isinstance(d, int) for d in rest):
        return refuse("it needs fixed sizes of depth, height and width")
    depth, height, width = (int(d) for d in rest)
    c = depth // (b * b)
    columns = node.attr("mode") == "DCR"
    split = reshaped(op, node.x, (n, b, b, c, height, width) if columns else (n, c, b, b, height, width))
    moved = op.Transpose(split, perm=[0, 3, 4, 1, 5, 2] if columns else [0, 1, 4, 2, 5, 3])
    return reshaped(op, moved, (n, c, height * b, width * b))


@rule("SpaceToDepth", cases=[
    case("(float[2,2,4,6] x) => (float[2,8,2,3] y) { y = SpaceToDepth<blocksize=2>(x) }"),
    case("(int64[N,1,3,6] x) => (int64[N,9,1,2] y) { y = SpaceToDepth<blocksize=3>(x) }"),
    case("(float[1,1,H,4] x) => (float[1,4,K,2] y) { y = SpaceToDepth<blocksize=2>(x) }", refuses="fixed sizes"),
])  # fmt: skip
def space_to_depth_to_transpose(op: Op, node: NodeView) -> Result:
    """y[n, (p b + q) C + c, h, w] = x[n, c, h b + p, w b + q]"""
    n, *rest = op.shape(node.x) or ("",)
    b = node.attr("blocksize")
    if len(rest) != 3 or not all(isinstance(d, int) for d in rest):
        return refuse("it needs fixed sizes of depth, height and width")
    c, height, width = (int(d) for d in rest)
    split = reshaped(op, node.x, (n, c, height // b, b, width // b, b))
    return reshaped(op, op.Transpose(split, perm=[0, 3, 5, 1, 2, 4]), (n, c * b * b, height // b, width // b))
