"""Keras's recurrent layers as ONNX's LSTM, GRU and RNN; other cells, and masks, step by step."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
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
    from keras.src import backend
    from keras.src.layers.rnn.rnn import RNN

    zeros: list[Any] = []
    make, loop = RNN.get_initial_state, RNN.inner_loop

    def get_initial_state(layer: Any, batch_size: Any) -> Any:
        import tensorflow as tf

        states = make(layer, batch_size)
        zeros.extend(tf.nest.flatten(states))
        return states

    def inner_loop(layer: Any, sequences: Any, initial_state: Any, mask: Any, training: Any = False) -> Any:  # noqa: FBT002
        kind = _kind(layer.cell)
        if kind and mask is None:
            known = [None if any(s is z for z in zeros) else s for s in initial_state]  # ONNX begins with zeros itself
            return _operator(layer, kind, sequences, known)
        return loop(layer, sequences, initial_state, mask=mask, training=training)

    # LSTM's and GRU's own loops would ask for cuDNN first.
    with (
        mock.patch.object(RNN, "get_initial_state", get_initial_state),
        mock.patch.object(RNN, "inner_loop", inner_loop),
        mock.patch.object(layers.LSTM, "inner_loop", inner_loop),
        mock.patch.object(layers.GRU, "inner_loop", inner_loop),
        mock.patch.object(backend, "rnn", unrolled(backend.rnn)),
    ):
        yield


def unrolled(original: Callable[..., Any]) -> Callable[..., Any]:
    """Keras's ``backend.rnn``, and tf_keras's, with a step after the other, where their number is fixed.

    Not by Keras's own ``unroll``: read backwards under a mask, that takes the mask the wrong way round (3.15).
    """

    def rnn(
        step: Callable[..., Any],
        inputs: Any,
        initial_states: Any,
        go_backwards: Any = False,  # noqa: FBT002 - Keras's signature
        mask: Any = None,
        **given: Any,
    ) -> Any:
        import tensorflow as tf

        plain = {"constants", "time_major"}.isdisjoint(k for k, v in given.items() if v)
        if not plain or not tf.is_tensor(inputs) or inputs.shape[1] is None:
            return original(step, inputs, initial_states, go_backwards=go_backwards, mask=mask, **given)
        order = range(inputs.shape[1])[:: -1 if go_backwards else 1]
        states, output, outputs = list(initial_states), None, []
        for k in order:
            made, new = step(inputs[:, k], tuple(states))
            if mask is not None:
                if output is None or given.get("zero_output_for_mask"):
                    output = tf.zeros_like(made)
                made = _where(mask[:, k], made, output)
                new = tf.nest.map_structure(lambda n, o, m=mask[:, k]: _where(m, n, o), list(new), states)
            states, output = list(new), made
            outputs.append(made)
        every = tf.stack(outputs, 1) if given.get("return_all_outputs", True) else tf.expand_dims(output, 1)
        return output, every, states

    return rnn


def _where(mask: Any, new: Any, old: Any) -> Any:
    """``mask``: (batch) or (batch, 1)."""
    import tensorflow as tf

    return tf.where(tf.reshape(mask, [-1] + [1] * (len(new.shape) - 1)), new, old)


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
