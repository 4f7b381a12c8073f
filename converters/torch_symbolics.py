"""The TorchScript exporter's symbolic functions: one that is mended, and those that the user has registered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from converters.torch_translations import has_symbolic

if TYPE_CHECKING:
    import onnx

#: An operator in the dynamo exporter's own words for a node: ``torch.ops.aten.gelu.default``.
_TARGET = re.compile(r"torch\.ops\.(\w+)\.(\w+)")


@contextmanager
def mended_symbolics(opset: int) -> Iterator[None]:
    """Let the TorchScript exporter use them for as long as this lasts; a user's own stands before them."""
    from torch.onnx import symbolic_opset14, utils

    def attention(g: Any, *operands: Any) -> Any:
        return symbolic_opset14.scaled_dot_product_attention(_SafeSoftmax(g), *operands)

    name = "aten::scaled_dot_product_attention"
    if has_symbolic(name):
        yield
        return
    utils.register_custom_op_symbolic(name, attention, opset)
    try:
        yield
    finally:
        utils.unregister_custom_op_symbolic(name, opset)


def registered_by_the_user(model: onnx.ModelProto) -> list[str]:
    """Operators in a model of the dynamo exporter's for which ``register_custom_op_symbolic`` was called.

    That exporter does not ask it. Ours are registered while the other exporter runs, and are none of these.
    """
    traced = (e.value for n in model.graph.node for e in n.metadata_props if e.key == "pkg.torch.onnx.fx_node")
    names = dict.fromkeys(f"{m[1]}::{m[2]}" for text in traced for m in _TARGET.finditer(text))
    return [name for name in names if has_symbolic(name)]


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
