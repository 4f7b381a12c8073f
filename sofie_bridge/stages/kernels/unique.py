"""Unique."""

from __future__ import annotations

from math import prod

from convert.custom import Counted, Tensor
from sofie_bridge.stages.library import Answer, Given, Gives, case, kernel, refuse

_ROWS = {"x": [[1, 0, 0], [1, 0, 0], [2, 3, 4], [0, 9, 9], [2, 3, 4]]}
_LINE = {"x": [2, 1, 1, 3, 4, 3]}


@kernel(
    "Unique",
    cases=[
        case("(float[6] x) => (float[M] y) { y = Unique(x) }", _LINE),
        case("(float[6] x) => (float[M] y, int64[M] i, int64[6] v, int64[M] c) { y, i, v, c = Unique(x) }", _LINE),
        case("(int64[6] x) => (int64[M] y, int64[M] i, int64[6] v) { y, i, v = Unique<sorted=0>(x) }", _LINE),
        case("(int64[2,N] x) => (int64[M] y, int64[M] c) { y, , , c = Unique(x) }"),
        case("(int64[2,N] x) => (int64[K] v) { , , v = Unique(x) }", refuses="its first output"),
        case(
            "(float[5,3] x) => (float[M,3] y, int64[M] i, int64[5] v, int64[M] c) { y, i, v, c = Unique<axis=0>(x) }",
            _ROWS,
        ),
        case("(int64[2,N,2] x) => (int64[2,M,2] y, int64[N] v) { y, , v = Unique<axis=-2>(x) }"),
        case("(int64[2,N] x) => (int64[2,M] y, int64[M] i) { y, i = Unique<axis=1, sorted=0>(x) }"),
    ],
)
def unique(given: Given) -> Answer:
    """y = the different elements of x, or slices along an axis; where they first are, which each is, how many each"""
    x = given.tensor(0)
    if given.outputs[0] is None:
        return refuse("its first output is left out")
    flat = "axis" not in given.attributes
    axis = -1 if flat else given.axis("axis", len(x.shape), 0)
    length = prod(x.shape) if flat else x.shape[axis]
    count = Counted("different", at_most=length)
    values = x.like(shape=(count,) if flat else (*x.shape[:axis], count, *x.shape[axis + 1 :]))
    numbers = Tensor("int64", (count,))
    outputs = (values, numbers, Tensor("int64", (length,)), numbers)
    attributes = {"axis": axis, "sorted": bool(given.attributes.get("sorted", 1)), "asked": given.asked}
    return Gives(outputs, attributes)
