"""The project's translations of JAX's primitives: JAX against the exported ONNX in onnxruntime, sizes open."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from convert.errors import LoadError
from convert.spec import TensorSpec
from converters import LoadOptions, jax_ops, load
from converters.jax_cases import Case
from sofie_bridge.reference import OnnxReference

jax = pytest.importorskip("jax", reason="the extra jax is not installed")

FILES = [import_module(m.name) for m in iter_modules(jax_ops.__path__, f"{jax_ops.__name__}.")]
CASES = [pytest.param(c, id=f"{f.__name__.rpartition('.')[2]}-{k}") for f in FILES for k, c in enumerate(f.CASES)]
SIZES = {"N": 4, "M": 3}


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.__name__.rpartition(".")[2])
def test_each_file_has_cases(file: ModuleType) -> None:
    assert file.CASES


def arrays(specs: tuple[TensorSpec, ...]) -> dict[str, np.ndarray[Any, Any]]:
    """Integers reach below and above the small tables that they index."""
    draw = np.random.default_rng(7)
    shapes = {s.name: tuple(d if isinstance(d, int) else SIZES[str(d)] for d in s.shape) for s in specs}
    return {
        s.name: (draw.normal(size=shapes[s.name]) if s.dtype == "float32" else draw.integers(-2, 2, shapes[s.name]))
        .astype(s.dtype)
        for s in specs
    }  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_case(case: Case) -> None:
    specs = tuple(TensorSpec.parse(f"x{k}:{text}") for k, text in enumerate(case.inputs))
    function = partial(case.function, jax)
    if case.refuses:
        with pytest.raises(LoadError, match=case.refuses):
            load(function, LoadOptions(inputs=specs))
        return
    loaded = load(function, LoadOptions(inputs=specs))
    assert case.gives in ("", " ".join(n.op_type for n in loaded.model.graph.node))
    taken = {v.name for v in loaded.model.graph.input}
    inputs = {name: array for name, array in arrays(specs).items() if name in taken}
    assert loaded.reference is not None
    expected, found = loaded.reference(inputs), OnnxReference(loaded.model)(inputs)
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        assert found[name].shape == value.shape
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-5)
