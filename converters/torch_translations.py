"""The user's translations of PyTorch operators, in the form that each exporter takes.

A translation is written once, as ``(g, *arguments) -> output(s)`` over :class:`Builder`; the dynamo exporter takes it
in its translation table, the TorchScript exporter as a symbolic function. A decomposition is torch code, for dynamo.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import numpy as np

from converters.translations import DECOMPOSITIONS, PYTORCH


class Builder:
    """Makes ONNX nodes: ``g.Mul(a, b)``, ``g.Conv(x, w, group=4)``; a call gives the first output.

    ``outputs=n`` makes n outputs and gives them all; an optional input that is left out is None.
    """

    def __init__(self, make: Callable[..., Any], constant: Callable[[np.ndarray[Any, Any]], Any]) -> None:
        self._make, self._constant = make, constant

    def __getattr__(self, operator: str) -> Callable[..., Any]:
        if not operator[0].isupper():
            raise AttributeError(operator)
        return lambda *inputs, **given: self._make(operator, inputs, **given)

    def constant(self, value: Any, *, like: Any = None) -> Any:
        """A constant tensor; ``like``: of that tensor's dtype; else int64 for whole numbers and float32 for others."""
        array = np.asarray(value)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        made = self._constant(array)
        return made if like is None else self._make("CastLike", (made, like))


def translation_table() -> dict[Any, Callable[..., Any]]:
    """For ``custom_translation_table`` of the dynamo exporter; operators that are not registered now are left out."""
    return {overload: _translated(function) for name, function in PYTORCH.items() for overload in _overloads(name)}


@contextlib.contextmanager
def decompositions() -> Iterator[None]:
    """Context of the dynamo exporter, in which torch code stands in for the operators."""
    import torch._decomp

    table = {overload: function for name, function in DECOMPOSITIONS.items() for overload in _overloads(name)}
    with mock.patch.dict(torch._decomp.decomposition_table, table):
        yield


@contextlib.contextmanager
def symbolics(opset: int) -> Iterator[None]:
    """Context of the TorchScript exporter, in which the translations are symbolic functions."""
    from torch.onnx import utils

    for name, function in PYTORCH.items():
        utils.register_custom_op_symbolic(name, _symbolic(name, function), opset)
    try:
        yield
    finally:
        for name in PYTORCH:
            utils.unregister_custom_op_symbolic(name, opset)


def _overloads(name: str) -> list[Any]:
    import torch

    domain, _, operator = name.partition("::")
    packet = getattr(getattr(torch.ops, domain), operator, None)
    return [getattr(packet, o) for o in packet.overloads()] if packet is not None else []


def _translated(function: Callable[..., Any]) -> Callable[..., Any]:
    def translation(*arguments: Any, **named: Any) -> Any:
        import onnx
        from onnxscript import opset20

        def make(operator: str, inputs: Any, *, outputs: int = 1, **attributes: Any) -> Any:
            del outputs  # onnxscript knows how many there are
            return getattr(opset20, operator)(*inputs, **attributes)

        def constant(array: np.ndarray[Any, Any]) -> Any:
            return opset20.Constant(value=onnx.numpy_helper.from_array(array))

        return function(Builder(make, constant), *arguments, **named)

    return translation


#: The TorchScript graph's suffixes of attributes, by the attribute's type.
_SUFFIXES = {bool: "_i", int: "_i", float: "_f", str: "_s"}


def _symbolic(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def symbolic(graph: Any, *arguments: Any) -> Any:
        import torch

        def make(operator: str, inputs: Any, *, outputs: int = 1, **attributes: Any) -> Any:
            named = {k + _SUFFIXES[type(v[0] if isinstance(v, (list, tuple)) else v)]: v for k, v in attributes.items()}
            return graph.op(operator, *inputs, outputs=outputs, **named)

        def constant(array: np.ndarray[Any, Any]) -> Any:
            return graph.op("Constant", value_t=torch.from_numpy(np.array(array)))

        kinds = [str(a.type) for o in _overloads(name)[:1] for a in o._schema.arguments]
        given = [a if "Tensor" in kind else _python(a) for a, kind in zip(arguments, kinds, strict=False)]
        return function(Builder(make, constant), *given)

    return symbolic


def _python(argument: Any) -> Any:
    """A number, a string, a list of them or None, which the TorchScript graph has as a constant."""
    node = argument.node()
    if node.kind() == "prim::ListConstruct":
        return [_python(i) for i in node.inputs()]
    if node.mustBeNone():
        return None
    if node.kind() == "onnx::Constant":
        held = node.t("value")
        return held.item() if held.ndim == 0 else held.tolist()
    return argument.toIValue()
