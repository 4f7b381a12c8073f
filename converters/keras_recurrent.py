"""Keras's recurrent layers as ONNX's LSTM, GRU and RNN; other cells, and masks, step by step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any
from unittest import mock

from converters.tf_symbolic import onnx_operator

#: Keras's activations that ONNX's recurrent operators have too, with Keras's defaults for alpha and beta.
#: https://onnx.ai/onnx/operators/onnx__LSTM.html
_ACTIVATIONS = {
    "tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "Relu", "softplus": "Softplus", "softsign": "Softsign",
}  # fmt: skip

#: Where ONNX has Keras's gates: Keras's LSTM is i f c o and its GRU z r h; ONNX's are i o f c and z r h.
_GATES = {"LSTM": (0, 3, 1, 2), "GRU": (0, 1, 2), "RNN": (0,)}


@contextlib.contextmanager
def recurrent_operators() -> Iterator[None]:
    """Keras's ``RNN`` writing ONNX operators, for the time of a trace."""
    from keras import layers
    from keras.src.layers.rnn.rnn import RNN

    zeros: list[Any] = []
    make, loop = RNN.get_initial_state, RNN.inner_loop

    def get_initial_state(layer: Any, batch_size: Any) -> Any:
        import tensorflow as tf

        states = make(layer, batch_size)
        zeros.extend(tf.nest.flatten(states))
        return states

    def inner_loop(layer: Any, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        kind = _kind(layer.cell)
        if kind and mask is None:
            known = [None if any(s is z for z in zeros) else s for s in initial_state]  # ONNX begins with zeros itself
            return _operator(layer, kind, sequences, known)
        before = layer.unroll
        layer.unroll = before or sequences.shape[1] is not None
        try:
            return loop(layer, sequences, initial_state, mask=mask, training=training)
        finally:
            layer.unroll = before

    # LSTM's and GRU's own loops would ask for cuDNN first.
    with (
        mock.patch.object(RNN, "get_initial_state", get_initial_state),
        mock.patch.object(RNN, "inner_loop", inner_loop),
        mock.patch.object(layers.LSTM, "inner_loop", inner_loop),
        mock.patch.object(layers.GRU, "inner_loop", inner_loop),
    ):
        yield


def _kind(cell: Any) -> str:
    """The ONNX operator that computes what the cell does; "" if none does."""
    from keras import activations, layers

    kind = {layers.LSTMCell: "LSTM", layers.GRUCell: "GRU", layers.SimpleRNNCell: "RNN"}.get(type(cell), "")
    wanted = [cell.activation, *([cell.recurrent_activation] if kind in ("LSTM", "GRU") else [])] if kind else []
    known = [getattr(activations, name) for name in _ACTIVATIONS]
    return kind if all(any(a is k for k in known) for a in wanted) else ""


def _operator(layer: Any, kind: str, sequences: Any, states: Sequence[Any]) -> Any:
    import tensorflow as tf

    cell, units = layer.cell, layer.cell.units
    dtype = sequences.dtype
    kernel, recurrent = (tf.convert_to_tensor(w) for w in (cell.kernel, cell.recurrent_kernel))
    weights = [tf.expand_dims(tf.transpose(_ordered(w, kind, -1)), 0) for w in (kernel, recurrent)]
    attributes: dict[str, Any] = {"hidden_size": units, "activations": _names(cell, kind)}
    attributes["direction"] = "reverse" if layer.go_backwards else "forward"
    if kind == "GRU":
        attributes["linear_before_reset"] = int(cell.reset_after)
    steps = tf.transpose(sequences, [1, 0, 2])
    count, batch = steps.shape[0], steps.shape[1]
    outputs = [(dtype, (count, 1, batch, units)), *((dtype, (1, batch, units)) for _ in states)]
    starts = [None if s is None else tf.expand_dims(s, 0) for s in states]
    inputs = [steps, *weights, _bias(cell, kind, dtype), None, *starts]
    every, *last = onnx_operator(kind, inputs, attributes, outputs)
    all_outputs = tf.transpose(tf.squeeze(every, 1), [1, 0, 2])
    if layer.go_backwards:  # ONNX gives them in the order of the steps
        all_outputs = tf.reverse(all_outputs, [1])
    finals = [tf.squeeze(s, 0) for s in last]
    if not layer.return_sequences:
        all_outputs = tf.expand_dims(finals[0], 1)
    return finals[0], all_outputs, finals


def _names(cell: Any, kind: str) -> list[str]:
    functions = [cell.activation] if kind == "RNN" else [cell.recurrent_activation, cell.activation]
    names = [_ACTIVATIONS[f.__name__] for f in functions]
    return [*names, names[-1]] if kind == "LSTM" else names


def _ordered(weight: Any, kind: str, axis: int) -> Any:
    import tensorflow as tf

    parts = tf.split(weight, len(_GATES[kind]), axis)
    return tf.concat([parts[k] for k in _GATES[kind]], axis)


def _bias(cell: Any, kind: str, dtype: Any) -> Any:
    """(1, 2 gates units): the input's and the recurrent one; Keras has one of the two, except in a GRU."""
    import tensorflow as tf

    if not cell.use_bias:
        return None
    bias = tf.convert_to_tensor(cell.bias)
    if len(bias.shape) == 1:
        bias = tf.stack([bias, tf.zeros_like(bias)])
    return tf.cast(tf.reshape(_ordered(bias, kind, -1), (1, -1)), dtype)
