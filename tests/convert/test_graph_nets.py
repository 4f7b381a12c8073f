"""DeepMind's graph_nets to verified headers: connections and sizes are the caller's, or the model's own.

graph_nets is no dependency: ``tox -e graphnets`` installs it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sofie_bridge
from convert import convert
from convert.cli import main
from convert.report import Report

pytest.importorskip("graph_nets", reason="graph_nets is not installed: tox -e graphnets does")

FACTORIES = Path(__file__).parents[1] / "helpers" / "graph_networks.py"
#: The largest difference between the header and TensorFlow that is seen, in absolute numbers of the order of 1.
CLOSE = 5e-5

Arrays = dict[str, np.ndarray[Any, Any]]


def converted(name: str, folder: Path, **options: Any) -> Report:
    report = convert(f"{FACTORIES}:{name}", output=folder, **options)
    assert report.verified
    assert report.verification is not None
    against = [m for m in report.verification.measured if m.edge == "header vs framework"]
    assert against
    assert max(m.absolute for m in against) < CLOSE
    return report


def batch(n_node: list[int], n_edge: list[int], seed: int = 1) -> Arrays:
    """Graphs one after the other, each edge inside of its graph; the last graph takes the rows that are left."""
    import graph_networks as networks

    generator = np.random.default_rng(seed)
    rows = {"nodes": networks.NODES, "edges": networks.EDGES, "globals": len(n_node)}
    arrays: Arrays = {
        name: generator.standard_normal((rows[name], count)).astype(np.float32)
        for name, count in zip(("nodes", "edges", "globals"), networks.FEATURES, strict=True)
    }
    first = np.repeat(np.cumsum([0, *n_node[:-1]]), n_edge)
    for name in ("senders", "receivers"):
        arrays[name] = (first + generator.integers(0, np.repeat(n_node, n_edge))).astype(np.int32)
    return {**arrays, "n_node": np.array(n_node, np.int32), "n_edge": np.array(n_edge, np.int32)}


@pytest.mark.parametrize(
    "name",
    [
        "graph_network_of_means",
        *(
            pytest.param(name, marks=pytest.mark.sweep)
            for name in (
                "graph_independent", "graph_network", "interaction_network", "relation_network", "deep_sets",
                "communication_network", "self_attention",
            )
        ),
    ],
)  # fmt: skip
def test_connections_of_the_caller(name: str, tmp_path: Path) -> None:
    """All inputs that TensorFlow takes are compared on: senders and receivers count nodes that are there."""
    report = converted(name, tmp_path)
    assert report.verification is not None
    assert report.verification.left_out == ()
    assert {p.name for p in report.inputs} >= {"nodes"}
    assert {p.name for p in report.outputs} <= {"new_nodes", "new_edges", "new_globals"}


def test_a_batch_of_sizes_of_the_caller(tmp_path: Path) -> None:
    """Up to the maximum that the function has: graphs of 3, 0 and 7 nodes, and then of other sizes that fill it."""
    import graph_networks as networks

    report = converted("batch_of_graphs", tmp_path, samples=batch([3, 0, 7], [10, 0, 14]))
    assert report.verification is not None
    assert report.verification.samples == ("user",)
    assert "n_node" in {p.name for p in report.inputs}
    # invented numbers of nodes do not add up, and TensorFlow says so
    assert all("Dimension 0" in why for _, why in report.verification.left_out)
    network = networks.batch_of_graphs()
    with sofie_bridge.load(next(p for p in report.files if p.suffix == ".hxx")) as header:
        for n_node, n_edge in ([1, 4, 5], [1, 23, 0]), ([10, 0, 0], [24, 0, 0]), ([0, 0, 10], [0, 0, 24]):
            arrays = batch(n_node, n_edge, 2)
            found = header(**arrays)
            for name, expected in network(**arrays).items():
                np.testing.assert_allclose(found[name], expected, rtol=1e-5, atol=CLOSE)


@pytest.mark.sweep
def test_a_batch_of_sets(tmp_path: Path) -> None:
    converted("batch_of_sets", tmp_path, samples=batch([3, 0, 7], [10, 0, 14]))


def test_connections_of_the_model(tmp_path: Path) -> None:
    """A module whose graph is constant reads features alone."""
    report = converted("Connected", tmp_path)
    assert [(p.name, p.shape) for p in report.inputs] == [("nodes", (6, 4))]


@pytest.mark.slow
def test_any_number_of_nodes_and_edges(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the command line: Encode-Process-Decode with both sizes open."""
    inputs = ("nodes:float32[N,4]", "edges:float32[E,3]", "senders:int32[E]", "receivers:int32[E]")
    given = [word for text in inputs for word in ("--input", text)]
    out = tmp_path / "epd.hxx"
    assert main([f"{FACTORIES}:encode_process_decode", *given, "--output", str(out)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == str(out)
    text = out.read_text()
    assert "size_t N" in text
    assert "size_t E" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["encode_process_decode_of_root", pytest.param("untrained", marks=pytest.mark.sweep)])
def test_at_the_size_of_roots_tutorials(name: str, tmp_path: Path) -> None:
    report = converted(name, tmp_path)
    assert {p.name: p.shape for p in report.inputs} == {
        "nodes": (100, 4), "edges": (300, 3), "globals": (1, 2), "senders": (300,), "receivers": (300,),
    }  # fmt: skip
    assert {p.name: p.shape for p in report.outputs} == {
        "new_nodes": (100, 3), "new_edges": (300, 2), "new_globals": (1, 1),
    }  # fmt: skip
