"""Models of doubles and of 16-bit floats to a header: it runs in float32, and the report says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from small_models import parse

import sofie_bridge
from convert import convert

NAMES = {"double": "float64", "float16": "float16", "bfloat16": "bfloat16"}
WEIGHTS = np.array([[1, -2], [3, -4], [5, -6]], np.float32)
BIAS = np.array([0.5, -0.5], np.float32)


def net(kind: str) -> onnx.ModelProto:
    model = parse(f"({kind}[N,3] x) => ({kind}[N,2] y) {{ t = Gemm(x, w, b) y = Tanh(t) }}")
    number = model.graph.input[0].type.tensor_type.elem_type
    for name, array in (("w", WEIGHTS), ("b", BIAS)):
        held = array.astype(onnx.helper.tensor_dtype_to_np_dtype(number))
        model.graph.initializer.append(onnx.numpy_helper.from_array(held, name))
    return model


@pytest.mark.parametrize("kind", NAMES)
def test_runs_in_float32(kind: str, tmp_path: Path) -> None:
    report = convert(net(kind), output=tmp_path / "net.hxx")
    assert report.verified
    assert [p.dtype for p in (*report.inputs, *report.outputs)] == ["float32", "float32"]
    assert any(n.startswith(f"{NAMES[kind]} runs in float32, inputs and outputs too") for n in report.notes)
    x = np.array([[0.1, 0.2, -0.3]], np.float32)
    with sofie_bridge.load(tmp_path / "net.hxx") as header:
        (found,) = header(x=x).values()
    np.testing.assert_allclose(found, np.tanh(x @ WEIGHTS + BIAS), rtol=1e-4, atol=1e-5)


def test_float32_alone_says_nothing(tmp_path: Path) -> None:
    report = convert(net("float"), output=tmp_path / "net.hxx", float32=True)
    assert not any("float32" in n for n in report.notes)
