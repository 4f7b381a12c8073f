"""What tf_keras (Keras 2) does that cannot be traced for ONNX, replaced for the time of a trace."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any
from unittest import mock

from converters.keras_recurrent import unrolled


@contextlib.contextmanager
def tracing(model: Any) -> Iterator[None]:
    """Recurrent layers with a fixed number of steps become plain operators, step after step; no compiled parts.

    :param model: anything; nothing is done to what is not of tf_keras.
    """
    tf_keras = sys.modules.get("tf_keras")
    if tf_keras is None or not isinstance(model, tf_keras.layers.Layer):
        yield
        return
    from tf_keras.src import backend
    from tf_keras.src.layers.convolutional.base_conv import Conv

    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(backend, "rnn", unrolled(backend.rnn)))
        # Grouped convolutions are compiled (XLA) on the CPU, and tf2onnx cannot look into that.
        stack.enter_context(mock.patch.object(Conv, "_jit_compiled_convolution_op", Conv.convolution_op))
        for layer in model._flatten_layers():
            if hasattr(layer, "_could_use_gpu_kernel"):  # with it there are two kernels, to be chosen at run time
                stack.enter_context(mock.patch.object(layer, "_could_use_gpu_kernel", False))
        yield
