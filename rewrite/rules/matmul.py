"""MatMul of stacks that broadcast, of vectors and of integers; Gemm with a factor before its bias."""

from __future__ import annotations

from math import prod

import numpy as np
from onnx import helper

from rewrite.graph import Shape, Tensor
from rewrite.rule import NodeView, Op, Result, case, refuse, rule

#: Products that a product of integer matrices may write down before it adds them up.
MOST = 1 << 22
#: ONNX's numbers of the types.
_INT64, _BOOL = 7, 9


@rule("MatMul", cases=[
    case("(int64[2,3] x, int64[3,4] z) => (int64[2,4] y) { y = MatMul(x, z) }"),
    case("(int32[5,2,3] x, int32[3] z) => (int32[5,2] y) { y = MatMul(x, z) }"),
    case("(int64[3] x, int64[3] z) => (int64 y) { y = MatMul(x, z) }"),
    case("(uint32[N,3] x, uint32[3,2] z) => (uint32[N,2] y) { y = MatMul(x, z) }"),
    case("(float[2,3] x, float[3,4] z) => (float[2,4] y) { y = MatMul(x, z) }", refuses="no integers"),
    case("(int64[300,200] x, int64[200,300] z) => (int64[300,300] y) { y = MatMul(x, z) }", refuses="products"),
])  # fmt: skip
def integer_matmul_to_sum(op: Op, node: NodeView) -> Result:
    """MatMul(x, z) = ReduceSum over k of x[..., i, k, 1] z[..., 1, k, j]"""
    dtype = op.dtype(node.x)
    if dtype.kind not in "iu":
        return refuse(f"{dtype} are no integers")
    if dtype in (np.int32, np.int64):
        x, z = node.inputs
    else:
        x, z = (op.Cast(t, to=_INT64) for t in node.inputs)
    rows = op.rank(x) != 1
    if op.rank(z) == 1:
        product = op.Mul(x, z)
        total = op.ReduceSum(product, op.ints(-1), keepdims=int(not rows), noop_with_empty_axes=0)
        total = total if rows else op.Squeeze(total, op.ints(0))
    else:
        product = op.Mul(op.Unsqueeze(x, op.ints(-1)), op.Unsqueeze(z, op.ints(-3)) if rows else z)
        total = op.ReduceSum(product, op.ints(-2), keepdims=0, noop_with_empty_axes=0)
    written = op.static_shape(product)
    if written is not None and prod(written) > MOST:
        return refuse(f"{prod(written)} products would be written down before they are added up")
    return total if op.dtype(total) == dtype else op.Cast(total, to=helper.np_dtype_to_tensor_dtype(dtype))


@rule("MatMul", cases=[
    case("(float[2,1,2,3] x, float[3,3,2] z) => (float[2,3,2,2] y) { y = MatMul(x, z) }"),
    case("(float[2,3,2,3] x, float[1,3,3,2] z) => (float[2,3,2,2] y) { y = MatMul(x, z) }"),
    case("(float[2,3,2,3] x) => (float[2,3,2,1] y) <float[2,1,3,1] z = {1,2,3,4,5,6}> { y = MatMul(x, z) }"),
    case("(float[N,4,2,3] x, float[4,3,4] z) => (float[N,4,2,4] y) { y = MatMul(x, z) }"),
    case("(float[3,2,3] x, float[N,3,3,2] z) => (float[N,3,2,2] y) { y = MatMul(x, z) }"),
    case("(float[4] x, float[2,2,4,3] z) => (float[2,2,3] y) { y = MatMul(x, z) }"),
    case("(float[3] x, float[2,3,4] z) => (float[2,4] y) { y = MatMul(x, z) }"),
    case("(float[2,2,3,4] x, float[4] z) => (float[2,2,3] y) { y = MatMul(x, z) }"),
    case("(float[N,3] x, float[3] z) => (float[N] y) { y = MatMul(x, z) }"),
    case("(float[3] x, float[N,3,4] z) => (float[N,4] y) { y = MatMul(x, z) }"),
    case("(float[3] x, float[3] z) => (float y) { y = MatMul(x, z) }"),
    case("(float[2,3] x, float[3,4] z) => (float[2,4] y) { y = MatMul(x, z) }", refuses="equal already"),
    case("(float[A,4,2,3] x, float[B,1,3,4] z) => (float[C,4,2,4] y) { y = MatMul(x, z) }", refuses="broadcast"),
])  # fmt: skip
def matmul_to_equal_stacks(op: Op, node: NodeView) -> Result:
    """MatMul(x, z) = MatMul(Expand(x), Expand(z)) of equal stacks; a vector is a matrix of one row or column"""
    x, z = node.inputs
    single = [i for i, t in ((-2, x), (-1, z)) if op.rank(t) == 1]
    if op.dtype(x).kind != "f":
        return refuse(f"{op.dtype(x)} are no floating-point numbers")
    x = op.Unsqueeze(x, op.ints(0)) if op.rank(x) == 1 else x
    z = op.Unsqueeze(z, op.ints(1)) if op.rank(z) == 1 else z
    stacks = _joined(op.shape(x), op.shape(z))
    if stacks is None:
        return refuse("whether the stacks broadcast is not known")
    before = (x, z)
    if not _alone(op, x) and not _alone(op, z):
        x, z = _expanded(op, x, z, stacks), _expanded(op, z, x, stacks)
    if not single and before == (x, z):
        return refuse("the stacks are equal already")
    product = op.MatMul(x, z)
    return op.Squeeze(product, op.ints(*(i % len(op.shape(product) or ()) for i in single))) if single else product


@rule("Gemm", cases=[
    *(case(f"(float[2,3] x, float[3,4] z, float[{c}] c) => (float[2,4] y) {{ y = Gemm<beta=0.5>(x, z, c) }}")
      for c in ("4", "2,1", "1,1", "2,4")),
    case("(float[3,N] x, float[4,3] z) => (float[N,4] y) <float[4] c = {1,2,3,4}> "
         "{ y = Gemm<alpha=0.7, beta=2.0, transA=1, transB=1>(x, z, c) }"),
    case("(float[2,3] x, float[3,4] z, float[4] c) => (float[2,4] y) { y = Gemm<beta=0.0>(x, z, c) }"),
    case("(int64[2,3] x, int64[4,3] z, int64[4] c) => (int64[2,4] y) { y = Gemm<transB=1>(x, z, c) }"),
    case("(float[2,3] x, float[3,4] z, float[4] c) => (float[2,4] y) { y = Gemm(x, z, c) }", refuses="as plain"),
    case("(int64[2,3] x, int64[3,4] z, int64[4] c) => (int64[2,4] y) { y = Gemm<beta=0.5>(x, z, c) }",
         refuses="factor"),
])  # fmt: skip
def gemm_to_scaled_bias(op: Op, node: NodeView) -> Result:
    """Gemm(a, b, c; beta) = Gemm(a, b, beta c; 1); of integers MatMul(a, b) + c"""
    a, b, c = node.x, node.inputs[1], node.input(2)
    alpha, beta = node.attr("alpha"), node.attr("beta")
    if op.dtype(a).kind == "f":
        if c is None or beta == 1:
            return refuse("it is as plain as it gets")
        scaled = [] if beta == 0 else [op.Mul(c, beta)]
        return op.build("Gemm", [a, b, *scaled], {**node.attributes, "beta": 1.0})[0]
    if alpha != 1 or (c is not None and beta != 1):
        return refuse("a fraction as the factor of integers")
    a = op.Transpose(a, perm=[1, 0]) if node.attr("transA") else a
    b = op.Transpose(b, perm=[1, 0]) if node.attr("transB") else b
    product = op.MatMul(a, b)
    return product if c is None else op.Add(product, c)


def _joined(x: Shape | None, z: Shape | None) -> Shape | None:
    """What the dimensions before the last two broadcast to; None where a symbol leaves that open."""
    if x is None or z is None:
        return None
    rank = max(len(x), len(z)) - 2
    padded = [(*(1,) * (rank - len(s) + 2), *s[:-2]) for s in (x, z)]
    joined = [p if q in (1, p) else q if p == 1 else None for p, q in zip(*padded, strict=True)]
    return None if None in joined else tuple(d for d in joined if d is not None)


def _alone(op: Op, x: Tensor) -> bool:
    """Is it one matrix, for all of the other's stack?"""
    return all(d == 1 for d in (op.shape(x) or ())[:-2])


def _expanded(op: Op, x: Tensor, other: Tensor, stacks: Shape) -> Tensor:
    """``x`` with as many matrices as ``other`` and it have together."""
    shape = op.shape(x) or ()
    if shape[:-2] == stacks:
        return x
    if all(isinstance(d, int) for d in (*stacks, *shape[-2:])):
        return op.Expand(x, op.ints(*(d for d in (*stacks, *shape[-2:]) if isinstance(d, int))))
    # sizes that are not numbers: either branch of Where is x, and its condition brings the other's stack
    corner = op.Slice(other, op.ints(0, 0), op.ints(1, 1), op.ints(-2, -1), op.ints(1, 1))
    return op.Where(op.Cast(corner, to=_BOOL), x, x)
