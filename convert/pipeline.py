"""Model file -> ONNX -> rewritten ONNX -> header -> verdict."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import onnx
from onnx import helper

import converters
from convert.diagnose import Diagnosis
from convert.errors import ConvertError, Mismatch, VerifyError
from convert.files import check_writable
from convert.functor import write_functor
from convert.outputs import FUNCTOR, destination, place_outputs
from convert.progress import Progress
from convert.report import Port, Report, Stage
from convert.request import Request
from convert.restore import other_wish, restored, unchanged
from convert.root_file import check_place
from converters.base import Loaded, LoadOptions
from converters.custom_operators import of_the_users
from rewrite.api import Rewritten, rewrite_model
from rewrite.kept import is_kept
from rewrite.passes.run_in_float32 import STANDS_FOR, dtypes_of
from sofie_bridge import root_install, toolchain
from sofie_bridge.at_zero import at_zero
from sofie_bridge.emit import Emitted
from sofie_bridge.latency import latencies
from sofie_bridge.least import least_sizes
from sofie_bridge.locate import Locator
from sofie_bridge.names import identifier
from sofie_bridge.ports import Ports
from sofie_bridge.reference import OnnxReference
from sofie_bridge.samples import SIZES, Arrays, Sample, fitting_size, make_samples
from sofie_bridge.sofie import Sofie, build
from sofie_bridge.stages.check import check_operators
from sofie_bridge.stages.emit import emit
from sofie_bridge.stages.library import Library
from sofie_bridge.stages.notes import notes_on
from sofie_bridge.stages.target import StagedTarget
from sofie_bridge.stages.unseen import unseen_branches
from sofie_bridge.stored import read_sets
from sofie_bridge.target import SofieTarget
from sofie_bridge.toolchain import Toolchain
from sofie_bridge.verify import verify
from sofie_bridge.witness import OnnxWitness

#: Nodes that SOFIE takes and gets wrong are found one a round, made illegal, and the model is rewritten again.
ROUNDS = 12


def run(request: Request, report: Report, progress: Progress) -> None:
    """Convert. The report is filled as far as the conversion gets, whatever is raised.

    :raises ConvertError: the stage's own error; nothing is written then.
    """
    with ExitStack() as declared:
        _run(request, report, _Steps(request, report, progress, declared))


def _run(request: Request, report: Report, steps: _Steps) -> None:
    with steps.stage("load"):
        loaded = steps.load()
    with Sofie(request.backend) as sofie, TemporaryDirectory(prefix="sofie-convert-") as folder:
        if request.check:
            with steps.stage("rewrite"):
                steps.rewrite(loaded, StagedTarget(sofie), analysis=True)
            return
        rewritten, emitted = steps.restore(loaded, sofie, Path(folder)) or steps.converge(loaded, sofie, Path(folder))
        if request.bench:
            with steps.stage("bench"):
                steps.bench(loaded, rewritten, emitted)
        if request.to == "rdf":
            with steps.stage("functor"):
                steps.functor(emitted, Path(folder))
        with steps.stage("write"):
            report.files = place_outputs(
                request, report, loaded.model, rewritten, emitted, steps.samples, Path(folder), sofie
            )
            steps.summary = f"{len(report.files)} files"


class _Steps:
    """The stages, each measured, each leaving what it found in the report."""

    def __init__(self, request: Request, report: Report, progress: Progress, declared: ExitStack) -> None:
        self.request = request
        self.declared = declared
        self.report = report
        self.progress = progress
        self.summary = ""
        self.state = "done"
        self.samples: list[Sample] = []
        self.framework = ""
        report.witness = OnnxWitness() if request.paranoid else None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = perf_counter()
        self.summary, self.state = "", "done"
        self.progress.begin(name)
        try:
            yield
        except ConvertError as error:
            self.summary, self.state = error.finding.what, "failed"
            raise
        except KeyboardInterrupt:
            self.summary, self.state = "interrupted", "failed"
            raise
        finally:
            self.report.peak_memory = max(_peak(), self.report.peak_memory)
            finished = Stage(name, self.state, perf_counter() - start, self.summary, self.report.peak_memory)
            self.report.stages.append(finished)
            self.progress.end(finished)

    def skip(self, name: str, why: str) -> None:
        skipped = Stage(name, "skipped", 0.0, why)
        self.report.stages.append(skipped)
        self.progress.end(skipped)

    def load(self) -> Loaded:
        request = self.request
        build(request.backend)  # told now, not after minutes
        if not request.check:
            check_writable(destination(request, "model").folder)
            if request.to == "root" or request.weights == "root":
                root_install.find("a .root file")
        self.declared.enter_context(of_the_users(request.custom_operators))
        options = LoadOptions(**{field.name: getattr(request, field.name) for field in fields(LoadOptions)})
        loaded = converters.load(request.source, options)
        self.framework = loaded.reference.name if loaded.reference is not None else ""
        self.report.loaded(loaded)
        if not request.check and (request.to == "root" or request.weights == "root"):
            place = destination(request, loaded.name)
            check_place(place.root_file, identifier(place.name))
        self.summary = f"{loaded.kind}, {len(loaded.model.graph.node)} nodes by {loaded.exporter}"
        return loaded

    def rewrite(self, loaded: Loaded, target: SofieTarget, *, analysis: bool = False) -> Rewritten:
        review = target.review if self.request.verify else None
        wanted = frozenset(STANDS_FOR if self.request.float32 else ())
        witness = self.report.witness
        rewritten = rewrite_model(
            loaded.model,
            target,
            analysis=analysis,
            review=review,
            in_float32=wanted,
            witness=witness,
            channels_first=self.request.layout == "nchw",
            library=Library(),
        )
        self.report.rewritten = rewritten
        self._note_dtypes(loaded, rewritten)
        self.report.notes += [n for n in rewritten.layout.notes() if n not in self.report.notes]
        total, native = rewritten.before.total(), rewritten.native.total()
        rules = len({s.rule for s in rewritten.trail})
        kernels = sum(map(is_kept, rewritten.model.graph.node))
        changed = max(total - native - len(rewritten.stuck) - kernels, 0)
        self.summary = f"{total} nodes: {native} taken as they are, {changed} rewritten"
        self.summary += f" by {rules} rules" if rules else ""
        self.summary += f", {kernels} run by kernels" if kernels else ""
        self.summary += f", {len(rewritten.stuck)} have no way" if rewritten.stuck else ""
        self.summary += f"; {witness.summary}" if witness is not None else ""
        return rewritten

    def restore(self, loaded: Loaded, sofie: Sofie, folder: Path) -> tuple[Rewritten, Emitted] | None:
        """The header that lies beside the model, verified again; None where the model is to be converted anew."""
        stored = loaded.stored
        if stored is None:
            return None
        wish = other_wish(self.request, stored, identifier(destination(self.request, loaded.name).name))
        if wish:
            self.report.notes.append(f"converted anew: the header in the file does not go with {wish}")
            return None
        rewritten = self.report.rewritten = unchanged(loaded.model)
        with self.stage("restore"):
            emitted = restored(stored, rewritten.model, folder, sofie)
            if emitted is None:
                now = build(sofie.backend)
                note = f"converted anew: the stored header, of {stored.build}, is not what {now} writes"
                self.report.notes.append(note)
                self.summary, self.state = note, "again"
                return None
            self.tell(rewritten, emitted)
        self.samples = self.sample(loaded, rewritten)
        if not self.request.verify:
            self.skip("verify", "not asked for: the header was neither compiled nor run")
            return rewritten, emitted
        with self.stage("verify"):
            try:
                self.verify(loaded, rewritten, emitted, toolchain.find())
            except Mismatch as error:  # it was written with --no-verify or --keep-going
                self.report.notes.append("converted anew: the stored header does not compute what the model does")
                self.summary, self.state = error.finding.what, "again"
                return None
        return rewritten, emitted

    def converge(self, loaded: Loaded, sofie: Sofie, folder: Path) -> tuple[Rewritten, Emitted]:
        """Rewrite, emit and verify, until the model has no node that SOFIE takes and gets wrong."""
        target = StagedTarget(sofie)
        diagnosis: Diagnosis | None = None
        for _ in range(ROUNDS):
            with self.stage("rewrite"):
                rewritten = self.rewrite(loaded, target)
            self.samples = self.sample(loaded, rewritten)
            with self.stage("emit"):
                emitted = self.emit(loaded, rewritten, folder, sofie)
            if not self.request.verify:
                self.skip("verify", "not asked for: the header was neither compiled nor run")
                return rewritten, emitted
            with self.stage("verify"):
                compiler = toolchain.find()
                diagnosis = diagnosis or Diagnosis(target, Locator(sofie, compiler))
                try:
                    self.verify(loaded, rewritten, emitted, compiler)
                except VerifyError as error:
                    found = diagnosis.work_round(error, rewritten, self.culprit())
                    if found:
                        self.report.notes.append(found)
                        self.summary, self.state = found, "again"
                        continue
                    if not (self.request.keep_going and isinstance(error, Mismatch)):
                        raise
                    self.report.error = error.as_json()
                    self.summary, self.state = error.finding.what, "failed"
            return rewritten, emitted
        raise VerifyError(
            f"SOFIE gets more than {ROUNDS} nodes of this model wrong", advice="report this with the model"
        )

    def _note_dtypes(self, loaded: Loaded, rewritten: Rewritten) -> None:
        """Say it where the header computes in another dtype than the model."""
        held = dtypes_of(loaded.model) & rewritten.in_float32
        if held:
            kinds = " and ".join(sorted(held))
            why = "at your wish" if self.request.float32 else "SOFIE has no other way"
            note = f"{kinds} runs in float32, inputs and outputs too ({why}); its numbers are held to the coarser dtype"
            self.report.notes = [*(n for n in self.report.notes if n != note), note]

    def emit(self, loaded: Loaded, rewritten: Rewritten, folder: Path, sofie: Sofie) -> Emitted:
        place, weights = destination(self.request, loaded.name), self.request.weights or "file"
        inline = self.request.inline_operators or self.request.to in ("project", "root", "rdf")  # which stand alone
        emitted = emit(
            rewritten.model, place.name, folder, sofie, weights=weights, root=place.root_file.name, inline=inline
        )
        self.tell(rewritten, emitted)
        return emitted

    def tell(self, rewritten: Rewritten, emitted: Emitted) -> None:
        self.report.name = emitted.named.name
        self.report.inputs, self.report.outputs = _ports(rewritten, emitted)
        size = emitted.header.stat().st_size
        held = f", {_size(emitted.weights.stat().st_size)} of weights" if emitted.weights else ""
        self.summary = f"{_size(size)} header{held}; SOFIE's shapes and types are ONNX's"
        notes = notes_on(rewritten.model, self.request.weights, self.framework)
        self.report.notes += [n for n in notes if n not in self.report.notes]

    def verify(self, loaded: Loaded, rewritten: Rewritten, emitted: Emitted, compiler: Toolchain) -> None:
        check_operators(rewritten.model, emitted, self.samples, compiler)
        seen = verify(
            loaded.model,
            rewritten.model,
            emitted,
            self.samples,
            compiler,
            framework=loaded.reference,
            rtol=self.request.rtol,
            atol=self.request.atol,
            layout=rewritten.layout.perms,
        )
        self.report.verification = seen
        if seen.failures:
            raise Mismatch("the header's numbers are not the reference's", findings=seen.failures)
        worst = max((m.absolute for m in seen.measured if m.edge.startswith("header")), default=0.0)
        framework = f" and {loaded.reference.name}" if loaded.reference else ""
        against = f"{seen.reference}{framework}, {len(seen.samples)} sets of inputs"
        self._note_zeros(loaded, rewritten, emitted, compiler)
        self.report.notes += [n for n in unseen_branches(rewritten.model, self.samples) if n not in self.report.notes]
        self.report.least = {emitted.named.symbols[s]: n for s, n in least_sizes(rewritten.model).items()}
        self.summary = f"right: max |difference| {worst:.2g} against {against}"

    def _note_zeros(self, loaded: Loaded, rewritten: Rewritten, emitted: Emitted, compiler: Toolchain) -> None:
        """Say it where the model itself takes an open dimension of the size zero, and the header does not."""
        layout = rewritten.layout.perms
        found = at_zero(loaded.model, rewritten.model, emitted, compiler, framework=loaded.reference, layout=layout)
        for symbol, why in found:
            if why:
                note = f"the header must not be called with {symbol} = 0, which the model itself takes: {why}"
                self.report.notes += [note] if note not in self.report.notes else []

    def bench(self, loaded: Loaded, rewritten: Rewritten, emitted: Emitted) -> None:
        """Time the header beside onnxruntime with all its optimisations, on the first inputs that were compared on."""
        ports = Ports(loaded.model, rewritten.model, rewritten.layout.perms)
        self.report.latency = latencies(loaded.model, emitted, ports, self.samples[0].arrays, toolchain.find())
        told = ", ".join(f"{who} {seconds * 1e6:.3g} us" for who, seconds in self.report.latency.items())
        self.summary = f"{told} a call, one thread"

    def functor(self, emitted: Emitted, folder: Path) -> None:
        """For RDataFrame; run against the header where that was itself found right, and ROOT is there."""
        name = destination(self.request, emitted.named.name).name
        compiler = toolchain.find() if self.report.verified else None
        made = write_functor(self.report, emitted, name, folder / FUNCTOR, compiler)
        self.summary = made.summary
        if made.unchecked:
            self.report.notes.append(f"{made.file.name} was neither compiled nor run: {made.unchecked}")

    def sample(self, loaded: Loaded, rewritten: Rewritten) -> list[Sample]:
        """Inputs to compare on, as the header takes them."""
        ports = Ports(loaded.model, rewritten.model, rewritten.layout.perms)
        given = [(name, ports.given(arrays)) for name, arrays in self._given(loaded)]

        def ask(arrays: Arrays) -> object:  # a session holds the weights: made only where a size is open
            return OnnxReference(rewritten.model)(arrays)

        size = fitting_size(rewritten.model, ask) if self.request.verify else SIZES[0]
        return [ports.rounded(sample) for sample in make_samples(rewritten.model, given, size)]

    def _given(self, loaded: Loaded) -> list[tuple[str, Arrays]]:
        given: list[tuple[str, Arrays]] = [(f"example {i}", a) for i, a in enumerate(loaded.examples)]
        if isinstance(self.request.samples, Path):
            return given + read_sets(self.request.samples)
        return given + ([("user", self.request.samples)] if self.request.samples else [])

    def culprit(self) -> Sample:
        """The inputs that show a fault best."""
        seen = self.report.verification
        return (seen.culprit if seen is not None and seen.failures else None) or self.samples[0]


def _ports(rewritten: Rewritten, emitted: Emitted) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    def port(info: onnx.ValueInfoProto) -> Port:
        kind = info.type.tensor_type
        dims = tuple(
            d.dim_value if d.HasField("dim_value") else emitted.named.symbols.get(d.dim_param, d.dim_param)
            for d in kind.shape.dim
        )
        return Port(
            info.name, emitted.named.tensors[info.name], str(helper.tensor_dtype_to_np_dtype(kind.elem_type)), dims
        )

    graph = rewritten.model.graph
    return tuple(map(port, graph.input)), tuple(map(port, graph.output))


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _peak() -> int:
    """Largest resident memory so far, in bytes, of this process or the largest of its children."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(k).ru_maxrss for k in kinds) * 1024
