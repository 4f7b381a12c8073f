"""What becomes of cases in the pipeline, many at a time.

As :func:`convert.pipeline.run` does it: load, rewrite, measure, emit, compile, run and compare, but with one
translation unit for all headers, since almost all of the time goes into compiling. What does not come out right goes
through :func:`convert.convert` itself, which may learn of it and find another way, and whose word is final.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from tempfile import TemporaryDirectory

import numpy as np
import onnx

import converters
from convert.api import convert
from convert.errors import ConvertError, Finding, LoadError, Mismatch, NotConverging, RewriteError, WrongRewrite
from convert.sweep.case import BATCH, Case, Made
from converters.base import Loaded, LoadOptions
from converters.quiet import Attempt, quietly, reason
from rewrite.api import REVIEWS, Rewritten, rewrite_model
from sofie_bridge.batch import Piece, Ran, run_pieces
from sofie_bridge.ports import Ports
from sofie_bridge.reference import OnnxReference
from sofie_bridge.samples import Arrays, fitting_size, make_samples
from sofie_bridge.sofie import Sofie
from sofie_bridge.stages.library import Library
from sofie_bridge.target import SofieTarget
from sofie_bridge.toolchain import find
from sofie_bridge.verify import Asked, ask, judge

#: "refused": before anything was emitted, with a reason; "wrong": a header's numbers are not the framework's, which
#: verification caught; "error": anything else, a crash or what was thought legal and is not.
OUTCOMES = ("right", "refused", "wrong", "error")


@dataclass(frozen=True)
class Fate:
    """What became of a case one way, and who said what."""

    outcome: str
    words: str = ""


@dataclass(frozen=True)
class Result:
    """What became of a case.

    :param open: with the batch open, as the model has it. :param fixed: with a fixed one; where the open one is not
        right alone.
    """

    open: Fate
    fixed: Fate | None = None

    @property
    def outcome(self) -> str:
        """The better of both; but what is wrong or an error one way is so."""
        if self.fixed is None or self.open.outcome in ("wrong", "error"):
            return self.open.outcome
        return self.fixed.outcome

    @property
    def words(self) -> str:
        """The reason, where it is not right."""
        return (
            ""
            if self.outcome == "right"
            else (self.open if self.fixed is None else self.fixed).words or self.open.words
        )


@dataclass
class _Run:
    """A case on its way."""

    case: Case
    made: Made
    batch: int | None
    loaded: Loaded | None = None
    rewritten: Rewritten | None = None
    asked: Asked | None = None
    fate: Fate | None = None
    options: LoadOptions = field(init=False)

    def __post_init__(self) -> None:
        made = self.made
        inputs = made.inputs
        if self.batch is not None:
            inputs = tuple(replace(s, shape=tuple(self.batch if d == "N" else d for d in s.shape)) for s in inputs)
        self.options = LoadOptions(inputs=inputs, example=made.example, batch=self.batch, allow_code=True)


#: Told what is being done, before it is done, and with which case; None: with all.
Tell = Callable[[str, Case | None], None]


def results(cases: Sequence[Case], sofie: Sofie, tell: Tell, *, quick: bool = False) -> list[Result]:
    """The result of each.

    :param quick: leave out the second look.
    """
    made: list[Made | Fate] = []
    for case in cases:
        tell("making it", case)
        with quietly(), Attempt() as attempt:
            made.append(case.make())
        if attempt.error is not None:
            made.append(Fate("error", f"the case itself: {reason(attempt.error)}"))
    opened = _fates(cases, made, None, sofie, tell, quick=quick)
    again = [k for k, f in enumerate(opened) if f.outcome != "right" and not cases[k].refuses]
    fates = _fates([cases[k] for k in again], [made[k] for k in again], BATCH, sofie, tell, quick=quick)
    fixed = dict(zip(again, fates, strict=True))
    return [Result(_expected(c, opened[k]), fixed.get(k)) for k, c in enumerate(cases)]


def _expected(case: Case, fate: Fate) -> Fate:
    """A refusal that is to be has to say why."""
    if fate.outcome == "refused" and case.refuses not in fate.words:
        return Fate("error", f"refused, and not for {case.refuses!r}: {fate.words}")
    return fate


def _fates(
    cases: Sequence[Case], made: Sequence[Made | Fate], batch: int | None, sofie: Sofie, tell: Tell, *, quick: bool
) -> list[Fate]:
    fates: dict[int, Fate] = {k: m for k, m in enumerate(made) if isinstance(m, Fate)}
    runs = {k: _Run(cases[k], m, batch) for k, m in enumerate(made) if isinstance(m, Made)}
    for run in runs.values():
        tell("loading", run.case)
        _attempt(run, _load)
    _rewrite(list(runs.values()), SofieTarget(sofie), tell)
    for run in runs.values():
        tell("asking the references", run.case)
        _attempt(run, _ask)
    tell("compiling and running", None)
    ready = {f"p{k}": run for k, run in runs.items() if run.fate is None and run.asked is not None}
    pieces = [Piece(name, r.asked.rewritten, r.asked.inputs) for name, r in ready.items() if r.asked is not None]
    for piece, ran in run_pieces(pieces, sofie, find()):
        ready[piece.name].fate = _judged(ready[piece.name], ran)
    for k, run in runs.items():
        first = run.fate or Fate("error", "lost on its way")
        again = first.outcome in ("wrong", "error") and run.asked is not None
        if again and not quick:
            tell("converting", run.case)
            first = _second_look(run, first)
        fates[k] = first
    return [fates[k] for k in range(len(cases))]


def _attempt(run: _Run, step: Callable[[_Run], None]) -> None:
    """A step of a case that is still on its way; what is raised is its fate."""
    if run.fate is not None:
        return
    try:
        with Attempt() as attempt:
            step(run)
    except ConvertError as error:
        run.fate = _refusal(error)
        return
    if attempt.error is not None:
        run.fate = Fate("error", reason(attempt.error))


def _refusal(error: ConvertError) -> Fate:
    words = f"{type(error).__name__}: {' '.join(str(error).split())}"
    refused = isinstance(error, LoadError | RewriteError) and not isinstance(error, NotConverging | WrongRewrite)
    wrong = isinstance(error, Mismatch) and any(_differs(f) for f in error.findings)
    return Fate("refused" if refused else "wrong" if wrong else "error", words)


def _differs(failure: Finding) -> bool:
    """Is it a difference? Numbers that cannot be judged are none."""
    return "cannot be judged" not in failure.what


def _load(run: _Run) -> None:
    run.loaded = converters.load(run.made.model, run.options)


def _rewrite(runs: Sequence[_Run], target: SofieTarget, tell: Tell) -> None:
    """As the pipeline does; but what is measured of all models is measured at once, until nothing new is wrong."""
    for _ in range(REVIEWS):
        probes: list[onnx.ModelProto] = []

        def collect(given: Iterable[onnx.ModelProto], into: list[onnx.ModelProto] = probes) -> bool:
            into.extend(given)
            return False

        def rewrite(run: _Run, review: Callable[[Iterable[onnx.ModelProto]], bool] = collect) -> None:
            assert run.loaded is not None
            run.rewritten = rewrite_model(run.loaded.model, target, review=review, library=Library())

        for run in runs:
            tell("rewriting", run.case)
            _attempt(run, rewrite)
        tell("measuring nodes", None)
        if not target.review(probes):
            return


def _ask(run: _Run) -> None:
    assert run.loaded is not None
    assert run.rewritten is not None
    model = run.rewritten.model
    ports = Ports(run.loaded.model, model)

    def reference(arrays: Arrays) -> object:
        return OnnxReference(model)(arrays)

    given = [("of the case", ports.given(run.made.samples))] if run.made.samples else []
    samples = [ports.rounded(s) for s in make_samples(model, given, fitting_size(model, reference))]
    run.asked = ask(run.loaded.model, model, samples, framework=run.loaded.reference)


def _judged(run: _Run, ran: Ran) -> Fate:
    if ran.outcome != "ran" or run.asked is None:
        outcome = "refused by SOFIE" if ran.outcome == "refused" else ran.outcome
        return Fate("error", f"{outcome}: {' '.join(ran.words.split())[:400]}")
    # flat, as the code gave them; a size that is wrong stays so for the comparison
    for x, outputs in zip(run.asked.answers, ran.outputs, strict=True):
        for name, array in x.by["rewritten"].items():
            if outputs[name].size == np.asarray(array).size:
                outputs[name] = outputs[name].reshape(np.shape(array))
    try:
        failures = judge(run.asked, ran.outputs).failures
    except ConvertError as error:
        return _refusal(error)
    words = "; ".join(" ".join(str(f).split()) for f in failures)
    return Fate("wrong" if any(map(_differs, failures)) else "error" if failures else "right", words)


def _second_look(run: _Run, first: Fate) -> Fate:
    """The pipeline itself, with its own way of compiling."""
    made, options = run.made, run.options
    with TemporaryDirectory(prefix="sofie-sweep-") as folder:
        try:
            with Attempt() as attempt:
                convert(
                    made.model, output=folder, inputs=options.inputs, example=options.example, batch=options.batch,
                    samples=made.samples or None, allow_code=True,
                )  # fmt: skip
        except ConvertError as error:
            again = _refusal(error)
            return again if again.outcome == "refused" else Fate(again.outcome, f"{again.words} (first: {first.words})")
    if attempt.error is not None:
        return Fate("error", reason(attempt.error))
    return Fate("right")
