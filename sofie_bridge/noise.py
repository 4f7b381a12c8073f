"""How far a model's outputs move where its inputs move by nothing that counts: what then differs is no error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sofie_bridge.ports import Reference
from sofie_bridge.samples import SEED, Array, Arrays, Sample

#: Size of the nudge that shows how well the model is conditioned, in units in the last place of each input's dtype.
NUDGE = 4


def moves(ask: Reference, sample: Sample, plain: Mapping[str, Array], *, draws: int = 2) -> dict[str, Array | float]:
    """How far each element of the outputs moves when the inputs move by :data:`NUDGE` units in the last place.

    An integer moves or does not.

    :param draws: how often the inputs are nudged.
    """
    moved: dict[str, Array | float] = dict.fromkeys(plain, 0.0)
    if not any(a.dtype.kind == "f" for a in sample.arrays.values()):
        return moved
    generator = np.random.default_rng(SEED)
    for _ in range(draws):
        nudged = {
            n: np.asarray(a * (1 + NUDGE * np.finfo(a.dtype).eps * generator.choice([-1.0, 1.0], a.shape)), a.dtype)
            if a.dtype.kind == "f"
            else a
            for n, a in sample.arrays.items()
        }
        _widen(moved, plain, ask(nudged))
    return moved


def most(moved: Mapping[str, Array | float]) -> dict[str, Array | float]:
    """For floats the largest move of the tensor stands for all of its elements: a few draws say little of one."""
    arrays = {n: np.asarray(m) for n, m in moved.items()}
    return {n: m if m.dtype.kind in "iub" else float(m.max(initial=0.0)) for n, m in arrays.items()}


def noise(ask: Reference, sample: Sample, plain: Mapping[str, Array], *, draws: int = 2) -> dict[str, Array | float]:
    """:func:`most` of the :func:`moves`: where it exceeds the tolerance, two right programs may differ."""
    return most(moves(ask, sample, plain, draws=draws))


def flushed(ask: Reference, sample: Sample, plain: Mapping[str, Array]) -> dict[str, Array | float]:
    """How far each output moves when numbers at the lower end of their dtype become zeros, as they do in TensorFlow.

    It takes subnormal numbers for zeros, also those that come out of a product on the way; a network of many
    normalizations without biases makes ordinary numbers of them. ONNX and the header keep them, and so does PyTorch:
    only a framework whose reference says that it ``flushes`` is excused so.

    Asked twice: with subnormal inputs as zeros, and with those too whose product with a weight is no normal number.
    An order or a count of numbers comes out differently for the one and for the other.
    """
    moved: dict[str, Array | float] = dict.fromkeys(plain, 0.0)
    for products in (False, True):
        small = {n: _below_normal(a, products=products) for n, a in sample.arrays.items() if a.dtype.kind == "f"}
        if any(s.any() for s in small.values()):
            zeroed = {n: np.where(small[n], np.zeros_like(a), a) if n in small else a for n, a in sample.arrays.items()}
            _widen(moved, plain, ask(zeroed))
    return most(moved)


def _below_normal(array: Array, *, products: bool) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Not zero, and no normal number; or none in the product with a weight."""
    finfo = np.finfo(array.dtype)
    small = np.abs(array) < (finfo.smallest_normal / finfo.eps if products else finfo.smallest_normal)
    return np.asarray((array != 0) & small, np.bool_)


def _widen(moved: dict[str, Array | float], plain: Mapping[str, Array], answers: Arrays) -> None:
    for name, array in answers.items():
        if array.shape != plain[name].shape or not array.size:
            continue
        if array.dtype.kind in "iub":
            moved[name] = np.logical_or(moved[name], array != plain[name])
            continue
        with np.errstate(invalid="ignore"):
            difference = np.abs(array.astype(np.float64) - plain[name].astype(np.float64))
        moved[name] = np.maximum(moved[name], np.where(np.isfinite(difference), difference, 0.0))
