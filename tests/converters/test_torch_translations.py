"""``--translations`` for PyTorch operators: one function for either exporter, and torch code in an operator's place."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from convert.errors import ExportFailed
from convert.spec import TensorSpec
from converters import load
from converters.base import LoadOptions


@torch.library.custom_op("sofie_convert_tests::swish", mutates_args=())
def swish(x: torch.Tensor, beta: float) -> torch.Tensor:
    return torch.from_numpy(x.numpy() / (1 + np.exp(-beta * x.numpy())))


@swish.register_fake
def _(x: torch.Tensor, beta: float) -> torch.Tensor:
    return torch.empty_like(x)


class Network(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ops.sofie_convert_tests.swish(x, 1.5) + 1  # type: ignore[no-any-return]


TRANSLATED = """
from converters.translations import pytorch

@pytorch("sofie_convert_tests::swish", "never::registered")
def swish(g, x, beta):
    return g.Mul(x, g.Sigmoid(g.Mul(x, g.constant(beta, like=x))))
"""
DECOMPOSED = """
import torch
from converters.translations import decomposition

@decomposition("sofie_convert_tests::swish")
def swish(x, beta):
    return x * torch.sigmoid(beta * x)
"""


def loaded(folder: Path, text: str, module: torch.nn.Module | None = None) -> Any:
    (folder / "my_ops.py").write_text(text)
    options = LoadOptions(inputs=(TensorSpec.parse("x:float32[N,4]"),), translations=(str(folder / "my_ops.py"),))
    return load((module or Network()).eval(), options)


def agrees(found: Any) -> bool:
    import onnxruntime

    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    (ours,) = onnxruntime.InferenceSession(found.model.SerializeToString()).run(None, {"x": x})
    return bool(np.allclose(ours, found.reference({"x": x})["output"], rtol=1e-5, atol=1e-6))


@pytest.mark.parametrize("text", [TRANSLATED, DECOMPOSED])
def test_translated(tmp_path: Path, text: str) -> None:
    found = loaded(tmp_path, text)
    assert {"Sigmoid", "Mul"} <= {n.op_type for n in found.model.graph.node}
    assert any("dynamo" in note for note in found.notes)
    assert agrees(found)


def test_the_other_exporter_takes_it_too(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated, and its archives are about
        trace: Callable[..., Any] = torch.jit.trace
        traced = trace(Network(), torch.ones(2, 4))
    found = loaded(tmp_path, TRANSLATED, traced)
    assert any("TorchScript" in note for note in found.notes)
    assert agrees(found)


def test_they_hold_for_one_conversion(tmp_path: Path) -> None:
    loaded(tmp_path, TRANSLATED)
    with pytest.raises(ExportFailed, match="swish"):
        load(Network().eval(), LoadOptions(inputs=(TensorSpec.parse("x:float32[N,4]"),)))


def test_without_one_the_call_is_shown_and_a_skeleton_given(tmp_path: Path) -> None:
    with pytest.raises(ExportFailed) as caught:
        load(Network().eval(), LoadOptions(inputs=(TensorSpec.parse("x:float32[5,4]"),)))
    text = str(caught.value)
    assert "sofie_convert_tests::swish(float32[5,4], 1.5 -> float32[5,4])" in text
    assert "test_torch_translations.py:" in text
    skeleton = textwrap.dedent(text[text.index("from converters.translations") :].split("raise NotImpl")[0].replace(
        "from converters", " " * 8 + "from converters", 1))  # fmt: skip
    filled = skeleton + "    return g.Mul(x, g.Sigmoid(g.Mul(x, g.constant(beta, like=x))))\n"
    assert agrees(loaded(tmp_path, filled))
