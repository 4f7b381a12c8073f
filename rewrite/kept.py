"""Nodes that are left to the library's kernels say so themselves, whatever becomes of the model around them."""

from __future__ import annotations

from collections.abc import Collection

import onnx

_KEY = "kernel"
_VALUE = "library"


def mark(model: onnx.ModelProto, kept: Collection[str]) -> None:
    """Mark the nodes that make these tensors."""
    for node in model.graph.node:
        if any(o in kept for o in node.output if o) and not is_kept(node):
            node.metadata_props.add(key=_KEY, value=_VALUE)


def is_kept(node: onnx.NodeProto) -> bool:
    return any(p.key == _KEY and p.value == _VALUE for p in node.metadata_props)
