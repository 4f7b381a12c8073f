"""A model with operators that are not SOFIE's, to one header."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import onnx
from onnx import numpy_helper

from convert.errors import BadOperator, EmitError
from rewrite.bodies import bodies_of
from sofie_bridge import emit as sofie_only
from sofie_bridge.emit import Emitted, Weights, with_cpp_names
from sofie_bridge.samples import Array
from sofie_bridge.sofie import Sofie
from sofie_bridge.stages import sources
from sofie_bridge.stages.control import AnyBody, BodyCode, ControlStep, graph_of, helpers, is_control, most_trips
from sofie_bridge.stages.cut import Part, cut
from sofie_bridge.stages.kernel import Code, KernelOf
from sofie_bridge.stages.layout import KernelStep, Layout, PartStep, Step, read_by
from sofie_bridge.stages.library import kernels_in
from sofie_bridge.stages.outer import Texts, in_code, render
from sofie_bridge.stages.parts import Emission, emit_parts
from sofie_bridge.stages.weights import Stored, store
from sofie_bridge.stages.whole import Whole


def emit(
    model: onnx.ModelProto,
    name: str,
    folder: Path,
    sofie: Sofie,
    *,
    weights: Weights = "file",
    root: str = "",
    kernels: KernelOf | None = None,
    inline: bool = False,
) -> Emitted:
    """:func:`sofie_bridge.emit.emit`, also for models with nodes that have kernels.

    Their weight file is safetensors where ``weights`` is "file": SOFIE's text file has one reader, from its begin.

    :param kernels: whose its nodes are; by default as the model says.
    :param inline: write the kernels' C++ into the header instead of including it.
    :raises convert.errors.EmitError: as there. :raises BadOperator: C++ that cannot be read.
    """
    kernels = kernels or kernels_in(model)
    if not any(_is_own(n, kernels) for n in model.graph.node):
        return sofie_only.emit(model, name, folder, sofie, weights=weights, root=root)
    if weights == "root":
        advice = "--weights safetensors, which is the default for it, or --weights embed"
        raise EmitError("a model of several stages has no ROOT file of weights", advice=advice)
    return _Staging(model, name, folder, kernels, embed=weights == "embed").emit(sofie, inline=inline)


class _Staging:
    def __init__(self, model: onnx.ModelProto, name: str, folder: Path, kernels: KernelOf, *, embed: bool) -> None:
        self.model = model
        self.whole = Whole(model)
        self.folder = folder
        self.kernels = kernels
        self.embed = embed
        self.named = with_cpp_names(model, name)

    def emit(self, sofie: Sofie, *, inline: bool) -> Emitted:
        name = self.named.name
        steps = cut(self.model, lambda n: _is_own(n, self.kernels))
        parts = [s for s in steps if isinstance(s, Part)]
        kind: Weights = "embed" if self.embed else "safetensors"
        emissions = emit_parts(self.whole, parts, name, Path(mkdtemp(dir=self.folder)), sofie, kind)
        placed = self._placed([s if isinstance(s, Part) else s.node for s in steps], emissions, sofie, kind)
        constants = self._constants(placed)
        stored = None if self.embed else self._store(placed, constants)
        codes = list(dict.fromkeys(s.code for s in placed if isinstance(s, KernelStep)))
        _refuse_twins(codes)
        bodies = [c for s in placed if isinstance(s, ControlStep) for c in s.codes]
        texts = Texts(
            list(dict.fromkeys(_included(c, inline=inline) for c in (*codes, *helpers(placed)))),
            list(dict.fromkeys([*(e.code for e in emissions), *(c.code for c in bodies)])),
        )
        file = self.folder / f"{name}.safetensors"
        header = self.folder / f"{name}.hxx"
        header.write_text(
            render(Layout(self.model, self.named, placed), texts, constants, file.name, stored),
            encoding="utf-8",
            errors="surrogateescape",
        )
        path = self.folder / f"{name}.onnx"
        onnx.save(self.named.model, path)
        del self.named.model.graph.initializer[:]
        outside = [] if inline else [c.header for c in codes if c.header is not None]
        held = file if stored else None
        files, includes = _beside(outside)
        form: Weights = "embed" if self.embed else "safetensors"
        return Emitted(header, held, path, self.named, form, held, beside=files, includes=includes)

    def _placed(
        self, steps: Sequence[Part | onnx.NodeProto], emissions: Sequence[Emission], sofie: Sofie, kind: Weights
    ) -> list[Step]:
        found: list[Step] = []
        parts = kernels = 0
        for step in steps:
            if isinstance(step, Part):
                found.append(PartStep(emissions[parts], f"part_{parts}"))
                parts += 1
                continue
            kernel = self.kernels(step)
            if kernel is None:
                found.append(self._controlled(step, kernels, sofie, kind))
                kernels += 1
                continue
            call = kernel.call(step, self.whole.inputs(step))
            found.append(KernelStep(call, kernel.code(call), kernels))
            kernels += 1
        return found

    def _controlled(self, node: onnx.NodeProto, number: int, sofie: Sofie, kind: Weights) -> ControlStep:
        """A node of control flow, each of its bodies emitted as a header of its own."""
        bodies: list[AnyBody] = []
        for body in bodies_of(self.model, node):
            if not body.made:
                bodies.append(body)
                continue
            member = f"step_{number}_{body.attribute.removesuffix('_branch')}"
            alone, folder = body.model(self.model), Path(mkdtemp(dir=self.folder))
            emitted = emit(alone, f"{self.named.name}_{member}", folder, sofie, weights=kind)
            bodies.append(BodyCode.made(body, alone, member, emitted))
        return ControlStep(node, tuple(bodies), number, most_trips(self.model, node))

    def _constants(self, steps: Sequence[Step]) -> dict[str, Array]:
        """What kernels read of the model's constants."""
        read = {n for s in steps if not isinstance(s, PartStep) for n in read_by(s)}
        found = {i.name: numpy_helper.to_array(i) for i in self.model.graph.initializer if i.name in read}
        bodies = [graph_of(b) for s in steps if isinstance(s, ControlStep) for b in s.bodies]
        passed = {n: t for b in bodies for n, t in b.constants.items() if n in b.sources}
        return found | {n: numpy_helper.to_array(t) for n, t in passed.items()}

    def _store(self, steps: Sequence[Step], constants: dict[str, Array]) -> Stored | None:
        """The weight file; None where there is nothing for it."""
        tensors: dict[str, Array] = {
            s.member: np.fromfile(s.emission.weights, np.uint8)
            for s in steps
            if isinstance(s, PartStep) and s.emission.weights is not None
        }
        codes = [c for s in steps if isinstance(s, ControlStep) for c in s.codes]
        tensors |= {c.member: np.fromfile(c.weights, np.uint8) for c in codes if c.weights is not None}
        tensors |= {n: a for n, a in constants.items() if not in_code(a, embed=False)}
        return store(self.folder / f"{self.named.name}.safetensors", tensors) if tensors else None


def _refuse_twins(codes: Sequence[Code]) -> None:
    """
    :raises BadOperator: two operators of one name in C++.
    """
    for name in {c.name for c in codes}:
        places = [c.place for c in codes if c.name == name]
        if len(places) > 1:
            what = f"two operators are called {name} in C++"
            raise BadOperator(what, where=" and ".join(places), advice="put one in a namespace, and name it with cpp=")


def _is_own(node: onnx.NodeProto, kernels: KernelOf) -> bool:
    """Is it run by other code than SOFIE's?"""
    return kernels(node) is not None or is_control(node)


def _included(code: Code, *, inline: bool) -> str:
    if code.header is None:
        return sources.guarded(code.text)
    return sources.inlined(code.header) if inline else f'#include "{code.header.name}"\n'


def _beside(headers: Sequence[Path]) -> tuple[dict[Path, Path], tuple[Path, ...]]:
    """Files that go with the header, by their places beside it; and the folders where they are now.

    :raises BadOperator: two files want one place.
    """
    files: dict[Path, Path] = {}
    for header in headers:
        for place, source in sources.bundle(header).items():
            if files.setdefault(place, source) != source:
                what = f"two C++ files are called {place}"
                advice = "--inline-operators writes them into the header"
                raise BadOperator(what, where=f"{files[place]} and {source}", advice=advice)
    return files, tuple(dict.fromkeys(h.parent.resolve() for h in headers))
