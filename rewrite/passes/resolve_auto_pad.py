"""``auto_pad`` and ``output_shape`` become explicit ``pads``."""

from __future__ import annotations

from rewrite.graph import Graph, Node, static_shape

_OPERATORS = {"Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"}


def resolve_auto_pad(graph: Graph) -> None:
    """Compute ``pads`` from ``auto_pad`` where the spatial sizes are known; symbolic ones stay for the target to judge.

    Source: https://onnx.ai/onnx/operators/onnx__Conv.html and onnx__ConvTranspose.html, attribute ``auto_pad``.
    """
    for node in graph.nodes:
        if node.op in _OPERATORS and not node.domain and "kernel_shape" in node.attrs:
            _resolve(node)


def _resolve(node: Node) -> None:
    mode = node.attrs.get("auto_pad", "NOTSET")
    if node.op == "ConvTranspose" and (node.attrs.get("output_shape") or mode.startswith("SAME")):
        pads = _transposed(node)
    elif mode == "NOTSET":
        return
    elif mode == "VALID":
        pads = [0] * (2 * len(node.attrs["kernel_shape"]))
    else:
        pads = _same(node)
    if pads is not None:
        node.attrs["auto_pad"] = "NOTSET"
        node.attrs["pads"] = pads
        node.attrs.pop("output_shape", None)  # beside it, pads would not count


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
    """pad = s (n - 1) + output_padding + (k - 1) d + 1 - output_shape, with output_shape = n s if it is not given

    What a given output_shape lacks, where that is negative, is more of ``output_padding``.
    """
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
    if "output_shape" in node.attrs:  # else it is as long as it gets
        extra = [e + max(-t, 0) for e, t in zip(extra, totals, strict=True)]
    if any(e >= max(s, d) for e, s, d in zip(extra, strides, dilations, strict=True) if e):
        return None  # more than the operator allows
    node.attrs["output_padding"] = extra
    return _split([max(t, 0) for t in totals], upper=node.attrs.get("auto_pad") == "SAME_UPPER")
