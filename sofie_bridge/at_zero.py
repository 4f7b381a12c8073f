"""Open dimensions of the size zero: an event without particles, a batch without rows."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnx import helper

from convert.errors import BadSamples, RunFailed
from sofie_bridge.emit import Emitted
from sofie_bridge.ports import Reference
from sofie_bridge.process import run_child
from sofie_bridge.reference import OnnxReference
from sofie_bridge.samples import SEED, Sample
from sofie_bridge.toolchain import Toolchain
from sofie_bridge.verify import verify

#: Size of the other open dimensions.
_OTHERS = 3
_START = "import sys; sys.path.insert(0, sys.argv[1]); from sofie_bridge.at_zero import main; main(*sys.argv[2:])"


def at_zero(
    exported: onnx.ModelProto,
    rewritten: onnx.ModelProto,
    emitted: Emitted,
    toolchain: Toolchain,
    *,
    framework: Reference | None = None,
    layout: Mapping[str, Sequence[int]] | None = None,
) -> Iterator[tuple[str, str]]:
    """The sizes that the model itself runs with at zero; for each what is wrong with the header there, or "".

    The framework's answer counts where there is one: onnxruntime's mean of no elements is not everybody's. Each is run
    in a process of its own: SOFIE's code may divide by a size.
    """
    opened = symbols(rewritten)
    samples = [_sample(rewritten, symbol) for symbol in opened]
    for symbol, sample, survived in zip(opened, samples, _survived((exported, rewritten), samples), strict=True):
        if not survived:
            continue
        try:
            seen = verify(exported, rewritten, emitted, [sample], toolchain, framework=framework, layout=layout)
        except BadSamples:  # the model itself does not
            continue
        except RunFailed as error:
            yield symbol, error.finding.why or error.finding.what
            continue
        edge = "header vs exported" if framework is None else "header vs framework"
        wrong = [m for m in seen.measured if m.edge == edge and (m.wrong or m.problem)]
        yield symbol, "; ".join(m.problem or f"{m.wrong} elements of {m.output} differ" for m in wrong)


def _survived(models: Sequence[onnx.ModelProto], samples: Sequence[Sample]) -> list[bool]:
    """Does onnxruntime come through? Some of its operators divide by a size, or end the process some other way."""
    if not samples:
        return []
    found: list[bool] = []
    with TemporaryDirectory(prefix="sofie-zero-") as name:
        folder = Path(name)
        for k, model in enumerate(models):
            onnx.save(model, folder / f"model{k}.onnx")
        for k, sample in enumerate(samples):
            np.savez(folder / f"{k}.npz", *sample.arrays.values())
        names = [list(s.arrays) for s in samples]
        (folder / "request.json").write_text(json.dumps({"models": len(models), "names": names}))
        while len(found) < len(models) * len(samples):  # again from behind the one that it died of
            command = [sys.executable, "-c", _START, str(Path(__file__).parents[1]), name, str(len(found))]
            done = run_child(command, time_limit=120)
            if done.returncode > 0:
                said = "\n".join(done.stderr.strip().splitlines()[-3:])
                raise RunFailed("the process that asks onnxruntime for open sizes of 0 failed by itself", why=said)
            found += [True] * len(done.stdout.split()) + [False]
    return [all(found[k + m * len(samples)] for m in range(len(models))) for k in range(len(samples))]


def main(name: str, first: str) -> None:
    """The process: ask each model once for each set of inputs, and tell of it; not to run is no reason to die."""
    folder = Path(name)
    request = json.loads((folder / "request.json").read_text())
    names = request["names"]
    for m in range(request["models"]):
        model = onnx.load(folder / f"model{m}.onnx")
        for k in range(max(int(first) - m * len(names), 0), len(names)):
            with np.load(folder / f"{k}.npz") as stored, suppress(BadSamples):
                OnnxReference(model)({n: stored[f"arr_{i}"] for i, n in enumerate(names[k])})
            sys.stdout.write(f"{m}-{k}\n")
            sys.stdout.flush()


def symbols(model: onnx.ModelProto) -> list[str]:
    """Names of the open dimensions of the inputs."""
    dims = [d.dim_param for i in model.graph.input for d in i.type.tensor_type.shape.dim]
    return list(dict.fromkeys(filter(None, dims)))


def _sample(model: onnx.ModelProto, symbol: str) -> Sample:
    generator = np.random.default_rng(SEED)
    arrays = {}
    for info in model.graph.input:
        kind = info.type.tensor_type
        shape = [0 if d.dim_param == symbol else d.dim_value or _OTHERS for d in kind.shape.dim]
        dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type)
        is_float = np.issubdtype(dtype, np.floating)
        arrays[info.name] = np.asarray(generator.standard_normal(shape) if is_float else np.zeros(shape), dtype)
    return Sample(f"random, {symbol} = 0", arrays)
