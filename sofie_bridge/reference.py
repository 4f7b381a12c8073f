"""onnxruntime as the reference, fusions off; ONNX's own evaluator for what onnxruntime does not run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx

from convert.errors import BadSamples
from sofie_bridge.samples import Array, Arrays


class OnnxReference:
    """Runs a model on arrays by name.

    :param name: who answers: "onnxruntime" or "onnx.reference".
    """

    def __init__(self, model: onnx.ModelProto, *, optimised: bool = False) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        if not optimised:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        self.outputs = [o.name for o in model.graph.output]
        self._failures: tuple[type[Exception], ...] = (RuntimeError, ort.capi.onnxruntime_pybind11_state.Fail)
        try:
            session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except (
            ort.capi.onnxruntime_pybind11_state.Fail,
            ort.capi.onnxruntime_pybind11_state.NotImplemented,
            ort.capi.onnxruntime_pybind11_state.InvalidGraph,
        ):
            from onnx.reference import ReferenceEvaluator

            self.name = "onnx.reference"
            evaluator = ReferenceEvaluator(model)
            self._run: Callable[[Mapping[str, Array]], list[Any]] = lambda feeds: evaluator.run(None, dict(feeds))
        else:
            self.name = "onnxruntime"
            self._run = lambda feeds: session.run(None, dict(feeds))
            self._failures = (
                ort.capi.onnxruntime_pybind11_state.Fail,
                ort.capi.onnxruntime_pybind11_state.InvalidArgument,
                ort.capi.onnxruntime_pybind11_state.RuntimeException,
            )

    def __call__(self, arrays: Arrays) -> dict[str, Array]:
        """Outputs by name.

        :raises BadSamples: the reference cannot run on these inputs (an index out of range, say).
        """
        try:
            with np.errstate(all="ignore"):
                results = self._run(arrays)
        except self._failures as error:
            why = str(error).strip().splitlines()[-1]
            raise BadSamples(f"{self.name} cannot run the model on these inputs", why=why) from error
        return dict(zip(self.outputs, (np.asarray(r) for r in results), strict=True))
