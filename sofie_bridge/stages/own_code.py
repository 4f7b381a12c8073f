"""A custom operator by its own C++, in a process of its own: nobody knows yet what it does with the inputs."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import weakref
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from onnx import helper

from convert.errors import BadSamples, ConvertError
from sofie_bridge import toolchain
from sofie_bridge.header import Built, Header, build
from sofie_bridge.samples import Array
from sofie_bridge.signature import Signature
from sofie_bridge.sofie import Sofie
from sofie_bridge.stages.emit import emit
from sofie_bridge.worker import receive, send

#: Seconds for one call.
SECONDS = 60.0

_HOME = str(Path(__file__).parents[2])
_LAUNCH = str(Path(__file__).parents[1] / "launch.py")
_START = "import sys; sys.path.insert(0, sys.argv[1]); from sofie_bridge.stages.own_code import main; main()"


class OwnCode:
    """A node as a function of arrays: the process lives as long as this does, or until it crashes.

    :param model: with the node in it, shapes inferred.
    :raises convert.errors.VerifyError: the C++ does not compile.
    """

    def __init__(self, model: onnx.ModelProto, node: onnx.NodeProto) -> None:
        self._node = node
        self._what = f"the C++ of {node.domain}::{node.op_type} does not run on these inputs"
        self._model = single(model, node)
        self._process: subprocess.Popen[bytes] | None = None
        self._names: Mapping[str, str] = {}

    def __call__(self, *arrays: Array | None, **_: Any) -> list[Array]:
        """
        :raises BadSamples: it crashes, throws or hangs.
        """
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        given = {n: a for n, a in zip(self._node.input, arrays, strict=True) if a is not None}
        try:
            send(process.stdin, {self._names[n]: a for n, a in given.items()})
            ready = select.select([process.stdout], [], [], SECONDS)[0]
            answer = receive(process.stdout) if ready else f"no answer within {SECONDS:g} s"
        except BrokenPipeError:
            answer = None
        if isinstance(answer, dict):
            return [self._typed(answer, n) if n else np.empty(0) for n in self._node.output]
        self._process = None
        _end(process)
        raise BadSamples(self._what, why=answer or _ended(process.returncode))

    def _typed(self, answer: Mapping[str, Array], name: str) -> Array:
        """A header's bools are bytes."""
        kinds = {o.name: o.type.tensor_type.elem_type for o in self._model.graph.output}
        array = answer[self._names[name]]
        return array.astype(np.bool_) if kinds[name] == onnx.TensorProto.BOOL else array

    def _start(self) -> subprocess.Popen[bytes]:
        with TemporaryDirectory(prefix="sofie-operator-") as folder, Sofie() as sofie:
            emitted = emit(self._model, "operator", Path(folder), sofie, weights="embed")
            built = build(emitted.header, toolchain=toolchain.find(), includes=emitted.includes)
        self._names = emitted.named.tensors
        process = self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", _LAUNCH, str(os.getpid()), "0", sys.executable, "-c", _START, _HOME],
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        weakref.finalize(self, _end, process)
        assert process.stdin is not None
        send(process.stdin, {"library": str(built.library), "names": asdict(built.names)})
        return process


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None and not process.stdin.closed:
        process.kill()
        process.communicate()


def _ended(code: int) -> str:
    return f"it crashed with {signal.Signals(-code).name}" if code < 0 else f"its process ended with code {code}"


def main() -> None:
    """The process: load the header, answer until stdin closes."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the operator prints is no answer
    order = receive(source)
    names: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in order["names"].items()}
    with Header(Built(Path(order["library"]), Signature(**names), "")) as header:
        while (arrays := receive(source)) is not None:
            try:
                answer: Any = header(**arrays)
            except ConvertError as error:
                answer = error.finding.why or error.finding.what
            send(sink, answer)


def single(model: onnx.ModelProto, node: onnx.NodeProto) -> onnx.ModelProto:
    """The node as a model of its own; constants are inputs of it."""
    known = {i.name: i for i in (*model.graph.input, *model.graph.value_info, *model.graph.output)}
    for i in model.graph.initializer:
        known.setdefault(i.name, helper.make_tensor_value_info(i.name, i.data_type, i.dims))
    given = [known[n] for n in dict.fromkeys(node.input) if n]
    outputs = [known[n] for n in node.output if n]
    graph = helper.make_graph([node], "operator", given, outputs)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
