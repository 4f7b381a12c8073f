"""Which tensors stand between the stages: their sizes in C++, and where they are held."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import helper

from convert.dimensions import Counted
from convert.errors import EmitError
from rewrite.declared import counted_name
from sofie_bridge.emit import Named
from sofie_bridge.names import distinct, identifier
from sofie_bridge.stages import sizes
from sofie_bridge.stages.buffers import Buffer, Lifetime, share
from sofie_bridge.stages.control import AnyBody, ControlStep
from sofie_bridge.stages.control_sizes import Sized, body_dims, scratch_of, sized
from sofie_bridge.stages.cut import reads
from sofie_bridge.stages.kernel import CPP_TYPES, Call, Code
from sofie_bridge.stages.parts import Emission
from sofie_bridge.stages.sizes import Sizes, largest


@dataclass(frozen=True)
class PartStep:
    """A part of SOFIE's at its place. :param member: its session's name."""

    emission: Emission
    member: str


@dataclass(frozen=True)
class KernelStep:
    """A node with a kernel at its place. :param number: which of the kernels' it is."""

    call: Call
    code: Code
    number: int


Step: TypeAlias = PartStep | KernelStep | ControlStep


@dataclass(frozen=True)
class Held:
    """A tensor in the code around the stages.

    :param name: in C++, without ``tensor_``. :param type: of its elements.
    :param dims: numbers and expressions of C++ names.
    """

    name: str
    type: str
    dims: tuple[Any, ...]

    @property
    def count(self) -> Any:
        """The number of its elements."""
        return prod(self.dims)


class Layout:
    """The tensors of a staged model.

    ``symbols`` are the C++ names of open dimensions, in the order of the inputs; ``counted`` those of sizes that
    kernels count; ``buffers`` what is held between the steps.
    """

    def __init__(self, model: onnx.ModelProto, named: Named, steps: Sequence[Step]) -> None:
        graph = model.graph
        self.named = named
        self.steps = steps
        self._infos = {i.name: i for i in (*graph.input, *graph.value_info, *graph.output)}
        self.inputs = [i.name for i in graph.input]
        self.outputs = [o.name for o in graph.output]
        self.constants: dict[str, tuple[Any, ...]] = {i.name: tuple(i.dims) for i in graph.initializer}
        self._constant_dtypes = {
            i.name: np.dtype(helper.tensor_dtype_to_np_dtype(i.data_type)) for i in graph.initializer
        }
        between = [n for s in steps for n in made_by(s) if n and n not in named.tensors]
        taken = {*named.tensors.values(), *named.symbols.values()}
        self._names = {**distinct(between, taken), **named.tensors}
        self._sizes = Sizes()
        self._bounds: dict[Any, Any] = {}
        self._claims: dict[str, list[Any]] = {}
        self.symbols: list[str] = []
        self.counted: list[str] = []
        self._learn_inputs(graph)
        for step in steps:
            if isinstance(step, PartStep):
                self._learn_part(step.emission)
            elif isinstance(step, ControlStep):
                self._learn_control(step)
            else:
                self._learn_kernel(step)
        self.buffers = share(list(self._lifetimes()))

    def held(self, tensor: str) -> Held:
        """A tensor that is an input, an output, or between steps."""
        kind = self._infos[tensor].type.tensor_type
        dtype = str(helper.tensor_dtype_to_np_dtype(kind.elem_type))
        dims = [d.dim_value if d.HasField("dim_value") else d.dim_param for d in kind.shape.dim]
        if dtype not in CPP_TYPES:
            raise EmitError(f"a tensor between stages is {dtype}, which has no type in C++", where=tensor)
        return Held(self._names[tensor], CPP_TYPES[dtype], tuple(self._sizes.of(d, tensor) for d in dims))

    def size(self, dim: int | str) -> Any:
        """A size by ONNX's name of it."""
        return self._sizes.of(dim)

    def bound(self, size: Any) -> Any:
        """What a size does not exceed in a session, in terms of its constructor's arguments."""
        found = largest(size)
        while getattr(found, "free_symbols", set()) & self._bounds.keys():
            found = found.subs(self._bounds)
        return found

    def bound_now(self, size: Any, counted: Collection[str]) -> Any:
        """The size, what is counted in it at its most; in terms of what ``infer`` is given."""
        names = {s for s in getattr(size, "free_symbols", ()) if str(s) in counted}
        return sizes.settled(largest(size).subs({n: self._bounds[n] for n in names})) if names else size

    def bounds(self, step: KernelStep) -> list[Any]:
        """What each of the sizes that the kernel counts does not exceed."""
        return [self._bounds[sizes.name(c)] for c in self.counts(step)]

    def counts(self, step: KernelStep) -> list[str]:
        """C++ names of the sizes that the kernel counts, in order."""
        return [self._local(step, d) for d in _counted(step)]

    def buffer_of(self, tensor: str) -> int | None:
        """The number of the buffer that holds it; None for inputs and outputs."""
        found = (k for k, b in enumerate(self.buffers) if any(t.tensor == tensor for t in b.tensors))
        return next(found, None)

    def bytes_of(self, buffer: Buffer) -> list[Any]:
        """Sizes in bytes, none of which the buffer may be smaller than."""
        return list(dict.fromkeys(self.bound(s) for s in buffer.sizes))

    def _learn_inputs(self, graph: onnx.GraphProto) -> None:
        for info in graph.input:
            for dim in info.type.tensor_type.shape.dim:
                if dim.dim_param:
                    cpp = self.named.symbols[dim.dim_param]
                    self._sizes.learn(dim.dim_param, sizes.name(cpp))
                    self.symbols += [cpp] if cpp not in self.symbols else []

    def _learn_part(self, emission: Emission) -> None:
        """Sizes of outputs that only SOFIE's code tells, in terms of the part's inputs'."""
        names = {c: self._sizes.of(d) for d, c in emission.symbols.items() if self._known(d)}
        for tensor in emission.part.outputs:
            stated = emission.dims[emission.tensors[tensor]]
            dims = self._infos[tensor].type.tensor_type.shape.dim
            for dim, text in zip(dims, stated if len(stated) == len(dims) else [], strict=False):
                if dim.dim_param and not self._known(dim.dim_param):
                    found = sizes.read(str(text), names)
                    if found is None:
                        what = f"SOFIE counts the size {text!r} while it runs, and the code around it cannot know it"
                        raise EmitError(what, where=tensor, advice="report this with the model")
                    self._sizes.learn(dim.dim_param, found)

    def _known(self, dim: str) -> bool:
        try:
            self._sizes.of(dim)
        except EmitError:
            return False
        return True

    def _learn_kernel(self, step: KernelStep) -> None:
        """Sizes of outputs that its shape function tells."""
        for name, given in zip(step.call.node.output, step.call.outputs, strict=True):
            dims = self._infos[name].type.tensor_type.shape.dim if name else []
            for dim, size in zip(dims, given.shape, strict=False):
                if isinstance(size, Counted):
                    local = self._local(step, size)
                    self._count(local, self._resolved(size.at_most))
                    self._sizes.learn(counted_name(_stem(step), size), sizes.name(local))
                    self._learn_counted(dim, local)
                elif dim.dim_param:
                    self._sizes.learn(dim.dim_param, self._resolved(size))

    def _learn_control(self, step: ControlStep) -> None:
        """Sizes of what a node of control flow gives, by what its bodies do."""
        for name, found in sized(step, self._around).items():
            dims = self._infos[name].type.tensor_type.shape.dim
            for dim, size in zip(dims, found, strict=True):
                if isinstance(size, Counted):
                    self._count(size.name, size.at_most)
                    self._learn_counted(dim, size.name)
                elif dim.dim_param and not self._known(dim.dim_param):
                    self._sizes.learn(dim.dim_param, size)
                elif self._sizes.of(dim.dim_param or dim.dim_value) != size:
                    what = f"the model says that a size is {dim.dim_param or dim.dim_value}, and its bodies make {size}"
                    raise EmitError(what, where=name)

    def _count(self, local: str, most: Any) -> None:
        self.counted += [local] if local not in self.counted else []
        self._bounds[sizes.name(local)] = largest(most)

    def _learn_counted(self, dim: Any, local: str) -> None:
        """The size is counted; where the model says what it is, that is checked while it runs."""
        if dim.dim_param and not self._known(dim.dim_param):
            self._sizes.learn(dim.dim_param, sizes.name(local))
        elif (said := self._sizes.of(dim.dim_param or dim.dim_value)) != sizes.name(local):
            held = self._claims.setdefault(local, [])
            held += [said] if said not in held else []

    def claims(self, local: str) -> list[Any]:
        """What the model says that a counted size is."""
        return self._claims.get(local, [])

    def dims(self, tensor: str) -> tuple[Any, ...]:
        """The sizes of a tensor that is there, or of a constant."""
        return self.constants[tensor] if tensor in self.constants else self.held(tensor).dims

    @property
    def _around(self) -> Sized:
        return Sized(self._named_size, self.dims)

    def body_dims(self, body: AnyBody, output: int) -> tuple[Any, ...]:
        """The sizes of an output of a body."""
        return body_dims(body, output, self._around)

    def _named_size(self, dim: str) -> Any | None:
        return self._sizes.of(dim) if self._known(dim) else None

    def _own_lifetimes(self) -> Iterator[Lifetime]:
        """Memory of the steps' own."""
        for number, step in enumerate(self.steps):
            if isinstance(step, ControlStep):
                for name, tensor in scratch_of(step):
                    count = prod(tensor.dims(self))
                    width = np.dtype(tensor.dtype(self)).itemsize
                    yield Lifetime(name, number, number, sizes.settled(self.bound(count) * width))

    def dtype(self, tensor: str) -> np.dtype[Any]:
        """The dtype of a tensor that is there, or of a constant."""
        if tensor in self._constant_dtypes:
            return self._constant_dtypes[tensor]
        return np.dtype(helper.tensor_dtype_to_np_dtype(self._infos[tensor].type.tensor_type.elem_type))

    def _resolved(self, size: Any) -> Any:
        """An expression of ONNX's names as one of C++ names."""
        symbols = getattr(size, "free_symbols", ())
        return size.subs({s: self._sizes.of(s.name) for s in symbols}, simultaneous=True) if symbols else size

    @staticmethod
    def _local(step: KernelStep, counted: Counted) -> str:
        return f"count_{step.number}_{identifier(counted.name)}"

    def _lifetimes(self) -> list[Lifetime]:
        given = {*self.inputs, *self.outputs}
        begin = {n: k for k, s in enumerate(self.steps) for n in made_by(s) if n and n not in given}
        end = dict(begin) | {n: k for k, s in enumerate(self.steps) for n in read_by(s) if n in begin}
        found = []
        for name, first in begin.items():
            held = self.held(name)
            width = np.dtype(helper.tensor_dtype_to_np_dtype(self._infos[name].type.tensor_type.elem_type)).itemsize
            found.append(Lifetime(name, first, end[name], sizes.settled(self.bound(held.count) * width)))
        return [*found, *self._own_lifetimes()]


def made_by(step: Step) -> Sequence[str]:
    """Tensors that a step gives."""
    return step.emission.part.outputs if isinstance(step, PartStep) else list(node_of(step).output)


def read_by(step: Step) -> Sequence[str]:
    """Tensors that a step takes."""
    return step.emission.part.inputs if isinstance(step, PartStep) else reads(node_of(step))


def node_of(step: KernelStep | ControlStep) -> onnx.NodeProto:
    """The node that is the step."""
    return step.node if isinstance(step, ControlStep) else step.call.node


def _counted(step: KernelStep) -> list[Counted]:
    return list({d.name: d for t in step.call.outputs for d in t.shape if isinstance(d, Counted)}.values())


def _stem(step: KernelStep) -> str:
    names: list[str] = [n for n in step.call.node.output if n]
    return names[0]
