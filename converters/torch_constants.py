"""Small numbers that the dynamo exporter's optimiser takes for none."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from types import SimpleNamespace
from unittest import mock


@contextlib.contextmanager
def exact_constants() -> Iterator[None]:
    """Context of the dynamo exporter, in which x + 1e-9 is not x, nor 1.000005 x.

    Its patterns x + 0, x - 0, 1 x and x / 1 hold for what is within 1e-8 or a relative 1e-5 of 0 and 1 (onnxscript 0.7,
    ``rewriter/_matcher.py``): the epsilon of a denominator is dropped without a word.
    """
    from onnxscript.rewriter import _matcher

    with mock.patch.object(_matcher, "math", SimpleNamespace(isclose=_is_close)):
        yield


def _is_close(found: float, wanted: float, *, rel_tol: float, abs_tol: float) -> bool:
    if wanted in (0, 1):
        return found == wanted
    return math.isclose(found, wanted, rel_tol=rel_tol, abs_tol=abs_tol)
