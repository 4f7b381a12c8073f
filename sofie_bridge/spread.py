"""How a header's numbers lie about the reference's: a few points of a scatter plot, and a histogram of differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sofie_bridge.samples import Array

#: Points kept of each output.
POINTS = 200
#: Decades of |difference|: the first bin is of equal numbers, the last of those from 10 on and of NaN on one side.
DECADES = tuple(range(-10, 2))


@dataclass(frozen=True)
class Spread:
    """Of one output, over all inputs that both ran on.

    :param points: reference and header, evenly taken from all finite elements; at most :data:`POINTS`.
    :param histogram: elements by |difference|: equal, then below 1e-10, then by decade (:data:`DECADES`), then above.
    """

    output: str
    points: tuple[tuple[float, float], ...]
    histogram: tuple[int, ...]


def spread(output: str, pairs: Sequence[tuple[Array, Array]]) -> Spread:
    """
    :param pairs: reference and header for each set of inputs, of equal sizes.
    """
    reference, header = (
        np.concatenate([np.asarray(pair[k], np.float64).ravel() for pair in pairs] or [np.zeros(0)]) for k in (0, 1)
    )
    with np.errstate(invalid="ignore"):
        equal = (reference == header) | (np.isnan(reference) & np.isnan(header))
        difference = np.where(equal, 0.0, np.abs(reference - header))
    decades = np.digitize(difference[~equal], [10.0**d for d in DECADES])  # NaN comes last
    histogram = np.bincount(decades, minlength=len(DECADES) + 1)
    finite = np.flatnonzero(np.isfinite(reference) & np.isfinite(header))
    chosen = finite[np.linspace(0, finite.size - 1, min(POINTS, finite.size)).astype(int)] if finite.size else finite
    points = tuple((_short(reference[k]), _short(header[k])) for k in chosen)
    return Spread(output, points, (int(equal.sum()), *map(int, histogram)))


def spreads(outputs: Sequence[str], answers: Sequence[tuple[Mapping[str, Array], Mapping[str, Array]]]) -> list[Spread]:
    """Of every numeric output.

    :param answers: the reference's and the header's outputs by name, for each set of inputs.
    """
    found = []
    for name in outputs:
        pairs = [(np.asarray(r[name]), np.asarray(h[name])) for r, h in answers if np.size(r[name]) == np.size(h[name])]
        found.append(spread(name, pairs))
    return found


def _short(value: float) -> float:
    """Seven digits: as many as float32 has."""
    return float(f"{value:.7g}")
