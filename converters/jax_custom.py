"""A JAX function that becomes one node of a user's domain: what marks a custom operator in JAX.

::

    from converters.jax_custom import as_operator

    @as_operator("mylib::swish")
    def swish(x, *, beta):
        return x * jax.nn.sigmoid(beta * x)

Called in JAX it is what it was, under ``jit``, ``grad`` and ``vmap`` too; exported, each call is a node. Its arguments
are the node's inputs, its keyword arguments the attributes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import cache
from typing import Any

from converters.jax_lowering import Builder, lowering

_NAME = "custom_operator"


def as_operator(operator: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The function stands for the operator of that domain and name.

    :param operator: as it is declared, see :mod:`convert.custom`.
    """

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arrays: Any, **attributes: Any) -> Any:
            held = tuple((n, tuple(v) if isinstance(v, list) else v) for n, v in attributes.items())
            made = _primitive().bind(*arrays, operator=operator, function=function, attributes=held)
            return tuple(made) if len(made) > 1 else made[0]

        return call

    return mark


def _run(*arrays: Any, operator: str, function: Callable[..., Any], attributes: tuple[tuple[str, Any], ...]) -> Any:
    del operator
    made = function(*arrays, **dict(attributes))
    return list(made) if isinstance(made, tuple | list) else [made]


@cache
def _primitive() -> Any:
    import jax
    from jax.core import ShapedArray
    from jax.extend.core import Primitive
    from jax.interpreters import ad, batching, mlir

    primitive = Primitive(_NAME)
    primitive.multiple_results = True
    primitive.def_impl(_run)

    def typed(*avals: Any, **named: Any) -> Any:
        made = jax.eval_shape(functools.partial(_run, **named), *avals)
        return [ShapedArray(a.shape, a.dtype) for a in made]

    def batched(arrays: Any, axes: Any, **named: Any) -> Any:
        """Over a batch it is no such node any more, but what the function does."""
        made = jax.vmap(functools.partial(_run, **named), in_axes=tuple(axes))(*arrays)
        return made, [0] * len(made)

    def derived(primals: Any, tangents: Any, **named: Any) -> Any:
        return jax.jvp(functools.partial(_run, **named), primals, tuple(map(ad.instantiate_zeros, tangents)))

    primitive.def_abstract_eval(typed)
    mlir.register_lowering(primitive, mlir.lower_fun(_run, multiple_results=True))
    batching.primitive_batchers[primitive] = batched
    ad.primitive_jvps[primitive] = derived
    return primitive


@lowering(_NAME)
def custom_operator(g: Builder, *operands: Any, operator: str, attributes: Any, **others: Any) -> Any:
    """The node"""
    del others  # the function, which is the node's meaning in JAX
    domain, _, name = operator.rpartition("::")
    context = g._context
    names = [context.fresh_name(name) for _ in g.outputs]
    given = {k: list(v) if isinstance(v, tuple) else v for k, v in attributes}
    made = getattr(context.builder, name)(*operands, _outputs=names, _domain=domain, _version=1, **given)
    return made if len(names) > 1 else [made]
