"""Translations of JAX's primitives to ONNX, registered with jax2onnx before its own.

A translation reads as an equation::

    @lowering("logistic")
    def logistic(g, x, **_):
        return g.Sigmoid(x)

It may give ``NotImplemented``: then jax2onnx's own is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

#: Translations by primitive, until jax2onnx is there to be given them.
LOWERINGS: dict[str, Callable[..., Any]] = {}
_OWN = "converters.jax_lowering"
_COMPARISONS = ("Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual")


def lowering(name: str) -> Callable[[F], F]:
    """The function ``(g, *operands, **parameters) -> value or values`` translates this primitive.

    :param name: as a jaxpr prints it.
    """

    def register(function: F) -> F:
        if name in LOWERINGS:
            raise ValueError(f"two translations of {name}: {LOWERINGS[name]} and {function}")
        LOWERINGS[name] = function
        return function

    return register


class Builder:
    """Makes ONNX nodes: ``g.Mul(a, b)``, ``g.Conv(x, w, group=4)``; a call gives the output.

    ``values, places = g.TopK(x, k, returns=2)``: of operators with several outputs, that many.

    ``g.inputs`` and ``g.outputs`` are the primitive's operands and results with shape and dtype, as JAX has them.
    """

    def __init__(self, context: Any, equation: Any) -> None:
        self._context = context
        self._name: str = equation.primitive.name.replace("-", "_")
        self.inputs: list[Any] = [v.aval for v in equation.invars]
        self.outputs: list[Any] = [v.aval for v in equation.outvars]

    def __getattr__(self, operator: str) -> Callable[..., Any]:
        if not operator[0].isupper():
            raise AttributeError(operator)
        return lambda *inputs, returns=1, **attributes: self._made(operator, inputs, attributes, returns)

    def _made(self, operator: str, inputs: Sequence[Any], attributes: dict[str, Any], returns: int) -> Any:
        make = getattr(self._context.builder, operator)
        names = [self._context.fresh_name(f"{self._name}_{operator.lower()}") for _ in range(returns)]
        made = make(*inputs, _outputs=names, **attributes)
        first = made if returns == 1 else made[0]
        first.type = _type_of(operator, inputs, attributes)  # the result's own is written over it
        return made

    def constant(self, value: Any, dtype: Any = np.int64) -> Any:
        """A constant tensor."""
        array = np.asarray(value, dtype)
        return self._context.builder.add_initializer_from_array(self._context.fresh_name(f"{self._name}_const"), array)

    def sizes(self, dims: Sequence[Any]) -> Any:
        """Sizes, of which some are not known yet, as a vector of int64."""
        return self._context.dim_expr_lowerer(list(dims))

    def source(self, value: Any, operator: str) -> Sequence[Any] | None:
        """The inputs of the ONNX node that gives the value, where it is of this operator."""
        node = value.producer()
        return node.inputs if node is not None and node.op_type == operator else None


def _type_of(operator: str, inputs: Sequence[Any], attributes: dict[str, Any]) -> Any:
    """The type that a node gives, as jax2onnx takes those Casts away that change no type."""
    import onnx_ir as ir

    if operator == "Cast":
        return ir.TensorType(ir.DataType(attributes["to"]))
    if operator in _COMPARISONS:
        return ir.TensorType(ir.DataType.BOOL)
    return inputs[0].type if inputs[0] is not None else None


def register() -> None:
    """Give them to jax2onnx; again does nothing."""
    from jax2onnx.plugins.plugin_system import PLUGIN_REGISTRY

    for name, function in LOWERINGS.items():
        before = PLUGIN_REGISTRY.get(name)
        if type(before).__module__ != _OWN:
            PLUGIN_REGISTRY[name] = _plugin(function, before)


def _plugin(function: Callable[..., Any], before: Any) -> Any:
    from jax2onnx.converter.lowering_dispatch import dispatch_plugin_lowering
    from jax2onnx.plugins.plugin_system import PrimitiveLeafPlugin

    class Plugin(PrimitiveLeafPlugin):  # type: ignore[misc]
        """One translation of ours, in jax2onnx's terms."""

        def lower(self, ctx: Any, eqn: Any) -> Any:
            operands = [ctx.get_value_for_var(v) for v in eqn.invars]
            made = function(Builder(ctx, eqn), *operands, **eqn.params)
            if made is NotImplemented:
                if before is None:
                    raise NotImplementedError(f"this form of {eqn.primitive.name}")
                name = eqn.primitive.name
                return dispatch_plugin_lowering(before, ctx=ctx, eqn=eqn, primitive_name=name, source="converter")
            results = [made] if eqn.primitive.multiple_results is False else list(made)
            for value, variable in zip(results, eqn.outvars, strict=True):
                stamp(ctx, value, variable.aval)
            return results

    return Plugin()


def stamp(context: Any, value: Any, aval: Any) -> None:
    """The value's shape and type, as JAX has them."""
    import onnx_ir as ir
    from jax2onnx.converter.ir_builder import _dtype_to_ir
    from jax2onnx.plugins._ir_shapes import _stamp_type_and_shape

    value.type = ir.TensorType(_dtype_to_ir(np.dtype(aval.dtype), context.builder.enable_double_precision))
    _stamp_type_and_shape(value, tuple(aval.shape))
