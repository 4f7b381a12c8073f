"""Operators that give the same elements in the same order another shape."""

from __future__ import annotations

from rewrite.graph import Tensor
from rewrite.rule import NodeView, Op, Refusal, Result, case, refuse, rule
from rewrite.rules._shapes import constant_shape, integers, reshaped

_SYMBOLS = "(float[N,3,L] x) => (float[N,3,L] y) "


@rule("Reshape", "Flatten", "Squeeze", "Unsqueeze", cases=[
    case("(float[2,3,4] x) => (float[2,12] y) <int64[2] s = {0, -1}> { y = Reshape(x, s) }"),
    case("(int64[2,3,4] x) => (int64[2,3,2,2] y) <int64[4] s = {0, 0, 2, -1}> { y = Reshape<allowzero=0>(x, s) }"),
    case("(bool[2,6] x) => (bool[3,4] y) <int64[2] s = {3, -1}> { y = Reshape<allowzero=1>(x, s) }"),
    case("(float[N,3,4] x) => (float[N,12] y) <int64[2] s = {0, -1}> { y = Reshape(x, s) }"),
    case("(float[N,3,4] x) => (float[M,4] y) <int64[2] s = {-1, 4}> { y = Reshape(x, s) }"),
    case("(float[N,L,6] x) => (float[N,L,2,3] y) <int64[4] s = {0, -1, 2, 3}> { y = Reshape(x, s) }"),
    case("(float[N,3,L] x) => (float[N,3,L,1] y) <int64[4] s = {0, 3, -1, 1}> { y = Reshape(x, s) }"),
    case("(float[N,L,6] x) => (float[N,L,2,3] y) { n = Shape<end=1>(x) l = Shape<start=1, end=2>(x)"
         " c = Constant<value_ints=[2, 3]>() s = Concat<axis=0>(n, l, c) y = Reshape(x, s) }"),
    case("(float[N,3,L] x) => (float[M,L] y) { i = Constant<value_int=2>() r = Shape(x) l = Gather(r, i)"
         " z = Constant<value_ints=[0]>() u = Unsqueeze(l, z) c = Constant<value_ints=[-1]>()"
         " s = Concat<axis=0>(c, u) y = Reshape(x, s) }"),
    case("(float[5,N,4] x) => (float[M,5] y) <int64[2] s = {-1, 5}> { y = Reshape(x, s) }"),
    case("(float[N,L,4] x) => (float[3,M] y) <int64[2] s = {3, -1}> { y = Reshape(x, s) }"),
    case("(float[N,3,4] x) => (float[M,4] y) { y = Flatten<axis=2>(x) }"),
    case("(int64[2,3,4] x) => (int64[6,4] y) { y = Flatten<axis=-1>(x) }"),
    case("(float[2,1,3,1] x) => (float[2,3] y) { y = Squeeze(x) }"),
    case("(float[N,1,3,1] x) => (float[N,3,1] y) <int64[1] a = {-3}> { y = Squeeze(x, a) }"),
    case("(float[1] x) => (float[1,1,1] y) <int64[2] a = {-1, 0}> { y = Unsqueeze(x, a) }"),
    case("(float[2,3] x) => (float[3,2] y) <int64[2] s = {3, 2}> { y = Reshape(x, s) }", refuses="constant already"),
    case("(float[2,3] x, int64[2] s) => (float[M,L] y) { y = Reshape(x, s) }", refuses="computed at run time"),
])  # fmt: skip
def reshape_to_resolved_shape(op: Op, node: NodeView) -> Result:
    """Reshape(x; s) = Reshape(x; shape of the result), as Flatten, Squeeze and Unsqueeze are"""
    before, after = op.shape(node.x), op.shape(node.outputs[0])
    if before is None or after is None:
        return refuse("the shape is computed at run time, and inference does not find it")
    reason = _done(op, node)
    if reason is not None:
        return reason
    made = reshaped(op, node.x, after)
    shown = f"[{', '.join(map(str, before))}] to [{', '.join(map(str, after))}]"
    if made is None:
        return refuse(f"{shown} needs sizes that are computed at run time")
    return made


def _done(op: Op, node: NodeView) -> Refusal | None:
    """Is the node what this rule would make of it?"""
    if node.op != "Reshape":
        return None
    before, after = op.shape(node.x), op.shape(node.outputs[0])
    given, best = integers(op, node.input(1)), constant_shape(before or (), after or ())
    if given is not None and given == best:
        return refuse("its shape is constant already, and in the simplest form")
    if given is not None or best is not None:
        return None
    return refuse("its shape is made of Shape already") if _of_shape(node.x, node.inputs[1]) else None


def _of_shape(x: Tensor, shape: Tensor) -> bool:
    """Is ``shape`` a Concat of constants, sizes of ``x`` or of the model's inputs, their products and quotients?"""
    if not shape.inputs:
        return False
    producer = shape.inputs[0]
    match producer.op:
        case "Shape":
            return producer.inputs[0] is x or not producer.inputs[0].inputs
        case "Concat" | "Mul" | "Div":
            return all((t.name and not t.inputs) or _of_shape(x, t) for t in producer.inputs)
    return False
