"""hypot(x, y) = sqrt(x^2 + y^2)."""

from __future__ import annotations

import math
from typing import Any

from converters.translations import pytorch


@pytorch("aten::hypot")
def hypot(g: Any, x: Any, y: Any) -> Any:
    """m sqrt(1 + (n/m)^2) with m the larger of |x| and |y|, n the smaller: the squares do not overflow"""
    first, second = g.Abs(x), g.Abs(y)
    large, small = g.Max(first, second), g.Min(first, second)
    zero = g.constant(0.0, like=large)
    ratio = g.Where(g.Equal(large, zero), zero, g.Div(small, large))
    one = g.constant(1.0, like=large)
    found = g.Mul(large, g.Sqrt(g.Add(one, g.Mul(ratio, ratio))))
    # infinite where one of them is, whatever the other: NaN too
    infinity = g.constant(math.inf, like=large)
    infinite = g.Or(g.Equal(first, infinity), g.Equal(second, infinity))
    return g.Where(infinite, infinity, found)
