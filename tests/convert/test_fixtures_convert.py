"""Every fixture by every kind of file: to a verified header that gives the trained network's own answers."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

import convert
import sofie_bridge

FIXTURES = Path(__file__).parents[2] / "fixtures"
CATALOGUE = tomllib.loads((FIXTURES / "fixtures.toml").read_text())
KINDS = ("onnx", "pt2", "torchscript", "state_dict", "pickle", "memory", "program")


def converted(name: str, kind: str, folder: Path) -> convert.Report:
    """Convert the fixture from that kind of file."""
    entry = CATALOGUE[name]
    output = folder / f"{name}.hxx"
    factory = f"{FIXTURES / 'models.py'}:{name}"
    if kind in ("onnx", "pt2"):
        return convert.convert(FIXTURES / entry["files"][kind], output=output)
    if kind == "torchscript":
        return convert.convert(FIXTURES / entry["files"][kind], inputs=entry["inputs"], output=output)
    if kind == "state_dict":
        file = FIXTURES / entry["files"][kind]
        return convert.convert(file, inputs=entry["inputs"], factory=factory, output=output)
    if kind == "program":
        return convert.convert(torch.export.load(FIXTURES / entry["files"]["pt2"]), output=output)
    module = _trained(name)
    if kind == "memory":
        return convert.convert(module, inputs=entry["inputs"], output=output)
    torch.save(module, folder / f"{name}.pt")
    return convert.convert(folder / f"{name}.pt", inputs=entry["inputs"], allow_code=True, output=output)


def _trained(name: str) -> torch.nn.Module:
    from converters.factory import build

    module = build(f"{FIXTURES / 'models.py'}:{name}")
    assert isinstance(module, torch.nn.Module)
    module.load_state_dict(torch.load(FIXTURES / CATALOGUE[name]["files"]["state_dict"], weights_only=True))
    return module


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CATALOGUE)
def test_gives_the_networks_answers(name: str, kind: str, tmp_path: Path) -> None:
    report = converted(name, kind, tmp_path)
    assert report.verified
    entry = CATALOGUE[name]
    with np.load(FIXTURES / entry["files"]["samples"]) as samples:
        x, expected = samples["x"], samples[entry["outputs"][0].split(":")[0]]
    with sofie_bridge.load(tmp_path / f"{name}.hxx") as header:
        rows = [x[i : i + 1] for i in range(len(x))] if report.inputs[0].shape[0] == 1 else [x]
        found = np.concatenate([next(iter(header(row).values())) for row in rows])
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=entry["rtol"], atol=entry["atol"])
