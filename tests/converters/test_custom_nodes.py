"""Custom operators of each framework become the node that is declared; the numbers are the framework's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import converters
from convert.custom import custom_operator, declared_for
from convert.spec import TensorSpec
from converters.base import Loaded, LoadOptions
from converters.custom_operators import of_the_users
from sofie_bridge.reference import OnnxReference

X = TensorSpec.parse("x:float32[N,4]")


@pytest.fixture(autouse=True)
def declarations() -> Iterator[None]:
    with declared_for():
        swish = custom_operator("nodes::swish", code="-")(lambda x, *, beta: x)
        swish.numpy(lambda x, *, beta: x / (1 + np.exp(-np.float32(beta) * x)))
        both = custom_operator("nodes::both", code="-")(lambda x, y, *, sizes, mode: (x, y))
        both.numpy(lambda x, y, *, sizes, mode: (x * sizes[0], y * sizes[1]))
        with of_the_users([]):
            yield


def loaded(source: Any, *operators: str, spec: TensorSpec | None = X, **given: Any) -> Loaded:
    """The model, which has these nodes of the domain, and the framework's numbers."""
    found = converters.load(source, LoadOptions(inputs=(spec,) if spec is not None else (), **given))
    nodes = [*found.model.graph.node, *(n for f in found.model.functions for n in f.node)]
    assert [n.op_type for n in nodes if n.domain == "nodes"] == list(operators)
    onnx.checker.check_model(found.model)
    (name,) = (i.name for i in found.model.graph.input)
    arrays = {name: np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)}
    assert found.reference is not None
    expected = found.reference(arrays)
    for key, array in OnnxReference(found.model)(arrays).items():
        np.testing.assert_allclose(array, expected[key], rtol=1e-5, atol=1e-6)
    return found


def _swish(x: Any, beta: float) -> Any:
    return x * (beta * x).sigmoid()


def _both(x: Any, y: Any, sizes: list[int], mode: str, unused: float | None = None) -> Any:
    return x * sizes[0], y * sizes[1]


def torch_modules() -> dict[str, Any]:
    import torch

    if not hasattr(torch.ops.nodes, "swish"):  # an operator is of the whole process
        schema = "(Tensor x, float beta) -> Tensor"
        swish = torch.library.custom_op("nodes::swish", mutates_args=(), schema=schema)(_swish)
        schema = "(Tensor x, Tensor y, int[] sizes, str mode, float? unused=None) -> (Tensor, Tensor)"
        both = torch.library.custom_op("nodes::both", mutates_args=(), schema=schema)(_both)
        swish.register_fake(lambda x, beta: torch.empty_like(x))
        both.register_fake(lambda x, y, sizes, mode, unused=None: (torch.empty_like(x), torch.empty_like(y)))

    class Library(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = torch.ops.nodes.swish(x + 1, 1.5)
            return y * 2

    class Several(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            a, b = torch.ops.nodes.both(x, x + 1, [2, 3], "how")
            return a + 1, b

    class Swish(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor, beta: float) -> torch.Tensor:
            return x * torch.sigmoid(beta * x)

        @staticmethod
        def symbolic(g: Any, x: Any, beta: float) -> Any:
            return g.op("nodes::swish", x, beta_f=beta)

    class Function(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = Swish.apply(x + 1, 1.5)  # type: ignore[no-untyped-call]
            return y * 2

    class Symbolic(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = x + 1
            if torch.onnx.is_in_onnx_export():
                made: torch.Tensor = torch.onnx.ops.symbolic(
                    "nodes::swish", [y], {"beta": 1.5}, dtype=y.dtype, shape=y.shape, version=1
                )
                return made * 2
            return y * torch.sigmoid(1.5 * y) * 2

    return {c.__name__: c().eval() for c in (Library, Several, Function, Symbolic)}


@pytest.mark.parametrize("name", ["Library", "Several", "Function", "Symbolic"])
def test_torch(name: str) -> None:
    pytest.importorskip("torch", reason="the extra torch is not installed")
    found = loaded(torch_modules()[name], "both" if name == "Several" else "swish")
    assert "dynamo" in found.exporter
    if name == "Several":  # what is None is left out
        (node,) = (n for n in found.model.graph.node if n.op_type == "both")
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        assert attributes == {"sizes": [2, 3], "mode": b"how"}


@pytest.mark.filterwarnings("ignore:`torch.jit.*` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", ["Library", "Several"])
def test_torchscript(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the extra torch is not installed")
    traced = torch.jit.trace(torch_modules()[name], torch.zeros(2, 4))
    traced.save(tmp_path / "traced.pt")
    loaded(tmp_path / "traced.pt", "both" if name == "Several" else "swish")


def test_jax() -> None:
    jax = pytest.importorskip("jax", reason="the extra jax is not installed")
    pytest.importorskip("jax2onnx", reason="the extra jax is not installed")
    from converters.jax_custom import as_operator

    @as_operator("nodes::swish")
    def swish(x: Any, *, beta: float) -> Any:
        return x * jax.nn.sigmoid(beta * x)

    @as_operator("nodes::both")
    def both(x: Any, y: Any, *, sizes: list[int], mode: str) -> Any:
        return x * sizes[0], y * sizes[1]

    def network(x: Any) -> Any:
        a, b = both(swish(x + 1, beta=1.5), x, sizes=[2, 3], mode="how")
        return a, b + 1

    loaded(jax.jit(network), "swish", "both")
    loaded(jax.jit(jax.vmap(network)))  # over a batch it is what it does
    x = jax.numpy.ones((2, 4))
    first, second = network(x)
    gradient = jax.grad(lambda v: network(v)[1].sum())(x)
    assert first.shape == second.shape == (2, 4)
    np.testing.assert_allclose(gradient, 3.0)
    np.testing.assert_allclose(jax.jit(network)(x)[0], first, rtol=1e-6)
