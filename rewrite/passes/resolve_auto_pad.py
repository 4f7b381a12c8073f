"""``auto_pad`` becomes explicit ``pads``."""

from __future__ import annotations

from rewrite.graph import Graph, Node, static_shape

_OPERATORS = {"Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"}


def resolve_auto_pad(graph: Graph) -> None:
    """Compute ``pads`` from ``auto_pad`` where the spatial sizes are known; symbolic ones stay for the target to judge.

    Source: https://onnx.ai/onnx/operators/onnx__Conv.html and onnx__ConvTranspose.html, attribute ``auto_pad``.
    """
    for node in graph.nodes:
        if node.op not in _OPERATORS or node.domain or node.attrs.get("auto_pad", "NOTSET") == "NOTSET":
            continue
        if node.attrs["auto_pad"] == "VALID":
            pads: list[int] | None = [0] * (2 * len(node.attrs["kernel_shape"]))
        elif node.op == "ConvTranspose":
            pads = _transposed(node)
        else:
            pads = _same(node)
        if pads is not None:
            node.attrs["auto_pad"] = "NOTSET"
            node.attrs["pads"] = pads


def _split(totals: list[int], *, upper: bool) -> list[int]:
    """Share each axis's padding out to begin and end; an odd one goes to the end for SAME_UPPER."""
    small = [t // 2 for t in totals]
    large = [t - t // 2 for t in totals]
    return [*small, *large] if upper else [*large, *small]


def _same(node: Node) -> list[int] | None:
    """pad = max((ceil(n / s) - 1) s + (k - 1) d + 1 - n, 0)"""
    kernel, strides, dilations = (node.attrs[k] for k in ("kernel_shape", "strides", "dilations"))
    sizes = node.inputs[0].shape
    if sizes is None or not all(isinstance(n, int) for n in sizes[2:]):
        if not all(s == 1 for s in strides):
            return None
        totals = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
    else:
        totals = [
            max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
            for n, k, s, d in zip(sizes[2:], kernel, strides, dilations, strict=True)
        ]
    return _split(totals, upper=node.attrs["auto_pad"] == "SAME_UPPER")


def _transposed(node: Node) -> list[int] | None:
    """pad = s (n - 1) + output_padding + (k - 1) d + 1 - output_shape, with output_shape = n s if it is not given"""
    kernel, strides, dilations = (node.attrs[k] for k in ("kernel_shape", "strides", "dilations"))
    extra = node.attrs["output_padding"]
    sizes = static_shape(node.inputs[0])
    if sizes is None:
        return None
    wanted = node.attrs.get("output_shape") or [n * s for n, s in zip(sizes[2:], strides, strict=True)]
    totals = [
        s * (n - 1) + e + (k - 1) * d + 1 - w
        for n, k, s, d, e, w in zip(sizes[2:], kernel, strides, dilations, extra, wanted, strict=True)
    ]
    if any(t < 0 for t in totals):
        return None
    # The operator's page shares transposed padding out the other way round: SAME_UPPER puts the odd one at the end.
    return _split(totals, upper=node.attrs["auto_pad"] == "SAME_UPPER")
