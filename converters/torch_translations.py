"""Translations of PyTorch operators, the project's and the user's, in the form that each exporter takes.

A translation is written once, as ``(g, *arguments) -> output(s)`` over :class:`Builder`; the dynamo exporter takes it
in its translation table, the TorchScript exporter as a symbolic function. A decomposition is torch code, which the
dynamo exporter takes in its table of those; the TorchScript exporter traces it in the operator's place.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unittest import mock

import numpy as np

from converters.torch_constants import exact_constants
from converters.torch_custom import written
from converters.translations import DECOMPOSITIONS, PYTORCH, STAND_INS


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

    def custom(self, operator: str, *inputs: Any, **given: Any) -> Any:
        """A node of a domain of the user's: ``g.custom("mylib::Swish", x, beta=1.5)``."""
        return self._make(operator, inputs, **given)

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
    """Context of the dynamo exporter, in which torch code stands in for the operators; ours before its own."""
    from torch.onnx._internal.exporter import _decomp

    ours = {overload: function for name, function in _open(DECOMPOSITIONS) for overload in _overloads(name)}
    theirs = _decomp.create_onnx_friendly_decomposition_table

    def table(registered: Any) -> dict[Any, Callable[..., Any]]:
        return {**theirs(registered), **ours}

    ours_first = mock.patch.object(_decomp, "create_onnx_friendly_decomposition_table", table)
    with ours_first, _stand_ins(), exact_constants():
        yield


@contextlib.contextmanager
def decomposed_traces() -> Iterator[None]:
    """Context of ``torch.jit.trace``, in which torch code stands in for the operators: it is what is traced."""
    import torch

    libraries: dict[str, Any] = {}
    library_of: Callable[..., Any] = torch.library.Library  # has no annotations
    try:
        for name, function in _open(DECOMPOSITIONS):
            for overload in filter(_is_dispatched, _overloads(name)):
                domain = overload.namespace
                library = libraries.setdefault(domain, library_of(domain, "IMPL"))
                library.impl(overload.name(), _traced(overload, function), "Tracer", with_keyset=True)
        with _stand_ins():
            yield
    finally:
        for library in libraries.values():
            library._destroy()


def _traced(overload: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    import torch

    # Taken now: it is overridden from here on. torch.library.get_kernel does not know the key.
    own = torch._C._dispatch_get_computed_kernel_for_dispatch_key(overload.name(), "Tracer")

    def traced(keys: Any, *arguments: Any, **named: Any) -> Any:
        found = function(*arguments, **named)
        return own.call_boxed(keys, *arguments, **named) if found is NotImplemented else found

    return traced


@contextlib.contextmanager
def _stand_ins() -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for name, function in STAND_INS.items():
            if name.partition(".")[0] in sys.modules:  # else it is of a package that the model cannot be made with
                stack.enter_context(mock.patch(name, function))
        yield


@contextlib.contextmanager
def symbolics(opset: int) -> Iterator[None]:
    """Context of the TorchScript exporter, in which the translations are symbolic functions."""
    from torch.onnx import utils

    registered = []
    try:
        for name, function in _open(PYTORCH):
            utils.register_custom_op_symbolic(name.partition(".")[0], _symbolic(function), opset)
            registered.append(name.partition(".")[0])
        yield
    finally:
        for name in registered:
            utils.unregister_custom_op_symbolic(name, opset)


def _open(registry: Mapping[str, Callable[..., Any]]) -> list[tuple[str, Callable[..., Any]]]:
    """What the user has not given torch a symbolic function for."""
    return [(n, f) for n, f in registry.items() if not has_symbolic(n.partition(".")[0])]


def has_symbolic(operator: str) -> bool:
    """Was ``register_custom_op_symbolic`` called for it, and not taken back?"""
    from torch.onnx._internal.torchscript_exporter.registration import registry

    group = registry.get_function_group(operator)
    return group is not None and bool(group._functions._overrides)


def _is_dispatched(overload: Any) -> bool:
    """Some are of TorchScript alone: lgamma of a Python number."""
    import torch

    return torch._C._dispatch_has_kernel(overload.name())


def _overloads(name: str) -> list[Any]:
    """None of those that write into an argument."""
    import torch

    domain, _, operator = name.partition("::")
    operator, _, wanted = operator.partition(".")
    packet = getattr(getattr(torch.ops, domain), operator, None)
    found = [getattr(packet, o) for o in packet.overloads()] if packet is not None else []
    return [o for o in found if not o._schema.is_mutable and wanted in ("", o._overloadname)]


def _translated(function: Callable[..., Any]) -> Callable[..., Any]:
    def translation(*arguments: Any, **named: Any) -> Any:
        import onnx
        from onnxscript import opset20

        def make(operator: str, inputs: Any, *, outputs: int = 1, **attributes: Any) -> Any:
            if "::" in operator:
                return written(operator, inputs, attributes, outputs)
            del outputs  # onnxscript knows how many there are
            return getattr(opset20, operator)(*inputs, **attributes)

        def constant(array: np.ndarray[Any, Any]) -> Any:
            return opset20.Constant(value=onnx.numpy_helper.from_array(array))

        return function(Builder(make, constant), *arguments, **named)

    return translation


#: The TorchScript graph's suffixes of attributes, by the attribute's type.
_SUFFIXES = {bool: "_i", int: "_i", float: "_f", str: "_s"}


def graph_builder(graph: Any) -> Builder:
    """The builder over the TorchScript exporter's graph, which a symbolic function is given."""
    import torch

    def make(operator: str, inputs: Any, *, outputs: int = 1, **attributes: Any) -> Any:
        named = {k + _SUFFIXES[type(v[0] if isinstance(v, (list, tuple)) else v)]: v for k, v in attributes.items()}
        return graph.op(operator, *inputs, outputs=outputs, **named)

    def constant(array: np.ndarray[Any, Any]) -> Any:
        return graph.op("Constant", value_t=torch.from_numpy(np.array(array)))

    return Builder(make, constant)


def _symbolic(function: Callable[..., Any]) -> Callable[..., Any]:
    def symbolic(graph: Any, *arguments: Any) -> Any:
        schema = _schema(graph.original_node)
        given = [_argument(a, str(s.type)) for a, s in zip(arguments, schema.arguments, strict=False)]
        pairs = list(zip(given, schema.arguments, strict=False))
        named = {s.name: a for a, s in pairs if s.kwarg_only}
        return function(graph_builder(graph), *(a for a, s in pairs if not s.kwarg_only), **named)

    return symbolic


def _schema(node: Any) -> Any:
    """The schema of the overload that is called."""
    import torch

    text = node.schema()
    if text != "(no schema)":
        return torch._C.parse_schema(text)
    # Its numbers and strings are tensors by now, which no overload takes.
    count = len(list(node.inputs()))
    return next(s for s in torch._C._jit_get_schemas_for_operator(node.kind()) if len(s.arguments) == count)


def _argument(argument: Any, kind: str) -> Any:
    """A tensor as the graph has it, a list of them, or what is none in Python."""
    if "Tensor" not in kind or argument.node().mustBeNone():
        return _python(argument)
    return list(argument.node().inputs()) if argument.node().kind() == "prim::ListConstruct" else argument


def _python(argument: Any) -> Any:
    """A number, a string, a list of them or None, which the TorchScript graph has as a constant."""
    node = argument.node()
    if node.kind() == "prim::ListConstruct":
        return [_python(i) for i in node.inputs()]
    if node.mustBeNone():
        return None
    if node.kind() == "onnx::Constant":
        if node.kindOf("value") == "s":
            return node.s("value")
        held = node.t("value")
        return held.item() if held.ndim == 0 else held.tolist()
    return argument.toIValue()
