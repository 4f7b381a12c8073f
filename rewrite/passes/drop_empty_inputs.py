"""Inputs of no elements tell nothing: they become constants."""

from __future__ import annotations

import numpy as np

from rewrite.graph import Graph, dtype_of, static_shape


def drop_empty_inputs(graph: Graph) -> None:
    """Take inputs of size 0 off the model; who reads them reads an empty constant."""
    kept = []
    for tensor in graph.inputs:
        shape, dtype = static_shape(tensor), dtype_of(tensor)
        if shape is None or 0 not in shape or dtype is None or graph.is_output(tensor):
            kept.append(tensor)
            continue
        empty = graph.constant(np.empty(shape, dtype), tensor.name)
        for reader in list(tensor.outputs):
            for place, read in enumerate(reader.inputs):
                if read is tensor:
                    reader.inputs[place] = empty
    graph.inputs = kept
