"""A functor as it was written, compiled, run through RDataFrame on two threads, and held against the header."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from convert.errors import Finding, Mismatch, RunFailed
from sofie_bridge import header as headers
from sofie_bridge.columns import Column, Layout
from sofie_bridge.compare import Tolerance, compare
from sofie_bridge.library import Array
from sofie_bridge.padding import Lists, Table, counts, pack, sizes
from sofie_bridge.process import run_child
from sofie_bridge.rdf.dataframe import compile_functor, load_library
from sofie_bridge.rdf.source import Source, parts_of, source_of_file
from sofie_bridge.toolchain import Toolchain

#: Events that are drawn, and the length of their lists along an open axis: from 1 to this.
EVENTS, LONGEST = 60, 24

_START = "import sys; sys.path.insert(0, sys.argv[1]); from sofie_bridge.rdf.check import main; main(sys.argv[2])"


def check(layout: Layout, functor: Path, header: Path, weights: Path | None, compiler: Toolchain) -> int:
    """Compile and run the functor on drawn events; every slot's numbers are the header's.

    :param functor: ``<name>_rdf.hxx``, in the header's folder.
    :returns: how many events were compared.
    :raises CompileFailed: it does not compile. :raises RunFailed: it crashes or throws.
    :raises Mismatch: its numbers are others.
    """
    table = _drawn(layout)
    _, parts = parts_of(layout, "score")
    made = source_of_file(layout, functor.name, parts)
    library = compile_functor(made, functor.parent, compiler)
    found = _run(layout, table, library, made, str(weights or ""))
    with headers.load(header, weights, toolchain=compiler) as loaded:
        wanted = expected(layout, table, loaded)
    wrong = [
        Finding(f"{problem}", where=f"event {event}, output {output.name}")
        for output, got, want in zip(layout.interface.outputs, found, wanted, strict=True)
        for event, (g, w) in enumerate(zip(got, want, strict=True))
        if (problem := _differs(g, w))
    ]
    if wrong:
        raise Mismatch("the functor's numbers are not the header's", where=functor.name, findings=tuple(wrong[:8]))
    return EVENTS


def _differs(got: Array, want: Array) -> str:
    seen = compare(got.astype(want.dtype), want, Tolerance.of(want.dtype), 0.0, strict=True)
    return seen.problem or (f"max |difference| {seen.absolute:.3g}" if seen.wrong else "")


def _drawn(layout: Layout) -> Table:
    """Events with lists shorter than the model's, as long, and longer."""
    random = np.random.default_rng(5)
    together = {name: group for group in _groups(layout) for name in group}
    drawn: dict[tuple[str, ...], Array] = {}
    length: Array
    table: dict[str, Array | Lists] = {}
    for feed in layout.feeds:
        for c in feed.columns:
            if not c.jagged:
                table[c.name] = _numbers(random, EVENTS, c)
                continue
            longest = 2 * feed.length if isinstance(feed.length, int) else LONGEST
            low = layout.least(feed.length) if isinstance(feed.length, str) and feed.length not in layout.masked else 0
            if feed.way == "values":
                length = np.full(EVENTS, feed.rest) * (random.integers(1, 4, EVENTS) if feed.long is not None else 1)
            else:
                length = random.integers(low, longest + 1, EVENTS)
            length = drawn.setdefault(together[feed.tensor.name], length)
            table[c.name] = Lists(_numbers(random, int(length.sum()), c), length)
    return table


def _groups(layout: Layout) -> list[tuple[str, ...]]:
    """Inputs whose lists are of one length in an event."""
    groups = [{f.tensor.name} for f in layout.feeds if f.columns]
    joined = [{f.tensor.name for f in feeds} for feeds in layout.open.values()]
    for more in [*joined, *(set(f.of) for f in layout.feeds if f.of)]:
        touched = [g for g in groups if g & more]
        groups = [g for g in groups if g not in touched] + [set().union(*touched)]
    return [tuple(sorted(g)) for g in groups]


def _numbers(random: np.random.Generator, count: int, column: Column) -> Array:
    dtype = np.dtype(column.dtype)
    return (
        random.standard_normal(count).astype(dtype) if dtype.kind == "f" else random.integers(0, 2, count).astype(dtype)
    )


def expected(layout: Layout, table: Table, loaded: headers.Header) -> list[list[Array]]:
    """The header on every event by itself."""
    lengths = counts(layout, table)
    size = sizes(layout, lengths, EVENTS)
    runs = [loaded(**pack(layout, table, lengths, np.array([k]), size[k])) for k in range(EVENTS)]
    return [[run[o.name].ravel() for run in runs] for o in layout.interface.outputs]


# ------------------------------------------------------------------------------------------- in a child process


def _run(layout: Layout, table: Table, library: Path, made: Source, weights: str) -> list[list[Array]]:
    """The functor's answers, by output and event."""
    with tempfile.TemporaryDirectory(prefix="sofie-rdf-") as name:
        folder = Path(name)
        arrays: dict[str, Array] = {}
        for k, c in enumerate(layout.columns):
            column = table[c.name]
            arrays[f"content_{k}"] = column.content if isinstance(column, Lists) else column
            arrays[f"counts_{k}"] = column.counts if isinstance(column, Lists) else np.ones(EVENTS, np.int64)
        np.savez(folder / "events.npz", **arrays)  # type: ignore[arg-type]
        outputs = [o.name for o in layout.interface.outputs]
        request: dict[str, Any] = {
            "library": str(library),
            "source": asdict(made),
            "weights": weights,
            "outputs": outputs,
        }
        request["columns"] = [asdict(c) for c in layout.columns]
        (folder / "request.json").write_text(json.dumps(request))
        done = run_child([sys.executable, "-c", _START, str(Path(__file__).parents[2]), name], time_limit=600)
        if done.returncode != 0 or not (folder / "scores.npz").exists():
            said = "\n".join(done.stderr.strip().splitlines()[-3:])
            raise RunFailed("the functor failed", where=made.function, why=done.signal_name or said)
        with np.load(folder / "scores.npz") as stored:
            return [[stored[f"{k}_{event}"] for event in range(EVENTS)] for k in range(len(outputs))]


def main(name: str) -> None:
    """The child: a dataframe of the stored events, on two threads; scores.npz holds each event's answers."""
    import ROOT

    folder = Path(name)
    request = json.loads((folder / "request.json").read_text())
    ROOT.EnableImplicitMT(2)
    columns = [Column(**c) for c in request["columns"]]
    kept: list[Any] = []
    with np.load(folder / "events.npz") as stored:
        df = ROOT.RDF.AsRNode(ROOT.RDataFrame(EVENTS))
        for k, c in enumerate(columns):
            lengths = stored[f"counts_{k}"]
            rows = np.split(stored[f"content_{k}"], np.cumsum(lengths)[:-1])
            values = ROOT.std.vector[c.type]()
            for row in rows:
                values.push_back(ROOT.VecOps.AsRVec(np.ascontiguousarray(row)) if c.jagged else row[0].item())
            kept.append((values, rows))  # a list of ROOT's may look into numpy's memory
            place = f"(*reinterpret_cast<std::vector<{c.type}> *>({ROOT.addressof(values)}ul))"
            df = df.Define(f"column_{k}", f"return {place}[rdfentry_];" if c.type != "bool" else f"{place}[rdfentry_]")
    function = load_library(Path(request["library"]), Source(**request["source"]))
    strings = ROOT.std.vector["std::string"]
    outputs = request["outputs"]
    made = ["score"] if len(outputs) == 1 else ["rdf_score_", *(f"score_{o}" for o in outputs)]
    names = [f"column_{k}" for k in range(len(columns))]
    empty = ROOT.std.vector["double"]()
    scored = function(df, request["weights"], strings(made), strings(names), strings(), empty, 1).Define(
        "entry", "rdfentry_"
    )
    got = scored.AsNumpy([*made[-len(outputs) :], "entry"])
    order = np.argsort(got["entry"])
    found = {
        f"{k}_{event}": np.atleast_1d(np.asarray(got[n][order[event]]))
        for k, n in enumerate(made[-len(outputs) :])
        for event in range(EVENTS)
    }
    np.savez(folder / "scores.npz", **found)  # type: ignore[arg-type]
