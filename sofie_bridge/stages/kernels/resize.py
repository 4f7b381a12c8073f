"""Resize."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from convert.custom import Tensor
from sofie_bridge.stages.library import Answer, Given, Gives, Refusal, case, kernel, refuse

_TRANSFORMS = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric")
_ROUNDS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
_DOUBLED = "(float[N,2,H,W] x) => (float[N,2,P,Q] y) <float[4] s = {1, 1, 2, 1.5}>"
_SIZED = "(float[1,2,H,W] x, int64[2] s) => (float[1,2,7,3] y)"
#: Those that ask where the last corner is.
_BY_LENGTH = ("half_pixel_symmetric", "align_corners")
#: Denominators of scales with which a size is multiplied exactly in float32.
_EXACT = 64


@kernel(
    "Resize",
    cases=[
        *(
            case(f'{_DOUBLED} {{ y = Resize<mode="{mode}", coordinate_transformation_mode="{transform}">(x, , s) }}')
            for mode in ("nearest", "linear", "cubic")
            for transform in ("half_pixel", "pytorch_half_pixel", "asymmetric")
        ),
        *(
            case(f"{_SIZED} {{ y = Resize<axes=[2,3], {how}>(x, , , s) }}", {"s": [7, 3]})
            for how in (
                'mode="linear", coordinate_transformation_mode="align_corners"',
                'mode="cubic", coordinate_transformation_mode="half_pixel_symmetric", cubic_coeff_a=-0.5',
                'mode="cubic", exclude_outside=1',
                'mode="linear", antialias=1',
                'mode="cubic", antialias=1',
                *(f'nearest_mode="{how}", coordinate_transformation_mode="align_corners"' for how in _ROUNDS),
            )
        ),
        case(
            '(uint8[2,H] x, float[2] s) => (uint8[2,9] y) { y = Resize<nearest_mode="floor",'
            ' coordinate_transformation_mode="asymmetric">(x, , s) }',
            {"x": [[1, 2, 3], [4, 5, 6]], "s": [1, 3]},
        ),
        case("(float[1,1,4,4] x, float[4] s) => (float[P,Q,R,S] y) { y = Resize(x, , s) }", refuses="no bound"),
        case(
            "(float[2,3] x, float[4] r, float[2] s) => (float[2,6] y)"
            '{ y = Resize<coordinate_transformation_mode="tf_crop_and_resize">(x, r, s) }',
            refuses="tf_crop",
        ),
    ],
)
def resize(given: Given) -> Answer:
    """y = x between its elements, along each axis, at as many places as its scales or sizes say"""
    x, scales, sizes = given.tensor(0), given.maybe(2), given.maybe(3)
    held = given.attributes
    mode, transform = str(held.get("mode", "nearest")), str(held.get("coordinate_transformation_mode", "half_pixel"))
    if transform not in _TRANSFORMS:
        return refuse(f"a run-time {transform} is not in the library")
    if mode != "nearest" and x.dtype not in ("float32", "float64"):
        return refuse("between integers: how they are rounded back ONNX does not say")
    rank = len(x.shape)
    axes = [int(a) % rank for a in held.get("axes", range(rank))]
    if transform in _BY_LENGTH and not _whole(given, x, axes):
        return refuse(
            "a scale times a size may not be whole: ONNX's evaluator and onnxruntime disagree about where the last"
            " corner is then: give sizes instead of scales"
        )
    shape = _shape(given, x, axes)
    if isinstance(shape, Refusal):
        return shape
    attributes: dict[str, Any] = {
        "taps": {"nearest": 1, "linear": 2, "cubic": 4}[mode],
        "transform": _TRANSFORMS.index(transform),
        "rounding": _ROUNDS.index(str(held.get("nearest_mode", "round_prefer_floor"))),
        "antialias": bool(held.get("antialias", 0)),
        "exclude": bool(held.get("exclude_outside", 0)),
        "a": float(held.get("cubic_coeff_a", -0.75)),
        "policy": ("stretch", "not_larger", "not_smaller").index(str(held.get("keep_aspect_ratio_policy", "stretch"))),
        "axes": axes,
        "sized": sizes is not None and sizes.shape != (0,),
    }
    assert scales is not None or sizes is not None
    return Gives((x.like(shape=shape),), attributes)


def _whole(given: Given, x: Tensor, axes: list[int]) -> bool:
    """Is each size times its scale whole, whatever they are while it runs?"""
    scales, sizes = given.maybe(2), given.maybe(3)
    if sizes is not None and sizes.shape != (0,):
        return True
    if scales is None or scales.value is None:
        return False
    pairs = [(x.shape[axis], float(s)) for axis, s in zip(axes, scales.value, strict=True)]
    return all(s.is_integer() or (isinstance(n, int) and (n * s).is_integer()) for n, s in pairs)


def _shape(given: Given, x: Tensor, axes: list[int]) -> tuple[Any, ...] | Refusal:
    """Of the result: by scales that are constant, else as ONNX's inference follows the sizes."""
    scales, result = given.maybe(2), given.outputs[0]
    assert result is not None
    found = list(x.shape)
    for i, axis in enumerate(axes):
        value = scales.value if scales is not None else None
        if value is not None and np.size(value) == len(axes):
            scale = Fraction(float(value[i]))
            if scale.denominator > _EXACT and not isinstance(found[axis], int):
                return refuse(f"{float(scale):g} times a size that is open is rounded off")
            found[axis] = (
                int(np.float32(found[axis]) * np.float32(value[i]))
                if isinstance(found[axis], int)
                else (found[axis] * scale.numerator // scale.denominator)
            )
        elif given.is_known(result.shape[axis]):
            found[axis] = result.shape[axis]
        else:
            return refuse("its size has no bound that is known before it runs")
    return tuple(found)
