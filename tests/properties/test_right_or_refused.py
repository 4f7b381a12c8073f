"""Random models through the pipeline: right or refused, never wrong.

Models of one to five nodes are drawn from ONNX's schemas (:mod:`random_models`) and sent through the pipeline
(:mod:`fates`). Each has one of these fates:

- *right*: the header's numbers are onnxruntime's on all inputs, those that verification takes and others;
- *refused*: a :class:`convert.errors.ConvertError` says which node has no way, and why;
- *unjudged*: the reference itself has no answer, so that verification refuses to call the header right;
- *caught*: rewriting ends in a header that is wrong or does not compile, and :func:`convert.convert` finds that out and
  refuses. The promise holds, since nothing leaves; it is a shortfall of rewriting all the same, and is counted;
- a *fault*: a wrong header was written ("wrong"); a rule or pass changed the numbers in onnxruntime ("rewritten to
  something else"), though verification sees that too; rewriting raised what is no ConvertError, or a ConvertError that
  only a rule can be to blame for ("raised"), ended its process ("died") or took for ever ("hung").

The test passes if there is no fault. What hypothesis draws and ONNX's own checker refuses is *discarded*.

The same models are drawn each time: :data:`MODELS` from seed 0. ``SOFIE_PROPERTY_SECONDS`` draws on until that many
seconds have passed instead, ``SOFIE_PROPERTY_SEED`` says where to begin; ``tox -e properties`` takes an hour and a seed
of its own. A fault is shrunk by hypothesis and shown as ONNX
text, to become a case of the rule that it concerns.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from random import SystemRandom
from time import monotonic

import numpy as np
import onnx
import onnx.parser
import pytest
from fates import GOOD, Fate, _answers, _compared, fates
from random_models import Candidate, draw_candidate, schemas, smallest

from rewrite.graph import OPSET
from sofie_bridge.batch import Ran

SECONDS = float(os.environ.get("SOFIE_PROPERTY_SECONDS", "0"))
SEED = os.environ.get("SOFIE_PROPERTY_SEED", "0")
#: Models that go through the pipeline together.
BATCH = 32
#: Models that are drawn at least, so that a fast machine and a slow one judge the same.
MODELS = 96
#: Seconds for making a fault small, and how many faults are.
SHRINKING, SHRUNK = 90.0, 5


@dataclass(frozen=True)
class Fault:
    """A model that is not right and was not refused."""

    seed: int
    model: onnx.ModelProto
    fate: Fate

    def __str__(self) -> str:
        return f"seed {self.seed}, {self.fate.outcome}: {self.fate.words}\n{onnx.printer.to_text(self.model)}"


@pytest.mark.slow
def test_right_or_refused() -> None:
    seed = SystemRandom().randrange(1 << 40) if SEED == "random" else int(SEED)
    print(f"SOFIE_PROPERTY_SEED={seed}")
    tally: Counter[str] = Counter()
    faults: list[Fault] = []
    start = monotonic()
    while tally.total() < MODELS or monotonic() < start + SECONDS:
        drawn = {k: draw_candidate(k).model for k in range(seed, seed + BATCH)}
        seed += BATCH
        models = {k: m for k, m in drawn.items() if m is not None}
        found = dict(zip(models, fates(list(models.values())), strict=True))
        tally.update(f.outcome for f in found.values())
        tally["discarded"] += len(drawn) - len(models)
        faults += [Fault(k, models[k], f) for k, f in found.items() if f.outcome not in GOOD]
        for k, fate in found.items():
            if fate.outcome == "caught":
                print(f"caught: {Fault(k, models[k], fate)}")
        print(f"{summary(tally)}; {60 * tally.total() / (monotonic() - start):.0f} a minute", flush=True)
    shrunk = [shrink(f) for f in faults[:SHRUNK]]
    assert not faults, "\n\n".join(map(str, [*shrunk, *faults[SHRUNK:]]))
    # a test that discards or refuses nearly all holds nothing
    assert tally["right"] > 0.4 * tally.total(), summary(tally)
    assert tally["discarded"] < 0.2 * tally.total(), summary(tally)


def summary(tally: Counter[str]) -> str:
    return ", ".join(f"{n} {outcome}" for outcome, n in tally.most_common())


def shrink(fault: Fault) -> Fault:
    """The smallest model that hypothesis finds, in a minute or two, with a fault of that kind."""
    end = monotonic() + SHRINKING
    seen: dict[bytes, Fate] = {fault.model.SerializeToString(): fault.fate}

    def fits(candidate: Candidate) -> bool:
        if candidate.model is None:
            return False
        key = candidate.model.SerializeToString()
        if key not in seen and monotonic() < end:
            (seen[key],) = fates([candidate.model])
        return key in seen and seen[key].outcome == fault.fate.outcome

    found = smallest(fault.seed, fits)
    if found is None or found.model is None:
        return fault
    return Fault(fault.seed, found.model, seen[found.model.SerializeToString()])


# ------------------------------------------------------------------------------------ the test's own parts


def test_a_seed_gives_the_same_model_each_time() -> None:
    assert [draw_candidate(k).text for k in range(5)] == [draw_candidate(k).text for k in range(5)]


def test_few_are_discarded_and_most_operators_drawn() -> None:
    drawn = [m for m in (draw_candidate(k).model for k in range(1000)) if m is not None]
    assert len(drawn) > 900
    operators = {n.op_type for m in drawn for n in m.graph.node}
    assert len(operators) > 0.95 * len(schemas())
    for model in drawn[:50]:
        onnx.checker.check_model(model, full_check=True)


def test_shrinking_keeps_what_is_looked_for() -> None:
    def has_relu(candidate: Candidate) -> bool:
        return candidate.model is not None and any(n.op_type == "Relu" for n in candidate.model.graph.node)

    seed = next(k for k in range(10_000) if has_relu(draw_candidate(k)))
    found = smallest(seed, has_relu)
    assert found is not None
    assert found.model is not None
    operators = [n.op_type for n in found.model.graph.node]
    # hypothesis draws constants of the modules that are imported: by them, one node may be left beside it
    assert "Relu" in operators
    assert len(operators) <= 2


def test_a_wrong_number_is_wrong() -> None:
    model = parsed("(float[2,3] x) => (float[2,3] y) { y = Exp(x) }")
    answers = _answers(model, model)
    outputs = [{"y": np.array(x.by["exported"]["y"])} for x in answers]
    assert _compared(model, model, list(answers), Ran("ran", outputs=[dict(o) for o in outputs])) == Fate("right")
    outputs[-1]["y"][1, 2] += 0.01
    assert _compared(model, model, list(answers), Ran("ran", outputs=outputs)).outcome == "differs"


def test_a_rule_that_changes_the_numbers_is_wrong() -> None:
    before, after = (parsed(f"(float[2,3] x) => (float[2,3] y) {{ y = {op}(x) }}") for op in ("Exp", "Tanh"))
    answers = _answers(before, after)
    ran = Ran("ran", outputs=[{"y": np.array(x.by["rewritten"]["y"])} for x in answers])
    found = _compared(before, after, answers, ran)
    assert found.outcome == "rewritten to something else"


def parsed(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": {OPSET}]> m {text}')
