"""Models with the operators of custom_operators.py in every place, as ONNX's text."""

from __future__ import annotations

#: Operators first, last, adjacent, on two branches, with a constant, with sizes of a shape that crosses.
EVERYWHERE = """(float[N,4] x, float[N,4] z) => (float[N,4] y, float[N,4] last, int64[N] at)
    <float[4] w={1,-2,3,0.5}, float[4,4] m={1,0,0,2,0,1,0,0,-1,0,1,0,0,0.5,0,1}> {
    a = test.Scale<by=2.0>(x)
    b = test.Scale<by=-0.5>(a)
    c = MatMul(b, m)
    d = test.Weighted(c, w)
    e = test.Scale<by=0.25>(c)
    f = Add(d, e)
    g, at = test.Best(f)
    s = Shape(z)
    t = Reshape(f, s)
    y = Sub(t, z)
    last = test.Scale<by=3.0>(y)
}"""

#: Two parts of one structure, with different weights.
BLOCKS = """(float[3,2] x) => (float[3,2] y)
    <float[2,2] v={1,2,3,4}, float[2] b={1,-1}, float[2,2] w={0.5,-2,1,0.25}, float[2] c={0.5,2}> {
    p = MatMul(x, v) q = Add(p, b) r = Relu(q)
    s = test.Scale<by=0.5>(r)
    t = MatMul(s, w) u = Add(t, c) y = Relu(u)
}"""

COUNTED = """(float[N,4] x) => (float[M,4] y, int64[M] at, float[1,4] s) <float[4] w={1,2,3,4}, int64[1] axes={0}> {
    a, at = test.Positive(x)
    r = Relu(a)
    y = Mul(r, w)
    s = ReduceSum<keepdims=1>(r, axes)
}"""

TWO_DTYPES = """(float[N,6] x) => (float[K,4] y, int64[N] at, bool[N] mask, float[N] top) <float[4] b={1,2,3,4}> {
    h = Neg(x)
    l, r = test.Split<at=4>(h)
    top, at = test.Best(r)
    p, mask = test.Pairs<scale=0.5, offsets=[3, 5]>(l, at)
    y = Add(p, b)
}"""
