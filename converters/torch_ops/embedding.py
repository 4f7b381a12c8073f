"""Embeddings: bags, and tables whose rows have a largest norm."""

from __future__ import annotations

import math
from typing import Any

from converters.torch_ops.series import where
from converters.translations import stand_in


@stand_in("torch.nn.functional.embedding_bag")
def embedding_bag(
    input: Any, weight: Any, offsets: Any = None, max_norm: float | None = None, norm_type: float = 2,
    scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, per_sample_weights: Any = None,
    include_last_offset: bool = False, padding_idx: int | None = None,
) -> Any:  # fmt: skip
    """Rows are bags; of a vector, the parts between offsets. The gradient's arguments say nothing here."""
    import torch

    del scale_grad_by_freq, sparse
    if weight.dtype == torch.int64 and input.is_floating_point():  # torch's older order
        input, weight = weight, input
    padding = padding_idx if padding_idx is None or padding_idx >= 0 else weight.shape[0] + padding_idx
    rows = bounded(weight[input], max_norm, norm_type)
    kept = None if padding is None else input != padding
    if per_sample_weights is not None:
        if mode != "sum":
            raise NotImplementedError(f"per_sample_weights with mode={mode}, which torch itself refuses")
        rows = rows * per_sample_weights.unsqueeze(-1)
    if input.ndim == 2:
        return _reduced(rows, mode, kept)
    bags = _members(input, offsets, include_last_offset=include_last_offset)
    return _reduced(rows.unsqueeze(0), mode, bags if kept is None else bags & kept)


def _members(input: Any, offsets: Any, *, include_last_offset: bool) -> Any:
    """Is the element in the bag? The last one ends with the vector."""
    import torch

    places = torch.arange(input.shape[0], dtype=offsets.dtype)
    begins = offsets[:-1] if include_last_offset else offsets
    ends = torch.cat([offsets[1:], offsets.new_full((1,), input.shape[0])])
    ends = offsets[1:] if include_last_offset else ends
    return (places >= begins.unsqueeze(-1)) & (places < ends.unsqueeze(-1))


def _reduced(rows: Any, mode: str, kept: Any) -> Any:
    """``[bags, elements, features]`` over the elements, an empty bag zero."""
    if mode == "max":
        return rows.amax(1) if kept is None else _largest(rows, kept)
    total = (rows if kept is None else where(kept.unsqueeze(-1), rows, 0.0)).sum(1)
    if mode == "sum":
        return total
    if kept is None:
        return rows.mean(1)
    return total / kept.to(rows.dtype).sum(1, keepdim=True).clamp(min=1)


def _largest(rows: Any, kept: Any) -> Any:
    found = where(kept.unsqueeze(-1), rows, -math.inf).amax(1)
    return where(kept.any(1, keepdim=True), found, 0.0)


def bounded(rows: Any, max_norm: float | None, norm_type: float) -> Any:
    """Rows of a larger norm brought to ``max_norm``, as torch does to the table itself before it looks one up."""
    if max_norm is None:
        return rows
    import torch

    norm = torch.linalg.vector_norm(rows, norm_type, -1, keepdim=True)
    return where(norm > max_norm, rows * (max_norm / (norm + 1e-7)), rows)


@stand_in("torch.nn.functional.embedding")
def embedding(
    input: Any, weight: Any, padding_idx: int | None = None, max_norm: float | None = None, norm_type: float = 2.0,
    scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Any:  # fmt: skip
    """With ``max_norm``, as a function of the table, which torch writes into."""
    import torch

    padding = -1 if padding_idx is None else padding_idx if padding_idx >= 0 else weight.shape[0] + padding_idx
    rows = torch.embedding(weight, input, padding, scale_grad_by_freq, sparse)
    return bounded(rows, max_norm, norm_type)
