"""A StableHLO module as Python has it: functions, operations with attributes and types, and their places."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from converters.places import is_inner

#: Element types by their names in MLIR, where numpy has them by another.
_DTYPES = {"i1": "bool", "bf16": "bfloat16"}
#: What JAX calls where open sizes have to be of a kind, and how it says so.
ASSERTION = "shape_assertion"
_CONSTRAINT = re.compile(r"symbolic shape constraint (.+?)\. Expected")
#: What ``main`` of a program with open sizes calls, with the sizes ahead of the arguments.
_INNER = "_wrapped_jax_export_main"
_WORDS = {"f": "float", "i": "int", "ui": "uint"}


@dataclass(frozen=True)
class Tensor:
    """The type of a value.

    :param shape: sizes; None for one that is open. :param dtype: numpy's; None where numpy has none.
    """

    shape: tuple[int | None, ...]
    dtype: Any
    text: str


def tensor_of(kind: Any) -> Tensor:
    """Of MLIR's type; one that is no ranked tensor has neither shape nor dtype."""
    text = str(kind)
    if not text.startswith("tensor<") or "*" in text:
        return Tensor((), None, text)
    shape = tuple(None if kind.is_dynamic_dim(i) else kind.get_dim_size(i) for i in range(kind.rank))
    return Tensor(shape, _dtype(str(kind.element_type)), text)


def _dtype(name: str) -> Any:
    import ml_dtypes

    if name in _DTYPES:
        return np.dtype(getattr(ml_dtypes, _DTYPES[name], None) or _DTYPES[name])
    found = re.fullmatch(r"(f|i|ui)(8|16|32|64)", name)
    return np.dtype(_WORDS[found[1]] + found[2]) if found and name != "f8" else None


#: Runs a block of operations: its arguments' values → what it returns.
Region = Callable[..., list[Any]]


@dataclass(frozen=True)
class Op:
    """One operation.

    :param of: MLIR's. :param blocks: of its regions, and of the functions that it names. :param regions: to run them.
    :param values: of what was done before it, by MLIR's own.
    """

    of: Any
    blocks: tuple[Any, ...] = ()
    regions: tuple[Region, ...] = ()
    values: Mapping[Any, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.of.name)

    @cached_property
    def types(self) -> tuple[Tensor, ...]:
        """Of the results."""
        return tuple(tensor_of(value.type) for value in self.of.results)

    def __contains__(self, attribute: str) -> bool:
        return attribute in self.of.attributes

    def __getitem__(self, attribute: str) -> Any:
        """In Python's terms: a number, a text, a list of them, an array; an attribute of StableHLO's own as it is."""
        return _in_python(self.of.attributes[attribute])

    def get(self, attribute: str, default: Any = None) -> Any:
        return default if attribute not in self.of.attributes else self[attribute]

    def word(self, attribute: str) -> str:
        """The last word of an attribute that is one of several: "GT" of ``#stablehlo<comparison_direction GT>``."""
        return re.split(r"[\s<>]+", str(self.of.attributes[attribute]).rstrip(">"))[-1]

    @property
    def place(self) -> str:
        return place_of(self.of.location)

    @property
    def known_as(self) -> str:
        """Its name for a user: with what is called, of a call to something outside of the program."""
        target = self.get("call_target_name") if self.name == "stablehlo.custom_call" else None
        return f"{self.name} of {target}" if target else self.name


def _in_python(attribute: Any) -> Any:
    kind = type(attribute).__name__
    if kind == "DenseFPElementsAttr" and str(attribute.type.element_type) == "bf16":
        return _bfloat16(attribute)
    if kind in ("DenseFPElementsAttr", "DenseIntElementsAttr"):
        return np.array(attribute)
    if kind == "DictAttr":
        return {item.name: _in_python(item.attr) for item in attribute}
    if kind == "ArrayAttr":
        return [_in_python(item) for item in attribute]
    if kind.startswith("Dense"):
        return list(attribute)
    return attribute.value if hasattr(attribute, "value") else attribute


def _bfloat16(attribute: Any) -> Any:
    """MLIR hands no such array over: read from its text, where many numbers are one string of bytes."""
    import ml_dtypes

    text = re.sub(r"\s", "", str(attribute).partition("<")[2].rpartition("> :")[0])
    if text.startswith('"0x'):
        numbers = np.frombuffer(bytes.fromhex(text.strip('"')[2:]), ml_dtypes.bfloat16)
    else:
        words = [word for word in re.split(r"[\[\],]", text) if word]
        numbers = np.array([_number(word) for word in words], ml_dtypes.bfloat16)
    shape = [attribute.type.get_dim_size(i) for i in range(attribute.type.rank)]
    return np.full(shape, numbers[0]) if numbers.size == 1 else numbers.reshape(shape)


def _number(word: str) -> Any:
    """A decimal one, or the bits of one that is none."""
    import ml_dtypes

    if word.startswith("0x"):
        return np.array(int(word, 16), np.uint16).view(ml_dtypes.bfloat16)[()]
    return float(word)


@dataclass(frozen=True)
class Program:
    """A module.

    :param functions: by name. :param module: MLIR's, which owns them.
    """

    functions: dict[str, Any]
    module: Any

    @classmethod
    def of(cls, module: Any) -> Program:
        inner = [o.operation for o in module.body.operations]
        named = {Op(o)["sym_name"]: o for o in inner if o.name == "func.func"}
        return cls(named, module)

    def block(self, name: str) -> Any:
        """What a function does."""
        return self.functions[name].regions[0].blocks[0]

    def argument_names(self, count: int) -> list[str]:
        """What the exported function calls the last arguments of ``main``, with keys: ``d['x']``; "" for nothing."""
        block = self.block(_INNER if _INNER in self.functions else "main")
        arguments = list(block.arguments)[-count:] if count else []
        return [str(getattr(argument.location, "name_str", "")) for argument in arguments]

    def operations(self) -> Iterator[tuple[Op, str]]:
        """All that are reached from ``main``, those of regions too; each function once.

        Each with its place: its own, or that of the call to a library's function that it is in.
        """
        todo, seen = [("main", "")], {"main"}
        while todo:
            name, around = todo.pop()
            for op in _within(self.functions[name]):
                place = op.place or around
                yield op, place
                named = (op.get("callee"), op.get("decomposition"), *op.get("called_computations", ()))
                fresh = [name for name in named if name is not None and name not in seen]
                seen.update(fresh)
                todo += [(name, place) for name in fresh]

    def constraints(self) -> list[str]:
        """Of open sizes, as ``jax.export.symbolic_shape`` was given them, by their names: "N>=4"."""
        said = [str(op["error_message"]) for op, _ in self.operations() if op.get("call_target_name") == ASSERTION]
        return [found[1] for text in said if (found := _CONSTRAINT.search(text))]


def _within(operation: Any) -> Iterator[Op]:
    for region in operation.regions:
        for block in region.blocks:
            for inner in block.operations:
                yield Op(inner.operation)
                yield from _within(inner.operation)


def place_of(location: Any) -> str:
    """The user's innermost line, "file:line"; "" where the program has none."""
    return next((place for place in _places(location) if not is_inner(place.rpartition(":")[0])), "")


def _places(location: Any) -> Iterator[str]:
    """All lines of a location, the inner ones first."""
    kind = type(location).__name__
    if kind == "FileLineColLoc":
        yield f"{location.filename}:{location.start_line}"
    inner: Sequence[Any] = ()
    if kind == "CallSiteLoc":
        inner = (location.callee, location.caller)
    elif kind == "NameLoc":
        inner = (location.child_loc,)
    elif kind == "FusedLoc":
        inner = list(location.locations)
    for part in inner:
        yield from _places(part)
