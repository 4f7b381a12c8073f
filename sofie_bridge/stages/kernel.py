"""What a stage that is none of SOFIE's has to know: the contract between an operator and the header around it.

A kernel's C++ has a function ``Compute`` of spans, as SOFIE's own custom operators had: inputs, then outputs::

    Name::Compute(std::span<const T>..., std::span<T>...)

or, where it needs its node's attributes or shapes, ``Compute(const auto &node, ...)`` with ``node.attributes.<name>``
(``std::int64_t``, ``float``, ``std::string_view``, ``std::array`` of these), ``node.inputs[k]`` and
``node.outputs[k]``: spans of sizes. It returns nothing, or the sizes that are :class:`convert.dimensions.Counted`, in
the order of their first appearance: one ``std::size_t``, or a ``std::array`` of several. An input that the node leaves
out is a ``std::nullptr_t``; bools are bytes, 0 or 1, as SOFIE has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import onnx

from convert.custom import CustomOperator, Tensor, declared
from rewrite.declared import attributes_of, outputs_for

#: C++ types by dtype. Bools are bytes in SOFIE's code.
CPP_TYPES = {"float32": "float", "float64": "double", "bool": "std::uint8_t"} | {
    f"{sign}int{bits}": f"std::{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)
}


@dataclass(frozen=True)
class Call:
    """A node in front of its kernel.

    :param inputs: None for those left out. :param outputs: sizes may be :class:`convert.dimensions.Counted`.
    :param attributes: Python's values, NumPy arrays for tensors.
    """

    node: onnx.NodeProto
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Code:
    """A kernel's C++.

    :param name: what has ``Compute``. :param header: the file that has it; None where ``text`` is it.
    :param place: where the user finds it, for messages.
    """

    name: str
    header: Path | None = None
    text: str = ""
    place: str = ""


class Kernel(Protocol):
    """One operator, or several, in C++."""

    def refuses(self, node: onnx.NodeProto, inputs: Sequence[Tensor | None]) -> str:
        """Why it does not take this node; "" where it does."""

    def call(self, node: onnx.NodeProto, inputs: Sequence[Tensor | None]) -> Call:
        """What the node gives, from what it is given: dtypes, sizes, attributes."""

    def code(self, call: Call, /) -> Code:
        """The C++ for this node; the same text for several nodes enters a header once."""

    def reference(self, call: Call, /) -> Callable[..., Any] | None:
        """The node on NumPy arrays (attributes as keywords); None where onnxruntime runs it, or nothing does."""


#: The kernel for a node, or None: it is SOFIE's.
KernelOf = Callable[[onnx.NodeProto], Kernel | None]


class DeclaredKernel:
    """A user's declaration as a kernel."""

    def __init__(self, operator: CustomOperator) -> None:
        self.operator = operator

    def refuses(self, node: onnx.NodeProto, inputs: Sequence[Tensor | None]) -> str:
        """Dtypes and attributes that have no C++, and outputs that are left out."""
        if not all(node.output):
            return "it leaves out an output in front of others"
        call = self.call(node, inputs)
        given = [t.dtype for t in (*inputs, *call.outputs) if t is not None and t.dtype not in CPP_TYPES]
        if given:
            return f"{given[0]} has no type in C++"
        strange = [n for n, v in call.attributes.items() if not has_cpp(v)]
        return f"its attribute {strange[0]} is of a kind that has no type in C++" if strange else ""

    def call(self, node: onnx.NodeProto, inputs: Sequence[Tensor | None]) -> Call:
        attributes = self.operator.attributes(attributes_of(node))
        outputs = self.operator.outputs(inputs, attributes)[: len(node.output)]
        outputs_for(self.operator, attributes, inputs, list(node.output))  # refuses what is no size
        return Call(node, tuple(inputs), outputs, attributes)

    def code(self, _: Call) -> Code:
        operator = self.operator
        return Code(operator.cpp, operator.header, operator.code, operator.place)

    def reference(self, _: Call) -> Callable[..., Any] | None:
        return self.operator.reference


def kernel_of(node: onnx.NodeProto) -> Kernel | None:
    """The kernel of a node that a user declared."""
    operator = declared(node.domain, node.op_type)
    return DeclaredKernel(operator) if operator is not None else None


def has_cpp(value: Any) -> bool:
    """Is it a number, text, an array, or a list of one of these?"""
    if isinstance(value, bool | int | float | str):
        return True
    if isinstance(value, list | tuple):
        return all(isinstance(v, bool | int | float | str) for v in value)
    return str(getattr(value, "dtype", "")) in CPP_TYPES
