"""Dropout that drops nothing, with its mask."""

from __future__ import annotations

import numpy as np

from rewrite.rule import NodeView, Op, Result, case, refuse, rule


@rule("Dropout", cases=[
    case("(float[2,3] x) => (float[2,3] y, bool[2,3] m) { y, m = Dropout(x) }"),
    case("(float[2,3] x) => (float[2,3] y, bool[2,3] m) <float r = {0.3}, bool t = {0}> { y, m = Dropout(x, r, t) }"),
    case("(float[N,3] x) => (float[N,3] y, bool[N,3] m) <float r = {0}, bool t = {1}> { y, m = Dropout(x, r, t) }"),
    case("(float[2,3] x) => (float[2,3] y) <float r = {0}, bool t = {1}> { z = Neg(x) y = Dropout(z, r, t) }"),
    case("(float[2,3] x) => (float[2,3] y) <float r = {0.3}, bool t = {1}> { y = Dropout(x, r, t) }", refuses="random"),
    case("(float[2,3] x, bool t) => (float[2,3] y) <float r = {0.3}> { y = Dropout(x, r, t) }", refuses="run time"),
])  # fmt: skip
def dropout_to_identity(op: Op, node: NodeView) -> Result:
    """Dropout(x) = x, its mask all true, at inference or with the ratio 0"""
    ratio, training = op.value(node.input(1)), op.value(node.input(2))
    kept = node.input(1) is not None and ratio is not None and not np.any(ratio)
    if node.input(2) is not None and not kept:
        if training is None:
            return refuse("whether it trains is known only at run time, and what it drops in training is random")
        if np.any(training):
            return refuse("in training mode what it drops is random: export the model in eval mode")
    if not node.wants(1):
        return [node.x, None][: len(node.outputs)]
    # computed, not constant: an output of the model has to be
    unknown = op.IsNaN(node.x)
    return [node.x, op.Or(unknown, op.Not(unknown))]
