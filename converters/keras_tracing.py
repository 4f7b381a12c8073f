"""What Keras does that cannot be traced for ONNX, replaced for the time of a trace.

Convolutions that TensorFlow has on other devices alone run channels-last, between transposes; recurrent layers become
ONNX's LSTM, GRU and RNN, or plain operators, one step after the other.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Sequence
from typing import Any
from unittest import mock

from converters.keras_lookup import compared_lookups
from converters.keras_recurrent import recurrent_operators
from converters.keras_shapes import known_sizes
from converters.keras_wrappers import folded_time
from converters.tf_export import without_jit


@contextlib.contextmanager
def on_cpu() -> Iterator[None]:
    """Channels-first convolutions computed channels-last: TensorFlow's CPU kernels know no others.

    For the trace and for the reference alike.
    """
    from keras.src.backend.tensorflow import nn

    with contextlib.ExitStack() as stack:
        for name in ("conv", "conv_transpose", "separable_conv", "depthwise_conv"):
            stack.enter_context(mock.patch.object(nn, name, _channels_last(getattr(nn, name))))
        sizes = nn.compute_adaptive_pooling_window_sizes
        stack.enter_context(mock.patch.object(nn, "compute_adaptive_pooling_window_sizes", _inside(sizes)))
        yield


@contextlib.contextmanager
def tracing() -> Iterator[None]:
    """All of it, for the trace."""
    with (
        on_cpu(),
        without_jit(),
        _split_groups(),
        compared_lookups(),
        known_sizes(),
        recurrent_operators(),
        folded_time(),
    ):
        yield


def _inside(original: Any) -> Any:
    """Adaptive pools have windows of two sizes, the larger also where only the smaller is needed.

    Where that is larger than the image, TensorFlow cannot be traced, and its MaxPool divides by zero.
    """

    def sizes(before: int, after: int) -> tuple[int, int]:
        small, large = original(before, after)
        return small, min(large, before)

    return sizes


def _channels_last(function: Any) -> Any:
    parameters = inspect.signature(function)

    def run(inputs: Any, *args: Any, **given: Any) -> Any:
        import tensorflow as tf
        from keras import config

        bound = parameters.bind(inputs, *args, **given)  # operators hand it over by place, layers by name
        if (bound.arguments.get("data_format") or config.image_data_format()) != "channels_first":
            return function(inputs, *args, **given)
        rank = len(inputs.shape)
        last = tf.transpose(inputs, [0, *range(2, rank), 1])
        done = function(**{**bound.arguments, next(iter(parameters.parameters)): last, "data_format": "channels_last"})
        return tf.transpose(done, [0, rank - 1, *range(1, rank - 1)])

    return run


def _split_groups() -> Any:
    """Grouped 3-D convolutions, group by group: tf2onnx's translation of Conv3D knows no groups."""
    import tensorflow as tf

    original = tf.nn.convolution

    def convolution(inputs: Any, filters: Any, strides: Any = None, padding: str = "VALID", **given: Any) -> Any:
        channels, taken = inputs.shape[-1], filters.shape[-2]
        if len(inputs.shape) != 5 or channels == taken:
            return original(inputs, filters, strides, padding, **given)
        groups = channels // taken
        parts: Sequence[Any] = [
            original(x, w, strides, padding, **given)
            for x, w in zip(tf.split(inputs, groups, -1), tf.split(filters, groups, -1), strict=True)
        ]
        return tf.concat(parts, -1)

    return mock.patch.object(tf.nn, "convolution", convolution)
