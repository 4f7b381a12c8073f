"""Cases of PyTorch: a module or a function of tensors, all its weights drawn at random, in evaluation mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from convert.spec import TensorSpec
from convert.sweep.case import Case, Made

#: With the batch: "N" where it is open.
Shape = tuple[int | str, ...]
Shapes = Shape | list[Shape]
#: What is done to an input before it is handed on, to bring it to where the function has values.
Prepare = Callable[[Any], Any]

SEED = 7


def module(
    name: str, shapes: Shapes, *, words: str = "", dtype: str | Sequence[str] = "float32",
    prepare: Sequence[Prepare | None] = (), refuses: str = "",
    **arguments: Any,
) -> Case:  # fmt: skip
    """``torch.nn.<name>(**arguments)`` on inputs of those shapes.

    :param prepare: by input, what is done to it first.
    """
    said = [words_of(arguments)] * bool(arguments) + [words] * bool(words)

    def make(torch: Any) -> Any:
        made = getattr(torch.nn, name)(**arguments)
        return calling(lambda m, *x: m(*_prepared(x, prepare)), made) if prepare else made

    return built(f"torch.nn.{name}", ", ".join(said), shapes, make, dtype=dtype, refuses=refuses)


def function(
    name: str, shapes: Shapes, *, words: str = "", dtype: str | Sequence[str] = "float32",
    weights: Mapping[str, Shape] | None = None, prepare: Sequence[Prepare | None] = (), refuses: str = "",
    **arguments: Any,
) -> Case:  # fmt: skip
    """``torch.nn.functional.<name>(*inputs, **weights, **arguments)``.

    :param weights: shapes of tensors that the model holds, by the argument's name.
    """
    said = [words_of(arguments)] * bool(arguments) + [words] * bool(words)

    def make(torch: Any) -> Any:
        held = torch.nn.ParameterDict({n: torch.nn.Parameter(torch.empty(s)) for n, s in (weights or {}).items()})

        def call(weights: Any, *inputs: Any) -> Any:  # looked up as a user's code does, when it is called
            return getattr(torch.nn.functional, name)(*_prepared(inputs, prepare), **dict(weights.items()), **arguments)

        return calling(call, held)

    return built(f"torch.nn.functional.{name}", ", ".join(said), shapes, make, dtype=dtype, refuses=refuses)


def built(
    name: str, words: str, shapes: Shapes, make: Callable[[Any], Any], *, dtype: str | Sequence[str] = "float32",
    refuses: str = "",
) -> Case:  # fmt: skip
    """The module that ``make(torch)`` gives.

    :param shapes: one, or a list for several inputs. :param dtype: one for all, or one for each.
    """
    each: list[Shape] = shapes if isinstance(shapes, list) else [shapes]
    dtypes = [dtype] * len(each) if isinstance(dtype, str) else list(dtype)
    specs = tuple(TensorSpec(f"given_{k}", d, s) for k, (s, d) in enumerate(zip(each, dtypes, strict=True)))

    def made() -> Made:
        import torch

        torch.manual_seed(SEED)
        model = make(torch)
        draw_weights(model)
        return Made(model.eval(), inputs=specs)

    return Case(name, words, made, refuses)


def calling(call: Callable[..., Any], *parts: Any) -> Any:
    """A module that does ``call(*parts, *inputs)``; what the parts hold are its weights."""
    from torch import nn

    class Calling(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleList(parts)

        def forward(self, *inputs: Any) -> Any:
            return call(*self.parts, *inputs)

    return Calling()


def draw_weights(model: Any) -> None:
    """Ones and zeros, as norms and biases begin with, would hide what a header gets wrong."""
    import torch

    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.is_floating_point():
                weight.uniform_(-0.5, 0.5, generator=generator)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.uniform_(-0.5, 0.5, generator=generator)
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5, generator=generator)


def each(
    kind: Callable[..., Case], name: str, shapes: Shapes, first: Mapping[str, Any], *variants: Mapping[str, Any],
    **options: Any,
) -> list[Case]:  # fmt: skip
    """With the arguments that it wants, and once more for each variant of them.

    :param kind: :func:`module` or :func:`function`.
    """
    return [kind(name, shapes, **{**options, **first, **variant}) for variant in ({}, *variants)]


def words_of(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{k}={v}" for k, v in arguments.items())


def index(below: int) -> Prepare:
    """Whole numbers brought to 0 ... below - 1."""
    return lambda t: t.clamp(0, below - 1)


def _prepared(tensors: Sequence[Any], prepare: Sequence[Prepare | None]) -> list[Any]:
    todo = [*prepare, *[None] * (len(tensors) - len(prepare))]
    return [t if do is None else do(t) for t, do in zip(tensors, todo, strict=True)]
