"""Cross entropy with the smoothing of labels, which the exporter drops without a word."""

from __future__ import annotations

from typing import Any

from converters.torch_ops.series import where
from converters.translations import decomposition

_NONE, _MEAN = 0, 1


@decomposition("aten::cross_entropy_loss")
def cross_entropy_loss(
    x: Any,
    target: Any,
    weight: Any = None,
    reduction: int = _MEAN,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Any:
    """Of targets that are classes or probabilities; by masks in the place of a gather, so that any batch is taken."""
    axis = min(x.ndim - 1, 1)
    logarithms = x.log_softmax(axis)
    classes = x.shape[axis]
    weights = None if weight is None else weight.reshape([-1] + [1] * (x.ndim - 1 - axis))
    if target.is_floating_point():
        wanted = target * (1 - label_smoothing) + label_smoothing / classes if label_smoothing else target
        weighed = logarithms * wanted if weights is None else logarithms * wanted * weights
        return _reduced(-weighed.sum(axis), reduction, None)
    kept = target != ignore_index
    chosen = _places(where(kept, target, 0), classes, axis, x.ndim)
    loss = -where(chosen, logarithms, 0.0).sum(axis)
    share = kept.to(x.dtype)
    if weights is not None:
        share = share * (chosen.to(x.dtype) * weights).sum(axis)
        loss = loss * share
    if label_smoothing:
        spread = -(logarithms if weights is None else logarithms * weights).sum(axis)
        loss = loss * (1 - label_smoothing) + spread * (label_smoothing / classes)
    return _reduced(where(kept, loss, 0.0), reduction, share)


def _places(target: Any, classes: int, axis: int, ndim: int) -> Any:
    """Is it the target? With the classes on that axis."""
    import torch

    numbers = torch.arange(classes, dtype=target.dtype).reshape([-1] + [1] * (ndim - 1 - axis))
    return target.unsqueeze(axis) == numbers


def _reduced(loss: Any, reduction: int, share: Any) -> Any:
    """:param share: of each in a mean; None: the same."""
    if reduction == _NONE:
        return loss
    if reduction != _MEAN:
        return loss.sum()
    return loss.mean() if share is None else loss.sum() / share.sum()
