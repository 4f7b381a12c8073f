"""NonMaxSuppression."""

from __future__ import annotations

from typing import Any

from convert.custom import Counted, Tensor
from sofie_bridge.stages.library import Answer, Given, Gives, case, kernel

_BOXES = [[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, -0.1, 1, 0.9], [0, 10, 1, 11], [1, 11.1, 0, 10.1], [0, 100, 1, 101]]
_CENTRES = [
    [0.5, 0.5, 1, 1],
    [0.5, 0.6, 1, 1],
    [0.5, 0.4, 1, 1],
    [0.5, 10.5, 1, 1],
    [0.5, 10.6, 1, 1],
    [0.5, 100.5, 1, 1],
]
_SCORES = [0.9, 0.75, 0.6, 0.95, 0.5, 0.3]
_LIMITS = "int64[1] most = {2}, float[1] iou = {0.5}, float[1] score = {0.4}"
_TWO = "(float[2,6,4] b, float[2,2,6] s) => (int64[M,3] y)"


def _inputs(boxes: Any, batch: int, classes: int, **more: Any) -> dict[str, Any]:
    return {"b": [boxes] * batch, "s": [[_SCORES, _SCORES[::-1]][:classes]] * batch, **more}


@kernel(
    "NonMaxSuppression",
    cases=[
        case(f"{_TWO} <{_LIMITS}> {{ y = NonMaxSuppression(b, s, most, iou, score) }}", _inputs(_BOXES, 2, 2)),
        case(
            f"{_TWO} <{_LIMITS}> {{ y = NonMaxSuppression<center_point_box=1>(b, s, most, iou) }}",
            _inputs(_CENTRES, 2, 2),
        ),
        case(
            "(float[1,N,4] b, float[1,1,N] s, int64[1] n, float[1] t) => (int64[M,3] y)"
            "{ y = NonMaxSuppression(b, s, n, t) }",
            {"n": [3], "t": [0.1]},
        ),
        case("(float[1,6,4] b, float[1,1,6] s) => (int64[M,3] y) { y = NonMaxSuppression(b, s) }"),
        case(
            "(float[1,6,4] b, float[1,1,6] s, int64 n) => (int64[3,M] y)"
            "{ a = NonMaxSuppression(b, s, n) y = Transpose<perm=[1,0]>(a) }",
            {**_inputs(_BOXES, 1, 1), "s": [[[0.5] * 6]], "n": 20},
        ),
    ],
)
def non_max_suppression(given: Given) -> Answer:
    """y = [batch, class, box] of the boxes that no better one of their class overlaps by more than the threshold"""
    from sympy import Min

    boxes, scores, most = given.tensor(0), given.tensor(1), given.maybe(2)
    batch, count, _ = boxes.shape
    if most is not None and most.value is not None:
        count = Min(count, max(int(most.value.item()), 0))
    if most is None:
        count = 0
    selected = Counted("selected", at_most=batch * scores.shape[1] * count)
    centred = bool(given.attributes.get("center_point_box", 0))
    return Gives((Tensor("int64", (selected, 3)),), {"centred": centred})
