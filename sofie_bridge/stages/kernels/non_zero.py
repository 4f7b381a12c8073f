"""NonZero."""

from __future__ import annotations

from math import prod

from convert.custom import Counted, Tensor
from sofie_bridge.stages.library import Answer, Given, case, kernel, refuse


@kernel(
    "NonZero",
    cases=[
        case("(float[3,4] x) => (int64[2,M] y) { y = NonZero(x) }", {"x": [[0, 1, 0, 2], [0, 0, 0, 0], [-1, 0, 3, 0]]}),
        case("(bool[N] x) => (int64[1,M] y) { y = NonZero(x) }"),
        case("(int64[2,N,2] x) => (int64[M,3] y) { a = NonZero(x) y = Transpose<perm=[1,0]>(a) }"),
        case("(float[3] x) => (int64[1,M] y) { y = NonZero(x) }", {"x": [0, 0, 0]}),
        case("(float x) => (int64[R,M] y) { y = NonZero(x) }", refuses="no axis"),
    ],
)
def non_zero(given: Given) -> Answer:
    """y = the places where x is not 0, a row for each axis, in the order of the elements"""
    x = given.tensor(0)
    if not x.shape:
        return refuse("x is a single number, which has no axis: ONNX and onnxruntime differ there")
    return Tensor("int64", (len(x.shape), Counted("places", at_most=prod(x.shape))))
