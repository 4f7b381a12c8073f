"""Operators of PyTorch's that become nodes of a user's own domain: those with a declaration, see convert.custom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from converters.torch_translations import Builder


def as_node(operator: str) -> Callable[..., Any]:
    """The translation of ``torch.ops.<domain>.<name>`` to a node of that domain and name.

    Tensors are its inputs, in order; the other arguments its attributes, by their names; what is None is left out.
    """
    domain, _, name = operator.partition("::")

    def translation(g: Builder, *arguments: Any, **named: Any) -> Any:
        import torch

        schema = getattr(getattr(torch.ops, domain), name).default._schema
        given = {**dict(zip((a.name for a in schema.arguments), arguments, strict=False)), **named}
        inputs: list[Any] = []
        attributes: dict[str, Any] = {}
        for argument in schema.arguments:
            value = given.get(argument.name, argument.default_value if argument.has_default_value() else None)
            if "Tensor" in str(argument.type):
                inputs += value if isinstance(value, list | tuple) else [value]
            elif value is not None:
                attributes[argument.name] = value
        made = g.custom(operator, *inputs, outputs=len(schema.returns), **attributes)
        return tuple(made) if len(schema.returns) > 1 else made

    return translation


def written(operator: str, inputs: Sequence[Any], attributes: Mapping[str, Any], outputs: int) -> Any:
    """A node in the graph that the dynamo exporter writes.

    As torch's own ``torch.onnx.ops.symbolic`` does it: onnxscript calls operators of ONNX's alone.
    """
    from onnxscript import ir
    from onnxscript.ir.convenience import convert_attributes
    from torch.onnx._internal.exporter import _core

    domain, _, name = operator.partition("::")
    tracer = _core.current_tracer
    assert tracer is not None, "outside of an export there is no graph"
    given = list(inputs)
    while given and given[-1] is None:
        given.pop()
    plain = {k: int(v) if isinstance(v, bool) else v for k, v in attributes.items()}
    node = ir.Node(domain, name, given, convert_attributes(plain), num_outputs=outputs, version=1)
    tracer.nodes.append(node)
    return node.outputs if outputs > 1 else node.outputs[0]
