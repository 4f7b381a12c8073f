"""ReverseV2: axes read backwards; tf2onnx makes a ReverseSequence of it, with the lengths of a batch."""

from __future__ import annotations

import numpy as np

from converters.tf_builder import Builder, TfNode
from converters.translations import tensorflow


@tensorflow("ReverseV2")
def reverse(g: Builder, node: TfNode) -> str:
    """Slice with steps of -1, from the last to the first: ends before the beginning."""
    x, given = node.inputs
    axes = node.value(given)
    if axes is None:
        raise NotImplementedError("the axes to reverse are computed when the model runs")
    axes = axes.reshape(-1).astype(np.int64)
    if not axes.size:
        return str(g.Identity(x))
    starts, ends, steps = (np.full_like(axes, v) for v in (-1, np.iinfo(np.int64).min + 1, -1))
    return str(g.Slice(x, g.constant(starts), g.constant(ends), g.constant(axes), g.constant(steps)))
