"""AdaptiveLogSoftmaxWithLoss without selections of rows, whose number the values say."""

from __future__ import annotations

from typing import Any

from converters.torch_ops.series import where
from converters.translations import stand_in

_MODULE = "torch.nn.AdaptiveLogSoftmaxWithLoss"


@stand_in(f"{_MODULE}.log_prob")
def log_prob(self: Any, input: Any) -> Any:
    """The head's classes, and each cluster's by its own: log p(cluster) + log p(class in it)."""
    import torch

    head = self.head(input).log_softmax(1)
    parts = [head[:, : self.shortlist_size]]
    for k, tail in enumerate(self.tail):
        place = self.shortlist_size + k
        parts.append(tail(input).log_softmax(1) + head[:, place : place + 1])
    return torch.cat(parts, 1)


@stand_in(f"{_MODULE}.predict")
def predict(self: Any, input: Any) -> Any:
    """Where the head itself says a class, that one."""
    import torch

    head = self.head(input).argmax(1)
    return torch.where(head >= self.shortlist_size, log_prob(self, input).argmax(1), head)


@stand_in(f"{_MODULE}.forward")
def forward(self: Any, input_: Any, target_: Any) -> Any:
    """The logarithm of each target's probability, and their mean with the sign changed."""
    import torch
    from torch.nn.modules.adaptive import _ASMoutput

    alone = target_.ndim == 0
    rows, targets = (input_.unsqueeze(0), target_.unsqueeze(0)) if alone else (input_, target_)
    chosen = targets.unsqueeze(-1) == torch.arange(self.n_classes)
    found = where(chosen, log_prob(self, rows), 0.0).sum(-1)
    loss = (-found).mean()
    return _ASMoutput(found.squeeze(0) if alone else found, loss)
