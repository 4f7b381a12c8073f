"""The header around the stages: what its template is filled with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sofie_bridge.filled import filled
from sofie_bridge.names import comment, distinct
from sofie_bridge.samples import Array
from sofie_bridge.stages.attributes import number
from sofie_bridge.stages.calls import Calls
from sofie_bridge.stages.control import ControlStep
from sofie_bridge.stages.inner import Inner
from sofie_bridge.stages.kernel import CPP_TYPES
from sofie_bridge.stages.layout import Layout, PartStep, made_by
from sofie_bridge.stages.sizes import cpp
from sofie_bridge.stages.weights import Stored

#: Numbers of a constant that is written into the code although there is a weight file.
_FEW = 16


@dataclass(frozen=True)
class Texts:
    """C++ that is put in front of the model's own: the kernels', and SOFIE's parts."""

    operators: Sequence[str]
    parts: Sequence[str]


def render(layout: Layout, texts: Texts, constants: Mapping[str, Array], file: str, stored: Stored | None) -> str:
    """The header.

    :param constants: that kernels read, by ONNX name. :param file: the weight file's name.
    :param stored: what is in it; None where all weights are in the code.
    """
    facts = _Facts(layout, constants, stored).all()
    weights = _weights(facts["constants"], file, stored)
    return filled("stages.hxx.j2", {**facts, "operators": texts.operators, "parts": texts.parts, "weights": weights})


def in_code(array: Array, *, embed: bool) -> bool:
    """Is a kernel's constant written into the code?"""
    return embed or array.size <= _FEW


def _weights(constants: Sequence[Mapping[str, Any]], file: str, stored: Stored | None) -> dict[str, Any] | None:
    if stored is None:
        return None
    held = [c for c in constants if c["key"] in stored.places]
    copied = [
        {"name": c["name"], "offset": stored.places[c["key"]][0], "bytes": stored.places[c["key"]][1]} for c in held
    ]
    return {"file": file, "head": json.dumps(stored.head), "size": stored.size, "constants": copied}


class _Facts:
    def __init__(self, layout: Layout, constants: Mapping[str, Array], stored: Stored | None) -> None:
        self.layout = layout
        self.stored = stored
        self.arrays = constants
        taken = [layout.held(n).name for s in layout.steps for n in made_by(s) if n]
        self.names = {n: f"constant_{c}" for n, c in distinct(constants, taken).items()}
        self.calls = Calls(layout, constants, self.names)

    def all(self) -> dict[str, Any]:
        """What the template asks for."""
        layout = self.layout
        outputs = [layout.held(n) for n in layout.outputs]
        types = [f"std::vector<{o.type}>" for o in outputs]
        # told apart as ONNX does, as SOFIE itself has it: a bool and a byte are two types
        mixed = len(set(self._dtypes())) > 1
        several = len(outputs) > 1 and not mixed
        returns = f"std::tuple<{','.join(types)}>" if mixed else f"std::vector<{types[0]}>" if several else types[0]
        declared = [f"outputs[{k}]" if several else f"output_tensor_{o.name}" for k, o in enumerate(outputs)]
        counts = layout.counted
        return {
            "name": layout.named.name,
            "computes": [{"name": n, "function": f} for n, f in self.calls.functions.items()],
            "attributes": [{"name": n, "members": m} for m, n in self.calls.structs.items()],
            "symbols": layout.symbols,
            "sizes": "".join(f",\n        size_t {s} = 0" for s in layout.symbols),
            "size_names": "".join(f", {s}" for s in layout.symbols),
            "constants": list(self._constants()),
            "members": list(self._members()),
            "initials": list(self._initials()),
            "parameters": ", ".join(self._parameters()),
            "arguments": ", ".join(p.split()[-1] for p in self._parameters()),
            "result_parameters": ", ".join(f"{o.type} *tensor_{o.name}" for o in outputs),
            "results": ", ".join(f"{d}.data()" for d in declared),
            "counts": f"std::array<std::size_t, {len(counts)}>" if counts else "void",
            "counted": counts,
            "returns": returns,
            "several": len(outputs) if several else 0,
            "returned": self._returned(declared, mixed=mixed, several=several),
            "declarations": [self._declaration(o, d, several=several) for o, d in zip(outputs, declared, strict=True)],
            "resized": list(self._resized(declared)),
            "inputs": [self._table(n) for n in layout.inputs],
            "outputs": [self._table(n) for n in layout.outputs],
            "steps": [self.calls.of(s) for s in layout.steps],
        }

    # ------------------------------------------------------------------------------------------- the interface

    def _dtypes(self) -> Iterator[int]:
        infos = {o.name: o for o in self.layout.named.model.graph.output}
        for name in self.layout.outputs:
            yield infos[self.layout.named.tensors[name]].type.tensor_type.elem_type

    def _parameters(self) -> list[str]:
        """Each size in front of the first input that has it."""
        found: list[str] = []
        for name in self.layout.inputs:
            held = self.layout.held(name)
            for size in held.dims:
                found += [f"size_t {size}"] if str(size) in self.layout.symbols else []
            found.append(f"{held.type} const* tensor_{held.name}")
        return list(dict.fromkeys(found))

    def _declaration(self, output: Any, declared: str, *, several: bool) -> str:
        size = cpp(self._largest(output))
        return f"{declared}.resize({size});" if several else f"std::vector<{output.type}> {declared}({size});"

    def _largest(self, output: Any) -> Any:
        """What is allocated for it: its size, or where that is counted the most that it can be."""
        counted = {str(s) for s in getattr(output.count, "free_symbols", ())} & set(self.layout.counted)
        return self.layout.bound(output.count) if counted else output.count

    def _resized(self, declared: Sequence[str]) -> Iterator[str]:
        locals_ = {c: f"counted[{k}]" for k, c in enumerate(self.layout.counted)}
        for name, place in zip(self.layout.outputs, declared, strict=True):
            count = self.layout.held(name).count
            if {str(s) for s in getattr(count, "free_symbols", ())} & locals_.keys():
                yield f"{place}.resize({cpp(count, locals_)});"

    @staticmethod
    def _returned(declared: Sequence[str], *, mixed: bool, several: bool) -> str:
        if mixed:
            return "{" + ", ".join(f"std::move({d})" for d in declared) + "}"
        return "outputs" if several else declared[0]

    def _table(self, name: str) -> dict[str, Any]:
        held = self.layout.held(name)
        dims = [str(d) if isinstance(d, int) else json.dumps(cpp(d, plain=True)) for d in held.dims]
        return {"name": held.name, "dims": dims or ["1"], "dynamic": any(not isinstance(d, int) for d in held.dims)}

    # -------------------------------------------------------------------------------------------- the session

    def _members(self) -> Iterator[str]:
        for step in self.layout.steps:
            if isinstance(step, PartStep):
                yield f"{step.emission.names.namespace}::Session {step.member};"
            if isinstance(step, ControlStep):
                yield from (f"{c.names.namespace}::Session {c.member};" for c in step.codes)
        for k, buffer in enumerate(self.layout.buffers):
            yield f"std::vector<char> fBuffer_{k};  // {comment(', '.join(t.tensor for t in buffer.tensors))}"
            yield f"char *buffer_{k} = aligned(fBuffer_{k});"
        for constant in self._constants():
            yield f"std::vector<{constant['type']}> {constant['name']}{constant['initial']};"

    def _constants(self) -> Iterator[dict[str, str]]:
        for name, array in self.arrays.items():
            kind = CPP_TYPES[str(array.dtype)]
            is_stored = self.stored is not None and name in self.stored.places
            initial = f" = std::vector<{kind}>({array.size})" if is_stored else self._written(array, kind)
            yield {"name": self.names[name], "type": kind, "key": name, "initial": initial}

    @staticmethod
    def _written(array: Array, kind: str) -> str:
        numbers = ", ".join(number(v) for v in np.asarray(array).ravel())
        return f" = std::vector<{kind}>{{{numbers}}}"

    def _initials(self) -> Iterator[str]:
        for symbol in self.layout.symbols:
            yield f"f{symbol}({symbol})"
        for step in self.layout.steps:
            if isinstance(step, PartStep):
                yield f"{step.member}({', '.join(self._session(step.member, step.emission))})"
            if isinstance(step, ControlStep):
                yield from (f"{c.member}({', '.join(self._session(c.member, c))})" for c in step.codes)
        for k, buffer in enumerate(self.layout.buffers):
            found = [cpp(s) for s in self.layout.bytes_of(buffer)]
            size = found[0] if len(found) == 1 else f"std::max<std::size_t>({{{', '.join(found)}}})"
            yield f"fBuffer_{k}({size} + alignment)"

    def _session(self, member: str, inner: Inner) -> Iterator[str]:
        """Arguments of the constructor of the session of a part, or a body."""
        if inner.weights is not None and self.stored is not None:
            offset, size = self.stored.places[member]
            yield f"{inner.names.namespace}::SafetensorsBlob(at(weights_blob, {offset}), {size})"
        else:
            yield "std::string()"
        sizes = {c: d for d, c in inner.symbols.items()}
        for name in inner.names.sizes:
            yield cpp(self.layout.bound(self.layout.size(sizes[name])))
