"""Operators that move blocks: a Reshape, a Transpose or an Expand, and a Reshape."""

from __future__ import annotations

from rewrite.rule import NodeView, Op, Result, case, refuse, rule
from rewrite.rules._shapes import integers, reshaped


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


@rule("Tile", cases=[
    case("(bool[2,3] x) => (bool[4,6] y) <int64[2] r = {2, 2}> { y = Tile(x, r) }"),
    case("(float[2,1,3] x) => (float[2,4,3] y) <int64[3] r = {1, 4, 1}> { y = Tile(x, r) }"),
    case("(uint8[2,3] x) => (uint8[2,9] y) <int64[2] r = {1, 3}> { y = Tile(x, r) }"),
    case("(double[N,3] x) => (double[N,6] y) <int64[2] r = {1, 2}> { y = Tile(x, r) }"),
    case("(float[3] x, int64[1] r) => (float[N] y) { y = Tile(x, r) }", refuses="not constant"),
    case("(float[N,3] x) => (float[M,3] y) <int64[2] r = {2, 1}> { y = Tile(x, r) }", refuses="no fixed size"),
])  # fmt: skip
def tile_to_expand(op: Op, node: NodeView) -> Result:
    """Tile(x; r) = join(Expand(split(x); 1, r)), where split puts an axis of size 1 before each that is repeated"""
    shape, repeats = op.shape(node.x), integers(op, node.input(1))
    if repeats is None or shape is None:
        return refuse("how often it repeats is not constant")
    if 0 in repeats or 0 in shape:
        return refuse("its result is empty")
    split: list[int | str] = []
    wanted: list[int] = []
    joined: list[int | str] = []
    for d, r in zip(shape, repeats, strict=True):
        if r != 1 and isinstance(d, str):
            return refuse("an axis that it repeats has no fixed size")
        if r != 1 and d != 1:
            split.append(1)
            wanted.append(r)
        split.append(d)
        wanted.append(r if d == 1 else d if isinstance(d, int) else 1)
        joined.append(d * r if isinstance(d, int) else d)
    apart = reshaped(op, node.x, tuple(split)) if len(split) > len(shape) else node.x
    if apart is None:
        return refuse("an axis of it has no fixed size")
    expanded = op.Expand(apart, op.ints(*wanted))
    return reshaped(op, expanded, tuple(joined)) if len(split) > len(shape) else expanded
