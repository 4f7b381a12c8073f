"""DeepMind's graph_nets, traced for ONNX: what is repeated for each graph has the length of what it is repeated for.

``tf.repeat(globals, n_edge)`` is as long as the numbers in ``n_edge`` say, which is not known before the model runs;
but a ``GraphsTuple`` has as many edges as ``n_edge`` adds up to. So each edge and node is told which graph it belongs
to, and with one graph there is nothing to tell. https://graph-nets.readthedocs.io
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock


@contextlib.contextmanager
def of_known_lengths() -> Iterator[None]:
    """Context in which graph_nets' blocks are traced; nothing, where the package has not been imported."""
    blocks = sys.modules.get("graph_nets.blocks")
    if blocks is None:
        yield
        return
    with contextlib.ExitStack() as stack:
        for of, number in (("edges", "n_edge"), ("nodes", "n_node")):
            stack.enter_context(mock.patch.object(blocks, f"broadcast_globals_to_{of}", _broadcast(of, number)))
            aggregator = getattr(blocks, f"{of.title()}ToGlobalsAggregator")
            stack.enter_context(mock.patch.object(aggregator, "_build", _aggregate(of, number)))
        yield


def _broadcast(of: str, number: str) -> Callable[..., Any]:
    """The globals of its graph for each row of ``of``."""

    def broadcast(graph: Any, name: str = "broadcast") -> Any:
        import tensorflow as tf

        with tf.name_scope(name):
            rows = _rows(graph, of)
            if getattr(graph, number).shape[0] == 1:
                shape = tf.concat([tf.shape(rows)[:1], tf.shape(graph.globals)[1:]], 0)
                return tf.broadcast_to(graph.globals, shape)
            return tf.gather(graph.globals, _graph_of_each(rows, getattr(graph, number)))

    return broadcast


def _aggregate(of: str, number: str) -> Callable[..., Any]:
    """One row a graph, of all the rows of ``of`` that belong to it."""

    def build(self: Any, graph: Any) -> Any:
        rows, lengths = getattr(graph, of), getattr(graph, number)
        return self._reducer(rows, _graph_of_each(rows, lengths), _count(lengths))

    return build


def _rows(graph: Any, of: str) -> Any:
    """What there is one of for each edge or node: features, or for edges without any the senders."""
    rows = getattr(graph, of)
    rows = graph.senders if rows is None and of == "edges" else rows
    if rows is None:
        raise ValueError(f"the graph has no {of}, which its globals are to be repeated for")
    return rows


def _count(lengths: Any) -> Any:
    import tensorflow as tf

    known = lengths.shape[0]
    return tf.shape(lengths)[0] if known is None else known


def _graph_of_each(rows: Any, lengths: Any) -> Any:
    """k for the rows from n_0 + ... + n_(k-1) on"""
    import tensorflow as tf

    total = rows.shape[0]
    if lengths.shape[0] == 1:
        return tf.zeros(tf.shape(rows)[:1], tf.int32)
    # of an open number of rows, ones are added up: a range of a size that only the model knows has no length for SOFIE
    places = tf.range(total) if total is not None else tf.cumsum(tf.ones(tf.shape(rows)[:1], tf.int32), exclusive=True)
    ends = tf.cumsum(tf.cast(lengths, tf.int32))[:-1]
    return tf.reduce_sum(tf.cast(places[:, None] >= ends, tf.int32), 1)
