"""atan2(y, x), the angle of the point (x, y)."""

from __future__ import annotations

import math
from typing import Any

from converters.translations import pytorch


@pytorch("aten::atan2")
def atan2(g: Any, y: Any, x: Any) -> Any:
    """The angle of (|x|, |y|), taken into the quadrant that the signs say; zeros have signs too.

    The exporters' own divides 0 by 0 where both are: the azimuth of a particle without momentum, as padding has it.
    """
    zero = g.constant(0.0, like=x)
    flat, upright = g.Equal(y, zero), g.Equal(x, zero)
    steep = g.Where(flat, zero, g.constant(math.pi / 2, like=x))
    slope = g.Div(g.Abs(y), g.Where(upright, g.constant(1.0, like=x), g.Abs(x)))
    angle = g.Where(upright, steep, g.Atan(slope))
    turned = g.Where(_negative(g, x, zero, upright), g.Sub(g.constant(math.pi, like=x), angle), angle)
    return g.Where(_negative(g, y, zero, flat), g.Neg(turned), turned)


def _negative(g: Any, x: Any, zero: Any, none: Any) -> Any:
    """Is x below zero, or zero from below? 1 / -0 is."""
    return g.Less(g.Where(none, g.Reciprocal(x), x), zero)
