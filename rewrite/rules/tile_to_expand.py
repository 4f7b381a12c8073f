"""Tile: a Reshape, an Expand and a Reshape."""

from __future__ import annotations

from rewrite.graph import Shape, Tensor
from rewrite.rule import NodeView, Op, Result, case, refuse, rule
from rewrite.rules._shapes import reshaped
from rewrite.rules._sizes import sizes_in


@rule("Tile", cases=[
    case("(bool[2,3] x) => (bool[4,6] y) <int64[2] r = {2, 2}> { y = Tile(x, r) }"),
    case("(float[2,1,3] x) => (float[2,4,3] y) <int64[3] r = {1, 4, 1}> { y = Tile(x, r) }"),
    case("(uint8[2,3] x) => (uint8[2,9] y) <int64[2] r = {1, 3}> { y = Tile(x, r) }"),
    case("(double[N,3] x) => (double[N,6] y) <int64[2] r = {1, 2}> { y = Tile(x, r) }"),
    case("(float[N,3] x) => (float[M,3] y) <int64[2] r = {2, 1}> { y = Tile(x, r) }"),
    case("(float[2,N] x) => (float[2,M] y) <int64[2] r = {1, 3}> { y = Tile(x, r) }"),
    case("(float[4] x, float[N,2] z) => (float[M] y) { r = Shape<end=1>(z) y = Tile(x, r) }"),
    case("(float[1,1,4] x, float[N,2] z) => (float[1,N,8] y) <int64[1] o = {1}, int64[1] t = {2}>"
         " { n = Shape<end=1>(z) r = Concat<axis=0>(o, n, t) y = Tile(x, r) }"),
    case("(float[1,4] x, float[N,2] z) => (float[M,4] y) <int64[1] o = {1}, int64[1] t = {2}>"
         " { n = Shape<end=1>(z) m = Mul(n, t) r = Concat<axis=0>(m, o) y = Tile(x, r) }"),
    case("(float[3] x, int64[1] r) => (float[N] y) { y = Tile(x, r) }", refuses="known"),
    case("(float[3] x) => (float[0] y) <int64[1] r = {0}> { y = Tile(x, r) }", refuses="empty"),
])  # fmt: skip
def tile_to_expand(op: Op, node: NodeView) -> Result:
    """Tile(x; r) = join(Expand(split(x); 1, r)), where split puts an axis of size 1 before each that is repeated"""
    shape, repeats = op.shape(node.x), _repeats(op, node)
    if repeats is None or shape is None:
        return refuse("how often it repeats is not known before the model runs")
    if 0 in repeats or 0 in shape:
        return refuse("its result is empty")
    split: list[int | str] = []
    wanted: list[int | str] = []
    parts: list[Tensor] = []
    for k, (d, r) in enumerate(zip(shape, repeats, strict=True)):
        if r != 1:
            split.append(1)
            wanted.append(r)
            parts.append(op.ints(r) if isinstance(r, int) else _element(op, node.inputs[1], k))
        if r == 1 or d != 1:
            split.append(d)
            wanted.append(d)
            parts.append(op.ints(d if isinstance(d, int) else 1))
    apart = reshaped(op, node.x, tuple(split)) if len(split) > len(shape) else node.x
    if apart is None:
        return refuse("its sizes are open and cannot be split")
    if all(isinstance(r, int) for r in repeats):
        expanded = op.Expand(apart, op.ints(*(d if isinstance(d, int) else 1 for d in wanted)))
    else:
        expanded = op.Expand(apart, op.Concat(*parts, axis=0))
    expanded.shape = tuple(wanted)
    joined = reshaped(op, expanded, op.shape(node.outputs[0]) or ()) if len(split) > len(shape) else expanded
    return refuse("its sizes are open and cannot be joined") if joined is None else joined


def _repeats(op: Op, node: NodeView) -> Shape | None:
    """How often along each axis, in numbers and sizes of inputs; an axis of size one ends as long as it is repeated."""
    before, after, held = op.shape(node.x), op.shape(node.outputs[0]), sizes_in(node.input(1))
    if held is not None or before is None or after is None:
        return held
    known = [1 if a == b else a if b == 1 else None for b, a in zip(before, after, strict=True)]
    return None if None in known else tuple(r for r in known if r is not None)


def _element(op: Op, tensor: Tensor, k: int) -> Tensor:
    return op.Slice(tensor, op.ints(k), op.ints(k + 1), op.ints(0), op.ints(1))
