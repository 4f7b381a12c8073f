"""GridSample."""

from __future__ import annotations

from sofie_bridge.stages.library import Answer, Given, Gives, case, kernel, refuse

_PLANE = "(float[N,2,H,3] x, float[N,5,4,2] g) => (float[N,2,5,4] y)"
_BODY = "(float[1,2,3,2,H] x, float[1,2,2,3,3] g) => (float[1,2,2,2,3] y)"
_FAR = {"g": [[[[-3, 2.6], [1.1, -1.2]], [[0.99, 1], [-5, 7]]]]}


@kernel(
    "GridSample",
    cases=[
        *(
            case(f'{_PLANE} {{ y = GridSample<mode="{mode}", padding_mode="{padding}", align_corners={align}>(x, g) }}')
            for mode in ("nearest", "linear", "cubic")
            for padding in ("zeros", "border", "reflection")
            for align in (0, 1)
        ),
        *(
            case(f'{_BODY} {{ y = GridSample<mode="{mode}", padding_mode="{padding}">(x, g) }}')
            for mode, padding in (("nearest", "border"), ("linear", "zeros"), ("linear", "reflection"))
        ),
        case(
            "(double[1,1,3,H] x, double[1,2,2,2] g) => (double[1,1,2,2] y)"
            '{ y = GridSample<padding_mode="reflection">(x, g) }',
            _FAR,
        ),
        case("(int64[1,1,2,2] x, float[1,2,2,2] g) => (int64[1,1,2,2] y) { y = GridSample(x, g) }", refuses="int64"),
    ],
)
def grid_sample(given: Given) -> Answer:
    """y = x between its elements, at the places that the grid names, from -1 to 1 along each axis"""
    x, grid = given.tensor(0), given.tensor(1)
    if x.dtype not in ("float32", "float64") or grid.dtype != x.dtype:
        return refuse(f"it samples {x.dtype} at places in {grid.dtype}: onnxruntime does so in one kind of float alone")
    held = given.attributes
    modes = {"bilinear": "linear", "bicubic": "cubic"}
    mode = str(held.get("mode", "linear"))
    if 1 in x.shape[2:] and held.get("align_corners", 0):
        return refuse("corners cannot be aligned, nor anything reflected, along an axis of one element")
    attributes = {
        "taps": {"nearest": 1, "linear": 2, "cubic": 4}[modes.get(mode, mode)],
        "padding": ("zeros", "border", "reflection").index(str(held.get("padding_mode", "zeros"))),
        "align": bool(held.get("align_corners", 0)),
    }
    return Gives((x.like(shape=(*x.shape[:2], *grid.shape[1:-1])),), attributes)
