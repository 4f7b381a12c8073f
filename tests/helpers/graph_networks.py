"""DeepMind graph_nets as their users write them: each factory gives a ``tf.function`` for ``file.py:factory``.

The function takes the fields of a ``GraphsTuple`` as tensors, builds it, and gives the fields of the output by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sonnet as snt
import tensorflow as tf
from graph_nets import modules, utils_tf
from graph_nets.blocks import unsorted_segment_max_or_zero
from graph_nets.graphs import GraphsTuple

Network = Callable[[GraphsTuple], GraphsTuple]

#: A graph of fixed size; its edges go where the inputs say.
NODES, EDGES = 10, 24
#: Features of a node, an edge, a graph.
FEATURES = (4, 3, 2)


def mlp(*sizes: int) -> Callable[[], Any]:
    return lambda: snt.nets.MLP(sizes or (8, 8), activate_final=True)


def normalized(latent: int) -> Callable[[], Any]:
    """The MLP of DeepMind's demos: two layers, then LayerNorm."""
    return lambda: snt.Sequential(
        [
            snt.nets.MLP([latent, latent], activate_final=True),
            snt.LayerNorm(axis=-1, create_offset=True, create_scale=True),
        ]
    )


class EncodeProcessDecode(snt.Module):  # type: ignore[misc]
    """https://github.com/google-deepmind/graph_nets/blob/master/graph_nets/demos_tf2, with one step's answers: the last's."""

    def __init__(self, latent: int, steps: int) -> None:
        super().__init__()
        one = normalized(latent)
        self._steps = steps
        self._encoder = modules.GraphIndependent(one, one, one)
        self._core = modules.GraphNetwork(one, one, one)
        self._decoder = modules.GraphIndependent(one, one, one)
        self._output = modules.GraphIndependent(*(lambda n=n: snt.Linear(n) for n in (2, 3, 1)))

    def __call__(self, graph: GraphsTuple) -> GraphsTuple:
        first = latent = self._encoder(graph)
        for _ in range(self._steps):
            latent = self._core(utils_tf.concat([first, latent], axis=1))
        return self._output(self._decoder(latent))


def trained(network: Any, run: Callable[..., Any]) -> Callable[..., Any]:
    """Biases and scales that are not their first values, as after training."""
    run.get_concrete_function()  # type: ignore[attr-defined]  # makes the variables
    for k, variable in enumerate(network.trainable_variables):
        if len(variable.shape) == 1:
            variable.assign_add(tf.random.stateless_normal(variable.shape, [k, 1], stddev=0.1))
    return run


def on_one_graph(
    make: Callable[[], Any], nodes: int | None = NODES, edges: int | None = EDGES, *, gives: str = "nodes edges globals"
) -> Callable[..., Any]:
    """One graph: it has as many nodes and edges as there are rows."""
    tf.random.set_seed(1)
    network = make()
    of_node, of_edge, of_graph = FEATURES

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[
            tf.TensorSpec([nodes, of_node], tf.float32, "nodes"),
            tf.TensorSpec([edges, of_edge], tf.float32, "edges"),
            tf.TensorSpec([1, of_graph], tf.float32, "globals"),
            tf.TensorSpec([edges], tf.int32, "senders"),
            tf.TensorSpec([edges], tf.int32, "receivers"),
        ]
    )
    def run(nodes: Any, edges: Any, globals: Any, senders: Any, receivers: Any) -> dict[str, Any]:
        n_node, n_edge = tf.shape(nodes)[:1], tf.shape(edges)[:1]
        graph = network(GraphsTuple(nodes, edges, receivers, senders, globals, n_node, n_edge))
        return {f"new_{name}": getattr(graph, name) for name in gives.split()}

    return trained(network, run)


def on_a_batch(make: Callable[[], Any], graphs: int = 3, *, gives: str = "nodes edges globals") -> Callable[..., Any]:
    """Several graphs, of sizes known at run time: the last is for the rows that are left of the maximum."""
    tf.random.set_seed(1)
    network = make()
    of_node, of_edge, of_graph = FEATURES

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[
            tf.TensorSpec([NODES, of_node], tf.float32, "nodes"),
            tf.TensorSpec([EDGES, of_edge], tf.float32, "edges"),
            tf.TensorSpec([graphs, of_graph], tf.float32, "globals"),
            tf.TensorSpec([EDGES], tf.int32, "senders"),
            tf.TensorSpec([EDGES], tf.int32, "receivers"),
            tf.TensorSpec([graphs], tf.int32, "n_node"),
            tf.TensorSpec([graphs], tf.int32, "n_edge"),
        ]
    )
    def run(
        nodes: Any, edges: Any, globals: Any, senders: Any, receivers: Any, n_node: Any, n_edge: Any
    ) -> dict[str, Any]:
        graph = network(GraphsTuple(nodes, edges, receivers, senders, globals, n_node, n_edge))
        return {f"new_{name}": getattr(graph, name) for name in gives.split()}

    return trained(network, run)


def graph_independent() -> Callable[..., Any]:
    return on_one_graph(lambda: modules.GraphIndependent(mlp(), mlp(), mlp()))


def graph_network() -> Callable[..., Any]:
    return on_one_graph(lambda: modules.GraphNetwork(mlp(), mlp(), mlp()))


def graph_network_of_means() -> Callable[..., Any]:
    """Means of what a node receives and sends, maxima for the graph."""
    mean = tf.math.unsorted_segment_mean
    return on_one_graph(
        lambda: modules.GraphNetwork(
            mlp(), mlp(), mlp(), mean,
            node_block_opt={"use_sent_edges": True}, global_block_opt={"nodes_reducer": unsorted_segment_max_or_zero},
        )
    )  # fmt: skip


def interaction_network() -> Callable[..., Any]:
    return on_one_graph(
        lambda: modules.InteractionNetwork(mlp(), mlp(), unsorted_segment_max_or_zero), gives="nodes edges"
    )


def relation_network() -> Callable[..., Any]:
    return on_one_graph(lambda: modules.RelationNetwork(mlp(), mlp()), gives="globals")


def deep_sets() -> Callable[..., Any]:
    return on_one_graph(lambda: modules.DeepSets(mlp(), mlp()), gives="nodes globals")


def communication_network() -> Callable[..., Any]:
    return on_one_graph(lambda: modules.CommNet(mlp(), mlp(), mlp()), gives="nodes")


def self_attention() -> Callable[..., Any]:
    """Two heads; values, keys and queries of each node from one linear layer."""

    class Attention(snt.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self._linear, self._attention = snt.Linear(2 * 3 * 5), modules.SelfAttention()

        def __call__(self, graph: GraphsTuple) -> GraphsTuple:
            parts = tf.split(tf.reshape(self._linear(graph.nodes), [-1, 2, 15]), 3, axis=-1)
            return self._attention(*parts, graph)

    return on_one_graph(Attention, gives="nodes")


def encode_process_decode() -> Callable[..., Any]:
    """Small; of any number of nodes and edges."""
    return on_one_graph(lambda: EncodeProcessDecode(8, 1), nodes=None, edges=None)


def encode_process_decode_of_root() -> Callable[..., Any]:
    """As large as in ROOT's tutorials (TMVA_SOFIE_GNN.py)."""
    return on_one_graph(lambda: EncodeProcessDecode(100, 5), nodes=100, edges=300)


def untrained() -> Callable[..., Any]:
    """As large, all biases zero: its 60 normalizations make large numbers of the smallest."""
    tf.random.set_seed(1)
    network = EncodeProcessDecode(100, 5)
    return on_one_graph(lambda: network, nodes=100, edges=300)


def batch_of_graphs() -> Callable[..., Any]:
    return on_a_batch(lambda: modules.GraphNetwork(mlp(), mlp(), mlp()))


def batch_of_sets() -> Callable[..., Any]:
    return on_a_batch(lambda: modules.DeepSets(mlp(), mlp()), gives="nodes globals")


class Connected(tf.Module):  # type: ignore[misc]
    """A detector's graph: the connections are the model's own, and only features are read."""

    def __init__(self) -> None:
        super().__init__()
        tf.random.set_seed(1)
        self._network = modules.InteractionNetwork(mlp(), mlp())
        pairs = [(i, j) for i in range(6) for j in range(6) if (i + j) % 5]
        self._senders, self._receivers = ([p[k] for p in pairs] for k in (0, 1))

    @tf.function(input_signature=[tf.TensorSpec([6, 4], tf.float32, "nodes")])  # type: ignore[untyped-decorator]
    def __call__(self, nodes: Any) -> Any:
        senders, receivers = tf.constant(self._senders), tf.constant(self._receivers)
        edges = tf.gather(nodes, senders) - tf.gather(nodes, receivers)
        count = tf.constant([len(self._senders)])
        graph = GraphsTuple(nodes, edges, receivers, senders, None, tf.constant([6]), count)
        return self._network(graph).nodes
