"""From where on a difference between two runs is a change, and the options that say so."""

from __future__ import annotations

import math
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from dataclasses import dataclass

#: Share of the tolerance below which errors are noise: another BLAS moves them about there.
QUIET_SHARE = 0.01
#: Seconds by which a stage must be slower: less is the machine's doing. Seconds a call, for latencies.
QUIET_SECONDS = 0.5
QUIET_LATENCY = 2e-6
#: Bytes by which a file, or the peak of memory, must grow.
QUIET_BYTES = 1024
QUIET_MEMORY = 64 * 2**20


@dataclass(frozen=True)
class Limits:
    """From where on a difference is a change.

    :param error_factor: by which an error must grow, see :func:`convert.batch.compare.used`.
    :param slower: ratio of seconds. :param larger: ratio of bytes.
    :param complete: is a model or comparison that went, or that is skipped now, a regression?
    """

    error_factor: float = 10.0
    slower: float = 1.5
    larger: float = 1.1
    complete: bool = False


def add_limits(parser: ArgumentParser) -> None:
    """The options of :class:`Limits`."""
    usual, group = Limits(), parser.add_argument_group("what counts as a change")
    group.add_argument("--error-factor", type=above(1), default=usual.error_factor, metavar="X",
                       help="an error grown by more than this (default: %(default)g)")  # fmt: skip
    group.add_argument("--slower", type=above(1), default=usual.slower, metavar="X",
                       help="a stage or latency longer by this ratio (default: %(default)g)")  # fmt: skip
    group.add_argument("--larger", type=above(1), default=usual.larger, metavar="X",
                       help="a file or peak of memory larger by this ratio (default: %(default)g)")  # fmt: skip
    group.add_argument(
        "--complete", action="store_true", help="models and comparisons that went, or are skipped now, are a regression"
    )


def limits_of(given: Namespace) -> Limits:
    """What :func:`add_limits` read."""
    return Limits(given.error_factor, given.slower, given.larger, given.complete)


def above(least: float) -> Callable[[str], float]:
    """An option's type: a number above ``least``."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not value > least:
            raise ArgumentTypeError(f"{text} is no number above {least:g}")
        return value

    return read
