"""SOFIE's view of tensors against ONNX's."""

from __future__ import annotations

from typing import Any

import onnx
import pytest
from onnx import helper

from sofie_bridge.shapes import disagreements, header_dims

CODE = """
constexpr std::array<SingleDim, 2> dim_x{SingleDim{"N"}, SingleDim{3}};
constexpr std::array<SingleDim, 0> dim_s{};
constexpr std::array<SingleDim, 3> dim_y{SingleDim{2}, SingleDim{"(N + 1)/2"}, SingleDim{0}};
"""


def model(shape: Any, kind: int = onnx.TensorProto.FLOAT) -> onnx.ModelProto:
    info = helper.make_tensor_value_info("y", kind, shape)
    return helper.make_model(helper.make_graph([], "m", [], [info]))


@pytest.mark.parametrize(
    ("onnx_shape", "sofie_shape"),
    [
        ([2, 3], [2, 3]), (["N", 3], [5, 3]), ([None, 3], [5, 3]), (None, [7, 7]), ([], [1]), ([], []), ([1], []),
        ([1, 1], []), ([1, 1], [1, 1]), ([0], [0]),
    ],
)  # fmt: skip
def test_equal_shapes(onnx_shape: Any, sofie_shape: list[int]) -> None:
    assert disagreements(model(onnx_shape), {"y": ("FLOAT", sofie_shape)}) == []


@pytest.mark.parametrize(
    ("onnx_shape", "sofie_shape"),
    [
        ([2, 3], [3, 2]), ([2, 3], [6]), ([6], [2, 3]), (["N", 3], [5, 4]), ([1, 1], [1]), ([2], []), ([], [2]),
        ([16], [15]),
    ],
)  # fmt: skip
def test_other_shapes(onnx_shape: Any, sofie_shape: list[int]) -> None:
    (found,) = disagreements(model(onnx_shape), {"y": ("FLOAT", sofie_shape)})
    assert "'y' the shape" in found


def test_types() -> None:
    assert disagreements(model([2], onnx.TensorProto.BOOL), {"y": ("UINT8", [2])}) == []
    assert disagreements(model([2], onnx.TensorProto.INT64), {"y": ("INT64", [2])}) == []
    assert disagreements(model([2], onnx.TensorProto.INT64), {"y": ("INT32", [2])}) == [
        "SOFIE gives 'y' the type int32, ONNX int64"
    ]
    both = disagreements(model([2], onnx.TensorProto.DOUBLE), {"y": ("FLOAT", [3])})
    assert len(both) == 2


def test_tensors_that_sofie_does_not_have_say_nothing() -> None:
    assert disagreements(model([2]), {}) == []


def test_dimensions_in_a_header() -> None:
    assert header_dims(CODE) == {"x": ["N", 3], "s": [], "y": [2, "(N + 1)/2", 0]}
    assert header_dims("") == {}


def test_dynamic_shapes_are_read_from_the_header() -> None:
    assert disagreements(model([2, "M", 0]), {"y": ("FLOAT", None)}, CODE) == []
    assert len(disagreements(model([2, "M", 1]), {"y": ("FLOAT", None)}, CODE)) == 1
    assert len(disagreements(model([2, "M"]), {"y": ("FLOAT", None)}, CODE)) == 1
    assert disagreements(model([9, 9, 9]), {"y": ("FLOAT", None)}, "") == []
