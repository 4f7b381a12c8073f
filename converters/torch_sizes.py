"""Sizes under a trace: numbers, and symbols with a number that the example has; what comes out of code that runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Sized:
    """A tensor of a trace without its values.

    :param sizes: those of the example. :param names: of the axes that are open, else "".
    """

    dtype: torch.dtype
    sizes: tuple[int, ...]
    names: tuple[str, ...]

    def example(self, more: int = 0) -> torch.Tensor:
        """Ones; the open axes ``more`` than in the example."""
        import torch

        sizes = [d + more if name else d for d, name in zip(self.sizes, self.names, strict=True)]
        return torch.ones(sizes, dtype=self.dtype)


@dataclass(frozen=True)
class Output:
    """What is known of an output: ``shape`` may hold symbols of the trace."""

    dtype: torch.dtype
    shape: Sequence[Any]


def sized(argument: Any) -> Any:
    """A tensor of a trace without its values; anything else as it is."""
    import torch

    if not isinstance(argument, torch.Tensor):
        return argument
    dims: tuple[Any, ...] = tuple(argument.shape)  # some are torch.SymInt, whatever the annotation says
    return Sized(argument.dtype, tuple(map(_hint, dims)), tuple("" if isinstance(d, int) else str(d) for d in dims))


def _hint(size: Any) -> int:
    return size if isinstance(size, int) else int(size.node.hint)


def outputs_of(function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """Dtypes and shapes of what the function gives, found by running it at two sizes of the open axes.

    An output's axis is a number, or as long as some axis of the arguments.

    :raises ValueError: it is neither.
    """
    from torch.utils._python_dispatch import _disable_current_modes

    given = [sized(a) for a in arguments]
    with _disable_current_modes():
        first, second = (
            function(*(a.example(more) if isinstance(a, Sized) else a for a in given)) for more in (0, 3)
        )  # fmt: skip
    several = isinstance(first, tuple)
    pairs = list(zip(first, second, strict=True)) if several else [(first, second)]
    symbols: Mapping[tuple[int, int], Any] = {
        (d, d + 3): size
        for a, argument in zip(given, arguments, strict=True)
        if isinstance(a, Sized)
        for d, name, size in zip(a.sizes, a.names, argument.shape, strict=True)
        if name
    }
    made = [Output(one.dtype, tuple(map(_followed(symbols), one.shape, other.shape))) for one, other in pairs]
    return tuple(made) if several else made[0]


def _followed(symbols: Mapping[tuple[int, int], Any]) -> Callable[[int, int], Any]:
    def follow(one: int, other: int) -> Any:
        if one == other:
            return one
        if (one, other) not in symbols:
            raise ValueError(f"an output's size, {one} and then {other}, is none of the inputs'")
        return symbols[one, other]

    return follow
