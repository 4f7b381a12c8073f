"""The attributes of a convolution over integers, written out as Conv has them after the passes."""

from __future__ import annotations

from typing import Any

from rewrite.rule import NodeView, Refusal, refuse


def explicit(node: NodeView, sizes: tuple[int | str, ...], kernel: tuple[int, ...]) -> dict[str, Any] | Refusal:
    """Attributes for a Conv node, ``auto_pad`` turned into pads.

    :param sizes: of the input's spatial axes. :param kernel: of the weights'.
    """
    ones = [1] * len(kernel)
    strides, dilations = list(node.attr("strides") or ones), list(node.attr("dilations") or ones)
    mode = node.attr("auto_pad", "NOTSET")
    pads = list(node.attr("pads") or [0] * 2 * len(kernel))
    if mode.startswith("SAME"):
        if not all(isinstance(n, int) for n in sizes):
            return refuse("auto_pad could not be resolved: the sizes are not fixed")
        totals = [
            max((-(-int(n) // s) - 1) * s + (k - 1) * d + 1 - int(n), 0)
            for n, s, k, d in zip(sizes, strides, kernel, dilations, strict=True)
        ]
        small, large = [t // 2 for t in totals], [t - t // 2 for t in totals]
        pads = [*small, *large] if mode == "SAME_UPPER" else [*large, *small]
    return {
        "auto_pad": "NOTSET",
        "dilations": dilations,
        "group": node.attr("group", 1),
        "kernel_shape": list(kernel),
        "pads": pads,
        "strides": strides,
    }
