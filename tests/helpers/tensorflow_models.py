"""TensorFlow functions and modules that are no Keras models, for ``file.py:factory``."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

ROWS = [tf.TensorSpec([None, 3], tf.float32, "x")]


class Dense(tf.Module):  # type: ignore[misc]
    """With a signature of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._weight = tf.Variable(tf.reshape(tf.range(6.0), [3, 2]) / 6)

    @tf.function(input_signature=ROWS)  # type: ignore[untyped-decorator]
    def __call__(self, x: Any) -> Any:
        return {"scores": tf.nn.softmax(x @ self._weight), "raw": x @ self._weight}


class Plain(tf.Module):  # type: ignore[misc]
    """Without: the inputs are to be given with --input."""

    def __init__(self) -> None:
        super().__init__()
        self._scale = tf.Variable(2.0)

    def __call__(self, x: Any, y: Any) -> Any:
        return self._scale * x + y


def called_before() -> Any:
    """A function that keeps a trace, and one inside of it that is compiled."""

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def twice(x: Any) -> Any:
        return 2 * x

    @tf.function(input_signature=ROWS)  # type: ignore[untyped-decorator]
    def run(x: Any) -> Any:
        return twice(x)

    run(tf.zeros([2, 3]))
    return run


@tf.function(input_signature=ROWS)  # type: ignore[untyped-decorator]
def bessel(x: Any) -> Any:
    with tf.name_scope("tail"):
        return tf.raw_ops.BesselI0e(x=x) + tf.raw_ops.BesselI0e(x=2 * x)


@tf.function(input_signature=ROWS)  # type: ignore[untyped-decorator]
def three_that_lack(x: Any) -> Any:
    with tf.name_scope("tail"):
        return tf.math.lgamma(x) + tf.math.xlog1py(x, x) + tf.math.digamma(x)


@tf.function(input_signature=ROWS)  # type: ignore[untyped-decorator]
def python_inside(x: Any) -> Any:
    with tf.name_scope("middle"):
        return tf.ensure_shape(tf.py_function(lambda v: v + 1, [x], tf.float32), [None, 3])


@tf.function(input_signature=ROWS)  # type: ignore[untyped-decorator]
def numpy_inside(x: Any) -> Any:
    with tf.name_scope("middle"):
        return tf.ensure_shape(tf.numpy_function(lambda v: v + 1, [x], tf.float32), [None, 3])


@tf.function(input_signature=ROWS)  # type: ignore[untyped-decorator]
def numpy_outside(x: Any) -> Any:
    import numpy as np

    return tf.constant(np.exp(x))


@tf.function(input_signature=ROWS)  # type: ignore[untyped-decorator]
def strings(x: Any) -> Any:
    return tf.strings.length(tf.strings.as_string(x))


@tf.function(input_signature=ROWS)  # type: ignore[untyped-decorator]
def open_segments(x: Any) -> Any:
    return tf.math.segment_sum(x, tf.cast(x[:, 0], tf.int32))


def sonnet_mlp() -> Any:
    """A Sonnet module, whose variables are made when it is called first; its parameters have no names."""
    import sonnet as snt

    tf.random.set_seed(1)
    return snt.nets.MLP([5, 2])


def unrolled() -> Any:
    """A loop over a list of tensors, as Sonnet's recurrent cores are run."""
    import sonnet as snt

    core = snt.LSTM(8)

    @tf.function(input_signature=[tf.TensorSpec([2, 7, 4], tf.float32, "x")])  # type: ignore[untyped-decorator]
    def run(x: Any) -> Any:
        return snt.dynamic_unroll(core, x, core.initial_state(7))[0]

    return run
