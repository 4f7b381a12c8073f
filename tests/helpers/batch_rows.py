"""Results of a batch that never ran: every status, and text that nobody should trust. Seeded."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from convert.batch.compare import Changes, compare
from convert.batch.row import SCHEMA, Results, Row, Status

#: Names and words that break what does not escape them.
NASTY = (
    "</script><script>alert(1)</script>", "a\"b'c&d<e>", "πρότυπο_モデル_🙂", "pipe|tick`star*", "[link](javascript:alert(1))",
    "turned\u202eback", "esc\x1b[31mred", "half\ud800", "<!--<script>", "@someone #1", "]]>", "</script x><img src=x>", "a\u2028b", "__proto__",
)  # fmt: skip
VERSIONS = {"sofie-convert": "0.1.0", "sofie": "0.1.0", "onnx": "1.23.0", "onnxruntime": "1.25.1", "torch": "2.13.0"}
_RULES = (
    ("celu_to_elu", "Celu", "Div Elu Mul"),
    ("einsum_to_matmul", "Einsum", "Transpose MatMul"),
    ("clip_to_relu", "Clip", "Relu"),
)
_TAGS = ("hep", "keras", "torch", "onnx-light", "rnn", "calorimeter")
_EDGES = ("exporter", "rules", "sofie", "header vs exported", "header vs framework")


def error(output: str, edge: str, absolute: float | str, relative: float | str = 0.0, **others: Any) -> dict[str, Any]:
    """One comparison, at float32's tolerance."""
    return {
        "output": output, "edge": edge, "tolerance": {"rtol": 1e-4, "atol": 1e-5}, "absolute": absolute,
        "relative": relative, "wrong": 0, "undecided": 0, "elements": 1280, "worst": "random 0", "problem": "",
    } | others  # fmt: skip


def stages(chance: random.Random, *, end: str = "") -> tuple[dict[str, Any], ...]:
    """Those of a conversion, up to where it failed."""
    told = []
    for name, summary in (("load", "torch.export, 42 nodes by torch.onnx"), ("rewrite", "42 nodes: 30 taken as they are"),
                          ("emit", "612 lines"), ("verify", "12 samples, all agree"), ("write", "2 files")):  # fmt: skip
        state = "failed" if name == end else "done"
        told.append({"name": name, "state": state, "seconds": round(chance.lognormvariate(0, 1.2), 4), "summary": summary,
                     "peak_memory": chance.randrange(200, 900) * 2**20})  # fmt: skip
        if name == end:
            break
    return tuple(told)


def converted(name: str, chance: random.Random | None = None, **others: Any) -> Row:
    """One that came through, with all that is measured."""
    chance = chance or random.Random(ascii(name))
    outputs = ["y", "scores"][: chance.choice((1, 1, 2))]
    small = [round(chance.lognormvariate(-15, 1.5), 12) for _ in _EDGES]
    lo, hi = chance.choice(((-3.0, 3.0), (1e-7, 1.0), (0.0, 400.0)))
    points = [10 ** chance.uniform(-7, 0) if lo == 1e-7 else chance.uniform(lo, hi) for _ in range(200)]
    ran = stages(chance)
    row = Row(
        name=name, source=f"models/{name}.pt2", status="converted", stage="done", key=f"{chance.getrandbits(64):x}",
        tags=tuple(sorted(chance.sample(_TAGS, chance.choice((0, 1, 2))))), kind="torch.export", exporter="torch.onnx",
        inputs=({"name": "x", "cpp": "x", "dtype": "float32", "shape": ["N", 7]},),
        outputs=tuple({"name": o, "cpp": o, "dtype": "float32", "shape": ["N", 10]} for o in outputs),
        operators={"before": {"Gemm": 4, "Celu": 3, "Einsum": 1}, "native": {"Gemm": 4},
                   "after": {"Gemm": 4, "Elu": 3, "Div": 3, "Mul": 3, "MatMul": 1}},
        rewrites=tuple({"rule": r, "before": b, "after": a, "count": chance.randrange(1, 5)} for r, b, a in _RULES),
        errors=tuple(error(o, e, s, s * 3) for o in outputs for e, s in zip(_EDGES, small, strict=True)),
        spread=tuple({"output": o, "points": [(p, p * (1 + 1e-6)) for p in points],
                      "histogram": [chance.randrange(400), 12, 40, 300, 410, 96, 20, 2, 0, 0, 0, 0, 0, 0]} for o in outputs),
        stages=ran, seconds=round(sum(s["seconds"] for s in ran) + 1.2, 3), peak_memory=max(s["peak_memory"] for s in ran),
        sizes={"header": chance.randrange(8_000, 90_000), "weights": chance.randrange(10_000, 80_000_000)},
        hashes={"source": "5e" * 32, "header": "a7" * 32},
        latency={"header": chance.lognormvariate(-10, 1), "onnxruntime": chance.lognormvariate(-9.5, 1)},
        notes=("the batch is open: N",), files=(f"{name}.hxx", f"{name}.dat"), versions=VERSIONS,
    )  # fmt: skip
    return replace(row, **others)


def ended(name: str, status: Status, chance: random.Random | None = None, **others: Any) -> Row:
    """One that did not come through."""
    chance = chance or random.Random(ascii(name))
    kinds: dict[Status, tuple[str, str, str, dict[str, Any] | None]] = {
        "refused": ("rewrite", "IllegalOperators", "IllegalOperators: NonMaxSuppression", {
            "what": "2 nodes have no way", "advice": "cut the model before NonMaxSuppression, and run it in your own code",
            "findings": [
                {"what": f"NonMaxSuppression(nms_{k}) has no way", "where": f"detector.py:{40 + k}",
                 "why": "SOFIE: operator NonMaxSuppression is not supported", "advice": "write a translation of your own"}
                for k in range(2)]}),
        "wrong": ("verify", "Mismatch", "Mismatch: the header's numbers differ", {
            "what": "the header's numbers differ", "where": "output y", "why": "max |difference| 0.31 in 12 of 1280 elements"}),
        "failed": ("verify", "CompileFailed", "CompileFailed: the header does not compile", {
            "what": "the header does not compile", "why": "error: 'tensor_x' was not declared in this scope"}),
        "crashed": ("emit", "", "signal 11 in emit", {"what": "its process was ended by signal 11 (SIGSEGV)"}),
        "timed out": ("verify", "", "time limit in verify", {"what": "it took more than 600 s"}),
        "out of memory": ("load", "", "memory limit in load", {"what": "it took more than 8 GiB"}),
        "skipped": ("load", "", "needs tensorflow", None),
    }  # fmt: skip
    stage, kind, cause, said = kinds[status]
    told = (
        None
        if said is None
        else {"kind": kind, "stage": stage, "where": "", "why": "", "advice": "", "findings": [], **said}
    )
    ran = stages(chance, end=stage) if status != "skipped" else ()
    row = Row(
        name=name, source=f"models/{name}.onnx", status=status, stage=stage, cause=cause, error=told, kind="onnx",
        tags=tuple(sorted(chance.sample(_TAGS, 1))), stages=ran, seconds=round(sum(s["seconds"] for s in ran), 3),
        operators={"before": {"Conv": 2, "NonMaxSuppression": 2}} if status == "refused" else {}, versions=VERSIONS,
        errors=tuple(error("y", e, chance.choice(("inf", 0.31)), 0.2, wrong=12) for e in _EDGES[2:4] if status == "wrong"),
    )  # fmt: skip
    return replace(row, **others)


def results(rows: Iterable[Row], **made: Any) -> Results:
    return Results({"when": "2026-05-04T03:02:01+00:00", **made}, {r.name: r for r in rows})


def zoo(models: int = 60, seed: int = 1) -> Results:
    """Every status, nasty names, expected refusals; mostly converted, as a real zoo."""
    chance = random.Random(seed)
    rows: list[Row] = []
    for k, name in enumerate(NASTY):
        rows.append(converted(name, chance) if k % 2 else ended(name, "refused", chance, cause=f"{name}: no way"))
    ends: tuple[Status, ...] = (
        "refused",
        "refused",
        "wrong",
        "failed",
        "crashed",
        "timed out",
        "out of memory",
        "skipped",
    )
    for k in range(len(rows), models):
        if chance.random() < 0.25 or k - len(NASTY) < len(ends):
            status = ends[k % len(ends)]
            known: Mapping[str, Any] = {"expected": "refused", "expected_cause": "NonMaxSuppression"} if k % 3 else {}
            rows.append(ended(f"detector_{k}", status, chance, **known))
        else:
            rows.append(
                converted(f"{chance.choice(('jet_tagger', 'generator', 'autoencoder'))}_{k}", chance, kept=k % 7 == 0)
            )
    return results(rows)


@cache
def run() -> Results:
    """The zoo that the tests of reports tell of."""
    return zoo(80)


@cache
def changes() -> Changes:
    """Against a run in which every fourth model was refused."""
    rows = [ended(n, "refused") if k % 4 == 0 else r for k, (n, r) in enumerate(run().rows.items())]
    rows += [converted("gone")]
    return compare(run(), results(rows))


def save(run: Results, path: Path) -> Path:
    """As a batch writes it."""
    from convert.report import finite

    told = {"schema": SCHEMA, "made": dict(run.made), "rows": [r.as_json() for r in run.rows.values()]}
    path.write_text(json.dumps(finite(told)), encoding="utf-8")
    return path
