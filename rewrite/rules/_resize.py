"""Where each element along a resized axis comes from. Source: https://onnx.ai/onnx/operators/onnx__Resize.html"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from rewrite.graph import Array


@dataclass(frozen=True)
class Axis:
    """One axis that is resized.

    :param size: before. :param length: after.
    :param scale: as given, or as it follows from the sizes; length / size is near it, but floored.
    :param start: and ``end``: region of interest as shares of the axis, for ``tf_crop_and_resize``.
    """

    axis: int
    size: int
    length: int
    scale: float
    start: float = 0.0
    end: float = 1.0


def positions(axis: Axis, mode: str) -> Array:
    """The place in the original axis of each element of the resized one, in float32 as onnxruntime has it."""
    one, half = np.float32(1), np.float32(0.5)
    x = np.arange(axis.length, dtype=np.float32)
    scale, size, length = np.float32(axis.scale), np.float32(axis.size), np.float32(axis.length)
    match mode:
        case "asymmetric":
            return x / scale
        case "align_corners":
            return x * (size - one) / (length - one) if axis.length > 1 else 0 * x
        case "pytorch_half_pixel":
            return (x + half) / scale - half if axis.length > 1 else 0 * x
        case "tf_half_pixel_for_nn":  # of opset 11; onnxruntime takes it at any
            return (x + half) / scale
        case "half_pixel_symmetric":
            adjustment = length / (scale * size)
            return size / 2 * (one - adjustment) + (x + half) / scale - half
        case "tf_crop_and_resize":
            start, end = np.float32(axis.start), np.float32(axis.end)
            if axis.length == 1:
                return half * (start + end) * (size - one) + 0 * x
            return start * (size - one) + x * (end - start) * (size - one) / (length - one)
    return (x + half) / scale - half


def _beyond(axis: Axis, places: Array, attributes: Mapping[str, Any]) -> Array:
    """Where ``tf_crop_and_resize`` fills in the extrapolation value."""
    if attributes.get("coordinate_transformation_mode") != "tf_crop_and_resize":
        return np.zeros(len(places), bool)
    return (places < 0) | (places > axis.size - 1)


def indices_of(axis: Axis, attributes: Mapping[str, Any]) -> tuple[Array, Array]:
    """Per element of the result, the one nearest to it; and which of them lie outside."""
    transform = attributes.get("coordinate_transformation_mode", "half_pixel")
    places = positions(axis, transform)
    match attributes.get("nearest_mode", "round_prefer_floor"):
        case "floor":
            near = np.floor(places)
        case "ceil":
            near = np.ceil(places)
        case "round_prefer_ceil":
            near = np.floor(places + np.float32(0.5))
        case _:
            near = np.ceil(places - np.float32(0.5))
    return np.clip(near, 0, axis.size - 1).astype(np.int64), _beyond(axis, places, attributes)


@dataclass(frozen=True)
class Taps:
    """What each element of the result is a sum of.

    :param places: [length, taps], of the original's elements. :param weights: [length, taps].
    :param beyond: [length], which elements lie outside the region of interest.
    """

    places: Array
    weights: Array
    beyond: Array

    def matrix(self, size: int) -> Array:
        """The same as a matrix [length, size]."""
        made = np.zeros((len(self.places), size))
        np.add.at(made, (np.arange(len(made))[:, None], self.places), self.weights)
        return made


def taps_of(axis: Axis, attributes: Mapping[str, Any]) -> Taps:
    """The elements and weights of linear and cubic interpolation, antialiased or not."""
    cubic = attributes.get("mode") == "cubic"
    smooth = bool(attributes.get("antialias", 0)) and axis.scale < 1
    exclude = bool(attributes.get("exclude_outside", 0)) and (cubic or smooth)
    stretch = axis.scale if smooth else 1.0
    reach = ceil((2 if cubic else 1) / stretch)
    given = positions(axis, attributes.get("coordinate_transformation_mode", "half_pixel"))
    at = given.astype(np.float64)[:, None]
    if not cubic and not smooth:
        at = np.clip(at, 0, axis.size - 1)
    places = np.floor(at).astype(np.int64) + np.arange(1 - reach, reach + 1)
    inside = (places >= 0) & (places < axis.size)
    distance = np.abs(places - at) * stretch
    a = float(attributes.get("cubic_coeff_a", -0.75))
    weights = _cubic(distance, a) if cubic else np.maximum(0.0, 1 - distance)
    if exclude:
        weights = np.where(inside, weights, 0.0)
    if exclude or smooth:
        weights = weights / weights.sum(axis=1, keepdims=True)
    if not cubic and not smooth:
        weights[~inside.all(axis=1)] = 0.5  # the last element twice, not once and zero times: it may be infinite
    return Taps(np.clip(places, 0, axis.size - 1), weights, _beyond(axis, given, attributes))


def _cubic(d: Array, a: float) -> Array:
    """Keys' kernel. Source: R. Keys, Cubic convolution interpolation for digital image processing, 1981"""
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))
