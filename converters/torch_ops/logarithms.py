"""Logarithms of sums of exponentials of two numbers, which do not overflow."""

from __future__ import annotations

import math
from typing import Any

from converters.torch_ops.series import of_real_numbers, where
from converters.translations import decomposition


@decomposition("aten::log_sigmoid")
def log_sigmoid(x: Any) -> Any:
    """min(x, 0) - log(1 + exp(-|x|)); the exporters' log(sigmoid(x)) is -inf from -104 on"""
    import torch

    return x.clamp(max=0) - torch.log1p(torch.exp(-x.abs()))


@decomposition("aten::log_sigmoid_forward")
def log_sigmoid_forward(x: Any) -> Any:
    """The same, with what the gradient wants, which is not asked for."""
    return log_sigmoid(x), x.new_zeros(0)


@decomposition("aten::logaddexp")
@of_real_numbers
def logaddexp(x: Any, y: Any) -> Any:
    """max(x, y) + log(1 + exp(-|x - y|)), and two infinities of one sign themselves"""
    import torch

    return torch.maximum(x, y) + torch.log1p(torch.exp(-_distance(x, y)))


@decomposition("aten::logaddexp2")
@of_real_numbers
def logaddexp2(x: Any, y: Any) -> Any:
    """The same to base 2."""
    import torch

    return torch.maximum(x, y) + torch.log1p(torch.exp2(-_distance(x, y))) / math.log(2)


def _distance(x: Any, y: Any) -> Any:
    return where(x == y, 0.0, (x - y).abs())
