"""Small models of every kind, made in tmp_path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper


def relu_model(shape: list[Any], *, opset: int = 17, ir: int = 8, dtype: int = TensorProto.FLOAT) -> onnx.ModelProto:
    """y = Relu(x + w)"""
    weight = numpy_helper.from_array(np.arange(7, dtype=np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["s"]), helper.make_node("Relu", ["s"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info("y", dtype, shape)],
        [weight],
        value_info=[helper.make_tensor_value_info("s", dtype, shape)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def saved(model: onnx.ModelProto, name: str = "m.onnx") -> Path:
        path = tmp_path / name
        path.write_bytes(model.SerializeToString())
        return path

    return saved


@pytest.fixture
def relu() -> Callable[..., onnx.ModelProto]:
    return relu_model


def shapes(model: onnx.ModelProto, what: str = "input") -> dict[str, list[int | str]]:
    return {
        v.name: [d.dim_param or (d.dim_value if d.HasField("dim_value") else "?") for d in v.type.tensor_type.shape.dim]
        for v in getattr(model.graph, what)
    }


@pytest.fixture
def shapes_of() -> Callable[..., dict[str, list[int | str]]]:
    return shapes
