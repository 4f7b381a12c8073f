"""Networks in Linen, NNX, Equinox and plain JAX to verified headers, from files of parameters and from memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from code_files import FIXTURES, module_of

import sofie_bridge
from convert import convert
from convert.report import Report

jax = pytest.importorskip("jax", reason="the extra jax is not installed")

FACTORIES = FIXTURES / "jax_networks.py"
networks: Any = module_of(FACTORIES)
#: What the header and JAX may differ by, relative to numbers of the order of 1.
CLOSE = 1e-4
NAMES = sorted(networks.INPUTS)
OFTEN = ("cnn", "attention_nnx", "recurrent", "flow_nnx", "interaction", "mlp_function")
#: The parameters are those of any length; a header of 24 steps takes a minute to compile.
STEPS = 3
#: Numbers of nodes and edges: no edges, a node that is alone, repeated edges.
GRAPHS = ((1, 0), (1, 4), (12, 3), (3, 40), (60, 200))


def inputs_of(name: str) -> list[str]:
    return [text.replace("24", str(STEPS)) for text in networks.INPUTS[name]]


def params_of(name: str) -> Path:
    (file,) = (FIXTURES / "jax").glob(f"{name}.*")
    return file


def checked(report: Report) -> Path:
    """What the report of every network here says; the header."""
    assert report.verified
    assert report.verification is not None
    against = [m for m in report.verification.measured if m.edge == "header vs framework"]
    assert against
    assert max(m.absolute for m in against) < CLOSE
    assert report.inputs[0].shape[0] in ("N", "V")
    assert any("a jaxpr traced outside" in note for note in report.notes)
    return next(p for p in report.files if p.suffix == ".hxx")


def some(*names: str) -> list[Any]:
    """The twins in Linen or NNX of those networks that always run are for tox -e sweep."""
    return [pytest.param(n, marks=[] if n in OFTEN else pytest.mark.sweep) for n in names]


@pytest.mark.parametrize("name", some(*(n for n in NAMES if "interaction" not in n)))
def test_network(name: str, tmp_path: Path) -> None:
    """The batch is open, and is of several sizes in what the header was compared on."""
    report = convert(f"{FACTORIES}:{name}", params=params_of(name), inputs=inputs_of(name), output=tmp_path)
    checked(report)


@pytest.mark.parametrize("name", some("interaction", "interaction_nnx"))
def test_graph_of_any_size(name: str, tmp_path: Path) -> None:
    """Indices below zero count from the end where a node is read, and add nothing where one is written, as in JAX."""
    header = checked(
        convert(f"{FACTORIES}:{name}", params=params_of(name), inputs=networks.INPUTS[name], output=tmp_path)
    )
    reference = reference_of(name)
    draw = np.random.default_rng(5)
    with sofie_bridge.load(header) as run:
        for nodes, edges in GRAPHS:
            senders, receivers = draw.integers(-nodes, nodes, (2, edges)).astype(np.int32)
            features = draw.normal(size=(nodes, 4)).astype(np.float32)
            given = {"nodes": features, "senders": senders, "receivers": receivers}
            np.testing.assert_allclose(
                run(**given)["output"], reference(given)["output"], rtol=CLOSE, atol=CLOSE, err_msg=f"{nodes}, {edges}"
            )


def reference_of(name: str) -> Any:
    """JAX's answers, of the fixture's own parameters."""
    from convert.spec import Factory, TensorSpec
    from converters import LoadOptions, load

    specs = tuple(map(TensorSpec.parse, inputs_of(name)))
    return load(Factory(f"{FACTORIES}:{name}"), LoadOptions(inputs=specs, params=params_of(name))).reference
