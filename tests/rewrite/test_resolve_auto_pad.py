"""``auto_pad`` and ``output_shape`` become pads: against onnxruntime, and ONNX's evaluator where that refuses."""

from __future__ import annotations

import itertools

import numpy as np
import onnx
import pytest
from onnx import helper
from small_models import arrays_for, assert_same_numbers, evaluated, parse

from rewrite.graph import Graph
from rewrite.passes.infer_shapes import infer_shapes
from rewrite.passes.resolve_auto_pad import resolve_auto_pad
from rewrite.passes.write_defaults import write_defaults


def padded(text: str) -> Graph:
    graph = Graph.read(infer_shapes(parse(text)))
    write_defaults(graph)
    resolve_auto_pad(graph)
    return graph


MODES = ("SAME_UPPER", "SAME_LOWER", "VALID")


def resolved(text: str) -> onnx.ModelProto:
    written = padded(text).write()
    assert_same_numbers(parse(text), written)
    attributes = {a.name: helper.get_attribute_value(a) for a in written.graph.node[0].attribute}
    assert attributes["auto_pad"] == b"NOTSET"
    assert "output_shape" not in attributes
    return written


@pytest.mark.parametrize(("mode", "size", "kernel", "stride"), [*itertools.product(MODES, (7, 8), (2, 3, 4), (1, 2))])
def test_auto_pad_against_onnxruntime(mode: str, size: int, kernel: int, stride: int) -> None:
    attributes = f'auto_pad="{mode}", strides=[{stride},1], kernel_shape=[{kernel},2]'
    io = f"(float[1,1,{size},5] x) => (float[1,1,H,W] y)"
    numbers = ",".join(str(i * 5 % 7 - 3) for i in range(2 * kernel))
    weight = f"<float[1,1,{kernel},2] w={{{numbers}}}>"
    resolved(f"{io} {weight} {{ y = Conv<{attributes}>(x, w) }}")
    resolved(f"{io} {weight} {{ y = ConvTranspose<{attributes}>(x, w) }}")
    resolved(f"{io} {{ y = MaxPool<{attributes}, ceil_mode={size % 2}>(x) }}")
    resolved(f"{io} {{ y = AveragePool<{attributes}, count_include_pad={size % 2}>(x) }}")


@pytest.mark.parametrize(("mode", "size", "kernel"), [*itertools.product(MODES, (7, 8), (2, 3))])
def test_auto_pad_with_dilations(mode: str, size: int, kernel: int) -> None:
    """onnxruntime refuses dilations beside SAME in Conv; ONNX's evaluator takes them."""
    numbers = ",".join(map(str, range(1, kernel + 1)))
    text = f"""(float[1,1,{size}] x) => (float[1,1,L] y) <float[1,1,{kernel}] w={{{numbers}}}>
        {{ y = Conv<auto_pad="{mode}", dilations=[2]>(x, w) }}"""
    graph = padded(text)
    arrays = arrays_for(parse(text))
    expected = evaluated(parse(text), arrays)["y"]
    got = evaluated(graph.write(), arrays)["y"]
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    resolved(text.replace("Conv<", "ConvTranspose<"))


@pytest.mark.parametrize(
    ("mode", "kernel", "stride", "length"),
    [
        *itertools.product(("NOTSET", *MODES), (2, 3), (1,), (7,)),
        *itertools.product(("NOTSET", *MODES), (2, 3), (2,), (13, 14)),
        ("NOTSET", 1, 3, 21),
        ("SAME_UPPER", 1, 3, 20),
    ],
)
def test_output_shape_against_onnxruntime(mode: str, kernel: int, stride: int, length: int) -> None:
    numbers = ",".join(map(str, range(1, kernel + 1)))
    resolved(f"""(float[1,1,7] x) => (float[1,1,L] y) <float[1,1,{kernel}] w={{{numbers}}}>
        {{ y = ConvTranspose<auto_pad="{mode}", strides=[{stride}], output_shape=[{length}]>(x, w) }}""")


def test_auto_pad_with_open_sizes() -> None:
    io = "(float[1,1,L] x) => (float[1,1,M] y) <float[1,1,3] w={1,2,3}>"
    left = padded(f'{io} {{ y = Conv<auto_pad="SAME_LOWER", strides=[2]>(x, w) }}').nodes[0]
    assert left.attrs["auto_pad"] == "SAME_LOWER"
    resolved(f'{io} {{ y = Conv<auto_pad="SAME_LOWER">(x, w) }}')
