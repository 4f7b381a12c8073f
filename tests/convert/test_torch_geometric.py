"""torch_geometric's layers in networks of two to verified headers, with run-time connections and open sizes.

torch_geometric is no dependency: ``tox -e geometric`` installs it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import sofie_bridge
from convert import convert

layers = pytest.importorskip("torch_geometric.nn", reason="torch_geometric is not installed: tox -e geometric does")

#: What the header and PyTorch may differ by, in numbers of the order of 1.
CLOSE = 1e-4
#: Nodes and edges: no edges, one node with loops alone, repeated edges, isolated nodes, many.
GRAPHS = ((4, 0), (1, 0), (1, 5), (3, 30), (30, 9), (60, 200))
#: Graphs in a batch whose nodes say which of them they are of; the last may be empty.
BATCH = 3
NODE, EDGE, OTHER = 7, 3, 5

NODES = f"x:float32[N,{NODE}]"
CONNECTIONS = "edge_index:int64[2,E]"
PLAIN = [NODES, CONNECTIONS]
WEIGHTED = [*PLAIN, "edge_weight:float32[E]"]
ATTRIBUTED = [*PLAIN, f"edge_attr:float32[E,{EDGE}]"]
BATCHED = [*PLAIN, "batch:int64[N]"]
BIPARTITE = [NODES, f"y:float32[M,{OTHER}]", CONNECTIONS]

Arrays = dict[str, np.ndarray[Any, Any]]


class Layers(nn.Module):
    def __init__(self, first: Any, second: Any) -> None:
        super().__init__()
        self.first, self.second = first, second

    def both(self, x: Tensor, *edges: Tensor) -> Tensor:
        return cast(Tensor, self.second(torch.relu(self.first(x, *edges)), *edges))


class Two(Layers):
    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.both(x, edge_index)


class TwoWeighted(Layers):
    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor) -> Tensor:
        return self.both(x, edge_index, edge_weight)


class TwoAttributed(Layers):
    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        return self.both(x, edge_index, edge_attr)


class Bipartite(nn.Module):
    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, y: Tensor, edge_index: Tensor) -> Tensor:
        return torch.relu(self.layer((x, y), edge_index))


class Normalizing(Layers):
    """GraphNorm between two layers, with numbers that are not its first ones."""

    def __init__(self) -> None:
        super().__init__(layers.SAGEConv(NODE, 8), layers.SAGEConv(8, 4))
        self.norm = layers.GraphNorm(8)
        with torch.no_grad():
            self.norm.mean_scale.uniform_(0.5, 1.5)
            self.norm.bias.normal_()

    def normalized(self, x: Tensor, edge_index: Tensor, *batch: Any) -> Tensor:
        return cast(Tensor, self.second(torch.relu(self.norm(self.first(x, edge_index), *batch)), edge_index))


class Normalized(Normalizing):
    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.normalized(x, edge_index)


class NormalizedBatch(Normalizing):
    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        return self.normalized(x, edge_index, batch, BATCH)


def pooled(x: Tensor, batch: Tensor | None, size: int | None) -> Tensor:
    """Sum, mean and maximum over the nodes of each graph."""
    pools = (layers.global_add_pool, layers.global_mean_pool, layers.global_max_pool)
    return torch.cat([pool(x, batch, size) for pool in pools], 1)


class Pooled(Layers):
    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return pooled(self.both(x, edge_index), None, None)


class PooledBatch(Layers):
    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        return pooled(self.both(x, edge_index), batch, BATCH)


def mlp(narrow: int, wide: int) -> Any:
    return nn.Sequential(nn.Linear(narrow, 16), nn.ReLU(), nn.Linear(16, wide))


def convolutions() -> tuple[Any, Any]:
    return layers.GraphConv(NODE, 8), layers.GraphConv(8, 4, aggr="mean")


NETWORKS: dict[str, tuple[list[str], Callable[[], Any]]] = {
    "GCN": (PLAIN, lambda: Two(layers.GCNConv(NODE, 8), layers.GCNConv(8, 4, add_self_loops=False))),
    "GCN, weighted": (WEIGHTED, lambda: TwoWeighted(layers.GCNConv(NODE, 8), layers.GCNConv(8, 4, improved=True))),
    "GAT": (PLAIN, lambda: Two(layers.GATConv(NODE, 8, heads=3), layers.GATConv(24, 4))),
    "GAT, mean of heads": (PLAIN, lambda: Two(
        layers.GATConv(NODE, 8, heads=3, concat=False, residual=True), layers.GATConv(8, 4, add_self_loops=False))),
    "GAT, edges": (ATTRIBUTED, lambda: TwoAttributed(
        layers.GATConv(NODE, 8, heads=2, edge_dim=EDGE), layers.GATConv(16, 4, edge_dim=EDGE, fill_value="add"))),
    "GATv2": (PLAIN, lambda: Two(layers.GATv2Conv(NODE, 8, heads=2), layers.GATv2Conv(16, 4, share_weights=True))),
    "GATv2, edges": (ATTRIBUTED, lambda: TwoAttributed(
        layers.GATv2Conv(NODE, 8, heads=2, edge_dim=EDGE), layers.GATv2Conv(16, 4, edge_dim=EDGE))),
    "SAGE": (PLAIN, lambda: Two(layers.SAGEConv(NODE, 8), layers.SAGEConv(8, 4))),
    "SAGE, maximum": (PLAIN, lambda: Two(
        layers.SAGEConv(NODE, 8, aggr="max", project=True), layers.SAGEConv(8, 4, normalize=True))),
    "GIN": (PLAIN, lambda: Two(layers.GINConv(mlp(NODE, 8), train_eps=True, eps=0.3), layers.GINConv(mlp(8, 4)))),
    "GINE": (ATTRIBUTED, lambda: TwoAttributed(
        layers.GINEConv(mlp(NODE, 8), edge_dim=EDGE), layers.GINEConv(mlp(8, 4), edge_dim=EDGE))),
    "Edge, maximum and mean": (PLAIN, lambda: Two(
        layers.EdgeConv(mlp(2 * NODE, 8), aggr="max"), layers.EdgeConv(mlp(16, 4), aggr="mean"))),
    "Edge, sum and minimum": (PLAIN, lambda: Two(
        layers.EdgeConv(mlp(2 * NODE, 8), aggr="add"), layers.EdgeConv(mlp(16, 4), aggr="min"))),
    "Transformer": (PLAIN, lambda: Two(
        layers.TransformerConv(NODE, 8, heads=2), layers.TransformerConv(16, 4, beta=True))),
    "Transformer, edges": (ATTRIBUTED, lambda: TwoAttributed(
        layers.TransformerConv(NODE, 8, heads=2, edge_dim=EDGE),
        layers.TransformerConv(16, 4, heads=2, concat=False, edge_dim=EDGE))),
    "GraphNorm": (PLAIN, Normalized),
    "GraphNorm, batch": (BATCHED, NormalizedBatch),
    "pools": (PLAIN, lambda: Pooled(*convolutions())),
    "pools, batch": (BATCHED, lambda: PooledBatch(*convolutions())),
    "SAGE, bipartite": (BIPARTITE, lambda: Bipartite(layers.SAGEConv((NODE, OTHER), 8))),
    "GAT, bipartite": (BIPARTITE, lambda: Bipartite(
        layers.GATConv((NODE, OTHER), 8, heads=2, add_self_loops=False))),
    "Transformer, bipartite": (BIPARTITE, lambda: Bipartite(layers.TransformerConv((NODE, OTHER), 8, heads=2))),
}  # fmt: skip


def graph(inputs: list[str], nodes: int, edges: int) -> Arrays:
    """Random features and connections; with few nodes, loops and edges that are there twice."""
    generator = np.random.default_rng(nodes + 1000 * edges)
    others = nodes + 2 if inputs is BIPARTITE else nodes
    arrays: Arrays = {
        "x": generator.standard_normal((nodes, NODE)).astype(np.float32),
        "edge_index": np.stack([generator.integers(0, nodes, edges), generator.integers(0, others, edges)]),
    }
    if inputs is WEIGHTED:
        arrays["edge_weight"] = generator.random(edges, np.float32)
    if inputs is ATTRIBUTED:
        arrays["edge_attr"] = generator.standard_normal((edges, EDGE)).astype(np.float32)
    if inputs is BATCHED:
        arrays["batch"] = np.sort(generator.integers(0, BATCH, nodes))
    if inputs is BIPARTITE:
        arrays["y"] = generator.standard_normal((others, OTHER)).astype(np.float32)
    return arrays


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n == "GAT" else pytest.mark.sweep) for n in NETWORKS]
)
def test_run_time_connections(name: str, tmp_path: Path) -> None:
    inputs, make = NETWORKS[name]
    torch.manual_seed(3)
    network = make().eval()
    report = convert(network, inputs=inputs, output=tmp_path, samples=graph(inputs, 9, 20))
    assert report.verified
    assert {p.name for p in report.inputs} == {text.partition(":")[0] for text in inputs}
    assert {d for p in report.inputs for d in p.shape} >= {"N", "E"}
    with sofie_bridge.load(next(p for p in report.files if p.suffix == ".hxx")) as header:
        for nodes, edges in GRAPHS[2 * name.startswith("Transformer") :]:  # SOFIE divides by its number of edges there
            arrays = graph(inputs, nodes, edges)
            (found,) = header(**arrays).values()
            with torch.no_grad():
                expected = network(**{n: torch.from_numpy(a) for n, a in arrays.items()}).numpy()
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=CLOSE, err_msg=f"{nodes} nodes, {edges} edges")
