"""Translations written with onnxscript, as torch's ``custom_translation_table`` has them, in the project's own form.

A plain function calls onnxscript's operators, ``op.Mul(x, y)``; an ``onnxscript.script()`` function is compiled.
Neither takes the ``g`` that a translation of the project's takes first.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx

    from converters.torch_translations import Builder


def adapted(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as ``(g, *arguments) -> output(s)``; one whose first parameter is ``g`` is that already.

    :raises TypeError: a compiled function with subgraphs, when it is called.
    """
    if _is_compiled(function):
        return lambda g, *arguments, **named: _replayed(function, g, arguments, named)
    parameters = list(inspect.signature(function).parameters)
    if parameters[:1] == ["g"]:
        return function
    return lambda g, *arguments, **named: _called(function, g, arguments, named)


def _is_compiled(function: object) -> bool:
    return hasattr(function, "to_function_proto")


def _called(function: Callable[..., Any], g: Builder, arguments: Sequence[Any], named: Mapping[str, Any]) -> Any:
    """A plain function: the dynamo exporter records onnxscript's operators itself; for the other they are made here."""
    import torch

    if not any(isinstance(a, torch._C.Value) for a in (*arguments, *named.values())):
        return function(*arguments, **named)
    from onnxscript import evaluator

    with evaluator.default_as(_Maker(g)):
        out = function(*map(_wrapped, arguments), **{k: _wrapped(v) for k, v in named.items()})
    return tuple(map(_bare, out)) if isinstance(out, (tuple, list)) else _bare(out)


class _Maker:
    """Makes ONNX nodes of onnxscript's calls, through a builder."""

    def __init__(self, g: Builder) -> None:
        self._g = g

    def eval_op(self, operator: Any, arguments: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
        schema = operator.op_schema
        count = attributes.get("num_outputs") or sum(o.option.name == "Single" for o in schema.outputs)
        if operator.name == "Constant":
            return _Value(self._g.constant(next(iter(attributes.values()))))
        kinds = [schema.inputs[min(i, len(schema.inputs) - 1)].type_str for i in range(len(arguments))]
        like = {kind: a.held for kind, a in zip(kinds, arguments, strict=True) if isinstance(a, _Value)}
        inputs = [
            _bare(a) if a is None or isinstance(a, _Value) else self._g.constant(a, like=like.get(kind))
            for kind, a in zip(kinds, arguments, strict=True)
        ]
        made = getattr(self._g, operator.name)(*inputs, outputs=count, **attributes)
        return _Value(made) if count == 1 else tuple(map(_Value, made))

    def eval_function(self, function: Any, arguments: Sequence[Any], named: Mapping[str, Any]) -> Any:
        out = _replayed(function, self._g, [_bare(a) for a in arguments], named)
        return tuple(map(_Value, out)) if isinstance(out, tuple) else _Value(out)


class _Value:
    """A value of the TorchScript graph with Python's operators, as onnxscript's values have them."""

    def __init__(self, held: Any) -> None:
        self.held = held


def _operator(name: str, *, turned: bool = False) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        from onnxscript import opset20

        return getattr(opset20, name)(*((other, self) if turned else (self, other)))

    return method


for _method, _name in {"add": "Add", "sub": "Sub", "mul": "Mul", "truediv": "Div", "pow": "Pow", "matmul": "MatMul",
                       "lt": "Less", "gt": "Greater", "le": "LessOrEqual", "ge": "GreaterOrEqual"}.items():  # fmt: skip
    setattr(_Value, f"__{_method}__", _operator(_name))
    setattr(_Value, f"__r{_method}__", _operator(_name, turned=True))


def _wrapped(argument: Any) -> Any:
    import torch

    if isinstance(argument, list):
        return [_wrapped(a) for a in argument]
    return _Value(argument) if isinstance(argument, torch._C.Value) else argument


def _bare(value: Any) -> Any:
    return value.held if isinstance(value, _Value) else value


def _replayed(function: Any, g: Builder, arguments: Sequence[Any], named: Mapping[str, Any]) -> Any:
    """A compiled function, node by node: as a function of the model, torch's exporter could not inline it."""
    import onnx

    proto: onnx.FunctionProto = function.to_function_proto()
    parameters = list(inspect.signature(function.function).parameters)
    given = {**dict(zip(parameters, arguments, strict=False)), **named}
    defaults = {a.name: onnx.helper.get_attribute_value(a) for a in proto.attribute_proto}
    values: dict[str, Any] = {"": None}
    for name in proto.input:
        held = given.get(name)
        values[name] = g.constant(held) if isinstance(held, (bool, int, float)) else held
    for node in proto.node:
        attributes = {a.name: _attribute(a, {**defaults, **given}) for a in node.attribute}
        if node.op_type == "Constant":
            values[node.output[0]] = g.constant(next(iter(attributes.values())))
            continue
        made = getattr(g, node.op_type)(*(values[i] for i in node.input), outputs=len(node.output), **attributes)
        several = made if len(node.output) > 1 else [made]
        values.update(zip(node.output, several, strict=False))
    out = tuple(values[name] for name in proto.output)
    return out[0] if len(out) == 1 else out


def _attribute(attribute: onnx.AttributeProto, given: Mapping[str, Any]) -> Any:
    import onnx

    if attribute.ref_attr_name:
        return given[attribute.ref_attr_name]
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, onnx.GraphProto):
        raise TypeError("a compiled onnxscript function with branches or loops: write it as a plain function")
    if isinstance(value, onnx.TensorProto):
        return onnx.numpy_helper.to_array(value)
    return value.decode() if isinstance(value, bytes) else value
