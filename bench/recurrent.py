"""An LSTM in every form that it may have: ``python bench/recurrent.py [STEPS ...]``, by default 8, 24, 100 and 400.

One layer of 32 units over 7 features a step, its last state through one Dense; one event a call. From Flax as a scan
that a kernel runs, and as its steps written out (to 100 steps: more take minutes); from ONNX as a Scan written by hand,
and as the operator LSTM. Measured are the seconds of each stage of the conversion with an empty cache, the size of the
header, and the latencies of the header and of onnxruntime, in turns in one process; the best turn counts. One thread.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

#: This slows OpenBLAS down threefold where it names another processor than the one at hand.
os.environ.pop("OPENBLAS_CORETYPE", None)
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

UNITS, FEATURES = 32, 7
STEPS = (8, 24, 100, 400)
#: Steps up to which they are written out.
MOST = 100
STAGES = ("load", "rewrite", "emit", "verify")


def flax(cell: str, steps: int) -> tuple[Any, list[str]]:
    """A module with its parameters, and its input."""
    import jax
    from flax import linen as nn

    class Classifier(nn.Module):  # type: ignore[misc]
        @nn.compact  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> Any:
            return nn.sigmoid(nn.Dense(1)(nn.RNN(getattr(nn, cell)(UNITS))(x)[:, -1]))

    module = Classifier()
    return (module, module.init(jax.random.key(0), jax.numpy.zeros((1, steps, FEATURES)))), [
        f"x:float32[1,{steps},{FEATURES}]"
    ]


def written_out(steps: int) -> tuple[Any, list[str]]:
    from converters import jax_loops

    # for good: each form is measured in a process of its own
    mock.patch.multiple(jax_loops, COPIES=1 << 30, LAYERS=1 << 30).start()
    return flax("LSTMCell", steps)


def onnx_scan(steps: int) -> tuple[Any, list[str]]:
    """The product of all steps' features with their weights ahead of the Scan; all gates in one product."""
    from rewrite import control_flow

    mock.patch.object(control_flow, "SCANNED", 0).start()
    text = f"""(float[{steps},1,{FEATURES}] x) => (float[1,1] y) <{_weights(f"{FEATURES},{4 * UNITS}")}> {{
        xw = MatMul(x, w) xb = Add(xw, b) hn, cn = Scan<num_scan_inputs = 1, body = step
        (float[1,{UNITS}] h, float[1,{UNITS}] c, float[1,{4 * UNITS}] e) => (float[1,{UNITS}] h1, float[1,{UNITS}] c1)
        {{ p = MatMul(h, r) g = Add(e, p) i, f, o, k = Split<axis = 1, num_outputs = 4>(g)
        i1 = Sigmoid(i) f1 = Sigmoid(f) o1 = Sigmoid(o) k1 = Tanh(k) fc = Mul(f1, c) ik = Mul(i1, k1) c1 = Add(fc, ik)
        t = Tanh(c1) h1 = Mul(o1, t) }}> (z, z, xb) l = MatMul(hn, d) y = Sigmoid(l) }}"""
    return _filled(text), []


def onnx_lstm(steps: int) -> tuple[Any, list[str]]:
    weights = _weights(f"1,{4 * UNITS},{FEATURES}", f"1,{4 * UNITS},{UNITS}", f"1,{8 * UNITS}")
    text = f"""(float[{steps},1,{FEATURES}] x) => (float[1,1] y) <{weights}, int64[1] a = {{0}}> {{
        none, hn = LSTM<hidden_size = {UNITS}>(x, w, r, b) h = Squeeze(hn, a) l = MatMul(h, d) y = Sigmoid(l) }}"""
    return _filled(text.replace("none, hn", ", hn")), []


def _weights(w: str, r: str = f"{UNITS},{4 * UNITS}", b: str = f"{4 * UNITS}") -> str:
    shapes = {"w": w, "r": r, "b": b, "d": f"{UNITS},1", "z": f"1,{UNITS}"}
    return ", ".join(f"float[{shape}] {name} = {{0}}" for name, shape in shapes.items())


def _filled(text: str) -> Any:
    """The model with weights drawn at random, and a state of zeros."""
    import numpy as np
    import onnx.parser
    from onnx import numpy_helper

    draw = np.random.default_rng(0)
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 22]> recurrent {text}')
    for tensor in [t for t in model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT]:
        values = draw.standard_normal(tensor.dims) / tensor.dims[-1] ** 0.5 * (tensor.name != "z")
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float32), tensor.name))
    return model


FORMS: dict[str, Callable[[int], tuple[Any, list[str]]]] = {
    "Flax LSTMCell": lambda steps: flax("LSTMCell", steps),
    "Flax LSTMCell, written out": written_out,
    "Flax OptimizedLSTMCell": lambda steps: flax("OptimizedLSTMCell", steps),
    "ONNX Scan": onnx_scan,
    "ONNX LSTM": onnx_lstm,
}


def measure(form: str, steps: int) -> tuple[Any, int]:
    """The report of its conversion, and the header's size in bytes."""
    import convert

    with tempfile.TemporaryDirectory() as name:
        os.environ["SOFIE_CONVERT_CACHE"] = f"{name}/cache"
        model, inputs = FORMS[form](steps)
        report = convert.convert(model, inputs=inputs, output=f"{name}/recurrent.hxx", bench=True)
        return report, (Path(name) / "recurrent.hxx").stat().st_size


def main(wanted: list[str]) -> None:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    from rich.console import Console
    from rich.table import Table
    from run import blas_core  # type: ignore[import-not-found]

    table = Table("form", box=None)
    for column in ("steps", *(f"{s} s" for s in STAGES), "header kB", "header us", "onnxruntime us"):
        table.add_column(column, justify="right")
    for steps in map(int, wanted or STEPS):
        for form in FORMS:
            if form == "Flax LSTMCell, written out" and steps > MOST:
                continue
            with ProcessPoolExecutor(1, get_context("spawn")) as process:
                report, size = process.submit(measure, form, steps).result()
            seconds = (sum(s.seconds for s in report.stages if s.name == name) for name in STAGES)
            latency = (f"{report.latency[n] * 1e6:.1f}" for n in ("header", "onnxruntime"))
            table.add_row(form, str(steps), *(f"{s:.1f}" for s in seconds), f"{size / 1e3:.0f}", *latency)
    console = Console(width=120)
    console.print(f"BLAS: {blas_core()}")
    console.print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
