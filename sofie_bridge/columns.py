"""How the columns of a table of events feed a model's inputs, and what one event gives back.

A column holds one number an event, or a list of them: *jagged*. An input is fed in one of four ways:

========  ============================================  ====================================================
scalars   as many columns of one number as elements     ``x[N,4]`` of pt, eta, phi, m
values    one jagged column with all elements           ``image[N,1,28,28]`` of 784 pixels, row by row
rows      jagged columns, all along the *long axis*     ``features[N,7,P]`` of seven, an entry a particle
mask      no column: which places are filled            ``mask[N,1,P]``
========  ============================================  ====================================================

A long axis of fixed size is padded with zeros, or cut; one of open size is as long as the event's columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

from convert.spec import TensorSpec
from sofie_bridge.interface import Interface

Way = Literal["scalars", "values", "rows", "mask"]


#: SOFIE keeps bools as bytes.
CPP = {"float32": "float", "float64": "double"} | {
    f"{sign}int{bits}": f"std::{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)
}


@dataclass(frozen=True)
class Column:
    """A column of events.

    :param type: in C++: ``float``, ``ROOT::VecOps::RVec<float>``.
    :param dtype: of its numbers. :param jagged: does it hold a list an event?
    """

    name: str
    type: str
    dtype: str
    jagged: bool


@dataclass(frozen=True)
class Feed:
    """How one input is filled, event by event.

    :param columns: in the order of rows or elements; none for a mask.
    :param feature: the axis along which the columns lie; None where there is only one, or none.
    :param long: the axis along which a jagged column runs; None for scalars and for values of fixed number.
    :param real: what a mask holds at a place that is filled; the rest holds the other of 0 and 1.
    :param of: the inputs whose filled places a mask tells.
    """

    tensor: TensorSpec
    way: Way
    columns: tuple[Column, ...] = ()
    feature: int | None = None
    long: int | None = None
    real: int = 1
    of: tuple[str, ...] = ()

    @property
    def length(self) -> int | str | None:
        """The long axis's size, or the symbol for it."""
        return None if self.long is None else self.tensor.shape[self.long]

    @property
    def rest(self) -> int:
        """Elements of one event over the long axis's size; of the event, where it has none."""
        return prod(d for a, d in enumerate(self.tensor.shape) if isinstance(d, int) and a != self.long)

    @property
    def interleaved(self) -> bool:
        """Do all columns' first entries come first, then all second ones? Else it is column behind column."""
        return self.feature is not None and self.long is not None and self.feature > self.long


@dataclass(frozen=True)
class Layout:
    """All inputs' feeds, in the order of the header's inputs.

    :param batch: the symbol that counts events, 1 for each; None where the model has no open batch, or an entry of the
        columns is what it counts.
    :param at_least: the size that an open axis with a mask is padded to where an event has less.
    """

    interface: Interface
    feeds: tuple[Feed, ...]
    batch: str | None
    at_least: int = 1

    @property
    def columns(self) -> tuple[Column, ...]:
        """In the order in which they are given."""
        return tuple(c for feed in self.feeds for c in feed.columns)

    @property
    def open(self) -> dict[str, tuple[Feed, ...]]:
        """By symbol of a long axis: what lists run along it."""
        found: dict[str, tuple[Feed, ...]] = {}
        for feed in self.feeds:
            if isinstance(feed.length, str) and feed.way != "mask":
                found[feed.length] = (*found.get(feed.length, ()), feed)
        return found

    @property
    def masked(self) -> frozenset[str]:
        """Symbols of long axes with a mask, that tells padding from particles."""
        return frozenset(f.length for f in self.feeds if f.way == "mask" and isinstance(f.length, str))

    def least(self, symbol: str) -> int:
        """The size that an open axis is padded to where there is a mask; without one an event needs as much."""
        known = self.interface.least.get(symbol, 1)
        return max(known, self.at_least) if symbol in self.masked else known

    @property
    def batched(self) -> bool:
        """Can events be run together? Then the first axis of everything counts them."""
        tensors = (*(f.tensor for f in self.feeds), *self.interface.outputs)
        return self.batch is not None and all(t.shape[:1] == (self.batch,) for t in tensors)

    def event(self, output: TensorSpec) -> tuple[int | str | None, ...]:
        """The sizes of one event's share of an output."""
        counts = output.shape[:1] in ((self.batch,), (1,)) and len(output.shape) > 1
        return output.shape[1:] if counts or output.shape == (self.batch,) else output.shape

    def elements(self, output: TensorSpec) -> int | None:
        """How many numbers an event gives for this output; None where that is left to the event."""
        shape = self.event(output)
        return prod(d for d in shape if isinstance(d, int)) if all(isinstance(d, int) for d in shape) else None

    def vanishes(self, output: TensorSpec) -> bool:
        """Is there nothing of this output where the event's lists are empty?"""
        unmasked = [s for s in self.open if s not in self.masked]
        return len(unmasked) == 1 and unmasked[0] in output.shape and self.least(unmasked[0]) == 1
