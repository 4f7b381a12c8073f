"""The C++ of the steps: a part's ``doInfer``, a kernel's ``Compute``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import onnx

from rewrite.origin import Origin
from sofie_bridge.names import comment
from sofie_bridge.samples import Array
from sofie_bridge.stages.attributes import members
from sofie_bridge.stages.control import ControlStep
from sofie_bridge.stages.control_calls import ControlCalls
from sofie_bridge.stages.kernel import CPP_TYPES
from sofie_bridge.stages.layout import KernelStep, Layout, PartStep, Step, made_by, node_of
from sofie_bridge.stages.sizes import cpp

#: Operators of a part that its comment names.
_NAMED = 16


class Calls:
    """Lines of C++ for each step.

    ``functions`` are C++ functions that call a kernel, by the name of what has its ``Compute``; ``structs`` the structs
    that hold attributes, by their members.

    :param constants: that kernels read. :param names: their C++ names.
    """

    def __init__(self, layout: Layout, constants: Mapping[str, Array], names: Mapping[str, str]) -> None:
        self.layout = layout
        self.constants = constants
        self.names = names
        kernels = [s for s in layout.steps if isinstance(s, KernelStep)]
        self.functions = {n: f"compute_{k}" for k, n in enumerate(dict.fromkeys(s.code.name for s in kernels))}
        self._members = {s.number: tuple(members(s.call.attributes)) for s in kernels}
        kinds = dict.fromkeys(m for m in self._members.values() if m)
        self.structs = {m: f"Attributes_{k}" for k, m in enumerate(kinds)}

    def of(self, step: Step) -> dict[str, Any]:
        """A title, and lines."""
        if isinstance(step, PartStep):
            operators = [n.op_type for n in step.emission.part.nodes]
            more = ", ..." if len(operators) > _NAMED else ""
            title = f"{step.member}: {', '.join(operators[:_NAMED])}{more}"
            return {"title": comment(title), "lines": [*self._pointers(step), self._part(step)]}
        node = node_of(step)
        if isinstance(step, ControlStep):
            lines = [*self._pointers(step), *ControlCalls(self, step).lines()]
            return {"title": comment(f"{node.op_type}, from {Origin.of(node)}"), "lines": lines}
        title = f"{node.domain}::{node.op_type}, from {Origin.of(node)}"
        return {"title": comment(title), "lines": [*self._pointers(step), *self._kernel(step)]}

    def _pointers(self, step: Step) -> Iterator[str]:
        for name in made_by(step):
            buffer = self.layout.buffer_of(name) if name else None
            if buffer is not None:
                held = self.layout.held(name)
                source = f"reinterpret_cast<{held.type} *>(session.buffer_{buffer})"
                yield f"{held.type} *tensor_{held.name} = {source};"

    def _part(self, step: PartStep) -> str:
        emission = step.emission
        tensors = {c: n for n, c in emission.tensors.items() if n in (*emission.part.inputs, *emission.part.outputs)}
        sizes = {c: d for d, c in emission.symbols.items()}
        arguments = [
            f"tensor_{self.layout.held(tensors[a]).name}" if a in tensors else cpp(self.layout.size(sizes[a]))
            for a in (*emission.names.arguments, *emission.names.outputs)
        ]
        return f"{emission.names.namespace}::doInfer({', '.join([f'session.{step.member}', *arguments])});"

    def _kernel(self, step: KernelStep) -> Iterator[str]:
        node, counted = step.call.node, self.layout.counts(step)
        ins = [self._shape(step, n, "in") for n in node.input]
        outs = [self._shape(step, n, "out") for n in node.output]
        function = self.functions[step.code.name]
        given = ", ".join([f"node{step.number}", *map(self._read, node.input)])
        written = ", ".join(self._written(n) for n in node.output if n)
        name = json.dumps(comment(f"{node.domain}::{node.op_type}"))
        call = f"run<{str(bool(counted)).lower()}>({name}, [&](auto... out) {{ return {function}({given}, out...); }}"
        lines = [*self._shapes(step, "in", ins), *self._shapes(step, "out", outs), self._node(step)]
        if counted:  # what it counts is read by the steps behind it
            yield from lines
            yield from self._counting(f"{call}, {written});", step, counted)
        else:
            yield "{"
            yield from (f"   {line}" for line in (*lines, f"{call}, {written});"))
            yield "}"

    def _node(self, step: KernelStep) -> str:
        node, number = step.call.node, step.number
        kind = self.structs[self._members[number]] if self._members[number] else "NoAttributes"
        spans = [
            "{" + ", ".join(f"std::span<std::size_t const>({role}{number}_{k})" for k in range(count)) + "}"
            for role, count in (("in", len(node.input)), ("out", len(node.output)))
        ]
        return (
            f"Node<{kind}, {len(node.input)}, {len(node.output)}> const node{number}{{{{{spans[0]}}}, {{{spans[1]}}}}};"
        )

    @staticmethod
    def _shapes(step: KernelStep, role: str, shapes: Sequence[Sequence[Any]]) -> Iterator[str]:
        for k, dims in enumerate(shapes):
            sizes = ", ".join(map(cpp, dims))
            yield f"std::array<std::size_t, {len(dims)}> const {role}{step.number}_{k}{{{sizes}}};"

    def _counting(self, call: str, step: KernelStep, counted: Sequence[str]) -> Iterator[str]:
        """The call, and what it counted, held against what there is room for."""
        found = f"found{step.number}"
        yield f"auto const {found} = {call}"
        what = comment(f"{step.call.node.op_type} counts more than its shape function says")
        for k, (name, bound) in enumerate(zip(counted, self.layout.bounds(step), strict=True)):
            yield f"std::size_t const {name} = {found if len(counted) == 1 else f'{found}[{k}]'};"
            yield f"if ({name} > {cpp(bound)})"
            yield f"   throw std::runtime_error({json.dumps(what)});"
            yield from self.claimed(step.call.node, name)

    def claimed(self, node: onnx.NodeProto, counted: str) -> Iterator[str]:
        """A counted size, held against what the model says it is."""
        for said in self.layout.claims(counted):
            yield f"if ({counted} != {cpp(said)})"
            what = comment(f"{node.op_type} counts another size than the model says")
            yield f"   throw std::runtime_error({json.dumps(what)});"

    def _shape(self, step: KernelStep, name: str, role: str) -> Sequence[Any]:
        if not name:
            return ()
        if name in self.constants:
            return [int(n) for n in self.constants[name].shape]
        dims = self.layout.held(name).dims
        # what it counts is not known before it has: there is room for so many
        return [self.layout.bound_now(d, self.layout.counts(step)) for d in dims] if role == "out" else dims

    def _read(self, name: str) -> str:
        if not name:
            return "nullptr"
        if name in self.constants:
            kind = CPP_TYPES[str(self.constants[name].dtype)]
            return f"std::span<{kind} const>(session.{self.names[name]})"
        held = self.layout.held(name)
        return f"std::span<{held.type} const>(tensor_{held.name}, {cpp(held.count)})"

    def _written(self, name: str) -> str:
        held = self.layout.held(name)
        count = cpp(self.layout.bound_now(held.count, self.layout.counted))
        return f"std::span<{held.type}>(tensor_{held.name}, {count})"
