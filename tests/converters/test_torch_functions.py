"""``torch.autograd.Function`` with a static ``symbolic``, under the dynamo exporter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from convert.errors import ExportFailed
from convert.spec import TensorSpec
from converters import load
from converters.base import LoadOptions
from rewrite.passes.inline_functions import inline_functions


class Softsign(torch.autograd.Function):
    """A forward that no exporter can follow, and a symbolic of several operators."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, scale: float) -> torch.Tensor:
        if isinstance(x, torch._subclasses.FakeTensor):
            return torch.empty_like(x)
        held = x.detach().numpy()
        return torch.from_numpy(scale * held / (1 + np.abs(held)))

    @staticmethod
    def symbolic(g: Any, x: Any, scale: float) -> Any:
        return g.op("Mul", g.op("Softsign", x), g.op("Constant", value_t=torch.tensor(scale)))


class Extremes(torch.autograd.Function):
    """Two outputs."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x.clamp(max=0), x.clamp(min=0)

    @staticmethod
    def symbolic(g: Any, x: Any) -> Any:
        positive = g.op("Relu", x)
        return g.op("Sub", x, positive), positive


class Network(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        low, high = Extremes.apply(Softsign.apply(self.linear(x), 1.5))  # type: ignore[no-untyped-call]
        return Softsign.apply(low - 2 * high, 0.5)  # type: ignore[no-any-return, no-untyped-call]


@pytest.fixture(scope="module")
def loaded() -> Any:
    torch.manual_seed(0)
    return load(Network().eval(), LoadOptions(inputs=(TensorSpec.parse("x:float32[N,4]"),)))


def test_symbolic_is_honoured_and_said(loaded: Any) -> None:
    inlined = inline_functions(loaded.model)
    operators = [n.op_type for n in inlined.graph.node]
    assert operators.count("Softsign") == 2
    assert operators.count("Relu") == 1
    assert "Clip" not in operators  # what forward's trace would have
    assert any("Softsign was exported by its static symbolic" in note for note in loaded.notes)
    assert any("dynamo" in note for note in loaded.notes)


def test_numbers_are_torchs_at_any_batch(loaded: Any) -> None:
    session = onnxruntime.InferenceSession(loaded.model.SerializeToString())
    for batch in (1, 5):
        x = np.random.default_rng(batch).normal(size=(batch, 4)).astype(np.float32)
        (found,) = session.run(None, {"x": x})
        np.testing.assert_allclose(found, loaded.reference({"x": x})["output"], rtol=1e-5, atol=1e-6)


def test_model_is_left_as_it_was(loaded: Any) -> None:
    onnx.checker.check_model(loaded.model)
    assert Softsign.apply.__self__ is Softsign  # type: ignore[attr-defined]
    x = torch.ones(2, 3)
    torch.testing.assert_close(Softsign.apply(x, 2.0), torch.ones(2, 3))  # type: ignore[no-untyped-call]


# ------------------------------------------------------------------------------------ register_custom_op_symbolic


@torch.library.custom_op("sofie_convert_tests::halve", mutates_args=())
def halve(x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(x.numpy() / 2)


@halve.register_fake
def _(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x)


@pytest.fixture
def registered() -> Any:
    def half(g: Any, x: Any) -> Any:
        return g.op("Mul", x, g.op("Constant", value_t=torch.tensor(0.5)))

    def gelu(g: Any, x: Any, approximate: str) -> Any:
        return g.op("Relu", x)

    given: dict[str, Callable[..., Any]] = {"sofie_convert_tests::halve": half, "aten::gelu": gelu}
    for name, symbolic in given.items():
        torch.onnx.utils.register_custom_op_symbolic(name, symbolic, 20)
    yield
    for name in given:
        torch.onnx.utils.unregister_custom_op_symbolic(name, 20)


class Halved(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ops.sofie_convert_tests.halve(x)  # type: ignore[no-any-return]


@pytest.mark.usefixtures("registered")
def test_a_symbolic_for_an_operator_without_translation() -> None:
    loaded = load(Halved().eval(), LoadOptions(inputs=(TensorSpec.parse("x:float32[N,4]"),)))
    assert [n.op_type for n in loaded.model.graph.node if n.op_type != "Constant"] == ["Mul"]
    assert any("TorchScript" in note for note in loaded.notes)


@pytest.mark.usefixtures("registered")
def test_a_symbolic_in_the_place_of_torchs_own() -> None:
    loaded = load(torch.nn.GELU().eval(), LoadOptions(inputs=(TensorSpec.parse("x:float32[N,4]"),)))
    assert [n.op_type for n in loaded.model.graph.node] == ["Relu"]
    assert any("symbolics are registered for aten::gelu" in note for note in loaded.notes)


def test_without_one_the_operator_is_named() -> None:
    with pytest.raises(ExportFailed, match="sofie_convert_tests"):
        load(Halved().eval(), LoadOptions(inputs=(TensorSpec.parse("x:float32[N,4]"),)))
