"""torch_geometric's scatters: traced as they compute, not in their own form for ONNX."""

from __future__ import annotations

from converters.translations import stand_in


@stand_in("torch_geometric.utils._scatter.is_in_onnx_export")
def is_in_onnx_export() -> bool:
    """Never.

    While an export goes on, ``utils.scatter`` starts maxima from max(0, the smallest message), as ONNX once had no
    reduction without the first value: a node that receives negative numbers alone gets 0 then, and a softmax over large
    negative ones 0/1e-16 (torch_geometric 2.8). scatter_reduce is translated as it is.
    """
    return False
