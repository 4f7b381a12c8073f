"""Graph networks in plain PyTorch to verified headers, numbers of nodes, edges and particles open at run time."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from code_files import FIXTURES, module_of
from torch import Tensor, nn

import sofie_bridge
from convert import convert
from convert.cli import main
from convert.report import Report
from convert.spec import TensorSpec
from converters import load
from converters.base import LoadOptions
from sofie_bridge.reference import OnnxReference

FACTORIES = FIXTURES / "torch_graphs.py"
#: What the header and PyTorch may differ by, in numbers of the order of 1.
CLOSE = 1e-4
#: Numbers of nodes and edges: no edges, one node with loops alone, isolated nodes, repeated edges, ROOT's largest.
GRAPHS = ((1, 0), (5, 0), (1, 4), (12, 3), (3, 40), (100, 300))
#: Numbers of particles, and how many of them are padding.
EVENTS = ((8, 0), (8, 3), (30, 0), (50, 49), (128, 40))

Arrays = dict[str, np.ndarray[Any, Any]]


def graph(inputs: Sequence[str], nodes: int, edges: int) -> Arrays:
    """Random features, and indices that count nodes: with few nodes, loops and edges that are there twice."""
    generator = np.random.default_rng(nodes + 1000 * edges)
    arrays: Arrays = {}
    for spec in map(TensorSpec.parse, inputs):
        shape = [d if isinstance(d, int) else {"N": nodes, "E": edges}[str(d)] for d in spec.shape]
        array = generator.integers(0, nodes, shape) if spec.dtype == "int64" else generator.standard_normal(shape)
        arrays[str(spec.name)] = np.asarray(array, spec.dtype)
    return arrays


def event(particles: int, padding: int) -> Arrays:
    generator = np.random.default_rng(particles)
    mask = np.ones((1, particles), np.float32)
    mask[:, particles - padding :] = 0
    features = generator.standard_normal((1, particles, 12)) * mask[..., None]
    return {"particles": features.astype(np.float32), "mask": mask}


def agree(header: Path, model: Any, many: Sequence[Arrays]) -> None:
    """One header, whose answers are PyTorch's at all of these sizes."""
    with sofie_bridge.load(header) as run:
        for arrays in many:
            with torch.no_grad():
                answers = model(**{name: torch.from_numpy(array) for name, array in arrays.items()})
            expected = [answers] if isinstance(answers, torch.Tensor) else list(answers)
            found = run(**arrays)
            sizes = {name: array.shape for name, array in arrays.items()}
            for (name, ours), theirs in zip(found.items(), expected, strict=True):
                np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-4, atol=CLOSE, err_msg=f"{name} at {sizes}")


def checked(report: Report, inputs: Sequence[str]) -> Path:
    """What the report of every network here says; the header."""
    assert report.verified
    assert report.verification is not None
    against = [m for m in report.verification.measured if m.edge == "header vs framework"]
    assert against
    assert max(m.absolute for m in against) < CLOSE
    specs = [TensorSpec.parse(text) for text in inputs]
    assert [(p.name, p.dtype, p.shape) for p in report.inputs] == [(s.name, s.dtype, s.shape) for s in specs]
    return next(p for p in report.files if p.suffix == ".hxx")


@pytest.mark.slow
def test_a_tracker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the command line; the verifier itself finds indices of nodes that are there."""
    made = module_of(FACTORIES)
    inputs = made.INPUTS["interaction_network"]
    given = [word for text in inputs for word in ("--input", text)]
    out = tmp_path / "tracker.hxx"
    assert main([f"{FACTORIES}:interaction_network", *given, "--output", str(out)]) == 0, capsys.readouterr().err
    text = out.read_text()
    assert "infer(size_t N,float const* tensor_x,size_t E,int64_t const* tensor_edge_index" in text
    agree(out, made.interaction_network(), [graph(inputs, *size) for size in GRAPHS])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["small_encode_process_decode", pytest.param("encode_process_decode", marks=pytest.mark.sweep)]
)
def test_encode_process_decode(name: str, tmp_path: Path) -> None:
    made = module_of(FACTORIES)
    inputs, model = made.INPUTS[name], getattr(made, name)()
    report = convert(model, inputs=inputs, output=tmp_path)
    assert report.verification is not None
    assert {"random 0", "random 1", "random 2"} <= set(report.verification.samples)
    assert {d for p in report.inputs for d in p.shape} >= {"N", "E"}
    agree(checked(report, inputs), model, [graph(inputs, *size) for size in GRAPHS])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gravnet", pytest.param("dynamic_edges", marks=pytest.mark.sweep)])
def test_particle_flow(name: str, tmp_path: Path) -> None:
    """Neighbours by learned coordinates, of any number of elements of which some are padding."""
    made = module_of(FACTORIES)
    inputs, model = made.INPUTS[name], getattr(made, name)()
    report = convert(model, inputs=inputs, output=tmp_path, samples=event(20, 6))
    agree(checked(report, inputs), model, [event(*size) for size in EVENTS])


class Reductions(nn.Module):
    """What the exporters lack: a mean, and results that do not count what stood there before."""

    def forward(self, x: Tensor, index: Tensor, messages: Tensor) -> tuple[Tensor, ...]:
        spread = index.unsqueeze(1).expand_as(messages)
        return (
            x.scatter_reduce(0, spread, messages, "mean", include_self=False),
            x.scatter_reduce(0, spread, messages, "amax", include_self=False),
            x.index_reduce(0, index, messages, "amin", include_self=False),
            x.index_reduce(0, index, messages, "prod", include_self=True),
        )


class EveryReduction(nn.Module):
    """Along the last axis, with and without what stood there before; the source may be larger than the index."""

    def forward(self, x: Tensor, index: Tensor, rows: Tensor, source: Tensor) -> tuple[Tensor, ...]:
        every = [(name, own) for name in ("sum", "prod", "mean", "amax", "amin") for own in (True, False)]
        spread = [x.scatter_reduce(1, index, source, name, include_self=own) for name, own in every]
        return *spread, *(x.index_reduce(-1, rows, source, name, include_self=own) for name, own in every[2:])


def test_reductions_over_edges(tmp_path: Path) -> None:
    """Negative numbers, whose maximum is below the zero of a node that receives nothing."""
    inputs = ["x:float32[N,3]", "index:int64[E]", "messages:float32[E,3]"]
    report = convert(Reductions().eval(), inputs=inputs, output=tmp_path)
    header = checked(report, inputs)
    many = [graph(inputs, *size) for size in GRAPHS]
    for arrays in many:
        arrays["messages"] = -np.abs(arrays["messages"])
    agree(header, Reductions().eval(), many)


@pytest.mark.parametrize(
    ("dtype", "exporter"),
    [
        ("float32", "dynamo"),
        ("float64", "dynamo"),
        ("int32", "dynamo"),
        ("int64", "dynamo"),
        ("float32", "TorchScript"),
    ],
)
def test_reductions_as_exported(dtype: str, exporter: str) -> None:
    """Each against PyTorch in onnxruntime: another axis, a source larger than the index, infinities, nothing received."""
    generator = np.random.default_rng(5)
    arrays = {
        "x": generator.integers(-9, 9, (3, 6)).astype(dtype),
        "index": generator.integers(0, 5, (2, 5)),  # the last column receives nothing, nor does the last row
        "rows": generator.integers(0, 5, 7),
        "source": generator.integers(-9, 9, (3, 7)).astype(dtype),
    }
    if dtype.startswith("float"):
        arrays["source"][0, :2] = np.inf, -np.inf
    model: Any = EveryReduction().eval()
    if exporter == "TorchScript":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.jit is deprecated, and its archives are about
            trace: Callable[..., Any] = torch.jit.trace
            model = trace(model, tuple(map(torch.from_numpy, arrays.values())), check_trace=False)
    specs = tuple(TensorSpec(name, str(array.dtype), array.shape) for name, array in arrays.items())
    loaded = load(model, LoadOptions(inputs=specs))
    assert exporter in loaded.exporter
    assert loaded.reference is not None
    expected = loaded.reference(arrays)
    found = OnnxReference(loaded.model)(arrays)
    assert len(expected) == 18
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_allclose(found[name], array, rtol=1e-6, err_msg=name)
