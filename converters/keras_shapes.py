"""Sizes that are known although the batch is not: what computes them at run time, replaced for the time of a trace."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock


@contextlib.contextmanager
def known_sizes() -> Iterator[None]:
    """Frames of a signal at places that are known; scales of images, and how many numbers are counted, as numbers."""
    import tensorflow as tf
    from tensorflow.python.ops import gen_image_ops
    from tensorflow.python.ops.signal import shape_ops

    with (
        mock.patch.object(shape_ops, "frame", _framed(shape_ops.frame)),
        mock.patch.object(gen_image_ops, "scale_and_translate", _scaled(gen_image_ops.scale_and_translate)),
        mock.patch.object(tf.math, "bincount", _counted(tf.math.bincount)),
    ):
        yield


def _framed(original: Any) -> Any:
    def frame(signal: Any, frame_length: Any, frame_step: Any, pad_end: bool = False, *args: Any, **given: Any) -> Any:  # noqa: FBT001, FBT002
        import numpy as np
        import tensorflow as tf

        length, step = tf.get_static_value(frame_length), tf.get_static_value(frame_step)
        size = signal.shape[-1]
        if pad_end or args or given.get("axis", -1) != -1 or None in (length, step, size):
            return original(signal, frame_length, frame_step, pad_end, *args, **given)
        starts = np.arange(max(0, 1 + (size - length) // step)) * step
        return tf.gather(signal, starts[:, None] + np.arange(length), axis=-1)

    return frame


def _scaled(original: Any) -> Any:
    def scale_and_translate(images: Any, size: Any, scale: Any, translation: Any, *args: Any, **given: Any) -> Any:
        known = [_value(t) for t in (scale, translation)]
        scale, translation = (t if k is None else k for t, k in zip((scale, translation), known, strict=True))
        return original(images, size, scale, translation, *args, **given)

    return scale_and_translate


def _counted(original: Any) -> Any:
    def bincount(arr: Any, weights: Any = None, minlength: Any = None, maxlength: Any = None, **given: Any) -> Any:
        import tensorflow as tf

        size = tf.get_static_value(minlength)
        same = size is not None and size == tf.get_static_value(maxlength)
        if not same or not isinstance(arr, tf.Tensor) or given.get("axis") != -1:
            return original(arr, weights, minlength, maxlength, **given)
        arr = arr if arr.dtype in (tf.int32, tf.int64) else tf.cast(arr, tf.int32)
        dtype = given.get("dtype", tf.int32) if weights is None else weights.dtype
        return tf.raw_ops.DenseBincount(
            input=arr,
            size=tf.constant(size, arr.dtype),
            weights=tf.zeros((0,), dtype) if weights is None else weights,
            binary_output=given.get("binary_output", False),
        )

    return bincount


def _value(tensor: Any) -> Any:
    """A tensor's numbers where they are known, those of sizes beside an open batch too; else None."""
    import numpy as np
    import tensorflow as tf
    from tensorflow.python.framework import tensor_util

    found = tf.get_static_value(tensor)
    if found is not None or not hasattr(tensor, "op"):
        return found
    inputs = tensor.op.inputs
    if tensor.op.type == "Cast":
        value = _value(inputs[0])
        return None if value is None else value.astype(tensor.dtype.as_numpy_dtype)
    if tensor.op.type == "RealDiv":
        values = [_value(t) for t in inputs]
        return None if any(v is None for v in values) else values[0] / values[1]
    if tensor.op.type == "StridedSlice":
        sizes = tensor_util.constant_value_as_shape(tensor)
        return np.asarray(sizes.as_list()) if sizes.is_fully_defined() else None
    return None
