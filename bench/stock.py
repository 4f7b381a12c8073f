"""Our header beside the one that SOFIE makes of the exporter's own ONNX: ``python bench/stock.py [NAME ...]``.

Both are compiled with the same flags and run in one process, by turns, on one thread and the same inputs; the figures
are the least of :data:`TURNS` turns, for what disturbs a measurement only adds to it. Where SOFIE makes no header, or
one that is wrong on some of the inputs that ours has to be right on, the table says so. The models are those of
``bench/run.py`` and the light networks inside the onnx package.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sofie_bridge.samples import Array, Sample

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

import run  # noqa: E402  (it also clears OPENBLAS_CORETYPE and asks for one thread)

#: Turns of each header, and seconds that one takes at least.
TURNS = 21
SPAN = 0.05
#: Ours is slower where it takes longer than this many times stock's time: two runs of one header differ by as much.
NOISE = 1.05
#: Seconds for SOFIE, and for running both headers.
PATIENCE = 900.0

_DRIVER = """
#include "{header}"
#include <chrono>
struct Any {{
   void *p;
   template <class T> operator T const *() const {{ return static_cast<T const *>(p); }}
   template <class T> operator T *() const {{ return static_cast<T *>(p); }}
}};
#define ENTRY extern "C" __attribute__((visibility("default")))
ENTRY void *start(char const *weights) {{ (void)weights; return new {namespace}::Session({constructor}); }}
ENTRY double turn(void *session, void **in, long calls) {{
   auto &s = *static_cast<{namespace}::Session *>(session);
   auto begin = std::chrono::steady_clock::now();
   for (long i = 0; i < calls; ++i) s.infer({arguments});
   return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}}
"""


@dataclass(frozen=True)
class Side:
    """A header, compiled to be timed; its library takes inputs in the order of ``arguments``, the header's names."""

    library: str
    weights: str
    arguments: tuple[str, ...]


def light() -> list[run.Subject]:
    """The light networks."""
    from onnx.backend.test.loader import DATA_DIR

    files = sorted((Path(DATA_DIR) / "light").glob("light_*.onnx"))
    return [run.Subject(f.stem, (str(f),)) for f in files]


def side(header: Path, weights: Path) -> Side:
    """Compile a header.

    :raises convert.errors.CompileFailed: it does not compile.
    """
    from sofie_bridge import signature, toolchain

    names = signature.read(header.read_text(), str(header))
    tensors = tuple(a for a in names.arguments if a not in names.sizes)
    calls = [f"Any{{in[{tensors.index(a)}]}}" if a in tensors else "size_t(1)" for a in names.arguments]
    source = header.with_suffix(".time.cpp")
    source.write_text(
        _DRIVER.format(
            header=header.name,
            namespace=names.namespace,
            constructor=", ".join(["weights"] * bool(names.weights or names.sizes) + ["size_t(1)"] * len(names.sizes)),
            arguments=", ".join(calls),
        )
    )
    library = toolchain.compile_shared(
        source, header.with_suffix(".time.so"), toolchain.find(), optimise="-O3", includes=(header.parent,)
    )
    return Side(str(library), str(weights), tensors)


def exported(subject: run.Subject, folder: Path) -> Path:
    """The exporter's ONNX, as it is, in a file of its own."""
    import onnx

    import converters
    from convert.cli import parser
    from convert.spec import TensorSpec
    from converters.base import LoadOptions

    given = parser().parse_args(list(subject.options))
    inputs = tuple(TensorSpec.parse(i) for i in given.input)
    loaded = converters.load(Path(given.model), LoadOptions(inputs, allow_code=given.allow_code, model=given.factory))
    path = folder / f"{subject.name}.onnx"
    onnx.save(loaded.model, path)
    return path


def stock(model: Path, samples: list[Sample]) -> tuple[Side | None, str]:
    """What SOFIE makes of the model without us, if it compiles and runs; and what is to be said of it."""
    from convert.errors import ConvertError
    from sofie_bridge.isolate import run_header
    from sofie_bridge.sofie import Sofie, words
    from sofie_bridge.worker import Request

    header = model.with_suffix(".hxx")
    with Sofie() as sofie:
        answer = sofie.ask(Request(None, str(model), header=str(header), seconds=PATIENCE))
    if answer.outcome != "generated":
        return None, f"{answer.outcome}: {words(answer)[:60]}"
    try:
        timed = side(header, model.with_suffix(".dat"))
        feeds = [dict(zip(timed.arguments, s.arrays.values(), strict=True)) for s in samples]
        runs = run_header(header, model.with_suffix(".dat"), feeds, optimise="-O3")
    except ConvertError as error:
        return None, f"{type(error).__name__}: {(error.finding.why or error.finding.what).splitlines()[-1][:60]}"
    return timed, _verdict(model, samples, [list(r.values()) for r in runs])


def _verdict(model: Path, samples: list[Sample], runs: list[list[Array]]) -> str:
    """As for a header of ours, against onnxruntime on the exporter's ONNX."""
    import onnx

    from sofie_bridge.compare import Tolerance, compare
    from sofie_bridge.noise import noise
    from sofie_bridge.reference import OnnxReference

    ask = OnnxReference(onnx.load_model(model))
    for sample, outputs in zip(samples, runs, strict=True):
        expected = ask(sample.arrays)
        moved = noise(ask, sample, expected)
        for seen, (name, wanted) in zip(outputs, expected.items(), strict=True):
            if seen.size != wanted.size:
                return "wrong shape"
            tolerance = Tolerance.of(wanted.dtype)
            found = compare(seen.reshape(wanted.shape), wanted, tolerance, moved[name], strict=sample.strict)
            if not found.good:
                return f"wrong numbers: {found.words}, inputs {sample.name!r}"
    return "right"


def ours(subject: run.Subject, folder: Path) -> Side | str:
    """Our header, verified; or why there is none."""
    header = folder / f"{subject.name}.hxx"
    command = [sys.executable, "-m", "convert", *subject.options, "--output", str(header)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        return next((line for line in done.stderr.splitlines() if line.startswith("error:")), "ours crashed")
    return side(header, header.with_suffix(".dat"))


def samples_of(model: Path) -> list[Sample]:
    """Inputs for the exporter's ONNX, symbolic dimensions 1; ordinary ones first."""
    import onnx

    from sofie_bridge.samples import make_samples

    proto = onnx.load_model(model)
    for info in proto.graph.input:
        for d in info.type.tensor_type.shape.dim:
            if d.dim_param:
                d.dim_value = 1
    return make_samples(proto)


def compete(order: dict[str, Any]) -> list[list[float]]:
    """In this process: seconds a call of each library, turn by turn."""
    import numpy as np

    arrays = [np.ascontiguousarray(a) for a in np.load(order["arrays"]).values()]
    pointers = (ctypes.c_void_p * (len(arrays) + 1))(*(a.ctypes.data for a in arrays), None)
    runners = []
    for one in order["sides"]:
        library = ctypes.CDLL(one["library"])
        library.start.restype, library.start.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
        library.turn.restype = ctypes.c_double
        library.turn.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long]
        session = library.start(one["weights"].encode())
        library.turn(session, pointers, 2)
        once = library.turn(session, pointers, 1)
        runners.append((library.turn, session, max(1, round(SPAN / max(once, 1e-7)))))
    times: list[list[float]] = [[] for _ in runners]
    for _ in range(order["turns"]):
        for held, (turn, session, calls) in zip(times, runners, strict=True):
            held.append(turn(session, pointers, calls) / calls)
    return times


def _race(sides: list[Side], arrays: dict[str, Any], folder: Path) -> list[float] | str:
    """Least seconds a call of each; or how the process ended."""
    import numpy as np

    numbered: dict[str, Any] = {str(k): a for k, a in enumerate(arrays.values())}
    np.savez(folder / "arrays.npz", **numbered)
    order = {"arrays": str(folder / "arrays.npz"), "sides": [vars(s) for s in sides], "turns": TURNS}
    (folder / "order.json").write_text(json.dumps(order))
    command = [sys.executable, str(Path(__file__)), "--compete", str(folder / "order.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE, env=dict(os.environ))
    if done.returncode:
        return f"exit status {done.returncode}"
    return [min(t) for t in json.loads(done.stdout)]


def _row(subject: run.Subject, folder: Path) -> tuple[list[str], bool]:
    """Cells of the table, and whether ours is slower or missing."""
    for part in ("stock", "ours"):
        (folder / part).mkdir(parents=True)
    model = exported(subject, folder / "stock")
    samples = samples_of(model)
    (theirs, said), mine = stock(model, samples), ours(subject, folder / "ours")
    if isinstance(mine, str):
        return [subject.name, "-", "-", "-", f"OURS: {mine}"], True
    seen = _race([mine, theirs] if theirs else [mine], dict(samples[0].arrays), folder)
    if isinstance(seen, str):
        return [subject.name, "-", "-", "-", f"OURS AND STOCK: {seen}"], True
    slower = len(seen) > 1 and seen[0] > NOISE * seen[1] and said == "right"
    ratio = f"{seen[0] / seen[1]:.3f}" if len(seen) > 1 else "-"
    figures = [f"{s * 1e6:.1f}" for s in seen] + ["-"] * (2 - len(seen))
    return [subject.name, *figures, ratio, "OURS IS SLOWER" if slower else said], slower


def main(wanted: list[str]) -> int:
    from rich.console import Console
    from rich.table import Table

    table = Table("model", box=None)
    for column in ("ours us", "stock us", "ours / stock"):
        table.add_column(column, justify="right")
    table.add_column("stock")
    slower = []
    with tempfile.TemporaryDirectory() as name:
        for subject in (*run.subjects(Path(name)), *light()):
            if wanted and subject.name not in wanted:
                continue
            cells, worse = _row(subject, Path(name) / subject.name)
            table.add_row(*cells)
            sys.stderr.write("  ".join(cells) + "\n")
            slower += [subject.name] * worse
    console = Console(width=120)
    console.print(f"BLAS: {run.blas_core()}")
    console.print(table)
    return len(slower)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--compete"]:
        print(json.dumps(compete(json.loads(Path(sys.argv[2]).read_text()))))
    else:
        sys.exit(min(main(sys.argv[1:]), 1))
