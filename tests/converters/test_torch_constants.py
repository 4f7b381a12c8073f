"""Constants near 0 and 1, which the dynamo exporter's optimiser takes for 0 and 1: they stay in the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from convert.spec import TensorSpec
from converters import load
from converters.base import LoadOptions
from sofie_bridge.reference import OnnxReference


class Applied(torch.nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "added": lambda x: x + 1e-9,
    "taken away": lambda x: x - 5e-9,
    "a factor": lambda x: (x * 1.000005 - x) * 1e6,
    "a divisor": lambda x: (x / 1.000005 - x) * 1e6,
    "a logarithm kept finite": lambda x: torch.log(x.abs() * 0 + 1e-9),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_stays(name: str) -> None:
    module = Applied(FUNCTIONS[name]).eval()
    x = np.array([[0, 1e-9, -3e-9, 1]], np.float32)
    loaded = load(module, LoadOptions(inputs=(TensorSpec.parse("x:float32[N,4]"),)))
    found = OnnxReference(loaded.model)({"x": x})["output"]
    expected = module(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-15)
    plain = module.function(torch.from_numpy(x).double()).numpy()
    np.testing.assert_allclose(found, plain, rtol=0.05, atol=1e-15)  # of float32's own rounding, a factor's most
