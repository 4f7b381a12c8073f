"""ONNX's own operator tests through the pipeline: ``python -m convert.conformance``.

Each of the onnx package's node tests is rewritten, emitted, compiled and run, and its outputs held against those that
the package ships: once with every input at run time, once with all inputs but the first as constants, as models have
them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx

from convert.errors import BadSamples, ConvertError
from rewrite.api import Review, rewrite_model
from sofie_bridge.batch import CHUNK, Piece, Ran, run_pieces
from sofie_bridge.compare import compare
from sofie_bridge.grid import Case, node_cases, with_constants
from sofie_bridge.ports import Ports
from sofie_bridge.reference import OnnxReference
from sofie_bridge.sofie import Sofie
from sofie_bridge.stages.library import Library
from sofie_bridge.target import SofieTarget
from sofie_bridge.toolchain import find

if TYPE_CHECKING:
    from sofie_bridge.samples import Array, Arrays

#: The dtypes that most models are made of; the tests of these alone are counted apart.
COMMON = {getattr(onnx.TensorProto, n) for n in ("FLOAT", "DOUBLE", "INT32", "INT64", "BOOL")}

#: How a test's inputs are given: all but the first as constants of the model, or every one at run time.
WAYS = ("constants", "run time")


@dataclass(frozen=True)
class Result:
    """How one test fared: "right", "refused", or what must not be: "wrong", "uncompilable", "crashed", "died"."""

    name: str
    common: bool
    outcome: str
    words: str = ""


def run(cases: Sequence[Case], *, constants: bool, sofie: Sofie) -> Iterator[Result]:
    """All cases, a chunk at a time. What does not come out right is tried again with each of its nodes measured."""
    target = SofieTarget(sofie)
    again = []
    for result, case in _pass(cases, target, None, constants=constants, sofie=sofie):
        if result.outcome in ("right", "refused"):
            yield result
        else:
            again.append(case)
    for result, _ in _pass(again, target, target.review, constants=constants, sofie=sofie):
        yield result


def _pass(
    cases: Sequence[Case], target: SofieTarget, review: Review | None, *, constants: bool, sofie: Sofie
) -> Iterator[tuple[Result, Case]]:
    for start in range(0, len(cases), CHUNK):
        ready: dict[str, tuple[Case, Piece]] = {}
        for k, case in enumerate(cases[start : start + CHUNK]):
            model = with_constants(case.model, case.inputs) if constants else case.model
            try:
                rewritten = rewrite_model(model, target, review=review, library=Library())
            except ConvertError as error:
                yield Result(case.name, _common(case), "refused", " ".join(str(error).split())[:300]), case
                continue
            given = Ports(case.model, rewritten.model).given(_arrays(case))
            names = {i.name for i in rewritten.model.graph.input}
            ready[f"p{k}"] = case, Piece(f"p{k}", rewritten.model, [{n: a for n, a in given.items() if n in names}])
        for piece, ran in run_pieces([p for _, p in ready.values()], sofie, find()):
            case = ready[piece.name][0]
            outcome, words = _judge(case, piece.model, ran)
            yield Result(case.name, _common(case), outcome, words), case


def _common(case: Case) -> bool:
    return all(i.type.tensor_type.elem_type in COMMON for i in (*case.model.graph.input, *case.model.graph.output))


def _arrays(case: Case) -> dict[str, Array]:
    return {i.name: a for i, a in zip(case.model.graph.input, case.inputs, strict=False)}


def _judge(case: Case, rewritten: onnx.ModelProto, ran: Ran) -> tuple[str, str]:
    """Against the numbers that the test ships with.

    Some are printed with a few digits only. Where onnxruntime's own answer is the test's within the test's own
    tolerance, that answer stands for them, and is held to ours.
    """
    if ran.outcome != "ran":
        return ran.outcome, ran.words
    shipped = {o.name: a for o, a in zip(case.model.graph.output, case.outputs, strict=False)}
    ports = Ports(case.model, rewritten)
    words = _differences(ran.outputs[0], shipped, ports)
    if words:
        try:
            exact = OnnxReference(case.model)(_arrays(case))
        except BadSamples:
            return "wrong", words
        within = all(np.allclose(exact[n], a, case.rtol, case.atol, equal_nan=True) for n, a in shipped.items())
        words = _differences(ran.outputs[0], exact, ports) if within else words
    return ("wrong", words) if words else ("right", "")


def _differences(outputs: Arrays, expected: Arrays, ports: Ports) -> str:
    for name, array in expected.items():
        value = outputs[name]
        if value.size != array.size:
            return f"{name}: {value.size} elements instead of {array.size}"
        reference = array.astype(value.dtype) if ports.in_float32(name) else array
        seen = compare(value.reshape(array.shape), reference, ports.tolerance(name, "header vs exported"))
        if not seen.good:
            return f"{name}: {seen.words}"
    return ""


def summary(results: Sequence[Result]) -> str:
    """One line: counts of outcomes, and the share that is right, of all and of the common dtypes."""
    counts = Counter(r.outcome for r in results)
    common = [r for r in results if r.common]
    groups = ((common, "of float32, float64, int32, int64, bool"), (results, "of numbers"))
    shares = [f"{np.mean([r.outcome == 'right' for r in rs]):.1%} of {len(rs)} {what}" for rs, what in groups if rs]
    return f"right: {', '.join(shares)}; " + ", ".join(f"{n} {o}" for o, n in counts.most_common())


def main() -> int:
    """Run both ways, print the summaries; 1 if anything is wrong, does not compile or crashes."""
    p = argparse.ArgumentParser(prog="python -m convert.conformance", description=__doc__.splitlines()[0])
    p.add_argument("--only", default="", help="tests whose name has this in it")
    p.add_argument("--way", choices=WAYS, action="append", help="only this way of giving the inputs (both)")
    p.add_argument("--json", type=Path, help="write every result")
    options = p.parse_args()
    cases = [c for c in node_cases() if options.only in c.name]
    bad = 0
    told: dict[str, list[dict[str, str]]] = {}
    with Sofie() as sofie:
        for way in options.way or WAYS:
            results = []
            for result in run(cases, constants=way == "constants", sofie=sofie):
                results.append(result)
                if result.outcome not in ("right", "refused"):
                    bad += 1
                    sys.stderr.write(
                        f"\r{way}: {result.outcome} {result.name}: {' '.join(result.words.split())[:160]}\n"
                    )
                sys.stderr.write(f"\r{way}: {len(results)} of {len(cases)}")
            sys.stderr.write("\n")
            sys.stdout.write(f"{way}: {summary(results)}\n")
            told[way] = [{"name": r.name, "outcome": r.outcome, "words": r.words} for r in results]
    if options.json:
        options.json.write_text(json.dumps(told, indent=1))
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
