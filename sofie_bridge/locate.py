"""The node with which a fault begins, found by truncating the graph: wrong numbers, no compiling, a crash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx

from convert.errors import BadSamples, EmitError, VerifyError
from rewrite.origin import Origin
from sofie_bridge.compare import Tolerance, compare
from sofie_bridge.isolate import run_header
from sofie_bridge.measure import with_noise
from sofie_bridge.noise import noise
from sofie_bridge.reference import OnnxReference
from sofie_bridge.samples import Array, Arrays, Sample, make_samples
from sofie_bridge.sofie import Sofie
from sofie_bridge.stages.emit import emit
from sofie_bridge.toolchain import Toolchain
from sofie_bridge.truncate import truncated

#: A truncated model compiles without optimisation in seconds; what takes longer hangs.
SECONDS = 300.0


@dataclass(frozen=True)
class Fault:
    """What is wrong with a model's header. ``tensor`` is the first wrong output; empty where nothing ran."""

    kind: str
    tensor: str
    words: str


@dataclass(frozen=True)
class Divergence:
    """The first node that is wrong although all before it is right.

    :param node: of the rewritten model. :param origin: where it comes from in the user's model.
    """

    node: onnx.NodeProto
    origin: Origin
    fault: Fault

    def __str__(self) -> str:
        if not self.fault.tensor:
            return f"it begins with {self.node.op_type}, from {self.origin}: {self.fault.words}"
        return (
            f"the first tensor that diverges is {self.fault.tensor!r}, output of {self.node.op_type}, "
            f"from {self.origin}: {self.fault.words}"
        )


class Locator:
    """Emits, compiles and runs pieces of a model."""

    def __init__(self, sofie: Sofie, toolchain: Toolchain) -> None:
        self._sofie = sofie
        self._toolchain = toolchain

    def locate(self, model: onnx.ModelProto, sample: Sample) -> Divergence | None:
        """Bisect over beginnings of the node list.

        :param model: rewritten, shapes inferred, nodes in topological order.
        :returns: None where no beginning shows a fault: it is one of the whole.
        """
        good, bad = 0, len(model.graph.node)
        worst = self.fault(model, [sample])
        if worst is None:
            return None
        while bad - good > 1:
            middle = (good + bad) // 2
            found = self.fault(truncated(model, middle), [sample])
            if found is None:
                good = middle
            else:
                bad, worst = middle, found
        node = model.graph.node[bad - 1]
        return Divergence(node, Origin.of(node), worst)

    def fault_of_node(self, probe: onnx.ModelProto) -> Fault | None:
        """Is the one node of ``probe`` wrong by itself?"""
        return self.fault(with_noise(probe), make_samples(probe))

    def fault(self, model: onnx.ModelProto, samples: Sequence[Sample]) -> Fault | None:
        """Emit, compile and run ``model`` on the samples; the first thing that is wrong with it, if anything."""
        ask = OnnxReference(model)
        judged = []
        for sample in samples:
            arrays = {i.name: sample.arrays[i.name] for i in model.graph.input}
            try:
                judged.append((Sample(sample.name, arrays, sample.strict), ask(arrays)))
            except BadSamples:
                continue  # the reference itself refuses these inputs: they say nothing
        if not judged:
            return None
        try:
            runs = self._run(model, [sample.arrays for sample, _ in judged])
        except EmitError as error:
            return Fault("emit", "", error.finding.why or error.finding.what)
        except VerifyError as error:
            return Fault(type(error).__name__, "", error.finding.why or error.finding.what)
        for (sample, expected), run in zip(judged, runs, strict=True):
            found = _difference(sample, expected, run, noise(ask, sample, expected))
            if found is not None:
                return found
        return None

    def _run(self, model: onnx.ModelProto, samples: Sequence[Arrays]) -> list[dict[str, Array]]:
        with TemporaryDirectory(prefix="sofie-locate-") as folder:
            emitted = emit(model, "part", Path(folder), self._sofie)
            names = emitted.named.tensors
            runs = run_header(
                emitted.header,
                emitted.weights,
                [{names[n]: a for n, a in arrays.items()} for arrays in samples],
                toolchain=self._toolchain,
                optimise="-O0",
                includes=emitted.includes,
                time_limit=SECONDS,
                memory_limit=None,
            )
        back = {names[o.name]: o.name for o in model.graph.output}
        return [{back[n]: a for n, a in run.items()} for run in runs]


def _difference(sample: Sample, expected: Arrays, run: Arrays, moved: Mapping[str, Array | float]) -> Fault | None:
    for name, reference in expected.items():
        tolerance = Tolerance.of(reference.dtype)
        seen = compare(
            np.asarray(run[name]), reference, tolerance, moved[name], strict=sample.strict, defined=sample.defined
        )
        if not seen.good:
            return Fault("numbers", name, f"{seen.words}, inputs {sample.name!r}")
    return None
