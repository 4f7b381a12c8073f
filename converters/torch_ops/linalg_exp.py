"""matrix_exp by scaling and squaring."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from converters.torch_ops.linalg_parts import matrix_sizes, unit
from converters.translations import decomposition

if TYPE_CHECKING:
    from torch import Tensor

#: Norm up to which Taylor's polynomial of degree 16 is exact in float32: 2^17 / 17! = 4e-10.
_NEAR = 2.0
#: Squarings that are unrolled, each done or not by the norm; 2^40 is far beyond where numbers are left.
_SQUARINGS = 40


@decomposition("aten::linalg_matrix_exp", "aten::matrix_exp")
def matrix_exp(a: Tensor) -> Tensor:
    """exp(A) = exp(A / 2^s)^(2^s), s being the first with |A / 2^s| <= 2 in the 1-norm

    Taylor's polynomial by powers of A^4 (Paterson and Stockmeyer 1973), as torch's is in float32.
    """
    import torch

    size, _ = matrix_sizes(a, "matrix_exp", 1)
    norm = a.abs().sum(-2).amax(-1)[..., None, None]
    limits = _NEAR * 2.0 ** torch.arange(_SQUARINGS, dtype=a.dtype)
    halved = torch.where(norm > limits, torch.full((), 0.5, dtype=a.dtype), torch.ones((), dtype=a.dtype))
    x = a * halved.prod(-1, keepdim=True)
    two = x @ x
    powers = [torch.eye(size, dtype=a.dtype), x, two, two @ x]
    fourth = two @ two
    result = unit(size, a) / math.factorial(16)
    for block in (12, 8, 4, 0):
        terms = [powers[j] / math.factorial(block + j) for j in range(4)]
        result = fourth @ result + (terms[0] + terms[1] + terms[2] + terms[3])
    for i in range(_SQUARINGS):
        result = torch.where(norm > limits[i : i + 1], result @ result, result)
    return result
