"""TopK."""

from __future__ import annotations

from convert.custom import Counted, Tensor
from sofie_bridge.stages.library import Answer, Given, Gives, case, kernel, refuse

_TIES = {"x": [[1, 2, 2, 0], [3, 3, 3, 3], [5, -1, 5, 7]]}


@kernel(
    "TopK",
    cases=[
        case("(float[3,4] x, int64[1] k) => (float[3,K] v, int64[3,K] i) { v, i = TopK(x, k) }", {**_TIES, "k": [2]}),
        case(
            "(int64[3,4] x, int64[1] k) => (int64[K,4] v, int64[K,4] i) { v, i = TopK<axis=0, largest=0>(x, k) }",
            {**_TIES, "k": [3]},
        ),
        case("(float[2,N,3] x, int64[1] k) => (float[2,K,3] v) { w, i = TopK<axis=-2>(x, k) v = Neg(w) }", {"k": [2]}),
        case("(float[2,N] x, int64[1] k) => (int64[2,K] i) { v, i = TopK(x, k) }", {"k": [1]}),
        case("(float[3,4] x, int64[1] k) => (float[3,K] v, int64[3,K] i) { v, i = TopK(x, k) }", {"k": [0]}),
        case("(uint8[7] x) => (uint8[2] v, int64[2] i) <int64[1] k = {2}> { v, i = TopK(x, k) }"),
        case("(float[4] x, int64[1] k) => (float[K] v, int64[K] i) { v, i = TopK<sorted=0>(x, k) }", refuses="order"),
    ],
)
def top_k(given: Given) -> Answer:
    """v, i = the k largest or smallest elements along an axis, the best first, and where they are"""
    x, k = given.tensor(0), given.tensor(1)
    if not given.attributes.get("sorted", 1):
        return refuse("the order of unsorted results is not defined")
    axis = given.axis("axis", len(x.shape), -1)
    count = int(k.value.item()) if k.value is not None else Counted("k", at_most=x.shape[axis])
    shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
    attributes = {"axis": axis, "largest": bool(given.attributes.get("largest", 1)), "asked": given.asked}
    return Gives((x.like(shape=shape), Tensor("int64", shape)), attributes)
