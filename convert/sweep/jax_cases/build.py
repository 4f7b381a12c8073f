"""Cases of Flax: a module as its making is written, all its weights drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from convert.spec import TensorSpec
from convert.sweep.case import BATCH, Case, Made
from converters.jax_modes import evaluation

#: With the batch: "N" where it is open.
Shape = tuple[int | str, ...]
Shapes = Shape | list[Shape]

SEED = 7


def linen(name: str, words: str, shapes: Shapes, *, does: str = "", dtype: str | Sequence[str] = "float32") -> Case:
    """``flax.linen.<name>(<words>)``, which may speak of ``nn``, with variables drawn for it.

    :param shapes: one, or a list for several inputs. :param dtype: one for all, or one for each.
    :param does: what is done with the module m, where it is not just called ("lambda m, x, h: m(h, x)").
    """
    specs = specs_of(shapes, dtype)

    def made() -> Made:
        import jax
        from flax import linen as nn

        # The words of the case are what is made: written once, they cannot say another thing.
        module = eval(f"nn.{name}({words})", {"nn": nn, "jnp": jax.numpy})
        if does:
            module = _calling_linen(nn, eval(does, {"nn": nn, "jnp": jax.numpy}), module)
        zeros = [np.zeros([d if isinstance(d, int) else BATCH for d in s.shape], s.dtype) for s in specs]
        taken = evaluation(module.__call__)
        switches = {n: v for n, v in taken.items() if getattr(module, n, None) is None}  # a switch is given once
        variables = module.init({"params": jax.random.key(SEED)}, *zeros, **switches)
        return Made((module, drawn(variables)), inputs=specs)

    return Case(f"flax.linen.{name}", _said(words, does, specs), made)


def nnx(name: str, words: str, shapes: Shapes, *, does: str = "", dtype: str | Sequence[str] = "float32") -> Case:
    """``flax.nnx.<name>(<words>)``, as :func:`linen` has it; the words may speak of ``rngs`` too."""
    specs = specs_of(shapes, dtype)

    def made() -> Made:
        import jax
        from flax import nnx as nn

        module = eval(f"nn.{name}({words})", {"nn": nn, "jnp": jax.numpy, "rngs": nn.Rngs(SEED)})
        if does:
            module = _calling_nnx(nn, eval(does, {"nn": nn, "jnp": jax.numpy}), module)
        nn.update(module, drawn(nn.state(module, nn.Not(nn.RngState))))
        return Made(module, inputs=specs)

    return Case(f"flax.nnx.{name}", _said(words, does, specs), made)


def _said(words: str, does: str, specs: Sequence[TensorSpec]) -> str:
    """How it is made, what is done with it, and of which shapes."""
    shapes = " and ".join("×".join(map(str, spec.shape)) for spec in specs)
    return "; ".join(part for part in (words, does.partition(": ")[2], shapes) if part)


def _calling_linen(nn: Any, call: Callable[..., Any], module: Any) -> Any:
    """A module that does ``call(module, *inputs)``."""

    class Calling(nn.Module):  # type: ignore[misc]
        inner: Any

        def __call__(self, *inputs: Any) -> Any:
            return call(self.inner, *inputs)

    return Calling(module)


def _calling_nnx(nn: Any, call: Callable[..., Any], module: Any) -> Any:
    """A module that does ``call(module, *inputs)``."""

    class Calling(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            self.inner = module

        def __call__(self, *inputs: Any) -> Any:
            return call(self.inner, *inputs)

    return Calling()


def specs_of(shapes: Shapes, dtype: str | Sequence[str]) -> tuple[TensorSpec, ...]:
    each: list[Shape] = shapes if isinstance(shapes, list) else [shapes]
    dtypes = [dtype] * len(each) if isinstance(dtype, str) else list(dtype)
    return tuple(TensorSpec("", d, s) for s, d in zip(each, dtypes, strict=True))


def drawn(nest: Any) -> Any:
    """The nest with other numbers: ones and zeros, as norms and biases begin with, would hide what a header gets wrong.

    What is named ``var`` or ``sigma`` is a variance or a norm: positive.
    """
    import jax

    generator = np.random.default_rng(SEED)

    def one(path: Any, leaf: Any) -> Any:
        if not np.issubdtype(leaf.dtype, np.floating):
            return leaf
        positive = any(f"'{word}'" in str(key) for key in path for word in ("var", "sigma"))
        low, high = (0.5, 1.5) if positive else (-0.5, 0.5)
        return jax.numpy.asarray(generator.uniform(low, high, leaf.shape), leaf.dtype)

    return jax.tree_util.tree_map_with_path(one, nest)
