"""Where torch's exporters write something else than torch computes: translations of ours."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx

#: An operator in the dynamo exporter's own words for a node: ``torch.ops.aten.gelu.default``.
_TARGET = re.compile(r"torch\.ops\.(\w+)\.(\w+)")


@contextmanager
def mended_symbolics(opset: int) -> Iterator[None]:
    """Let the TorchScript exporter use them for as long as this lasts."""
    import torch
    from torch.onnx import symbolic_opset14, utils

    def atan2(g: Any, y: Any, x: Any) -> Any:
        def like(value: float) -> Any:
            return g.op("CastLike", g.op("Constant", value_t=torch.tensor(value)), x)

        return _atan2(g.op, like, y, x)

    def attention(g: Any, *operands: Any) -> Any:
        return symbolic_opset14.scaled_dot_product_attention(_SafeSoftmax(g), *operands)

    mended = {"aten::atan2": atan2, "aten::scaled_dot_product_attention": attention}
    for name, symbolic in mended.items():
        utils.register_custom_op_symbolic(name, symbolic, opset)
    try:
        yield
    finally:
        for name in mended:
            utils.unregister_custom_op_symbolic(name, opset)


def registered_by_the_user(model: onnx.ModelProto) -> list[str]:
    """Operators in a model of the dynamo exporter's for which ``register_custom_op_symbolic`` was called.

    That exporter does not ask it. Ours are registered while the other exporter runs, and are none of these.
    """
    from torch.onnx._internal.torchscript_exporter.registration import registry

    traced = (e.value for n in model.graph.node for e in n.metadata_props if e.key == "pkg.torch.onnx.fx_node")
    names = dict.fromkeys(f"{m[1]}::{m[2]}" for text in traced for m in _TARGET.finditer(text))
    groups = {name: registry.get_function_group(name) for name in names}
    return [name for name, group in groups.items() if group is not None and group._functions._overrides]


class _SafeSoftmax:
    """A graph under construction whose Softmax is 0, not NaN, over a row of -inf alone.

    So is torch's attention; the exporter sees to it for masks of bools, not for those of floats: an event of padding.
    """

    def __init__(self, graph: Any) -> None:
        self._graph = graph

    def __getattr__(self, name: str) -> Any:
        return getattr(self._graph, name)

    def op(self, name: str, *inputs: Any, **attributes: Any) -> Any:
        import torch

        made = self._graph.op(name, *inputs, **attributes)
        if name != "Softmax":
            return made
        zero = self._graph.op("CastLike", self._graph.op("Constant", value_t=torch.tensor(0.0)), made)
        return self._graph.op("Where", self._graph.op("IsNaN", made), zero, made)


def mended_translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """The same for the dynamo exporter's ``custom_translation_table``."""
    import torch
    from onnxscript import opset20

    def op(name: str, *inputs: Any, **attributes: Any) -> Any:
        return getattr(opset20, name)(*inputs, **attributes)

    def translation(y: Any, x: Any) -> Any:
        return _atan2(op, lambda value: op("CastLike", op("Constant", value_float=value), x), y, x)

    return {torch.ops.aten.atan2.default: translation}


def _atan2(op: Callable[..., Any], like: Callable[[float], Any], y: Any, x: Any) -> Any:
    """The angle of (|x|, |y|), taken into the quadrant that the signs say; zeros have signs too.

    The exporters' own divides 0 by 0 where both are: the azimuth of a particle without momentum, as padding has it.
    """
    zero = like(0.0)
    flat, upright = op("Equal", y, zero), op("Equal", x, zero)
    steep = op("Where", flat, zero, like(math.pi / 2))
    slope = op("Div", op("Abs", y), op("Where", upright, like(1.0), op("Abs", x)))
    angle = op("Where", upright, steep, op("Atan", slope))
    turned = op("Where", _negative(op, x, zero, upright), op("Sub", like(math.pi), angle), angle)
    return op("Where", _negative(op, y, zero, flat), op("Neg", turned), turned)


def _negative(op: Callable[..., Any], x: Any, zero: Any, none: Any) -> Any:
    """Is x below zero, or zero from below? 1 / -0 is."""
    return op("Less", op("Where", none, op("Reciprocal", x), x), zero)
