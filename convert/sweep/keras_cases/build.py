"""Cases of Keras: a layer between inputs and an output, all its weights drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from convert.sweep.case import BATCH, Case, Made

Shape = tuple[int | None, ...]
Shapes = Shape | Sequence[Shape]

SEED = 7


def layer(
    name: str, shapes: Shapes, *, words: str = "", dtype: str = "float32", samples: Sequence[Any] = (),
    refuses: str = "",
    **arguments: Any,
) -> Case:  # fmt: skip
    """``keras.layers.<name>(**arguments)`` on inputs of those shapes, without the batch.

    :param shapes: one, or a list for a layer that takes a list.
    :param samples: an array per input, for layers that take but some numbers.
    """

    def call(keras: Any, *tensors: Any) -> Any:
        made = getattr(keras.layers, name)(**arguments)
        return made(list(tensors) if isinstance(shapes, list) else tensors[0])

    said = [f"{k}={v}" for k, v in arguments.items()] + ([words] if words else [])
    return built(name, ", ".join(said), shapes, call, dtype=dtype, samples=samples, refuses=refuses)


def built(
    name: str, words: str, shapes: Shapes, call: Callable[..., Any], *, dtype: str | Sequence[str] = "float32",
    samples: Sequence[Any] = (), refuses: str = "",
) -> Case:  # fmt: skip
    """A functional model of ``call(keras, *inputs)``; ``name`` is of ``keras.layers`` or with its module."""
    each: list[Shape] = list(shapes) if isinstance(shapes, list) else [shapes]  # type: ignore[list-item]
    dtypes = [dtype] * len(each) if isinstance(dtype, str) else list(dtype)

    def make() -> Made:
        import keras

        keras.utils.set_random_seed(SEED)
        inputs = [keras.Input(s, dtype=d, name=f"x{k}") for k, (s, d) in enumerate(zip(each, dtypes, strict=True))]
        model = keras.Model(inputs if len(inputs) > 1 else inputs[0], call(keras, *inputs))
        draw_weights(model)
        arrays = {i.name: np.asarray(a, d) for i, a, d in zip(inputs, samples, dtypes, strict=False)}
        return Made(model, samples=arrays)

    return Case(name if "." in name else f"keras.layers.{name}", words, make, refuses)


def draw_weights(model: Any) -> None:
    """Zeros and ones, as Keras begins with, would hide what a header gets wrong."""
    generator = np.random.default_rng(SEED)
    for weight in model.weights:
        if not str(weight.dtype).startswith("float"):
            continue  # the state of a generator of random numbers
        low, high = (0.5, 1.5) if "variance" in weight.path else (-0.3, 0.3)
        weight.assign(generator.uniform(low, high, weight.shape))


def each(
    name: str, shapes: Shapes, first: Mapping[str, Any], *variants: Mapping[str, Any], **options: Any
) -> list[Case]:
    """The layer with the arguments that it wants, and once more for each variant of them."""
    return [layer(name, shapes, **{**first, **variant}, **options) for variant in ({}, *variants)]


def first_axes(shape: Shape) -> Shape:
    """A channels-last shape with its channels first."""
    return (shape[-1], *shape[:-1])


def whole(shape: Shape, low: int, high: int) -> Any:
    """Whole numbers from ``low`` to below ``high``, all of them if there is room, for a batch of :data:`BATCH`."""
    count = BATCH * int(np.prod([d or 1 for d in shape]))
    return (np.arange(count) % (high - low) + low).reshape(BATCH, *(d or 1 for d in shape))
