"""torch_geometric's self-loops in GATConv."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from converters.translations import stand_in


@stand_in("torch_geometric.nn.conv.gat_conv.add_self_loops")
def add_self_loops(*arguments: Any, **named: Any) -> Any:
    """torch_geometric's own, with the number of edges said not to be 0.

    The layer asks whether there is any edge. Those that are no self-loops are counted at run time, so that
    torch.export does not know; but each node has just been given one.
    """
    import torch
    from torch_geometric.utils import add_self_loops as added

    check: Callable[..., None] = torch._check  # has no annotations
    edge_index, edge_attr = added(*arguments, **named)
    if torch.compiler.is_compiling():
        check(edge_index.shape[1] > 0)
    return edge_index, edge_attr
