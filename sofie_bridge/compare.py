"""Are two arrays equal, as far as their dtype and the model's own conditioning let one say?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sofie_bridge.samples import Array

#: rtol and atol per dtype where the user names none. Integers and bools are equal or not.
TOLERANCES = {
    "float32": (1e-4, 1e-5),
    "float64": (1e-9, 1e-12),
    "float16": (1e-2, 1e-3),
    "bfloat16": (4e-2, 1e-2),
}

#: Elements compared at once: float64 copies of whole tensors would be many times the tensors.
BLOCK = 1 << 20


@dataclass(frozen=True)
class Tolerance:
    """|value - reference| <= atol + rtol |reference|."""

    rtol: float
    atol: float

    @classmethod
    def of(cls, dtype: np.dtype[Any], rtol: float | None = None, atol: float | None = None) -> Tolerance:
        usual = TOLERANCES.get(str(dtype), (0.0, 0.0))
        if str(dtype) not in TOLERANCES:
            return cls(*usual)
        return cls(usual[0] if rtol is None else rtol, usual[1] if atol is None else atol)


@dataclass(frozen=True)
class Comparison:
    """What comparing one tensor gave.

    :param absolute: largest |value - reference|; infinite where only one of them is a number.
    :param relative: largest |value - reference| / |reference| where the reference exceeds the absolute tolerance.
    :param wrong: elements outside the tolerance.
    :param undecided: elements that the reference itself cannot pin down.
    :param elements: all of them.
    """

    absolute: float
    relative: float
    wrong: int
    undecided: int
    elements: int
    problem: str = ""

    @property
    def words(self) -> str:
        """What differs, in a few words; of use where :attr:`good` is false."""
        return self.problem or f"max |difference| {self.absolute:.3g} in {self.wrong} of {self.elements} elements"

    @property
    def good(self) -> bool:
        return not self.wrong and not self.problem


def compare(
    value: Array,
    reference: Array,
    tolerance: Tolerance,
    noise: Array | float = 0.0,
    *,
    moves: Array | float | None = None,
    strict: bool = True,
    defined: bool = True,
) -> Comparison:
    """Hold ``value`` against ``reference``.

    :param noise: how far the reference moves when the model's inputs move by a few units in the last place. Where that
        exceeds the tolerance, an element is undecided: two right programs would differ there.
    :param moves: how far each element was seen to move, where ``noise`` is the most that any of them did. Of elements
        that hardly move, only those that differ are undecided then.
    :param strict: judge infinities and NaN too; else the elements where the reference has them are undecided.
    :param defined: judge numbers where the reference has NaN; else they are undecided: what the model gives for inputs
        that it is not for is no number of anybody's.
    """
    if reference.shape == () and value.shape == (1,):
        value = value.reshape(())  # SOFIE has no scalars: it makes them one element
    if value.shape != reference.shape:
        return Comparison(0, 0, 0, 0, 0, f"shape {list(value.shape)} instead of {list(reference.shape)}")
    if not _comparable(value.dtype, reference.dtype):
        return Comparison(0, 0, 0, 0, 0, f"dtype {value.dtype} instead of {reference.dtype}")
    flat = (value, reference, np.broadcast_to(noise, value.shape))
    parts = [x.reshape(-1) for x in (*flat, *([] if moves is None else [np.broadcast_to(moves, value.shape)]))]
    found = [
        _block(*(x[start : start + BLOCK] for x in parts), tolerance=tolerance, strict=strict, defined=defined)
        for start in range(0, value.size, BLOCK)
    ]
    return Comparison(
        max((f.absolute for f in found), default=0.0),
        max((f.relative for f in found), default=0.0),
        sum(f.wrong for f in found),
        sum(f.undecided for f in found),
        value.size,
    )


def _block(
    value: Array,
    reference: Array,
    noise: Array,
    moves: Array | None = None,
    *,
    tolerance: Tolerance,
    strict: bool,
    defined: bool,
) -> Comparison:
    a, b = value.astype(np.float64), reference.astype(np.float64)
    if value.dtype.kind in "iub" and reference.dtype.kind in "iub":
        difference = (value != reference).astype(np.float64)
    else:
        with np.errstate(invalid="ignore"):
            difference = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    allowed = tolerance.atol + tolerance.rtol * np.abs(b)
    finite = np.isfinite(b)
    differs = ~(difference <= np.where(finite, allowed, 0.0))
    excused = np.where(finite, noise > allowed, not strict)
    excused |= np.isnan(b) & ~np.isnan(a) & (not defined)
    wrong = differs & ~excused
    undecided = excused
    if moves is not None:
        undecided = np.where(finite, differs & excused | (moves > allowed), excused)
    if reference.dtype.kind in "iub":
        undecided = differs & excused  # equal whole numbers say all that there is to say, wherever they move
    # a NaN where the reference has none, or the reverse
    difference = np.where(np.isnan(difference), np.inf, difference)
    seen = ~undecided
    large = seen & finite & (np.abs(b) > max(tolerance.atol, 1e-30))
    return Comparison(
        float(difference[seen].max(initial=0.0)),
        float((difference[large] / np.abs(b[large])).max(initial=0.0)),
        int(wrong.sum()),
        int(undecided.sum()),
        int(b.size),
    )


def _comparable(value: np.dtype[Any], reference: np.dtype[Any]) -> bool:
    """SOFIE hands bool over as uint8; all else must be the dtype of the reference."""
    return value == reference or {str(value), str(reference)} == {"bool", "uint8"}
