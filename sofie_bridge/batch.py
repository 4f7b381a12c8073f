"""Many small models at once: emitted one by one, compiled in one translation unit, run in one process.

Almost all of the time that a small header takes to compile goes into the standard library's headers; here it is spent
once for dozens of models. A model that SOFIE refuses, that does not compile or that crashes is that model's result.
"""

from __future__ import annotations

import ctypes
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnx import helper

from convert.errors import CompileFailed, EmitError, RunFailed, SofieCrashed, SofieRefused
from sofie_bridge import signature
from sofie_bridge.emit import Emitted
from sofie_bridge.memory import checked_memory
from sofie_bridge.process import run_child
from sofie_bridge.samples import Array, Arrays
from sofie_bridge.sofie import Sofie
from sofie_bridge.stages.emit import emit
from sofie_bridge.toolchain import Toolchain, compile_shared

#: Models in one translation unit: more would save little and make one that does not compile dearer.
CHUNK = 32
#: Seconds for all models of a chunk together.
SECONDS = 120.0

_UNIT = """
#include <algorithm>
#include <cstdio>
#include <exception>
#include <tuple>
#include <vector>
{includes}
namespace {{
using Sink = void (*)(void const *, unsigned long, unsigned long);
struct Any {{
   void const *p;
   template <class T> operator T const *() const {{ return static_cast<T const *>(p); }}
   template <class T> operator T *() const {{ return static_cast<T *>(const_cast<void *>(p)); }}
}};
template <class T> void give(Sink sink, std::vector<T> const &v) {{ sink(v.data(), v.size(), sizeof(T)); }}
template <class T> void give(Sink sink, std::vector<std::vector<T>> const &v) {{
   for (auto const &w : v) give(sink, w);
}}
template <class... T> void give(Sink sink, std::tuple<T...> const &v) {{
   std::apply([&](auto const &... w) {{ (give(sink, w), ...); }}, v);
}}
// In a larger model, what a node works in was another's before: SOFIE leaves the gaps of a dilated kernel as they were.
template <class S> void soil(S &session) {{
   if constexpr (requires {{ session.fIntermediateMemoryPool; }})
      std::fill(session.fIntermediateMemoryPool.begin(), session.fIntermediateMemoryPool.end(), char(0x3f));
}}
}}
#define ENTRY extern "C" __attribute__((visibility("default"))) int
{entries}
"""

_ENTRY = """
ENTRY run_{name}(char const *weights, void const *const *in, unsigned long const *size, unsigned long const *most,
                 Sink sink, char *words) try {{
   (void)in; (void)size; (void)most;
   auto session = {namespace}::Session({constructor});
   soil(session);
   give(sink, session.infer({arguments}));
   return 0;
}} catch (std::exception const &e) {{ std::snprintf(words, 400, "%s", e.what()); return 1; }}
"""


@dataclass(frozen=True)
class Piece:
    """A model, and inputs to run it on by ONNX name. Names of pieces are identifiers and distinct."""

    name: str
    model: onnx.ModelProto
    samples: Sequence[Arrays]


@dataclass
class Ran:
    """What became of a piece.

    :param outcome: "ran", or where it stopped: "refused", "crashed" (SOFIE), "uncompilable", "died" (the code).
    :param outputs: per sample, by ONNX name.
    """

    outcome: str
    words: str = ""
    outputs: list[dict[str, Array]] = field(default_factory=list)


def run_pieces(pieces: Sequence[Piece], sofie: Sofie, toolchain: Toolchain) -> Iterator[tuple[Piece, Ran]]:
    """Emit, compile and run the pieces, :data:`CHUNK` at a time; each with its result, in order."""
    for start in range(0, len(pieces), CHUNK):
        chunk = pieces[start : start + CHUNK]
        with TemporaryDirectory(prefix="sofie-batch-") as folder:
            results = _chunk(chunk, Path(folder), sofie, toolchain)
        yield from zip(chunk, results, strict=True)


def _chunk(pieces: Sequence[Piece], folder: Path, sofie: Sofie, toolchain: Toolchain) -> list[Ran]:
    results: dict[str, Ran] = {}
    emitted: dict[str, Emitted] = {}
    entries: dict[str, str] = {}
    for piece in pieces:
        try:
            emitted[piece.name] = emit(piece.model, piece.name, folder, sofie)
            entries[piece.name] = _entry(piece.name, emitted[piece.name])
        except SofieCrashed as error:
            results[piece.name] = Ran("crashed", error.finding.why)
        except EmitError as error:
            results[piece.name] = Ran("refused", error.finding.why or "; ".join(f.what for f in error.findings))
    library, uncompilable = _compile(entries, folder, toolchain)
    results |= uncompilable
    running = [p for p in pieces if p.name not in results]
    results |= _run(running, emitted, library, folder)
    return [results[p.name] for p in pieces]


def _compile(entries: dict[str, str], folder: Path, toolchain: Toolchain) -> tuple[Path | None, dict[str, Ran]]:
    """One library of all that compile. The compiler names the headers it stumbles over; they are left out in turn."""
    left = dict(entries)
    bad: dict[str, Ran] = {}
    while left:
        source = folder / f"unit{len(bad)}.cpp"
        source.write_text(_unit(left))
        try:
            return compile_shared(source, None, toolchain, optimise="-O0", includes=(folder,)), bad
        except CompileFailed as error:
            words = error.finding.why or error.finding.what
            found = [name for name in left if re.search(rf"\b{name}\b", words)] or list(left)
            for name in found if len(found) < len(left) or len(left) == 1 else _alone(left, folder, toolchain):
                own = [line for line in words.splitlines() if re.search(rf"\b{name}\b", line)]
                bad[name] = Ran("uncompilable", "\n".join(own) or words)
                left.pop(name)
    return None, bad


def _alone(left: dict[str, str], folder: Path, toolchain: Toolchain) -> list[str]:
    """The compiler named nobody: each header is tried alone."""
    bad = []
    for name in left:
        source = folder / f"alone_{name}.cpp"
        source.write_text(_unit({name: left[name]}))
        try:
            compile_shared(source, None, toolchain, optimise="-O0", includes=(folder,))
        except CompileFailed:
            bad.append(name)
    return bad or list(left)


def _unit(entries: dict[str, str]) -> str:
    includes = "\n".join(f'#include "{name}.hxx"' for name in entries)
    return _UNIT.format(includes=includes, entries="\n".join(entries.values()))


def _entry(name: str, emitted: Emitted) -> str:
    """The C function that runs one header.

    :raises SofieRefused: the header wants a size that no input tells.
    """
    names = signature.read(emitted.header.read_text(), name)
    symbols = sorted(emitted.named.symbols.values())
    sizes = {s: f"size[{k}]" for k, s in enumerate(symbols)}
    largest = {s: f"most[{k}]" for k, s in enumerate(symbols)}
    inputs = {i.name: f"Any{{in[{k}]}}" for k, i in enumerate(emitted.named.model.graph.input)}
    unknown = [n for n in (*names.sizes, *names.arguments) if n not in sizes and n not in inputs]
    if unknown:
        raise SofieRefused("the header cannot be called", why=f"it wants the size {unknown[0]!r}, which no input tells")
    weights = ["weights"] if names.weights else ['""'] if names.sizes else []
    return _ENTRY.format(
        name=name,
        namespace=names.namespace,
        constructor=", ".join([*weights, *(largest[s] for s in names.sizes)]),
        arguments=", ".join(sizes[a] if a in sizes else inputs[a] for a in names.arguments),
    )


def _run(pieces: Sequence[Piece], emitted: dict[str, Emitted], library: Path | None, folder: Path) -> dict[str, Ran]:
    """Run the pieces in a child, which is started again behind a piece that kills it.

    Where others ran before it in the same child, the cause may be theirs: it is tried again at the head of a new one.

    :raises RunFailed: the child failed itself: no word on the code.
    """
    results: dict[str, Ran] = {}
    orders = [_order(p, emitted[p.name], folder) for p in pieces]
    first = 0
    while first < len(orders) and library is not None:
        (folder / "orders.json").write_text(json.dumps(orders[first:]))
        command = [sys.executable, "-c", _START, str(Path(__file__).parents[1]), str(library), str(folder)]
        env = {"OPENBLAS_NUM_THREADS": "1", "PYTHONSAFEPATH": "1", **checked_memory()}
        done = run_child(command, time_limit=SECONDS, env=env)
        if done.returncode and not done.signal_name and not done.timed_out:
            raise RunFailed("the process that runs SOFIE's code failed", why=done.stderr.strip()[-1000:])
        head = first
        for k, piece in enumerate(pieces[first:], first):
            told = folder / f"{piece.name}.told.json"
            if not told.exists() and k > head:
                break
            if not told.exists():
                what = "ran out of time" if done.timed_out else done.signal_name or f"exit status {done.returncode}"
                results[piece.name] = Ran("died", f"the code {what}")
                first = k + 1
                break
            words = json.loads(told.read_text())
            outputs = [] if words else _outputs(piece, folder)
            results[piece.name] = Ran("died" if words else "ran", words, outputs)
            first = k + 1
    return results


def _order(piece: Piece, emitted: Emitted, folder: Path) -> dict[str, object]:
    """What the child needs to run a piece; the arrays go into a file.

    A session is made for the largest sizes, as in use: what SOFIE works out in it by them is right for these alone.
    """
    graph = piece.model.graph
    symbols = sorted(emitted.named.symbols.items(), key=lambda item: item[1])
    sizes = []
    for k, sample in enumerate(piece.samples):
        for j, info in enumerate(graph.input):
            np.save(folder / f"{piece.name}.in{k}.{j}.npy", np.asarray(sample[info.name]), allow_pickle=False)
        known = {
            d.dim_param: np.asarray(sample[i.name]).shape[axis]
            for i in graph.input
            for axis, d in enumerate(i.type.tensor_type.shape.dim)
            if d.dim_param
        }
        sizes.append([known.get(original, 0) for original, _ in symbols])
    weights = str(emitted.weights) if emitted.weights is not None else ""
    most = [max(column) for column in zip(*sizes, strict=True)]
    return {"name": piece.name, "weights": weights, "inputs": len(graph.input), "sizes": sizes, "most": most}


def _outputs(piece: Piece, folder: Path) -> list[dict[str, Array]]:
    """Flat arrays as the code gave them, viewed in the dtypes of ONNX; shapes are the comparer's to check."""
    given = []
    for k in range(len(piece.samples)):
        arrays: dict[str, Array] = {}
        for j, info in enumerate(piece.model.graph.output):
            raw = (folder / f"{piece.name}.out{k}.{j}").read_bytes()
            dtype = np.dtype(helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type))
            arrays[info.name] = np.frombuffer(raw[: len(raw) // dtype.itemsize * dtype.itemsize], dtype)
        given.append(arrays)
    return given


_START = "import sys; sys.path.insert(0, sys.argv[1]); from sofie_bridge.batch import main; main(*sys.argv[2:])"


def main(library: str, name: str) -> None:
    """The child: run every order, and tell after each how it went."""
    folder = Path(name)
    loaded = ctypes.CDLL(library)
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong)
    for order in json.loads((folder / "orders.json").read_text()):
        words, most = "", (ctypes.c_ulong * (len(order["most"]) + 1))(*order["most"], 0)
        for k, sizes in enumerate(order["sizes"]):
            arrays = [np.load(folder / f"{order['name']}.in{k}.{j}.npy") for j in range(order["inputs"])]
            arrays = [np.ascontiguousarray(a) for a in arrays]
            pointers = (ctypes.c_void_p * (len(arrays) + 1))(*(a.ctypes.data for a in arrays), None)
            given: list[bytes] = []
            sink = kind(lambda p, n, size, given=given: given.append(ctypes.string_at(p, n * size) if n else b""))
            error = ctypes.create_string_buffer(400)
            run = getattr(loaded, f"run_{order['name']}")
            size = (ctypes.c_ulong * (len(sizes) + 1))(*sizes, 0)
            if run(order["weights"].encode(), pointers, size, most, sink, error):
                words = error.value.decode(errors="replace") or "an exception without words"
                break
            for j, data in enumerate(given):
                (folder / f"{order['name']}.out{k}.{j}").write_bytes(data)
        (folder / f"{order['name']}.told.json").write_text(json.dumps(words))
