"""What Keras has no trace for that ONNX can say, and what it computes at run time though it is known before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from converters import load
from sofie_bridge.reference import OnnxReference

pytest.importorskip("tf2onnx", reason="the extra keras is not installed")
keras: Any = pytest.importorskip("keras", reason="the extra keras is not installed")


def numbers(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(5).normal(size=shape).astype(np.float32)


def compared(layer: Any, array: np.ndarray[Any, Any]) -> list[str]:
    """A model of one layer, its batch open, gives the layer's numbers as ONNX; the operators of that."""
    given = keras.Input(array.shape[1:], dtype=str(array.dtype), name="x")
    loaded = load(keras.Model(given, layer(given)))
    assert loaded.reference is not None
    expected, found = loaded.reference({"x": array}), OnnxReference(loaded.model)({"x": array})
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-4)
    return [n.op_type for n in loaded.model.graph.node]


@pytest.mark.parametrize("groups", [1, 2])
def test_channels_first_and_groups_in_three_dimensions(groups: int) -> None:
    layer = keras.layers.Conv3D(6, 2, data_format="channels_first", groups=groups, bias_initializer="ones")
    assert "Conv" in compared(layer, numbers(2, 4, 5, 6, 9))


def test_channels_first_where_the_format_is_handed_over_by_place() -> None:
    compared(keras.layers.ConvLSTM3D(3, 2, data_format="channels_first"), numbers(2, 2, 2, 4, 5, 3))


@pytest.mark.parametrize("kind", ["Max", "Average"])
@pytest.mark.parametrize("size", [1, 3])
def test_adaptive_pools_down_to_one(kind: str, size: int) -> None:
    compared(getattr(keras.layers, f"Adaptive{kind}Pooling1D")(size), numbers(2, 11, 3))


@pytest.mark.parametrize("mode", ["count", "multi_hot", "one_hot"])
def test_categories(mode: str) -> None:
    ids = np.array([[0, 1, 4], [2, 2, 3]], np.int32)
    used = compared(keras.layers.CategoryEncoding(5, output_mode=mode), ids)
    assert "Unique" not in used


def test_lookups_of_whole_numbers() -> None:
    ids = np.array([[12, 3, -5], [7, 0, 99]], np.int64)
    used = compared(keras.layers.IntegerLookup(vocabulary=[12, 3, 7], num_oov_indices=2), ids)
    assert "Equal" in used


def test_frames_of_a_signal() -> None:
    used = compared(
        keras.layers.MelSpectrogram(32, 8, sampling_rate=1000, num_mel_bins=6, max_freq=400.0), numbers(2, 64)
    )
    assert "Range" not in used


def test_antialiasing() -> None:
    used = compared(keras.layers.Resizing(5, 4, antialias=True), numbers(2, 8, 6, 3))
    assert "Resize" not in used


def test_a_mask_read_backwards_in_keras_2() -> None:
    """tf_keras's own ``unroll`` takes the mask the wrong way round there, as Keras 3's does."""
    tf_keras = pytest.importorskip("tf_keras", reason="tf_keras is not installed")
    layers = tf_keras.layers
    steps = layers.Input((8, 5))
    both = layers.Bidirectional(layers.LSTM(6, return_sequences=True))
    model = tf_keras.Model(steps, both(layers.Masking()(steps)))
    x = np.random.default_rng(1).normal(size=(3, 8, 5)).astype(np.float32)
    for event, length in zip(x, (3, 8, 1), strict=True):
        event[length:] = 0
    loaded = load(model)
    (found,) = OnnxReference(loaded.model)({loaded.model.graph.input[0].name: x}).values()
    np.testing.assert_allclose(found, np.asarray(model(x)), rtol=1e-5, atol=1e-6)
