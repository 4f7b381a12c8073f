"""Bodies of control flow: graphs inside a node, in jax2onnx's terms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from converters.jax_lowering import Builder, stamp


class Body:
    """A graph that may read what is around the node that it is made for.

    :param g: where that node will stand. :param name: what the graph's tensors are called after.
    """

    def __init__(self, g: Builder, name: str) -> None:
        from jax2onnx.plugins.jax.lax._control_flow_utils import make_subgraph_context

        self._outer = g._context
        self._context = make_subgraph_context(g._context, prefix=name)
        self._context._keep_function_float32 = True

    def input(self, shape: Sequence[Any], dtype: Any) -> Any:
        """One more input of the graph."""
        import jax
        import onnx_ir as ir

        value = ir.Value(name=self._context.fresh_name("given"))
        stamp(self._context, value, jax.ShapeDtypeStruct(tuple(shape), dtype))
        self._context.builder.inputs.append(value)
        return value

    def inputs(self, variables: Sequence[Any]) -> list[Any]:
        """One for each variable of a jaxpr."""
        return [self.input(v.aval.shape, v.aval.dtype) for v in variables]

    def run(self, closed: Any, values: Sequence[Any]) -> list[Any]:
        """The outputs of a jaxpr inside the graph."""
        return run(self._context, closed, values)

    def graph(self, outputs: Sequence[Any]) -> Any:
        """The graph; each output is of a node of its own, whatever it is."""
        builder = self._context.builder
        builder.outputs = [self._own(value) for value in outputs]
        graph = builder.graph.clone(allow_outer_scope_values=True)
        graph.name = self._outer.fresh_name("body")
        graph.opset_imports.setdefault("", self._outer.builder.opset)
        return graph

    def _own(self, value: Any) -> Any:
        from jax2onnx.plugins.jax.lax._control_flow_utils import builder_identity

        return builder_identity(self._context, value, name_hint="made")


def run(context: Any, closed: Any, values: Sequence[Any]) -> list[Any]:
    """The outputs of a jaxpr in one of jax2onnx's contexts."""
    from jax2onnx.plugins.jax.lax._control_flow_utils import lower_jaxpr_eqns

    for variable, constant in zip(closed.jaxpr.constvars, closed.consts, strict=True):
        context.bind_const_for_var(variable, np.asarray(constant))
    for variable, value in zip(closed.jaxpr.invars, values, strict=True):
        context.bind_value_for_var(variable, value)
    lower_jaxpr_eqns(context, closed.jaxpr)
    return [context.get_value_for_var(v) for v in closed.jaxpr.outvars]
