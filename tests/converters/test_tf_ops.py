"""Translations of TensorFlow operators: each gives TensorFlow's numbers, and refuses what it cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convert.errors import ExportFailed
from convert.spec import TensorSpec
from converters import LoadOptions, load
from sofie_bridge.reference import OnnxReference

tf = pytest.importorskip("tensorflow")

IMAGE = "x:float32[N,6,8,2]"
INTS = np.array([[-7, -3, -1, 0], [1, 2, 5, 7]], np.int64)


def compared(function: Callable[..., Any], spec: str, array: np.ndarray[Any, Any]) -> list[str]:
    """The function's ONNX gives what the function gives; the operators of the ONNX model."""
    wanted = TensorSpec.parse(spec)
    loaded = load(tf.function(function), LoadOptions(inputs=(wanted,)))
    inputs = {wanted.name: array}
    assert loaded.reference is not None
    expected, found = loaded.reference(inputs), OnnxReference(loaded.model)(inputs)
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=2e-5)
    return [n.op_type for n in loaded.model.graph.node]


def image(seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(size=(3, 6, 8, 2)).astype(np.float32)


@pytest.mark.parametrize("method", ["bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "mitchellcubic"])
@pytest.mark.parametrize("size", [(4, 5), (9, 13), (6, 3)])
def test_resize(method: str, size: tuple[int, int]) -> None:
    used = compared(lambda x: tf.image.resize(x, size, method), IMAGE, image())
    assert "Resize" not in used


@pytest.mark.parametrize("method", ["bilinear", "bicubic", "lanczos3"])
def test_resize_with_antialiasing_and_an_open_batch(method: str) -> None:
    compared(lambda x: tf.image.resize(x, (3, 4), method, antialias=True), IMAGE, image())


@pytest.mark.parametrize("method", ["bilinear", "nearest"])
@pytest.mark.parametrize("given", [{}, {"half_pixel_centers": True}, {"align_corners": True}])
def test_resize_as_tensorflow_1_has_it(method: str, given: dict[str, bool]) -> None:
    operator = {"bilinear": tf.raw_ops.ResizeBilinear, "nearest": tf.raw_ops.ResizeNearestNeighbor}[method]
    compared(lambda x: operator(images=x, size=[9, 5], **given), IMAGE, image())
    # of a size that is not known: ONNX's Resize
    used = compared(lambda x: operator(images=x, size=[9, 5], **given), "x:float32[N,H,W,2]", image())
    assert "Resize" in used


def test_an_image_of_unknown_size_has_no_matrices() -> None:
    with pytest.raises(ExportFailed, match="known at run time only"):
        compared(lambda x: tf.image.resize(x, (3, 4), "bicubic"), "x:float32[N,H,W,2]", image())


@pytest.mark.parametrize("length", [8, 5, 12])
def test_fourier(length: int) -> None:
    def spectrum(x: Any) -> Any:
        y = tf.signal.rfft(x, [length])
        return tf.math.real(y), tf.math.imag(y), tf.abs(y)

    compared(spectrum, "x:float32[N,8]", image()[:, 0, :, 0])


def test_other_complex_numbers_are_refused() -> None:
    with pytest.raises(ExportFailed, match="complex numbers"):
        compared(lambda x: tf.abs(tf.signal.rfft(x) * 2), "x:float32[N,8]", image()[:, 0, :, 0])


@pytest.mark.parametrize("divisor", [3, -3])
def test_floor_of_whole_numbers(divisor: int) -> None:
    compared(lambda x: (x // divisor, x % divisor), "x:int64[N,4]", INTS)
    compared(lambda x: (x // divisor, x % divisor), "x:int32[N,4]", INTS.astype(np.int32))


def test_floor_of_floats() -> None:
    compared(lambda x: (x // 0.75, x % 0.75), "x:float32[N,4]", image()[0, :2, :4, 0])


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_one_hot(axis: int) -> None:
    compared(lambda x: tf.one_hot(x, 6, 2.0, -1.0, axis), "x:int64[N,4]", INTS)


def test_counts() -> None:
    numbers = np.abs(INTS).astype(np.int32)

    def counted(x: Any) -> Any:
        weights = tf.constant([[0.5, 1.0, 2.0, 3.0]] * 2)
        none = tf.zeros((0,), tf.float32)
        count = tf.raw_ops.DenseBincount
        return (
            count(input=x, size=6, weights=none),
            count(input=x, size=6, weights=none, binary_output=True),
            count(input=x, size=8, weights=weights),
        )

    compared(counted, "x:int32[2,4]", numbers)
    assert tf.raw_ops.DenseBincount(input=[7], size=6, weights=np.zeros(0, np.float32)).numpy().sum() == 0  # left out


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(("stride", "more"), [(1, 0), (2, 0), (2, 1), (3, 2)])
def test_transposed_convolution(padding: str, stride: int, more: int) -> None:
    weights = np.random.default_rng(1).normal(size=(3, 2, 5, 2)).astype(np.float32)
    same = padding == "SAME"
    sizes = [(n - 1) * stride + (1 if same else k) + more for n, k in ((6, 3), (8, 2))]

    def transposed(x: Any) -> Any:
        return tf.nn.conv2d_transpose(x, weights, [3, *sizes, 5], stride, padding) + tf.constant([1.0, 2, 3, 4, 5])

    used = compared(transposed, "x:float32[3,6,8,2]", image())
    assert "ConvTranspose" in used


def test_is_finite() -> None:
    array = np.array([[0, np.inf, -np.inf, np.nan]], np.float32)
    compared(lambda x: tf.math.is_finite(x), "x:float32[N,4]", array)


def test_tables_of_numbers() -> None:
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(tf.constant([5, -3, 7], tf.int64), tf.constant([1, 20, 300], tf.int64)), -1
    )
    compared(lambda x: table.lookup(x), "x:int64[N,4]", INTS)
