"""ArgMax."""

from __future__ import annotations

from convert.custom import Tensor
from sofie_bridge.stages.library import Answer, Given, Gives, case, kernel

_TIES = {"x": [[1, 7, 2, 7, 0], [3, 3, 3, 3, 3], [-5, -9, -1, -7, -1]]}


@kernel(
    "ArgMax",
    cases=[
        case("(float[3,N] x) => (int64[3,1] y) { y = ArgMax<axis=1>(x) }", _TIES),
        case("(float[3,N] x) => (int64[3] y) { y = ArgMax<axis=-1, keepdims=0, select_last_index=1>(x) }", _TIES),
        case("(float[N] x) => (int64 y) { y = ArgMax<axis=0, keepdims=0>(x) }"),
        case("(int64[2,N,3] x) => (int64[2,3] y) { a = ArgMax<axis=1, keepdims=0>(x) y = Add(a, a) }"),
        case("(uint8[N,M] x) => (int64[1,M] y) { y = ArgMax(x) }"),
        case("(int32[N] x) => (int64[1] y) { y = ArgMax<select_last_index=1>(x) }", {"x": [-3, -3, -4]}),
    ],
)
def arg_max(given: Given) -> Answer:
    """y = where along the axis the largest element is, the first of equals or the last"""
    x = given.tensor(0)
    axis = given.axis("axis", len(x.shape), 0)
    kept = (1,) if given.attributes.get("keepdims", 1) else ()
    attributes = {"axis": axis, "last": bool(given.attributes.get("select_last_index", 0))}
    return Gives((Tensor("int64", (*x.shape[:axis], *kept, *x.shape[axis + 1 :])),), attributes)
