"""Keras's TimeDistributed, which maps a layer over an axis, as one call of the layer on all of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock


@contextlib.contextmanager
def folded_time() -> Iterator[None]:
    """For the time of a trace: steps join the batch, (batch, steps, ...) as (batch steps, ...).

    Keras calls the layer once a step, or through a vectorised map with control flow where their number is open.
    """
    from keras import layers

    original = layers.TimeDistributed.call

    def call(wrapper: Any, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        layer, rest = wrapper.layer, inputs.shape[2:]
        if None in rest or (layer._call_has_mask_arg and mask is not None):
            return original(wrapper, inputs, training=training, mask=mask)
        given = {"training": training} if layer._call_has_training_arg else {}
        if isinstance(layer, (layers.Dense, layers.Dropout, layers.Activation)):
            return layer.call(inputs, **given)  # these go over the last axis or over each element as it is
        return _joined(layer, inputs, given)

    with mock.patch.object(layers.TimeDistributed, "call", call):
        yield


def _joined(layer: Any, inputs: Any, given: dict[str, Any]) -> Any:
    import tensorflow as tf

    batch, steps = inputs.shape[:2]
    made = layer.call(tf.reshape(inputs, [-1, *inputs.shape[2:]]), **given)
    sizes = tf.shape(inputs)
    lead = [-1, steps] if steps is not None else [batch, -1] if batch is not None else [sizes[0], sizes[1]]
    return tf.reshape(made, [*lead, *made.shape[1:]])
