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
_RECURRENT = ("LSTM", "GRU", "RNN", "Scan")
_START = "import sys; sys.path.insert(0, sys.argv[1]); from sofie_bridge.at_zero import main; main(sys.argv[2])"


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
    for symbol in symbols(rewritten):
        sample = _sample(rewritten, symbol)
        if not all(_survives(m, sample) for m in (exported, rewritten)):
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


def _survives(model: onnx.ModelProto, sample: Sample) -> bool:
    """Does onnxruntime come through? On recurrent operators of an empty batch it ends the process."""
    if not any(n.op_type in _RECURRENT for n in model.graph.node):
        return True
    with TemporaryDirectory(prefix="sofie-zero-") as name:
        folder = Path(name)
        onnx.save(model, folder / "model.onnx")
        np.savez(folder / "inputs.npz", *sample.arrays.values())
        (folder / "names.json").write_text(json.dumps(list(sample.arrays)))
        done = run_child([sys.executable, "-c", _START, str(Path(__file__).parents[1]), name], time_limit=120)
    return done.returncode == 0


def main(name: str) -> None:
    """The process: ask once; not to run is no reason to die."""
    folder = Path(name)
    names = json.loads((folder / "names.json").read_text())
    with np.load(folder / "inputs.npz") as stored, suppress(BadSamples):
        OnnxReference(onnx.load(folder / "model.onnx"))({n: stored[f"arr_{k}"] for k, n in enumerate(names)})


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
