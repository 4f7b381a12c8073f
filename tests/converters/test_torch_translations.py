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


# --- onnxscript's functions, and dicts of them ------------------------------------------------------------------------

PLAIN = """
from converters.translations import pytorch
from onnxscript import opset20 as op

@pytorch("sofie_convert_tests::swish")
def swish(x, beta):
    return x * op.Sigmoid(op.Mul(x, beta))
"""
COMPILED = """
from converters.translations import pytorch
from onnxscript import opset20 as op, script

@pytorch("sofie_convert_tests::swish")
@script(default_opset=op)
def swish(x, beta: float):
    slope = op.CastLike(beta, x)
    return x * op.Sigmoid(slope * x)
"""


class Branching(torch.nn.Module):
    """The dynamo exporter gives up at the branch."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = torch.ops.sofie_convert_tests.swish(x, 1.5)
        return y + 1 if y.sum() > 1e9 else y - 1


@pytest.mark.parametrize("module", [Network, Branching], ids=["dynamo", "TorchScript"])
@pytest.mark.parametrize("text", [TRANSLATED, PLAIN, COMPILED], ids=["g", "plain", "compiled"])
def test_functions_of_onnxscript(tmp_path: Path, text: str, module: type[torch.nn.Module]) -> None:
    found = loaded(tmp_path, text, module())
    assert ("TorchScript" in found.exporter) == (module is Branching)
    assert not found.model.functions
    assert agrees(found)


def _swish(x: Any, beta: float) -> Any:
    from onnxscript import opset20 as op

    return op.Mul(x, op.Sigmoid(op.Mul(x, beta)))


@pytest.mark.parametrize(
    "key",
    [
        lambda: torch.ops.sofie_convert_tests.swish.default,
        lambda: torch.ops.sofie_convert_tests.swish,
        lambda: swish,
        lambda: "sofie_convert_tests::swish",
    ],
    ids=["overload", "operator", "custom_op", "name"],
)
def test_a_dict_as_torch_takes_it(key: Callable[[], Any]) -> None:
    options = LoadOptions(inputs=(TensorSpec.parse("x:float32[N,4]"),), translations=({key(): _swish},))
    assert agrees(load(Network(), options))


def test_a_dict_with_another_key() -> None:
    from convert.errors import BadModel

    with pytest.raises(BadModel, match="the key 3, which is no operator"):
        load(Network(), LoadOptions(translations=({3: _swish},)))


@torch.library.custom_op("sofie_convert_tests::no_fake", mutates_args=())
def no_fake(x: torch.Tensor, sizes: list[int], scale: float = 2.0) -> torch.Tensor:
    return x * scale


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("archive", [False, True])
def test_an_operator_that_says_nothing_of_shapes_is_named_too(tmp_path: Path, *, archive: bool) -> None:
    class Calls(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.ops.sofie_convert_tests.no_fake(x, [1, 2])  # type: ignore[no-any-return]

    trace: Callable[..., Any] = torch.jit.trace
    module: Any = trace(Calls(), torch.ones(2, 4)) if archive else Calls()
    with pytest.raises(ExportFailed) as caught:
        load(module, LoadOptions(inputs=(TensorSpec.parse("x:float32[5,4]"),)))
    text = str(caught.value)
    given = "float32[5,4], [1, 2], 2.0" if archive else "float32[5,4], [1, 2]"
    assert f"no_fake({given} -> float32[5,4])" in text or "no_fake(float32[5,4], [1, 2] -> float32[5,4])" in text
    assert "def no_fake(g, x, sizes, scale=2.0):" in text
    filled = textwrap.dedent(text[text.index("from converters.tr") :].split("raise NotImpl")[0].replace(
        "from converters", " " * 8 + "from converters", 1))  # fmt: skip
    assert agrees(loaded(tmp_path, filled + "    return g.Mul(x, g.constant(scale, like=x))\n", module))
