"""Header to verdict: compile it, run it, and hold it against every reference there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx

from convert.errors import BadSamples, Finding
from sofie_bridge.compare import Comparison, Tolerance, compare
from sofie_bridge.domain import nan_inside
from sofie_bridge.emit import Emitted
from sofie_bridge.isolate import run_header
from sofie_bridge.noise import flushed, most, moves
from sofie_bridge.ports import Ports, Reference
from sofie_bridge.reference import OnnxReference
from sofie_bridge.samples import Array, Arrays, Sample
from sofie_bridge.spread import Spread, spreads
from sofie_bridge.toolchain import Toolchain

#: Share of elements that may stay undecided in inputs that must be judged.
UNDECIDED = 0.05

#: Who is compared with whom. The first three say who moved the numbers, the last three are the verdict.
EDGES = (
    ("exporter", "exported", "framework"),
    ("rules", "rewritten", "exported"),
    ("sofie", "header", "rewritten"),
    ("header vs exported", "header", "exported"),
    ("header vs framework", "header", "framework"),
)


@dataclass(frozen=True)
class Measured:
    """One output under one comparison: the worst over all samples."""

    output: str
    edge: str
    tolerance: Tolerance
    absolute: float
    relative: float
    wrong: int
    undecided: int
    elements: int
    worst: str
    problem: str = ""


@dataclass(frozen=True)
class Verification:
    """What verification saw.

    :param measured: per output and comparison.
    :param samples: names of the inputs compared on.
    :param left_out: inputs on which the reference itself cannot run, and why.
    :param failures: what is wrong; empty for a header that is right.
    :param spread: per output, how the header's numbers lie about the framework's, or else the exported model's.
    """

    measured: tuple[Measured, ...]
    samples: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]
    reference: str
    failures: tuple[Finding, ...]
    spread: tuple[Spread, ...] = ()
    #: The strict sample that shows the largest error, for locating; None where all is well.
    culprit: Sample | None = field(default=None, repr=False)


@dataclass
class _Answers:
    sample: Sample
    by: dict[str, Mapping[str, Array]] = field(default_factory=dict)
    moves: dict[str, Array | float] = field(default_factory=dict)
    noise: dict[str, Array | float] = field(default_factory=dict)
    flushed: dict[str, Array | float] = field(default_factory=dict)


def verify(
    exported: onnx.ModelProto,
    rewritten: onnx.ModelProto,
    emitted: Emitted,
    samples: Sequence[Sample],
    toolchain: Toolchain,
    *,
    framework: Reference | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    seconds: float = 600.0,
    layout: Mapping[str, Sequence[int]] | None = None,
) -> Verification:
    """Compile and run the header on all samples, and compare.

    :param layout: see :class:`sofie_bridge.ports.Ports`.
    :raises convert.errors.VerifyError: it does not compile, crashes, throws, hangs, or nothing can be compared on.
    """
    asked = ask(exported, rewritten, samples, framework=framework, layout=layout)
    inputs = {i.name: emitted.named.tensors[i.name] for i in rewritten.graph.input}
    outputs = {emitted.named.tensors[o.name]: o.name for o in rewritten.graph.output}
    runs = run_header(
        emitted.header,
        emitted.weights,
        [{inputs[n]: a for n, a in arrays.items() if n in inputs} for arrays in asked.inputs],
        toolchain=toolchain,
        optimise="-O2",
        includes=emitted.includes,
        time_limit=seconds,
        memory_limit=None,
    )
    return judge(asked, [{outputs[n]: a for n, a in run.items()} for run in runs], rtol=rtol, atol=atol)


@dataclass(frozen=True)
class Asked:
    """What the references answered, before the header has run."""

    rewritten: onnx.ModelProto
    ports: Ports
    answers: list[_Answers]
    left_out: list[tuple[str, str]]
    answered_by: str
    framework: bool

    @property
    def inputs(self) -> list[Arrays]:
        """What the header is to be run on, by ONNX name, in order."""
        return [x.sample.arrays for x in self.answers]


def ask(
    exported: onnx.ModelProto,
    rewritten: onnx.ModelProto,
    samples: Sequence[Sample],
    *,
    framework: Reference | None = None,
    layout: Mapping[str, Sequence[int]] | None = None,
) -> Asked:
    """Ask every reference on all samples; those that the exported model cannot run on are left out.

    :raises BadSamples: nothing is left that can be compared on, or the framework does not run.
    """
    ports = Ports(exported, rewritten, layout)
    answers = [_Answers(sample) for sample in samples]
    left_out: list[tuple[str, str]] = []
    # One after the other, and dropped: each holds the weights.
    original = OnnxReference(exported)
    answered_by = original.name
    _ask("exported", ports.asked(original), answers, left_out)
    del original
    flushes = bool(getattr(framework, "flushes", False))  # see converters.base.Reference
    _ask("rewritten", OnnxReference(rewritten), answers, left_out, moving=True, flushes=flushes)
    if framework is not None:
        _ask("framework", ports.asked(framework), answers, left_out)
    _check_left(answers, left_out)
    return Asked(rewritten, ports, answers, left_out, answered_by, framework is not None)


def judge(
    asked: Asked, runs: Sequence[Mapping[str, Array]], *, rtol: float | None = None, atol: float | None = None
) -> Verification:
    """Hold the header's answers against every reference's.

    :param runs: the header's outputs by ONNX name, one for each of ``asked.inputs``.
    """
    rewritten, ports, answers, left_out = asked.rewritten, asked.ports, asked.answers, asked.left_out
    for x, run in zip(answers, runs, strict=True):
        x.by["header"] = run

    def compared(answers: Sequence[_Answers]) -> list[Measured]:
        return [
            _measure(o.name, edge, value, reference, answers, ports.tolerance(o.name, edge, rtol, atol))
            for edge, value, reference in EDGES
            if reference != "framework" or asked.framework
            for o in rewritten.graph.output
        ]

    measured = compared(answers)
    if any(m.wrong for m in measured):
        for x in [x for x in answers if not x.sample.defined and any(m.wrong for m in compared([x]))]:
            why = nan_inside(rewritten, x.sample.arrays)
            if why:
                left_out.append((x.sample.name, f"{why}: inputs that the model is not for"))
                answers[:] = [a for a in answers if a is not x]
        _check_left(answers, left_out)
        measured = compared(answers)
    failures = tuple(f for m in measured for f in _judge(m))
    against = "framework" if asked.framework else "exported"
    pairs = [(x.by[against], x.by["header"]) for x in answers if x.sample.defined] or [
        (x.by[against], x.by["header"]) for x in answers
    ]
    return Verification(
        tuple(measured),
        tuple(x.sample.name for x in answers),
        tuple(left_out),
        asked.answered_by,
        failures,
        tuple(spreads([o.name for o in rewritten.graph.output], pairs)),
        next((x.sample for m in measured if m.wrong for x in answers if x.sample.name == m.worst), None),
    )


def _ask(
    name: str,
    reference: Reference,
    answers: list[_Answers],
    left_out: list[tuple[str, str]],
    *,
    moving: bool = False,
    flushes: bool = False,
) -> None:
    """Add a reference's answers; inputs that it does not take leave the list.

    :param moving: ask too how far they move with the inputs. :param flushes: and with subnormal numbers as zeros, for
        a framework that takes them so.
    :raises BadSamples: the framework does not take inputs that are given for it; invented ones may be none for it.
    """
    for x in list(answers):
        try:
            x.by[name] = reference(x.sample.arrays)
        except BadSamples as error:
            if name == "framework" and x.sample.defined:
                raise
            left_out.append((x.sample.name, error.finding.why))
            answers[:] = [a for a in answers if a is not x]
            continue
        if moving:
            x.moves = moves(reference, x.sample, x.by[name])
            x.noise = most(x.moves)
            x.flushed = flushed(reference, x.sample, x.by[name]) if flushes else {}


def _check_left(answers: Sequence[_Answers], left_out: Sequence[tuple[str, str]]) -> None:
    if not any(x.sample.typical for x in answers):
        raise BadSamples(
            "the model can be compared on none of the random inputs",
            why=left_out[0][1] if left_out else "there are none",
            advice="give inputs of your own with --inputs data.npz",
        )


def _measure(
    output: str,
    edge: str,
    value: str,
    reference: str,
    answers: Sequence[_Answers],
    tolerance: Tolerance,
) -> Measured:
    """The worst comparison of one output over all samples; shares are of the user's, or of the random ones."""
    worst: tuple[tuple[bool, int, bool, float], str, Comparison] | None = None
    undecided = elements = wrong = 0
    invented = not any(x.sample.defined for x in answers)  # else the user's inputs say how much can be judged
    for x in answers:
        expected = np.asarray(x.by[reference][output])
        seen = compare(
            np.asarray(x.by[value][output]),
            expected,
            tolerance,
            np.maximum(x.noise[output], x.flushed.get(output, 0)) if reference == "framework" else x.noise[output],
            moves=x.moves[output],
            strict=x.sample.strict,
            defined=x.sample.defined,
        )
        wrong += seen.wrong
        if x.sample.typical and x.sample.defined is not invented:
            undecided += seen.undecided
            elements += seen.elements
        rank = (bool(seen.problem), seen.wrong, x.sample.strict, seen.absolute)
        if worst is None or rank > worst[0]:
            worst = (rank, x.sample.name, seen)
    assert worst is not None
    _, name, seen = worst
    return Measured(
        output, edge, tolerance, seen.absolute, seen.relative, wrong, undecided, elements, name, seen.problem
    )


def _judge(measured: Measured) -> list[Finding]:
    where = f"output {measured.output!r}, {measured.edge}"
    if measured.problem:
        return [Finding(measured.problem, where, f"inputs {measured.worst!r}")]
    if measured.wrong:
        size = f"max |difference| {measured.absolute:.3g}, relative {measured.relative:.3g}"
        limit = f"rtol {measured.tolerance.rtol:g}, atol {measured.tolerance.atol:g}"
        return [Finding(f"{measured.wrong} elements differ", where, f"{size} on inputs {measured.worst!r} ({limit})")]
    if measured.undecided > UNDECIDED * measured.elements:
        share = measured.undecided / measured.elements
        return [
            Finding(
                f"{share:.0%} of the elements cannot be judged",
                where,
                "the model itself moves by more than the tolerance when its inputs move by four units in the last "
                "place",
                "give inputs as they occur with --inputs data.npz, or a tolerance that the model can hold with "
                "--rtol/--atol",
            )
        ]
    return []
