"""The C++ of control flow: the calls of its bodies, and what is around them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from sofie_bridge.names import comment
from sofie_bridge.stages.control import AnyBody, BodyCode, ControlStep, graph_of
from sofie_bridge.stages.control_sizes import count_name, operands, scan_axes
from sofie_bridge.stages.kernel import CPP_TYPES
from sofie_bridge.stages.sizes import cpp

if TYPE_CHECKING:
    from sofie_bridge.stages.calls import Calls

#: What tensors of a body are in C++, by name: pointers.
Given = Mapping[str, str]


class ControlCalls:
    """Lines of C++ for a step whose bodies are run."""

    def __init__(self, calls: Calls, step: ControlStep) -> None:
        self.calls = calls
        self.layout = calls.layout
        self.step = step
        self.node = step.node

    def lines(self) -> Iterator[str]:
        match self.node.op_type:
            case "If":
                yield from self._if()
            case "Loop":
                yield from self._loop()
            case "Scan":
                yield from self._scan()

    # ------------------------------------------------------------------------------------------------- operators

    def _if(self) -> Iterator[str]:
        other, taken = self.step.bodies  # in the order of their names
        counts = [c for c in self.layout.counted if c.startswith(f"count_{self.step.number}_")]
        yield from (f"std::size_t {c} = 0;" for c in counts)
        for keyword, body in ((f"if (*{self._pointer(self.node.input[0])})", taken), ("else", other)):
            yield f"{keyword} {{"
            yield from (f"   {line}" for line in self._branch(body, counts))
            yield "}"
        for count in counts:
            yield from self.calls.claimed(self.node, count)

    def _branch(self, body: AnyBody, counts: list[str]) -> Iterator[str]:
        for k in range(len(self.node.output)):
            for axis, size in enumerate(self.layout.body_dims(body, k)):
                count = count_name(self.step, k, axis)
                if count in counts:
                    yield f"{count} = {cpp(size)};"
                    yield from self.calls.claimed(self.node, count)
        yield from self._run(body, {}, [f"tensor_{self.layout.held(n).name}" for n in self.node.output])

    def _loop(self) -> Iterator[str]:
        (body,) = self.step.bodies
        _, states, _ = operands(self.step)
        inner, number = graph_of(body), self.step.number
        names = [i.name for i in inner.formal]
        trips, condition = self.node.input[0], self.node.input[1]
        limit = f"*{self._pointer(trips)}" if trips else "std::numeric_limits<std::int64_t>::max()"
        yield f"std::int64_t const trips{number} = {limit};"
        yield f"std::uint8_t go{number} = {f'*{self._pointer(condition)}' if condition else '1'};"
        yield from self._begin(states)
        yield f"std::int64_t trip{number} = 0;"
        collected = list(self.node.output[len(states) :])
        yield f"for (; trip{number} < trips{number} && go{number}; ++trip{number}) {{"
        for line in self._claims_of_trips(collected):
            yield f"   {line}"
        yield f"   std::uint8_t next_go{number} = 0;"
        given = {names[0]: f"&trip{number}", names[1]: f"&go{number}"}
        given |= {n: f"now{number}_{k}" for k, n in enumerate(names[2:])}
        out = [f"&next_go{number}", *(f"next{number}_{k}" for k in range(len(states)))]
        for k, name in enumerate(collected, len(states)):
            held, size = self.layout.held(name), prod(self.layout.body_dims(body, k + 1))
            out.append(f"tensor_{held.name} + std::size_t(trip{number}) * {_factor(size)}")
        yield from (f"   {line}" for line in self._run(body, given, out))
        yield f"   go{number} = next_go{number};"
        yield from self._turn(states)
        yield "}"
        if collected:
            yield f"std::size_t const {count_name(self.step)} = std::size_t(trip{number});"
            yield from self.calls.claimed(self.node, count_name(self.step))
        yield from self._finish(states)

    def _claims_of_trips(self, collected: list[str]) -> Iterator[str]:
        """There is room for so many slices as the model says."""
        for said in self.layout.claims(count_name(self.step)) if collected else ():
            yield f"if (trip{self.step.number} >= std::int64_t({cpp(said)}))"
            what = comment("Loop runs more often than the model says")
            yield f"   throw std::runtime_error({json.dumps(what)});"

    def _scan(self) -> Iterator[str]:
        (body,) = self.step.bodies
        _, states, slices = operands(self.step)
        number, names = self.step.number, [i.name for i in graph_of(body).formal]
        axes = scan_axes(self.step, "input", len(slices))
        length = cpp(self.layout.dims(slices[0])[axes[0]])
        for k, (name, axis) in enumerate(zip(slices, axes, strict=True)):
            if k:
                what = json.dumps("what a Scan goes along together has different lengths")
                yield f"if ({cpp(self.layout.dims(name)[axis])} != {length})"
                yield f"   throw std::runtime_error({what});"
        yield from self._begin(states)
        given = {n: f"now{number}_{k}" for k, n in enumerate(names[: len(states)])}
        given |= {n: f"slice{number}_{k}" for k, n in enumerate(names[len(states) :])}
        collected = list(self.node.output[len(states) :])
        yield from (f"{self._type(n)} *slice{number}_{k} = {self._at(f'slice{k}', n)};" for k, n in enumerate(slices))
        yield from (f"{self._type(n)} *made{number}_{k} = {self._at(f'made{k}', n)};" for k, n in enumerate(collected))
        yield f"for (std::size_t trip{number} = 0; trip{number} < {length}; ++trip{number}) {{"
        for k, (name, axis) in enumerate(zip(slices, axes, strict=True)):
            yield f"   {self._slice('take_slice', name, axis, self._pointer(name), f'slice{number}_{k}', 'input', k)}"
        out = [f"next{number}_{k}" for k in range(len(states))] + [f"made{number}_{k}" for k in range(len(collected))]
        yield from (f"   {line}" for line in self._run(body, given, out))
        axes = scan_axes(self.step, "output", len(collected))
        for k, (name, axis) in enumerate(zip(collected, axes, strict=True)):
            whole = f"tensor_{self.layout.held(name).name}"
            yield f"   {self._slice('put_slice', name, axis, whole, f'made{number}_{k}', 'output', k)}"
        yield from self._turn(states)
        yield "}"
        yield from self._finish(states)

    def _slice(self, function: str, name: str, axis: int, whole: str, part: str, which: str, number: int) -> str:
        dims = self.layout.dims(name)
        sizes = ", ".join(cpp(s) for s in (prod(dims[:axis]), dims[axis], prod(dims[axis + 1 :])))
        turned = self.step.attributes.get(f"scan_{which}_directions") or [0] * (number + 1)
        trip = f"trip{self.step.number}"
        place = f"{cpp(dims[axis])} - 1 - {trip}" if turned[number] else trip
        return f"::sofie_kernels::{function}({whole}, {part}, {sizes}, {place});"

    # ----------------------------------------------------------------------------------------------- what is carried

    def _begin(self, states: list[str]) -> Iterator[str]:
        number = self.step.number
        for k, name in enumerate(states):
            kind = self._type(name)
            yield f"{kind} const *now{number}_{k} = {self._pointer(name)};"
            yield f"{kind} *next{number}_{k} = {self._at(f'state{k}a', name)};"
            yield f"{kind} *other{number}_{k} = {self._at(f'state{k}b', name)};"

    def _turn(self, states: list[str]) -> Iterator[str]:
        number = self.step.number
        for k in range(len(states)):
            yield f"   now{number}_{k} = next{number}_{k};"
            yield f"   std::swap(next{number}_{k}, other{number}_{k});"

    def _finish(self, states: list[str]) -> Iterator[str]:
        number = self.step.number
        for k, (state, name) in enumerate(zip(states, self.node.output, strict=False)):
            count = cpp(prod(self.layout.dims(state)))
            yield f"std::copy_n(now{number}_{k}, {count}, tensor_{self.layout.held(name).name});"

    def _type(self, like: str) -> str:
        return CPP_TYPES[str(self.layout.dtype(like))]

    def _at(self, stem: str, like: str) -> str:
        buffer = self.layout.buffer_of(f"{self.node.output[0]}#{stem}")
        return f"reinterpret_cast<{self._type(like)} *>(session.buffer_{buffer})"

    # ------------------------------------------------------------------------------------------------------ a body

    def _run(self, body: AnyBody, given: Given, out: list[str]) -> Iterator[str]:
        """Run a body. :param given: its own inputs. :param out: where its outputs are wanted, in order."""
        inner = graph_of(body)
        first = dict(zip(reversed(inner.sources), reversed(out), strict=True))
        if isinstance(body, BodyCode):
            yield self._call(body, {n: first[n] for n in inner.made} | dict(given))
        for k, (name, to) in enumerate(zip(inner.sources, out, strict=True)):
            if first[name] == to and name in inner.made:
                continue
            source = first[name] if name in inner.made else given.get(name) or self._pointer(name)
            yield f"std::copy_n({source}, {cpp(prod(self.layout.body_dims(body, k)))}, {to});"

    def _call(self, body: BodyCode, known: Given) -> str:
        tensors = {c: n for n, c in body.tensors.items()}
        sizes = {c: d for d, c in body.symbols.items()}
        arguments = []
        for name in (*body.names.arguments, *body.names.outputs):
            if name in tensors:
                tensor = tensors[name]
                arguments.append(known[tensor] if tensor in known else self._pointer(tensor))
            else:
                arguments.append(cpp(self.layout.size(sizes[name])))
        return f"{body.names.namespace}::doInfer({', '.join([f'session.{body.member}', *arguments])});"

    def _pointer(self, name: str) -> str:
        if name in self.calls.constants:
            return f"session.{self.calls.names[name]}.data()"
        return f"tensor_{self.layout.held(name).name}"


def _factor(size: Any) -> str:
    text = cpp(size)
    return text if text.isalnum() else f"({text})"
