"""Connectionist temporal classification: the recursion over all alignments, unrolled."""

from __future__ import annotations

import math
from typing import Any

from converters.torch_ops.series import where
from converters.torch_ops.sizes import fixed
from converters.translations import stand_in

_NONE, _MEAN = 0, 1


@stand_in("torch.ctc_loss")
def ctc_loss(
    log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int = 0, reduction: int = _MEAN,
    zero_infinity: bool = False,
) -> Any:  # fmt: skip
    """A. Graves et al., ICML 2006; in logarithms. The number of steps has to be known.

    :param log_probs: ``[steps, batch, classes]`` or ``[steps, classes]``.
    :param targets: ``[batch, longest]``, or one after another, with lengths that are no tensors of the model's inputs.
    """
    import torch

    alone = log_probs.ndim == 2
    if alone:
        log_probs = log_probs.unsqueeze(1)
    steps, labels = (torch.as_tensor(n).reshape(-1).to(torch.int64) for n in (input_lengths, target_lengths))
    if targets.ndim == 1:
        targets = targets.unsqueeze(0) if alone else _apart(targets, target_lengths)
    loss = _losses(log_probs, targets.to(torch.int64), steps, labels, blank)
    if zero_infinity:
        loss = where(torch.isinf(loss), 0.0, loss)
    if reduction == _MEAN:
        return (loss / labels.clamp(min=1).to(loss.dtype)).mean()
    return loss.sum() if reduction != _NONE else loss.squeeze(0) if alone else loss


def _apart(targets: Any, lengths: Any) -> Any:
    """Sequences that stand one after another, as rows filled up with 0."""
    import torch

    if isinstance(lengths, torch.Tensor):
        raise NotImplementedError(
            "ctc_loss of joined targets whose lengths are a tensor: give them as numbers, or rows"
        )
    rows = torch.split(targets, list(lengths))
    longest = max(lengths)
    return torch.stack([torch.nn.functional.pad(r, (0, longest - n)) for r, n in zip(rows, lengths, strict=True)])


def _losses(log_probs: Any, targets: Any, steps: Any, labels: Any, blank: int) -> Any:
    """-log of the sum over alignments, by sequence."""
    import torch

    extended = torch.stack([torch.full_like(targets, blank), targets], -1).flatten(1)
    extended = torch.cat([extended, torch.full_like(targets[:, :1], blank)], 1)
    classes = torch.arange(log_probs.shape[2])
    chosen = extended.unsqueeze(-1) == classes
    places = torch.arange(extended.shape[1])
    # a label follows another one without a blank between, if it is another
    skips = torch.nn.functional.pad((extended[:, 2:] != extended[:, :-2]) & (extended[:, 2:] != blank), (2, 0))
    alpha = where(places < 2, _of(log_probs, 0, chosen), -math.inf)
    for t in range(1, fixed(log_probs, 0)):
        before = torch.nn.functional.pad(alpha[:, :-1], (1, 0), value=-math.inf)
        skipped = where(skips, torch.nn.functional.pad(alpha[:, :-2], (2, 0), value=-math.inf), -math.inf)
        further = _logsumexp(torch.stack([alpha, before, skipped], -1)) + _of(log_probs, t, chosen)
        alpha = where((t < steps).unsqueeze(-1), further, alpha)
    last = (2 * labels).unsqueeze(-1)
    ends = (places == last) | ((places == last - 1) & (last > 0))
    return -_logsumexp(where(ends, alpha, -math.inf))


def _of(log_probs: Any, step: int, chosen: Any) -> Any:
    return where(chosen, log_probs[step].unsqueeze(1), 0.0).sum(-1)


def _logsumexp(x: Any) -> Any:
    """Of the last axis; -inf of -inf alone."""
    import torch

    largest = x.amax(-1, keepdim=True)
    largest = where(torch.isinf(largest), 0.0, largest)
    return torch.log(torch.exp(x - largest).sum(-1)) + largest.squeeze(-1)
