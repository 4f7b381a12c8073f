"""Kernels of the project's own, for ONNX's operators that neither SOFIE takes nor a rule expresses.

A kernel is written as a rule is: what it gives, its cases, and its C++ in the file beside it, named after it::

    @kernel("NonZero", cases=[case("(float[3,4] x) => (int64[2,M] y) { y = NonZero(x) }")])
    def non_zero(given: Given) -> Answer:
        \"\"\"y = the places where x is not 0, one row for each axis\"\"\"
        x = given.tensor(0)
        if not x.shape:
            return refuse("x is a single number, which has no axis")
        return Tensor("int64", (len(x.shape), Counted("places", at_most=prod(x.shape))))

Its C++ follows the contract of :mod:`sofie_bridge.stages.kernel`: ``sofie_kernels::NonZero::Compute`` in
``kernels/non_zero.hpp``. It writes nothing outside of its spans, even where it counts more than there is room for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, TypeAlias

import onnx

from convert.custom import Tensor
from rewrite.bodies import CONTROL
from rewrite.declared import attributes_of
from rewrite.kept import is_kept
from sofie_bridge.stages import control, kernels
from sofie_bridge.stages.kernel import CPP_TYPES, Call, Code, Kernel, KernelOf, has_cpp, kernel_of
from sofie_bridge.stages.whole import Whole

#: The namespace of the kernels' C++.
NAMESPACE = "sofie_kernels"


@dataclass(frozen=True)
class Refusal:
    """Why a kernel does not take a node."""

    reason: str


def refuse(reason: str) -> Refusal:
    return Refusal(reason)


@dataclass(frozen=True)
class Gives:
    """What a node gives, where its attributes are not the C++'s as they are.

    :param attributes: instead of the node's own.
    """

    outputs: tuple[Tensor, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Given:
    """A node as its kernel sees it.

    :param inputs: None for those left out. :param outputs: as ONNX's inference knows them, None for those left out.
    :param known: open dimensions whose sizes are known before the node runs; None for all of them.
    """

    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor | None, ...]
    attributes: Mapping[str, Any]
    known: frozenset[str] | None = None

    def tensor(self, number: int) -> Tensor:
        """An input that the operator always has."""
        found = self.inputs[number]
        assert found is not None
        return found

    def is_known(self, size: Any) -> bool:
        """Is a size a number, or made of sizes that are known?"""
        names = {s.name for s in getattr(size, "free_symbols", ())}
        return self.known is None or names <= self.known

    def maybe(self, number: int) -> Tensor | None:
        """An input that may be left out."""
        return self.inputs[number] if number < len(self.inputs) else None

    def axis(self, name: str, rank: int, default: int) -> int:
        """An attribute that names an axis, counted from the front."""
        axis = int(self.attributes.get(name, default))
        return axis + rank if axis < 0 else axis

    @property
    def asked(self) -> list[int]:
        """Which outputs are wanted; Compute is given these alone."""
        return [k for k, t in enumerate(self.outputs) if t is not None]


Answer: TypeAlias = "Tensor | tuple[Tensor, ...] | Gives | Refusal"
Body: TypeAlias = "Callable[[Given], Answer]"


@dataclass(frozen=True)
class Case:
    """A graph, as ONNX text, on which the kernel is tried.

    :param inputs: what runs, by name; noise where nothing is said. :param refuses: a part of the expected reason for
        refusing; empty where the kernel is to take the node.
    """

    text: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    refuses: str = ""
    opset: int | None = None


case = Case


@dataclass(frozen=True)
class Entry:
    """An operator of the library. :param meaning: the first line of its docstring. :param header: its C++."""

    operator: str
    name: str
    meaning: str
    body: Body
    cases: tuple[Case, ...]
    header: Path


_ENTRIES: dict[str, Entry] = {}


def kernel(operator: str, *, cases: Sequence[Case]) -> Callable[[Body], Body]:
    """Register a kernel.

    :param operator: its name; with the domain in front where that is not ONNX's own: "ai.onnx.ml.LabelEncoder".
    :raises ValueError: there is one already, or it has no case or no docstring.
    """

    def register(body: Body) -> Body:
        meaning = (body.__doc__ or "").strip().splitlines()
        if not cases or not meaning:
            raise ValueError(f"the kernel of {operator} needs a docstring and at least one case")
        if operator in _ENTRIES:
            raise ValueError(f"there is a kernel for {operator} already")
        header = Path(body.__code__.co_filename).with_suffix(".hpp")
        name = operator.rpartition(".")[2]
        _ENTRIES[operator] = Entry(operator, name, meaning[0], body, tuple(cases), header)
        return body

    return register


@cache
def library() -> Mapping[str, Entry]:
    """All kernels, by operator."""
    for module in iter_modules(kernels.__path__):
        import_module(f"{kernels.__name__}.{module.name}")
    return dict(sorted(_ENTRIES.items()))


def meaning_of(operator: str) -> str:
    """What the library makes of an operator, in a line; "" where it has nothing for it."""
    found = library().get(operator)
    return control.MEANINGS.get(operator, "") if found is None else found.meaning


def entry_of(node: onnx.NodeProto) -> Entry | None:
    """The library's entry for such nodes."""
    return library().get(f"{node.domain}.{node.op_type}" if node.domain else node.op_type)


class LibraryKernel:
    """An entry of the library as a kernel. :param outputs: and ``known``: as of :class:`Given`."""

    def __init__(self, entry: Entry, outputs: Sequence[Tensor | None], known: frozenset[str] | None = None) -> None:
        self.entry = entry
        self.outputs = tuple(outputs)
        self.known = known

    def refuses(self, node: onnx.NodeProto, inputs: Sequence[Tensor | None]) -> str:
        """The operator's own reasons, and dtypes that have no C++."""
        strange = [t.dtype for t in (*inputs, *self.outputs) if t is not None and t.dtype not in CPP_TYPES]
        if strange:
            return f"{strange[0]} has no type in C++"
        answer = self._answer(node, inputs)
        return answer.reason if isinstance(answer, Refusal) else ""

    def call(self, node: onnx.NodeProto, inputs: Sequence[Tensor | None]) -> Call:
        answer = self._answer(node, inputs)
        assert not isinstance(answer, Refusal)
        if isinstance(answer, Gives):
            return Call(node, tuple(inputs), answer.outputs[: len(node.output)], answer.attributes)
        outputs = (answer,) if isinstance(answer, Tensor) else answer
        own = {n: v for n, v in attributes_of(node).items() if has_cpp(v)}
        return Call(node, tuple(inputs), outputs[: len(node.output)], own)

    def code(self, _: Call) -> Code:
        text = self.entry.header.read_text(encoding="utf-8")
        return Code(f"{NAMESPACE}::{self.entry.name}", text=text, place=str(self.entry.header))

    def reference(self, _: Call) -> None:
        """onnxruntime runs it."""

    def _answer(self, node: onnx.NodeProto, inputs: Sequence[Tensor | None]) -> Answer:
        return self.entry.body(Given(tuple(inputs), self.outputs, attributes_of(node), self.known))


class Library:
    """What the engine asks last: :class:`rewrite.target.Library`."""

    def refuses(self, probe: onnx.ModelProto) -> str:
        """Why there is none; "" where there is one."""
        node, whole = probe.graph.node[-1], Whole(probe)
        if node.op_type in CONTROL and not node.domain:
            return control.refuses(node, whole.inputs(node), whole.outputs(node))
        entry = entry_of(node)
        if entry is None:
            return "it has none for this operator"
        dims = (d.dim_param for i in probe.graph.input for d in i.type.tensor_type.shape.dim)
        known = frozenset(d for d in dims if d)
        return LibraryKernel(entry, whole.outputs(node), known).refuses(node, whole.inputs(node))


def kernels_in(model: onnx.ModelProto) -> KernelOf:
    """The kernels of a rewritten model: what its user declared, and the library's for nodes that are left to it."""
    whole = Whole(model)

    def found(node: onnx.NodeProto) -> Kernel | None:
        entry = entry_of(node) if is_kept(node) else None
        return kernel_of(node) if entry is None else LibraryKernel(entry, whole.outputs(node))

    return found
