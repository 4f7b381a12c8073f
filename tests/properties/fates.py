"""What becomes of models in the pipeline, a batch at a time.

A batch is rewritten, measured node by node, emitted, compiled and run in one go, in a process of its own: the reference
ends its process where integers are divided by zero. The comparison is that of :mod:`sofie_bridge.verify`, on its inputs
and on others besides. What does not come out right goes through :func:`convert.convert` itself, whose word is final.
"""

from __future__ import annotations

import resource
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from tempfile import TemporaryDirectory
from types import TracebackType

import numpy as np
import onnx

from convert import convert
from convert.errors import BadSamples, ConvertError, Finding, NotConverging, WrongRewrite
from rewrite.api import REVIEWS, Rewritten, rewrite_model
from rewrite.passes.run_in_float32 import dtypes_of
from sofie_bridge.batch import Piece, Ran, run_pieces
from sofie_bridge.ports import Ports
from sofie_bridge.reference import OnnxReference
from sofie_bridge.samples import SEED, Sample, fitting_size, make_samples
from sofie_bridge.sofie import Sofie
from sofie_bridge.target import SofieTarget
from sofie_bridge.toolchain import find
from sofie_bridge.verify import EDGES, _Answers, _ask, _check_left, _judge, _measure

#: What a model may end as. "unjudged": the reference has no answer to hold a header against. "caught": the header was
#: wrong, and verification refuses it.
GOOD = ("right", "refused", "unjudged", "caught")
#: Bytes and seconds for a batch.
MEMORY = 6 << 30
SECONDS = 900.0
#: Comparisons with the framework there is none of; those that are left.
COMPARED = [e for e in EDGES if e[2] != "framework"]


@dataclass(frozen=True)
class Fate:
    """One of :data:`GOOD`, or a fault: "wrong", "rewritten to something else", "raised", "died", "hung".

    :param words: who said what.
    """

    outcome: str
    words: str = ""


def fates(models: Sequence[onnx.ModelProto]) -> list[Fate]:
    """The fate of each. A batch that ends its process is halved, until it is known whose doing it was."""
    receiver, sender = get_context("spawn").Pipe(duplex=False)
    process = get_context("spawn").Process(target=_child, args=(sender, [m.SerializeToString() for m in models]))
    process.start()
    sender.close()
    told: list[Fate] | str = "nothing"
    hung = False
    try:
        while not isinstance(told, list):
            hung = not receiver.poll(SECONDS)
            if hung:
                process.kill()
                break
            told = receiver.recv()
    except EOFError:
        pass
    process.join()
    receiver.close()
    if isinstance(told, list):
        return told
    if told == "nothing" and not hung:
        raise RuntimeError(f"the process did not begin: exit code {process.exitcode}")
    if len(models) > 1:
        half = len(models) // 2
        return [*fates(models[:half]), *fates(models[half:])]
    if hung:
        return [Fate("hung", f"more than {SECONDS:g} s in {told}")]
    ending = f"{told} ended the process, exit code {process.exitcode}"
    return [Fate("unjudged" if told == "the reference" else "died", ending)]


def _child(sender: Connection, given: Sequence[bytes]) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    models = [onnx.ModelProto.FromString(m) for m in given]
    with Sofie() as sofie:
        found = _first_look(models, sofie, sender.send)
        for k, model in enumerate(models):
            if found[k].outcome not in GOOD:
                found[k] = _second_look(model, found[k], sofie, sender.send)
    sender.send(found)


def _first_look(models: Sequence[onnx.ModelProto], sofie: Sofie, tell: Callable[[str], None]) -> list[Fate]:
    found: dict[int, Fate] = {}
    ready: dict[int, tuple[onnx.ModelProto, list[_Answers]]] = {}
    for k, result in enumerate(_rewritten(models, SofieTarget(sofie), tell)):
        if isinstance(result, Fate):
            found[k] = result
            continue
        tell("the reference")
        try:
            ready[k] = result.model, _answers(models[k], result.model)
        except BadSamples as error:
            found[k] = Fate("unjudged", " ".join(str(error).split()))
    tell("running")
    pieces = [Piece(f"p{k}", m, [x.sample.arrays for x in answers]) for k, (m, answers) in ready.items()]
    for piece, ran in run_pieces(pieces, sofie, find()):
        k = int(piece.name[1:])
        found[k] = _compared(models[k], *ready[k], ran)
    return [found[k] for k in range(len(models))]


def _rewritten(
    models: Sequence[onnx.ModelProto], target: SofieTarget, tell: Callable[[str], None]
) -> list[Rewritten | Fate]:
    """As the pipeline rewrites, but what it measures of all models is measured at once, until nothing new is wrong."""
    results: list[Rewritten | Fate] = []
    for _ in range(REVIEWS):
        tell("rewriting")
        asked: list[onnx.ModelProto] = []
        results = [_one_rewritten(model, target, asked) for model in models]
        tell("the reference")
        if not target.review(asked):
            break
    return results


def _one_rewritten(model: onnx.ModelProto, target: SofieTarget, asked: list[onnx.ModelProto]) -> Rewritten | Fate:
    def collect(probes: Iterable[onnx.ModelProto]) -> bool:
        asked.extend(probes)
        return False

    with _Anything() as held:
        return rewrite_model(model, target, review=collect)
    return _fate_of(held.error)


class _Anything(AbstractContextManager["_Anything"]):
    """Holds what is raised inside, whatever it is: here each exception is a finding."""

    error: Exception

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, Exception):
            self.error = error
        return isinstance(error, Exception)


def _fate_of(error: Exception) -> Fate:
    if isinstance(error, ConvertError) and not isinstance(error, NotConverging | WrongRewrite):
        words = " ".join(str(error).split())
        return Fate("refused" if words else "raised", f"{type(error).__name__}: {words}")
    return Fate("raised", "".join(traceback.format_exception(error)[-4:]))


def _answers(exported: onnx.ModelProto, rewritten: onnx.ModelProto) -> list[_Answers]:
    """Inputs, and what the exported and the rewritten model give in the reference.

    Beyond the inputs of verification there are others, so that the test does not believe what verification believes.
    Infinities are not among them: 0 times infinity tells expressions apart that are equal for numbers.
    """
    ports = Ports(exported, rewritten)
    original, changed = OnnxReference(exported), OnnxReference(rewritten)
    samples = [*make_samples(rewritten, size=fitting_size(rewritten, changed)), *_others(rewritten)]
    answers = [_Answers(ports.rounded(s)) for s in samples]
    left_out: list[tuple[str, str]] = []
    _ask("exported", ports.asked(original), answers, left_out)
    _ask("rewritten", changed, answers, left_out, moving=True)
    _check_left(answers, left_out)
    return answers


def _others(model: onnx.ModelProto) -> Iterable[Sample]:
    """The first inputs again, their floats drawn anew, wider."""
    generator = np.random.default_rng(SEED + 1)
    arrays = {
        n: np.asarray(generator.uniform(-2, 2, a.shape), a.dtype) if a.dtype.kind == "f" else a
        for n, a in make_samples(model)[0].arrays.items()
    }
    yield Sample("others", arrays)


def _compared(exported: onnx.ModelProto, rewritten: onnx.ModelProto, answers: list[_Answers], ran: Ran) -> Fate:
    if ran.outcome != "ran":
        return Fate("unemitted" if ran.outcome == "refused" else ran.outcome, " ".join(ran.words.split())[:400])
    ports = Ports(exported, rewritten)
    for x, outputs in zip(answers, ran.outputs, strict=True):
        for name, array in x.by["rewritten"].items():
            if outputs[name].size == np.asarray(array).size:
                outputs[name] = outputs[name].reshape(np.shape(array))
        x.by["header"] = outputs
    said: list[Finding] = []
    for edge, value, reference in COMPARED:
        for output in rewritten.graph.output:
            tolerance = ports.tolerance(output.name, edge)
            said += _judge(_measure(output.name, edge, value, reference, answers, tolerance))
    words = "; ".join(" ".join(str(f).split()) for f in said)
    wrong = [f for f in said if "cannot be judged" not in f.what]
    if any(f.where.endswith(", rules") for f in wrong) and _is_exact(exported, rewritten):
        return Fate("rewritten to something else", words)
    return Fate("differs" if wrong else "unjudged" if said else "right", words)


def _is_exact(exported: onnx.ModelProto, rewritten: onnx.ModelProto) -> bool:
    """Can only a rule or a pass be to blame for a difference in the references?

    Not where they are two programs, onnxruntime and ONNX's own evaluator, and not where 16 bits round off between two
    nodes what float32 in their stead does not. Verification sees the difference all the same.
    """
    same = OnnxReference(exported).name == OnnxReference(rewritten).name
    return same and not dtypes_of(exported) & {"float16", "bfloat16"}


def _second_look(model: onnx.ModelProto, first: Fate, sofie: Sofie, tell: Callable[[str], None]) -> Fate:
    """What the pipeline itself makes of a model that is not right; it may learn of it, and find another way."""
    if first.outcome in ("raised", "rewritten to something else"):
        return first
    tell("converting")
    with TemporaryDirectory(prefix="sofie-property-") as folder, _Anything() as held:
        convert(model, output=folder)
        again = _first_look([model], sofie, tell)[0]
        return again if again.outcome in GOOD else Fate("wrong", f"written, though {again.outcome}: {again.words}")
    fate = _fate_of(held.error)
    return Fate("caught", f"{first.outcome}: {first.words}; {fate.words}") if fate.outcome == "refused" else fate
