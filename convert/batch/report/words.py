"""Numbers and untrusted text in the form that people read."""

from __future__ import annotations

import math
import unicodedata
from typing import Any

#: No characters, and in no XML.
_NONE = "\ufffe\uffff"
_BYTES = ("B", "KiB", "MiB", "GiB", "TiB")


def seconds(value: float) -> str:
    """
    >>> [seconds(x) for x in (2.5e-7, 0.00123, 1.5, 94.2, 7300)]
    ['0.25 µs', '1.23 ms', '1.5 s', '94 s', '2 h 2 min']
    """
    if value < 1e-3:
        return f"{value * 1e6:.3g} µs"
    if value < 1:
        return f"{value * 1e3:.3g} ms"
    if value < 120:
        return f"{value:.2g} s" if value < 10 else f"{value:.0f} s"
    minutes = round(value / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def size(value: float) -> str:
    """
    >>> [size(x) for x in (0, 1000, 1536, 5 * 2**30)]
    ['0 B', '1000 B', '1.5 KiB', '5 GiB']
    """
    power = 0
    while value >= 1024 and power < len(_BYTES) - 1:
        value, power = value / 1024, power + 1
    return f"{value:.0f} {_BYTES[power]}" if value >= 100 else f"{value:.3g} {_BYTES[power]}"


def share(value: float) -> str:
    """Of the tolerance, in per cent, or in times of it.

    >>> [share(x) for x in (0, 0.00042, 0.31, 1.2, 1200, 3e7, math.inf)]
    ['0 %', '0.042 %', '31 %', '120 %', '1200 ×', '3e+07 ×', '∞']
    """
    if math.isinf(value):
        return "∞"
    if value > 10:
        return f"{value:.0f} ×" if value < 1e5 else f"{value:.1g} ×"
    return f"{100 * value:.2g} %" if value < 1 else f"{100 * value:.0f} %"


def number(value: Any) -> float:
    """Of JSON, where infinities are strings. NaN counts as infinitely wrong.

    >>> number("inf"), number("nan"), number(2)
    (inf, inf, 2.0)
    """
    read = float(value)
    return math.inf if math.isnan(read) else read


def line(text: str, most: int = 400) -> str:
    r"""One line that no terminal, parser or reader stumbles over.

    No control characters, none that turn the direction of writing, no halves of characters; cut where it is too long.

    >>> line("a\x1b[31m\nb\u202ec\ud800")
    'a�[31m b�c�'
    """
    joined = " ".join(text.split())
    clean = "".join("�" if unicodedata.category(c) in ("Cc", "Cf", "Cs") or c in _NONE else c for c in joined)
    return clean if len(clean) <= most else clean[: most - 1] + "…"
