"""What the installed SOFIE takes and gets right, operator by operator: ``python -m sofie_bridge.survey``.

The ladder is parse < generate < compile < agrees with onnxruntime, over the node tests inside the onnx package and a
grid of our own. What comes out is ``sofie_bridge/data/<build>.json``: per family (operator, dtypes and ranks of its
inputs) how many points reached which rung. A node of a family that is right wherever it was tried is legal when SOFIE
takes it; any other is measured before it is.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import sys
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import onnx
from onnx import numpy_helper

from sofie_bridge.backends import DEFAULT, NAMES
from sofie_bridge.measure import Measured, measure
from sofie_bridge.sofie import Sofie, build
from sofie_bridge.toolchain import find

DATA = Path(__file__).parent / "data"
#: Points measured between two saves.
STEP = 64
#: Bytes that measuring a part may take.
MEMORY = 6 << 30
#: SOFIE takes it, and the header is no use.
BAD = ("wrong", "uncompilable", "died")


def family(probe: onnx.ModelProto) -> str:
    """Operator, dtypes and ranks of the one node's inputs, constants marked: ``Gather(float/2, constant int64/1)``.

    Dilated windows, windows over and cuts of open sizes, negative pads, tensors of no elements, open sizes that
    broadcast, and logic over one open size make families of their own: SOFIE's code for those is another.

    Of several nodes, as of a pair that SOFIE merges, the operators in order; such families are in no survey.
    """
    if len(probe.graph.node) > 1:
        return " ".join(node.op_type for node in probe.graph.node)
    node = probe.graph.node[0]
    name = onnx.TensorProto.DataType.Name
    kinds = {
        i.name: f"{name(i.type.tensor_type.elem_type).lower()}/{len(i.type.tensor_type.shape.dim)}"
        for i in probe.graph.input
    }
    kinds |= {t.name: f"constant {name(t.data_type).lower()}/{len(t.dims)}" for t in probe.graph.initializer}
    infos = (*probe.graph.input, *probe.graph.output)
    empty = any(d.HasField("dim_value") and not d.dim_value for i in infos for d in i.type.tensor_type.shape.dim)
    dilated = any(max(a.ints, default=1) > 1 for a in node.attribute if a.name == "dilations")
    named = f"{node.op_type}({', '.join(kinds.get(n, '-') for n in node.input)})"
    marks = {"dilated": dilated, "open": _over_open(probe), "cut": _cuts(probe), "of nothing": empty}
    marks["of one size"] = _of_one_size(probe)
    return " ".join([named, *(m for m, holds in {**marks, "spread": _spreads(probe)}.items() if holds)])


def _cuts(probe: onnx.ModelProto) -> bool:
    """Does a Pad take elements away?"""
    node = probe.graph.node[0]
    pads = (numpy_helper.to_array(t) for t in probe.graph.initializer if t.name in node.input[1:2])
    return node.op_type == "Pad" and any((p < 0).any() for p in pads)


def _of_one_size(probe: onnx.ModelProto) -> bool:
    """Is a logical operator's count of elements one open size alone, as of [N,1,1]? SOFIE writes ``Nu`` for it."""
    shapes = [[d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim] for i in probe.graph.input]
    alone = (len(s) > 1 and sum(isinstance(d, str) for d in s) == 1 and s.count(1) == len(s) - 1 for s in shapes)
    return probe.graph.node[0].op_type in {"And", "Or", "Xor"} and any(alone)


def _over_open(probe: onnx.ModelProto) -> bool:
    """Does a window go over an axis of open size, or a slice cut one?"""
    node = probe.graph.node[0]
    shapes = {i.name: [d.dim_param for d in i.type.tensor_type.shape.dim] for i in probe.graph.input}
    if not node.input or node.input[0] not in shapes:
        return False
    shape = shapes[node.input[0]]
    if "Pool" in node.op_type or "Conv" in node.op_type:
        return any(shape[2:])
    if node.op_type != "Slice":
        return False
    held = (numpy_helper.to_array(t) for t in probe.graph.initializer if t.name in node.input[3:4])
    axes = next((a.reshape(-1).tolist() for a in held), range(len(shape)))
    return any(shape[axis] for axis in axes)


#: Operators whose inputs broadcast to each other.
_BROADCASTING = {
    "Add", "And", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater", "GreaterOrEqual", "Less",
    "LessOrEqual", "Max", "Mean", "Min", "Mod", "Mul", "Or", "PRelu", "Pow", "Sub", "Sum", "Where", "Xor",
}  # fmt: skip


def _spreads(probe: onnx.ModelProto) -> bool:
    """Do inputs of one rank and of open sizes broadcast to each other?"""
    if probe.graph.node[0].op_type not in _BROADCASTING:
        return False
    shapes = {tuple(d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim) for i in probe.graph.input}
    ranks = [len(s) for s in shapes]
    return len(set(ranks)) < len(ranks) and any(isinstance(d, str) for s in shapes for d in s)


@cache
def trusted(backend: str = DEFAULT) -> frozenset[str]:
    """Families that were right at every point of the survey that SOFIE took, of this build; none without a survey."""
    path = DATA / f"{build(backend)}.json"
    if not path.exists():
        return frozenset()
    families = json.loads(path.read_text())["families"]
    return frozenset(f for f, rungs in families.items() if rungs.get("right") and not any(rungs.get(b) for b in BAD))


def run(points: Sequence[onnx.ModelProto], state: Path, backend: str = DEFAULT) -> dict[str, Measured]:
    """Measure the points that ``state`` does not hold yet, on all cores, saving as it goes; all results by probe."""
    done: dict[str, Measured] = {}
    if state.exists():
        done = {k: Measured(*v) for k, v in json.loads(state.read_text()).items()}
    left = {_key(p): p.SerializeToString(deterministic=True) for p in points if _key(p) not in done}
    keys = list(left)
    parts = deque(keys[start : start + STEP] for start in range(0, len(keys), STEP))
    while parts:
        wave = [parts.popleft() for _ in range(min(os.cpu_count() or 1, len(parts)))]
        for part, found in zip(wave, _wave([[left[k] for k in part] for part in wave], backend), strict=True):
            if found is not None:
                done |= dict(zip(part, found, strict=True))
            elif len(part) == 1:
                done[part[0]] = Measured("unjudged", "the reference itself dies of it")
            else:  # one of them took the process with it: closer in on it
                parts.extendleft((part[: len(part) // 2], part[len(part) // 2 :]))
        state.write_text(json.dumps({k: [m.outcome, m.words] for k, m in done.items()}))
        sys.stderr.write(f"\r{sum(k in done for k in keys)} of {len(keys)} points")
    sys.stderr.write("\n")
    return {_key(p): done[_key(p)] for p in points}


def _wave(parts: Sequence[Sequence[bytes]], backend: str) -> list[list[Measured] | None]:
    """Measure each part in a process of its own; None for one that died, as onnxruntime does of an integer over 0."""
    found: list[list[Measured] | None] = []
    pools = [ProcessPoolExecutor(1, mp_context=get_context("spawn")) for _ in parts]
    futures = [pool.submit(_measured, part, backend) for pool, part in zip(pools, parts, strict=True)]
    for pool, future in zip(pools, futures, strict=True):
        with pool:
            try:
                found.append(future.result())
            except BrokenProcessPool:
                found.append(None)
    return found


def _measured(part: Sequence[bytes], backend: str) -> list[Measured]:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))  # run-time shapes can ask for anything
    with Sofie(backend) as sofie:
        return measure([onnx.ModelProto.FromString(p) for p in part], sofie, find(), masked=True)


def _key(probe: onnx.ModelProto) -> str:
    return hashlib.sha256(probe.SerializeToString(deterministic=True)).hexdigest()


def summary(points: Sequence[onnx.ModelProto], results: dict[str, Measured]) -> dict[str, dict[str, int]]:
    """Rungs by family."""
    families: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for point in points:
        families[family(point)][results[_key(point)].outcome] += 1
    return {f: dict(sorted(c.items())) for f, c in sorted(families.items())}


def points() -> Iterator[onnx.ModelProto]:
    """Distinct probes of the onnx package's node tests, both ways, and of the grid."""
    from sofie_bridge.grid import grid, node_tests

    seen: set[str] = set()
    for probe in (*node_tests(), *grid()):
        if _key(probe) not in seen:
            seen.add(_key(probe))
            yield probe


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the survey, or go on with it, and write the data file; or print what there is."""
    from sofie_bridge.cache import folder
    from sofie_bridge.survey_table import families, markdown

    p = argparse.ArgumentParser(prog="python -m sofie_bridge.survey", description=__doc__.splitlines()[0])
    p.add_argument("--table", action="store_true", help="print the docs' page of the data there is; measure nothing")
    p.add_argument("--backend", default=DEFAULT, choices=NAMES, help="which SOFIE")
    options = p.parse_args(arguments)
    if options.table:
        sys.stdout.write(markdown(families()))
        return
    wanted = list(points())
    made_by = build(options.backend)
    results = run(wanted, folder("survey") / f"{made_by}.json", options.backend)
    DATA.mkdir(exist_ok=True)
    content = {"build": made_by, "points": len(wanted), "families": summary(wanted, results)}
    (DATA / f"{made_by}.json").write_text(json.dumps(content, indent=1) + "\n")
    rungs = Counter(m.outcome for m in results.values())
    sys.stdout.write(f"{DATA / made_by}.json: " + ", ".join(f"{n} {o}" for o, n in rungs.most_common()) + "\n")


if __name__ == "__main__":
    main()
