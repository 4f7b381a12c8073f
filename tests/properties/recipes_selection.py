"""Operators that select, reduce, compare and convert."""

from __future__ import annotations

from math import prod

import numpy as np
from onnx import TensorProto
from recipes import recipe
from sketch import FLOATS, INTS, KINDS, SIZES, Drawn, Sketch

INDEX = (TensorProto.INT64, TensorProto.INT32)
BOOL = TensorProto.BOOL
REDUCIBLE = (*FLOATS, *INTS[:2], *INTS[6:])


@recipe("ReduceSum", "ReduceMean", "ReduceProd", "ReduceSumSquare", "ReduceL1", "ReduceL2", "ReduceLogSum",
        "ReduceLogSumExp", "ReduceMax", "ReduceMin")  # fmt: skip
def reduce(s: Sketch, operator: str) -> None:
    extra = (BOOL, TensorProto.INT8, TensorProto.UINT8) if operator in ("ReduceMax", "ReduceMin") else ()
    x = s.take((*REDUCIBLE, *extra))
    axes = s.axes(x.rank, 0) if s.chance(80) else None
    noop = s.one((None, None, 0, 1))
    s.node(
        operator,
        [x, s.values(axes) if axes is not None else None],
        keepdims=s.one((None, 0, 1)),
        noop_with_empty_axes=noop,
    )


@recipe("Clip")
def clip(s: Sketch, operator: str) -> None:
    x = s.take((*FLOATS, *INTS))
    low = s.new(x.kind, (), constants=80) if s.chance(70) else None
    high = s.new(x.kind, (), constants=80) if s.chance(70) else None
    s.node(operator, [x, low, high])


@recipe("Where")
def where(s: Sketch, operator: str) -> None:
    x = s.take(KINDS)
    s.node(operator, [s.like(BOOL, s.partner(x.shape), constants=30), x, s.like(x.kind, s.partner(x.shape))])


@recipe("Pow")
def power(s: Sketch, operator: str) -> None:
    x = s.take((*FLOATS, *INTS[:2]))
    kind = x.kind if s.chance(60) else s.kind((*FLOATS[:3], *INTS))
    s.node(operator, [x, s.like(kind, s.partner(x.shape), constants=70)])


@recipe("Mod")
def mod(s: Sketch, operator: str) -> None:
    x = s.take((*FLOATS[:3], *INTS))
    needs = x.kind in FLOATS
    s.node(operator, [x, s.new(x.kind, s.partner(x.shape), constants=50)], fmod=1 if needs else s.one((None, 0, 1)))


@recipe("Div")
def div(s: Sketch, operator: str) -> None:
    x = s.take((*FLOATS, *INTS))
    other = s.like if x.kind in FLOATS else s.new  # of integers, the samples hold no zero divisor in inputs alone
    s.node(operator, [x, other(x.kind, s.partner(x.shape), constants=50)])


@recipe("BitShift")
def bit_shift(s: Sketch, operator: str) -> None:
    x = s.take(INTS[4:])
    s.node(operator, [x, s.like(x.kind, s.partner(x.shape))], direction=s.one(("LEFT", "RIGHT")))


@recipe("PRelu")
def prelu(s: Sketch, operator: str) -> None:
    x = s.take((*FLOATS, *INTS[:2]))
    sizes = [1 if s.chance(40) else d for d in x.shape][s.integer(0, x.rank) :]
    s.node(operator, [x, s.like(x.kind, sizes)])


@recipe("Cast")
def cast(s: Sketch, operator: str) -> None:
    s.node(operator, [s.take(KINDS)], to=s.kind(KINDS))


@recipe("CastLike")
def cast_like(s: Sketch, operator: str) -> None:
    s.node(operator, [s.take(KINDS), s.like(s.kind(KINDS), s.shape((1, 0)))])


@recipe("BitCast")
def bit_cast(s: Sketch, operator: str) -> None:
    groups = ((1, 10), (11, 7), (10, 16, 5, 4), (6, 1, 12), (3, 2), (7, 13, 11))
    group = s.one(groups)
    s.node(operator, [s.take(group[:1])], to=s.one(group))


@recipe("Gather")
def gather(s: Sketch, operator: str) -> None:
    x = s.take(KINDS, (2, 1, 3, 4, 5), (2, 3, 1, 4, 5))
    axis = s.axis(x.rank)
    s.node(operator, [x, _indices(s, s.shape((1, 0, 2)), x.shape[axis])], axis=axis)


@recipe("GatherElements")
def gather_elements(s: Sketch, operator: str) -> None:
    x = s.take(KINDS, (2, 1, 3, 4), (2, 3, 1, 4, 5))
    axis = s.axis(x.rank)
    shape = [s.one(SIZES) if k == axis % x.rank else s.integer(1, d) for k, d in enumerate(x.shape)]
    s.node(operator, [x, _indices(s, shape, x.shape[axis])], axis=axis)


@recipe("ScatterElements")
def scatter_elements(s: Sketch, operator: str) -> None:
    x = s.take(KINDS, (2, 1, 3, 4), (2, 3, 1, 4, 5))
    axis = s.axis(x.rank)
    shape = [s.integer(1, d) for d in x.shape]
    updates = s.like(x.kind, shape)
    reduction = s.one((None, "none", "add", "mul", "max", "min"))
    s.node(operator, [x, _indices(s, shape, x.shape[axis]), updates], axis=axis, reduction=reduction)


@recipe("GatherND", "ScatterND")
def nd(s: Sketch, operator: str) -> None:
    x = s.take(KINDS, (2, 3, 1, 4), (2, 3, 1, 4, 5))
    gathers = operator == "GatherND"
    batch = s.integer(0, x.rank - 1) if gathers and s.chance(30) else 0
    depth = s.integer(1, x.rank - batch)
    front = (*x.shape[:batch], *s.shape((1, 0, 2) if not batch else (0, 1), (2, 1, 3)))
    columns = [np.array(s.ints(prod(front), 0, x.shape[batch + k] - 1), np.int64) for k in range(depth)]
    indices = s.constant(np.stack(columns, -1).reshape(*front, depth))
    if gathers:
        s.node(operator, [x, indices], batch_dims=batch or None)
    else:
        updates = s.like(x.kind, (*front, *x.shape[depth:]))
        s.node(operator, [x, indices, updates], reduction=s.one((None, "none", "add", "mul", "max", "min")))


def _indices(s: Sketch, shape: tuple[int, ...] | list[int], size: int) -> Drawn:
    kind = s.one(INDEX)
    if s.chance(40):
        return s.new(kind, shape)  # samples count along the axis
    low = -size if s.chance(40) else 0
    dtype = np.int64 if kind == TensorProto.INT64 else np.int32
    return s.constant(np.array(s.ints(prod(shape), low, size - 1), dtype).reshape(shape))


@recipe("TopK")
def top_k(s: Sketch, operator: str) -> None:
    x = s.take((*FLOATS, *INTS), (2, 1, 3, 4), (2, 3, 1, 4, 5))
    axis = s.axis(x.rank)
    k = s.values([s.integer(1, x.shape[axis])])
    s.node(operator, [x, k], outputs=2, axis=axis, largest=s.flag(), sorted=s.one((None, 1)))


@recipe("ArgMax", "ArgMin")
def arg(s: Sketch, operator: str) -> None:
    x = s.take((*FLOATS, *INTS), (2, 1, 3, 4, 5), (2, 3, 1, 4, 5))
    s.node(operator, [x], axis=s.axis(x.rank), keepdims=s.one((None, 0, 1)), select_last_index=s.one((None, 1)))


@recipe("Trilu")
def trilu(s: Sketch, operator: str) -> None:
    x = s.take(KINDS, (2, 3, 4))
    s.node(operator, [x, s.values(s.integer(-3, 3)) if s.chance(60) else None], upper=s.one((None, 0, 1)))


@recipe("CumSum", "CumProd")
def cumulative(s: Sketch, operator: str) -> None:
    x = s.take((*FLOATS[:3], *INTS[:2]), (2, 1, 3, 4))
    axis = s.values(s.axis(x.rank), s.one(INDEX))
    s.node(operator, [x, axis], exclusive=s.one((None, 1)), reverse=s.one((None, 1)))


@recipe("OneHot")
def one_hot(s: Sketch, operator: str) -> None:
    indices = s.take((*INTS, *FLOATS[:2]), (1, 2, 3))
    depth = s.values(s.integer(1, 5) if s.chance(50) else [s.integer(1, 5)], s.one(INDEX))
    values = s.new(s.kind(KINDS), (2,), constants=70)
    s.node(operator, [indices, depth, values], axis=s.integer(-indices.rank - 1, indices.rank))


@recipe("Compress")
def compress(s: Sketch, operator: str) -> None:
    x = s.take(KINDS, (2, 1, 3))
    axis = None if s.chance(30) else s.axis(x.rank)
    size = prod(x.shape) if axis is None else x.shape[axis]
    s.node(operator, [x, s.values(np.array(s.ints(size, 0, 1), bool), BOOL)], axis=axis)


@recipe("Unique")
def unique(s: Sketch, operator: str) -> None:
    x = s.take((*FLOATS[:2], *INTS[:3]), (1, 2))
    s.node(
        operator,
        [x],
        outputs=s.integer(1, 4),
        sorted=s.one((None, 0, 1)),
        axis=None if s.chance(60) else s.axis(x.rank),
    )


@recipe("Einsum")
def einsum(s: Sketch, operator: str) -> None:
    size = {letter: s.one((2, 3, 1, 4)) for letter in "bijk"}
    equations = ("ij,jk->ik", "bij,bjk->bik", "ij->ji", "ii->i", "ij,ij->", "i,j->ij", "bij->bj", "ij,jk", "...ij,jk->...ik",
                 "bij,bkj->bik", "ij->", "bii->b", "ijk,kj->i", " i j , j -> i ", "ij,kj,k->i")  # fmt: skip
    equation = s.one(equations)
    kind = s.kind((*FLOATS[:2], *INTS[:2]))
    left = equation.replace(" ", "").split("->")[0]
    shapes = [[size[c] for c in term.replace("...", "b")] for term in left.split(",")]
    s.node(operator, [s.like(kind, shape, constants=30) for shape in shapes], equation=equation)


@recipe("TensorScatter")
def tensor_scatter(s: Sketch, operator: str) -> None:
    batch, size, width, more = s.integer(1, 2), s.integer(2, 4), s.integer(1, 3), s.integer(1, 2)
    kind = s.kind(KINDS)
    cache, update = s.like(kind, (batch, more, size, width)), s.new(kind, (batch, more, s.integer(1, size), width))
    indices = s.values(s.ints(batch, 0, size - update.shape[2])) if s.chance(60) else None
    s.node(operator, [cache, update, indices], mode=s.one((None, "linear", "circular")))


@recipe("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss")
def loss(s: Sketch, operator: str) -> None:
    x = s.take(FLOATS[:3], (2, 3, 4), (2, 3, 1, 4, 5))
    classes = x.shape[1]
    target_shape = (x.shape[0], *x.shape[2:])
    target = s.constant(np.array(s.ints(prod(target_shape), 0, classes - 1)).reshape(target_shape))
    weight = s.like(x.kind, (classes,)) if s.chance(30) else None
    ignored = s.integer(0, classes - 1) if s.chance(30) else None
    reduction = s.one((None, "mean", "sum", "none"))
    outputs = s.one((1, 2)) if operator == "SoftmaxCrossEntropyLoss" else 1
    s.node(operator, [x, target, weight], outputs=outputs, reduction=reduction, ignore_index=ignored)
