"""Events a second through ROOT's RDataFrame: ``python bench/rdf.py [EVENTS]``, by default 1,000,000, on two threads.

Two networks on columns of numbers: ``fixtures/mlp.onnx`` (4, 32, 16, 1) and a wide one (4, 256, 256, 1). Each way is
measured in a process of its own, all ways of a network one after the other. "start" is what comes before the first
event and once in a process: compiling with an empty cache, the interpreter, the first loop. "loop" is the fastest of
three further loops over all events, with the new column summed. Every way's scores are held against onnxruntime's, all
of them; a wrong one ends the program. The ways:

library         sofie_bridge.rdf.define, the functor compiled by the compiler
cling           the same, compiled by ROOT's interpreter
batched         library, with batch=1024 and a key: a loop that gathers and runs, and one that looks up
onnxruntime     called from RDataFrame's Python side: AsNumpy for the columns, onnxruntime on blocks of 1024 events, and
                the scores back as a dataframe, FromNumpy
onnxruntime 1   the same, one event a call, as a functor calls its model
numpy           no RDataFrame, arrays at hand: onnxruntime on blocks of 1024 events, two threads
header          the same, sofie_bridge.arrays: the header on blocks of 1024 events, one thread
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1]
sys.path[:0] = [str(FOLDER)]

#: This slows OpenBLAS down threefold where it names another processor than the one at hand.
os.environ.pop("OPENBLAS_CORETYPE", None)

COLUMNS = ("a", "b", "c", "d")
THREADS, BLOCK, LOOPS = 2, 1024, 3
WAYS = ("library", "cling", "batched", "onnxruntime", "onnxruntime 1", "numpy", "header")
#: Event by event from Python is slow, and as slow on fewer events.
SHARES = {"onnxruntime 1": 0.02}


def events(count: int) -> Any:
    import numpy as np

    return np.random.default_rng(0).standard_normal((count, len(COLUMNS)), np.float32)


def wide(path: Path) -> None:
    """A network of 4, 256, 256 and 1 neurons, random weights."""
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    random, sizes = np.random.default_rng(1), (4, 256, 256, 1)
    nodes, weights, end = [], [], "x"
    for k, (a, b) in enumerate(pairwise(sizes)):
        weights.append(numpy_helper.from_array((random.standard_normal((a, b)) / a**0.5).astype(np.float32), f"w{k}"))
        weights.append(numpy_helper.from_array(np.zeros(b, np.float32), f"b{k}"))
        nodes.append(helper.make_node("Gemm", [end, f"w{k}", f"b{k}"], [f"g{k}"]))
        nodes.append(helper.make_node("Relu" if b > 1 else "Sigmoid", [f"g{k}"], [f"h{k}"]))
        end = f"h{k}"
    x, y = (helper.make_tensor_value_info(n, 1, ["N", s]) for n, s in (("x", 4), (end, 1)))
    graph = helper.make_graph(nodes, "wide", [x], [y], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


def onnxruntime_on(model: Path, threads: int, block: int) -> Callable[[Any], Any]:
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options)
    name = session.get_inputs()[0].name
    run = session.run

    def call(x: Any) -> Any:
        return np.concatenate([run(None, {name: x[k : k + block]})[0] for k in range(0, len(x), block)]).ravel()

    return call


def through_dataframe(way: str, folder: Path, x: Any) -> tuple[Callable[[], float], Callable[[], Any]]:
    """What runs all events and sums the scores, and what gives all scores in order."""
    import numpy as np
    import ROOT

    from sofie_bridge import rdf

    ROOT.EnableImplicitMT(THREADS)
    arrays = {n: np.ascontiguousarray(x[:, k]) for k, n in enumerate(COLUMNS)}
    df = ROOT.RDF.FromNumpy({**arrays, "event": np.arange(len(x))})
    call = onnxruntime_on(folder / "net.onnx", THREADS, 1 if way == "onnxruntime 1" else BLOCK)

    def scored() -> Any:
        if way.startswith("onnxruntime"):
            got = df.AsNumpy([*COLUMNS, "event"])
            score = call(np.stack([got[n] for n in COLUMNS], axis=1))
            return ROOT.RDF.FromNumpy({"score": score, "event": np.ascontiguousarray(got["event"])})
        more: dict[str, Any] = {"batch": BLOCK, "key": ["event"]} if way == "batched" else {}
        through: Any = "cling" if way == "cling" else "library"
        return rdf.define(df, "score", folder / "net.hxx", COLUMNS, through=through, **more)

    def scores() -> Any:
        got = scored().AsNumpy(["score", "event"])
        return got["score"][np.argsort(got["event"])]

    return (lambda: float(scored().Sum("score").GetValue())), scores


def on_arrays(way: str, folder: Path, x: Any) -> tuple[Callable[[], float], Callable[[], Any]]:
    import numpy as np

    if way == "numpy":
        call = onnxruntime_on(folder / "net.onnx", THREADS, BLOCK)
        return (lambda: float(call(x).sum(dtype=np.float64))), (lambda: call(x))
    from sofie_bridge import arrays

    model = arrays.load(folder / "net.hxx", COLUMNS)
    table = {n: np.ascontiguousarray(x[:, k]) for k, n in enumerate(COLUMNS)}
    (output,) = model({n: v[:1] for n, v in table.items()})
    return (lambda: float(model(table)[output].sum(dtype=np.float64))), (lambda: model(table)[output])


def measure(way: str, folder: Path, count: int) -> dict[str, Any]:
    """In this process. Seconds before the first loop ends, and of the fastest loop after it."""
    import numpy as np

    x = events(count)
    start = time.perf_counter()
    make = on_arrays if way in ("numpy", "header") else through_dataframe
    total, scores = make(way, folder, x)
    total()
    started = time.perf_counter() - start
    loops = []
    for _ in range(LOOPS):
        start = time.perf_counter()
        total()
        loops.append(time.perf_counter() - start)
    expected = onnxruntime_on(folder / "net.onnx", 1, BLOCK)(x)
    got = np.asarray(scores())
    if got.shape != expected.shape or not np.allclose(got, expected, rtol=1e-4, atol=1e-5):
        raise SystemExit(f"{way}: other scores than onnxruntime's")
    return {"start": started, "loop": min(loops), "difference": float(abs(got - expected).max())}


def blas_core() -> str:
    """The kernels that OpenBLAS chose here."""
    import ctypes
    from importlib.util import find_spec

    spec = find_spec("scipy_openblas32")
    if spec is None or spec.origin is None:
        return "of another BLAS"
    library = ctypes.CDLL(str(Path(spec.origin).parent / "lib" / "libscipy_openblas.so"))
    library.scipy_openblas_get_corename.restype = ctypes.c_char_p
    return str(library.scipy_openblas_get_corename().decode())


def main(count: int) -> None:
    from convert import convert

    print(f"OpenBLAS core {blas_core()}, {os.cpu_count()} processors, {count:,} events, {THREADS} threads")
    with tempfile.TemporaryDirectory(prefix="sofie-rdf-bench-") as name:
        wide(Path(name, "wide.onnx"))
        for network in (FOLDER / "fixtures" / "mlp.onnx", Path(name, "wide.onnx")):
            folder = Path(name, network.stem)
            folder.mkdir()
            (folder / "net.onnx").write_bytes(network.read_bytes())
            convert(folder / "net.onnx", output=folder / "net.hxx")
            print(f"\n{network.stem:16} {'events/s':>12} {'loop s':>9} {'start s':>9} {'max |diff|':>11}")
            for way in WAYS:
                told = one(way, folder, int(count * SHARES.get(way, 1)), Path(name, f"cache-{network.stem}-{way}"))
                rate = int(count * SHARES.get(way, 1)) / told["loop"]
                print(f"{way:16} {rate:12,.0f} {told['loop']:9.3f} {told['start']:9.2f} {told['difference']:11.1e}")


def one(way: str, folder: Path, count: int, cache: Path) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", __file__, "--one", way, str(folder), str(count)]
    environment = {**os.environ, "SOFIE_CONVERT_CACHE": str(cache)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(done.stderr)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
