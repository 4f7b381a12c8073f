"""Seconds a call of a header, beside onnxruntime: one thread each, one after the other in one process of their own."""

from __future__ import annotations

import ctypes
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx

from convert.custom import declared
from convert.errors import RunFailed
from rewrite.protos import nodes
from sofie_bridge import signature
from sofie_bridge.emit import Emitted
from sofie_bridge.ports import Ports
from sofie_bridge.process import run_child
from sofie_bridge.samples import Arrays
from sofie_bridge.toolchain import Toolchain, compile_shared

#: Seconds that each is measured for, in turns that alternate; the best turn counts.
SPAN, TURNS = 0.3, 5

_SOURCE = """
#include "{header}"
#include <chrono>
struct Any {{
   void const *p;
   template <class T> operator T const *() const {{ return static_cast<T const *>(p); }}
   template <class T> operator T *() const {{ return static_cast<T *>(const_cast<void *>(p)); }}
}};
extern "C" __attribute__((visibility("default")))
double measure(char const *weights, void const *const *in, unsigned long const *size, double span) {{
   (void)in; (void)size; (void)weights;
   static auto session = {namespace}::Session({constructor});  // with brackets alone it would declare a function
   using clock = std::chrono::steady_clock;
   long calls = 0;
   session.infer({arguments});
   auto start = clock::now();
   double seconds = 0;
   for (; seconds < span; ++calls, seconds = std::chrono::duration<double>(clock::now() - start).count())
      session.infer({arguments});
   return seconds / double(calls);
}}
"""
_START = "import sys; sys.path.insert(0, sys.argv[1]); from sofie_bridge.latency import main; main(sys.argv[2])"


def latencies(
    exported: onnx.ModelProto, emitted: Emitted, ports: Ports, inputs: Arrays, toolchain: Toolchain
) -> dict[str, float]:
    """Seconds a call of "header" and "onnxruntime", which runs the exported model with all its optimisations.

    The header is compiled with -O3 for this processor and called from C++, onnxruntime from Python, which costs it
    about 2 us a call. Of a model with custom operators the header alone: onnxruntime does not know them.

    :param ports: between the exported model's inputs and the header's. :param inputs: the header's, by ONNX name.
    :raises RunFailed: the process crashed or hung.
    """
    with TemporaryDirectory(prefix="sofie-latency-") as name:
        folder = Path(name)
        order = _order(emitted, inputs, folder)
        library = compile_shared(
            folder / "measure.cpp",
            None,
            toolchain,
            optimise="-O3",
            includes=(emitted.header.parent, *emitted.includes),
        )
        if not any(declared(n.domain, n.op_type) for n in nodes(exported.graph)):
            onnx.save(exported, folder / "exported.onnx")
        theirs = ports.exported(inputs)
        for k, array in enumerate(theirs.values()):
            np.save(folder / f"theirs{k}.npy", array)
        (folder / "order.json").write_text(json.dumps({**order, "library": str(library), "theirs": list(theirs)}))
        done = run_child(
            [sys.executable, "-c", _START, str(Path(__file__).parents[1]), name],
            time_limit=600,
            env={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"},
        )
        if not (folder / "told.json").exists():
            why = done.signal_name or done.stderr.strip().splitlines()[-1:] or "it hung"
            raise RunFailed("the latency could not be measured", why=str(why))
        told: dict[str, float] = json.loads((folder / "told.json").read_text())
        return told


def _order(emitted: Emitted, inputs: Arrays, folder: Path) -> dict[str, object]:
    """Write the source and the inputs; what the process needs to know."""
    model = emitted.named.model
    names = signature.read(emitted.header.read_text(), emitted.named.name)
    cpp = {n: emitted.named.tensors[n] for n in inputs if n in emitted.named.tensors}
    place = {c: k for k, c in enumerate(i.name for i in model.graph.input)}
    known: dict[str, int] = {}
    for onnx_name, c in cpp.items():
        info = model.graph.input[place[c]]
        np.save(folder / f"in{place[c]}.npy", np.asarray(inputs[onnx_name]))
        for axis, dim in enumerate(info.type.tensor_type.shape.dim):
            if dim.dim_param:
                known[dim.dim_param] = np.asarray(inputs[onnx_name]).shape[axis]
    sizes = {s: f"size[{k}]" for k, s in enumerate(sorted(known))}
    weights = ["weights"] if names.weights else ['""'] if names.sizes else []
    (folder / "measure.cpp").write_text(
        _SOURCE.format(
            header=emitted.header.name,
            namespace=names.namespace,
            constructor=", ".join([*weights, *(sizes[s] for s in names.sizes)]),
            arguments=", ".join(sizes[a] if a in sizes else f"Any{{in[{place[a]}]}}" for a in names.arguments),
        )
    )
    return {
        "weights": str(emitted.weights or ""),
        "sizes": [known[s] for s in sorted(known)],
        "inputs": len(model.graph.input),
    }


def _of_onnxruntime(path: Path, inputs: Arrays) -> Callable[[float], float]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feeds = {i.name: inputs[i.name] for i in session.get_inputs()}
    session.run(None, feeds)

    def measure(span: float) -> float:
        start, calls = time.perf_counter(), 0
        while (spent := time.perf_counter() - start) < span:
            session.run(None, feeds)
            calls += 1
        return spent / calls

    return measure


def main(name: str) -> None:
    """The process: both in turns, the least of each."""
    folder = Path(name)
    order = json.loads((folder / "order.json").read_text())
    arrays = [np.ascontiguousarray(np.load(folder / f"in{k}.npy")) for k in range(order["inputs"])]
    call = ctypes.CDLL(order["library"]).measure
    call.restype = ctypes.c_double
    pointers = (ctypes.c_void_p * (len(arrays) + 1))(*(a.ctypes.data for a in arrays), None)
    sizes = (ctypes.c_ulong * (len(order["sizes"]) + 1))(*order["sizes"], 0)
    feeds = {n: np.load(folder / f"theirs{k}.npy") for k, n in enumerate(order["theirs"])}
    path = folder / "exported.onnx"
    theirs = _of_onnxruntime(path, feeds) if path.exists() else None
    best = {"header": math.inf} | ({"onnxruntime": math.inf} if theirs is not None else {})
    for _ in range(TURNS):
        spent = call(order["weights"].encode(), pointers, sizes, ctypes.c_double(SPAN))
        best["header"] = min(best["header"], spent)
        if theirs is not None:
            best["onnxruntime"] = min(best["onnxruntime"], theirs(SPAN))
    (folder / "told.json").write_text(json.dumps(best))
