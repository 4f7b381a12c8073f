"""Products of groups of matrices, which torch traces for bfloat16 alone."""

from __future__ import annotations

from typing import Any

from converters.torch_ops.series import where
from converters.torch_ops.sizes import fixed
from converters.translations import stand_in


@stand_in("torch._grouped_mm")
def grouped_mm(a: Any, b: Any, offs: Any = None, bias: Any = None, out_dtype: Any = None) -> Any:
    """Group g is of the rows of a, the columns of b or what is summed over, up to ``offs[g]``, where it is no stack.

    Rows and columns beyond the last group are zero; torch leaves them undefined.
    """
    if bias is not None:
        raise NotImplementedError("_grouped_mm with a bias, which torch itself refuses")
    if a.ndim == 3 and b.ndim == 3:
        found = a @ b
    elif offs is None:
        raise NotImplementedError("_grouped_mm of matrices without offs")
    else:
        found = _by_offsets(a, b, offs)
    return found if out_dtype is None else found.to(out_dtype)


def _by_offsets(a: Any, b: Any, offs: Any) -> Any:
    import torch

    groups = range(fixed(offs, 0))
    length = a.shape[-1] if a.ndim == b.ndim == 2 else a.shape[0] if a.ndim == 2 else b.shape[1]
    numbers = torch.arange(length, dtype=offs.dtype)
    group = (numbers.unsqueeze(1) >= offs).sum(1)
    if a.ndim == b.ndim == 2:
        return torch.stack([where(group == g, a, 0.0) @ b for g in groups])
    if a.ndim == 2:
        parts = [where((group == g).unsqueeze(1), a @ b[g], 0.0) for g in groups]
    else:
        parts = [where(group == g, a[g] @ b, 0.0) for g in groups]
    return sum(parts[1:], parts[0])
