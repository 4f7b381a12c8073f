"""RoiAlign."""

from __future__ import annotations

from sofie_bridge.stages.library import Answer, Given, Gives, case, kernel, refuse

_ROIS = {
    "r": [[0, 0, 4, 4], [1.5, 0.5, 3.25, 6], [-3, -2, 2, 3], [5, 5, 5.5, 5.5], [2, 2, 60, 60]],
    "b": [0, 1, 1, 0, 0],
}
_OF = "(float[2,3,7,W] x, float[5,4] r, int64[5] b) => (float[5,3,2,3] y)"
_SIZE = "output_height=2, output_width=3"


@kernel(
    "RoiAlign",
    cases=[
        case(f"{_OF} {{ y = RoiAlign<{_SIZE}>(x, r, b) }}", _ROIS, opset=16),
        case(f"{_OF} {{ y = RoiAlign<{_SIZE}, sampling_ratio=2, spatial_scale=0.5>(x, r, b) }}", _ROIS, opset=16),
        case(
            f'{_OF} {{ y = RoiAlign<{_SIZE}, coordinate_transformation_mode="output_half_pixel">(x, r, b) }}',
            _ROIS,
            opset=16,
        ),
        case(f'{_OF} {{ y = RoiAlign<{_SIZE}, mode="max">(x, r, b) }}', _ROIS, refuses="different notions"),
    ],
)
def roi_align(given: Given) -> Answer:
    """y = the mean of x at points within each cell of each region, x being linear between its elements"""
    x, rois = given.tensor(0), given.tensor(1)
    held = given.attributes
    if held.get("mode", "avg") != "avg":
        return refuse("of the max of samples onnxruntime and ONNX have different notions")
    if x.dtype not in ("float32", "float64"):
        return refuse(f"there is nothing to compare with: onnxruntime has none of {x.dtype}")
    height, width = int(held.get("output_height", 1)), int(held.get("output_width", 1))
    attributes = {
        "half": held.get("coordinate_transformation_mode", "half_pixel") == "half_pixel",
        "samples": int(held.get("sampling_ratio", 0)),
        "scale": float(held.get("spatial_scale", 1.0)),
    }
    return Gives((x.like(shape=(rois.shape[0], x.shape[1], height, width)),), attributes)
