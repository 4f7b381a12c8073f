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


# --- by the user's choice, and however it is called -------------------------------------------------------------------

FORWARD = LoadOptions(inputs=(TensorSpec.parse("x:float32[N,4]"),), functions="forward")
SYMBOLIC = LoadOptions(inputs=(TensorSpec.parse("x:float32[N,4]"),))


class Gate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def symbolic(g: Any, x: Any) -> Any:
        return g.op("Relu", x)


class Inherited(Gate):
    """Its own forward and symbolic, not its parent's."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clamp(max=0)

    @staticmethod
    def symbolic(g: Any, x: Any) -> Any:
        return g.op("Neg", g.op("Relu", g.op("Neg", x)))


class Modern(torch.autograd.Function):
    """As torch recommends it now: no context in forward, an argument with a default."""

    @staticmethod
    def forward(x: torch.Tensor, power: int = 2) -> torch.Tensor:
        return x**power

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def symbolic(g: Any, x: Any, power: int) -> Any:
        return g.op("Mul", x, x)


gate = Gate.apply  # held before any export, as torch's tutorials do


class Several(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        low: torch.Tensor = Inherited.apply(x)  # type: ignore[no-untyped-call]
        high: torch.Tensor = gate(x)  # type: ignore[no-untyped-call]
        return low - 2 * high + Modern.apply(x)  # type: ignore[no-any-return, no-untyped-call]


def _agrees(found: Any) -> None:
    session = onnxruntime.InferenceSession(found.model.SerializeToString())
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    np.testing.assert_allclose(
        session.run(None, {"x": x})[0], found.reference({"x": x})["output"], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("functions", ["symbolic", "forward"])
def test_the_users_choice(functions: str) -> None:
    found = load(Several(), SYMBOLIC if functions == "symbolic" else FORWARD)
    operators = {n.op_type for n in inline_functions(found.model).graph.node}
    assert ("Relu" in operators) == (functions == "symbolic")
    says = "by its static symbolic, not" if functions == "symbolic" else "by tracing its forward, not by its static"
    for name in ("Gate", "Inherited", "Modern"):
        assert any(f"{name} was exported {says}" in note for note in found.notes)
    _agrees(found)
    assert Gate.apply.__self__ is Gate  # type: ignore[attr-defined]


@pytest.mark.parametrize("functions", ["symbolic", "forward"])
def test_the_choice_holds_for_the_other_exporter(functions: str) -> None:
    class Branching(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = Modern.apply(x, 2)  # type: ignore[no-untyped-call]
            return y + 1 if y.sum() > 1e9 else y - 1

    found = load(Branching(), SYMBOLIC if functions == "symbolic" else FORWARD)
    assert "TorchScript" in found.exporter
    assert ("Pow" in {n.op_type for n in found.model.graph.node}) == (functions == "forward")
    assert any("Modern was exported by" in note for note in found.notes)
    _agrees(found)


def _outside(x: torch.Tensor) -> Any:
    """NumPy's own: torch.export traces much of it, but no bytes."""
    return np.frombuffer(x.detach().numpy().tobytes(), np.float32).reshape(x.shape)


class Numpy(torch.autograd.Function):
    """No trace goes through it, and it does not say what comes out."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, scale: float) -> torch.Tensor:
        return torch.from_numpy(scale * np.arcsinh(_outside(x)))


class Summed(Numpy):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, scale: float) -> torch.Tensor:
        return torch.from_numpy(_outside(x).sum(1))

    @staticmethod
    def symbolic(g: Any, x: Any, scale: float) -> Any:
        return g.op("ReduceSum", x, g.op("Constant", value_t=torch.tensor([1])), keepdims_i=0)


class Called(torch.nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function.apply(x, 0.5) + 1  # type: ignore[no-any-return]


def test_a_symbolic_of_what_cannot_be_traced() -> None:
    """The shape of its output is found by running it."""
    found = load(Called(Summed), SYMBOLIC)
    assert "dynamo" in found.exporter
    assert [d.dim_param for d in found.model.graph.output[0].type.tensor_type.shape.dim] == ["N"]
    _agrees(found)


def test_one_that_cannot_be_traced_is_named_and_its_skeleton_works(tmp_path: Any) -> None:
    with pytest.raises(ExportFailed) as caught:
        load(Called(Numpy), SYMBOLIC)
    text = str(caught.value)
    name = f"{Numpy.__module__}.Numpy"
    assert f"the function {name}(float32[4,4], 0.5 -> float32[4,4]) cannot be exported, at {__file__}:" in text
    skeleton = text[text.index("from converters.translations") :].split("raise NotImpl")[0].replace("\n        ", "\n")
    (tmp_path / "my_ops.py").write_text(skeleton + "return g.Mul(g.Asinh(x), g.constant(scale, like=x))\n")
    found = load(Called(Numpy), LoadOptions(inputs=SYMBOLIC.inputs, translations=(str(tmp_path / "my_ops.py"),)))
    assert any(f"{name} was exported by the translation" in note for note in found.notes)
    _agrees(found)


def test_one_without_a_symbolic_is_traced_and_said() -> None:
    class Plain(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor, scale: float) -> torch.Tensor:
            return x.exp() * scale

    found = load(Called(Plain), SYMBOLIC)
    assert any("Plain has no static symbolic: its forward was traced" in note for note in found.notes)
    _agrees(found)


def test_forward_of_what_cannot_be_traced() -> None:
    with pytest.raises(ExportFailed, match="leave out --functions forward"):
        load(Called(Summed), FORWARD)
