"""A model while it is drawn: its inputs, constants and nodes so far, and the draws that all operators share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from rewrite.graph import IR_VERSION, OPSET

T = TypeVar("T")
Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

FLOATS: tuple[int, ...] = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
INTS: tuple[int, ...] = (
    *(TensorProto.INT64, TensorProto.INT32, TensorProto.INT8, TensorProto.INT16),
    *(TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64),
)
#: Element types drawn, the first of them most often: most models are of float32, and the schemas allow all.
KINDS = (*FLOATS[:2], *INTS[:2], TensorProto.BOOL, *FLOATS[2:], *INTS[2:])

#: Sizes of dimensions, as often as they stand here.
SIZES = (2, 3, 1, 4, 5, *(2, 3, 4, 5) * 5, 1, 1, 0)
RANKS = (2, 1, 3, 4, 0, 5, 2, 3, 4)


class Draw(Protocol):
    """What hypothesis hands to a composite strategy."""

    def __call__(self, strategy: st.SearchStrategy[T], label: object = None) -> T: ...


@dataclass(frozen=True)
class Drawn:
    """A tensor: its name, element type (of TensorProto) and shape."""

    name: str
    kind: int
    shape: tuple[int, ...]

    @property
    def rank(self) -> int:
        return len(self.shape)


class Impossible(Exception):
    """What was drawn is no model: ONNX's checker or shape inference refuses it, or there is nothing to choose from."""


class Sketch:
    """Grows node by node; each one may read what is there, new inputs, and new constants."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.inputs: list[Drawn] = []
        self.constants: list[TensorProto] = []
        self.nodes: list[onnx.NodeProto] = []
        self.pool: list[Drawn] = []
        self.declared: list[onnx.ValueInfoProto] = []
        self._count = 0

    # Draws.
    def one(self, choices: Sequence[T]) -> T:
        if not choices:
            raise Impossible("nothing to choose from")
        return self.draw(st.sampled_from(choices))

    def integer(self, low: int, high: int) -> int:
        if high < low:
            raise Impossible("an empty range")
        return self.draw(st.integers(low, high))

    def chance(self, percent: int) -> bool:
        return self.draw(st.integers(0, 99)) >= 100 - percent

    def flag(self) -> int:
        return int(self.chance(50))

    def ints(self, count: int, low: int, high: int) -> list[int]:
        return [self.integer(low, high) for _ in range(count)]

    def kind(self, allowed: Sequence[int]) -> int:
        """The first of the allowed ones half of the time."""
        known = [k for k in KINDS if k in allowed]
        return known[0] if known and not self.chance(50) else self.one(known)

    def axis(self, rank: int) -> int:
        return self.integer(-rank, rank - 1)

    def axes(self, rank: int, least: int = 1) -> list[int]:
        """Distinct axes, some counted from behind."""
        chosen = self.draw(st.permutations(range(rank)))[: self.integer(min(least, rank), rank)]
        return [a - rank if self.chance(30) else a for a in chosen]

    def shape(self, ranks: Sequence[int] = RANKS, sizes: Sequence[int] = SIZES) -> tuple[int, ...]:
        return tuple(self.one(sizes) for _ in range(self.one(ranks)))

    def partner(self, shape: Sequence[int]) -> tuple[int, ...]:
        """A shape that broadcasts with ``shape``: some axes 1, some in front left out or added."""
        sizes = [1 if self.chance(25) else d for d in shape]
        sizes = sizes[self.integer(0, len(sizes)) if self.chance(30) else 0 :]
        return (self.one(SIZES), *sizes) if len(sizes) < 5 and self.chance(10) else tuple(sizes)

    # Tensors.
    def take(self, kinds: Sequence[int], ranks: Sequence[int] = RANKS, sizes: Sequence[int] = SIZES) -> Drawn:
        """What an earlier node made, if it fits; else a new input of the model, or now and then a constant."""
        fit = [t for t in self.pool if t.kind in kinds and t.rank in ranks and all(d in sizes for d in t.shape)]
        if fit and self.chance(85):
            return self.one(fit[::-1])
        kind, shape = self.kind(kinds), self.shape(ranks, sizes)
        if not self.chance(10):
            return self.new(kind, shape)
        # folded, it has to be in the domain of most functions: a NaN can be compared with nothing
        array = self._drawn(kind, shape)
        return self.constant(np.abs(array) % 1 if kind in FLOATS else array)

    def like(self, kind: int, shape: Sequence[int], *, constants: int = 50) -> Drawn:
        """A tensor of that type and shape."""
        fit = [t for t in self.pool if (t.kind, t.shape) == (kind, tuple(shape))]
        return self.one(fit) if fit and self.chance(30) else self.new(kind, shape, constants=constants)

    def new(self, kind: int, shape: Sequence[int], *, constants: int = 0) -> Drawn:
        """An input of the model; in that share of the draws a constant."""
        if self.chance(constants):
            return self.constant(self._drawn(kind, shape))
        tensor = Drawn(self._name("x"), kind, tuple(shape))
        self.inputs.append(tensor)
        return tensor

    def _drawn(self, kind: int, shape: Sequence[int]) -> Array:
        return numbers(np.random.default_rng(self.integer(0, 99)), kind, tuple(shape))

    def constant(self, array: Array) -> Drawn:
        tensor = numpy_helper.from_array(np.asarray(array), self._name("c"))
        self.constants.append(tensor)
        return Drawn(tensor.name, tensor.data_type, tuple(tensor.dims))

    def values(self, values: Sequence[int] | int | Array, kind: int = TensorProto.INT64) -> Drawn:
        """Axes, sizes, bounds: nearly always constants, as in models."""
        array = np.asarray(values, helper.tensor_dtype_to_np_dtype(kind))
        if self.chance(6):
            return self.new(kind, array.shape)
        return self.constant(array)

    # Nodes.
    def node(
        self,
        operator: str,
        inputs: Sequence[Drawn | None],
        *,
        outputs: int = 1,
        declared: Drawn | None = None,
        **attributes: Any,
    ) -> None:
        """Add a node; attributes that are None or empty are left out.

        :param declared: has the output's type and shape, where ONNX does not infer them.
        """
        names = [t.name if t is not None else "" for t in inputs]
        while names and not names[-1]:
            names.pop()
        given = {k: v for k, v in attributes.items() if v is not None and v != []}
        made = [self._name("y") for _ in range(outputs)]
        self.nodes.append(helper.make_node(operator, names, made, **given))
        if declared is not None:
            self.declared.append(helper.make_tensor_value_info(made[0], declared.kind, declared.shape))
        known = {i.name: i for i in self._inferred().graph.value_info}
        for name in made:
            kind = known[name].type.tensor_type if name in known else None
            if kind is not None and kind.HasField("shape") and all(d.HasField("dim_value") for d in kind.shape.dim):
                self.pool.append(Drawn(name, kind.elem_type, tuple(d.dim_value for d in kind.shape.dim)))

    def _name(self, stem: str) -> str:
        self._count += 1
        return f"{stem}{self._count}"

    def _inferred(self, symbol: int | None = None, axes: Sequence[int] = ()) -> onnx.ModelProto:
        """The model without outputs, shapes inferred. Those of the inputs' ``axes`` that have size ``symbol`` are N.

        :raises Impossible: ONNX refuses it.
        """
        infos = [
            helper.make_tensor_value_info(
                i.name, i.kind, ["N" if d == symbol and k in axes else d for k, d in enumerate(i.shape)]
            )
            for i in self.inputs
        ]
        model = helper.make_model(
            helper.make_graph(self.nodes, "drawn", infos, [], self.constants, value_info=self.declared),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
        try:
            return onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
        except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, ValueError) as error:
            raise Impossible(str(error)) from error

    def model(self) -> onnx.ModelProto:
        """The whole; its outputs are what no node reads. In a fifth of the draws, one size becomes the symbol N.

        :raises Impossible: ONNX refuses it, or does not know an output's type.
        """
        axes = range(1) if self.chance(70) else range(5)
        sizes = sorted({i.shape[k] for i in self.inputs for k in axes if k < i.rank and i.shape[k] > 1})
        model = self._inferred(self.one(sizes) if sizes and self.chance(20) else None, axes)
        known = {i.name: i for i in model.graph.value_info}
        read = {n for node in self.nodes for n in node.input}
        ends = [n for node in self.nodes for n in node.output if n not in read]
        if any(n not in known for n in ends):
            raise Impossible(f"the type of {ends[0]} is not known")
        model.graph.output.extend(known[n] for n in ends)
        left = [i for i in model.graph.value_info if i.name not in ends]
        del model.graph.value_info[:]
        model.graph.value_info.extend(left)
        try:
            onnx.checker.check_model(model, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise Impossible(str(error)) from error
        return model


def numbers(generator: np.random.Generator, kind: int, shape: tuple[int, ...]) -> Array:
    """Short ones, so that a model is easily read as text."""
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(kind))
    if dtype == np.bool_:
        return np.asarray(generator.random(shape) < 0.5)
    if dtype.kind in "iu":  # none is zero: the reference ends the process where integers are divided by it
        return np.asarray(generator.integers(1, 5, shape), dtype)
    return np.asarray(np.round(generator.standard_normal(shape), 2), dtype)
