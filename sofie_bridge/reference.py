"""onnxruntime as the reference, fusions off; ONNX's own evaluator for what onnxruntime does not run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
import onnx

from convert.custom import declared
from convert.errors import BadSamples
from sofie_bridge.samples import Array, Arrays

#: Bytes of a model from which on it is handed over in a file.
LARGE = 64 << 20


class OnnxReference:
    """Runs a model on arrays by name.

    :param name: who answers: "onnxruntime" or "onnx.reference".
    :param second: let ONNX's evaluator answer, for a second opinion.
    :raises BadSamples: neither knows all of the model's operators.
    """

    def __init__(self, model: onnx.ModelProto, *, optimised: bool = False, second: bool = False) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        if not optimised:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        self.outputs = [o.name for o in model.graph.output]
        self._declared = {
            o.name: [d.dim_value if d.HasField("dim_value") else None for d in o.type.tensor_type.shape.dim]
            for o in model.graph.output
            if o.type.tensor_type.HasField("shape")
        }
        self.inputs = [i.name for i in model.graph.input]
        held = (*model.graph.node, *(n for f in model.functions for n in f.node))
        if any(declared(n.domain, n.op_type) for n in held):
            self._stage(model, optimised=optimised, second=second)
            return
        states = ort.capi.onnxruntime_pybind11_state
        try:
            if second:
                raise states.NotImplemented("it is not asked")
            session = _session(model, options)
        except (
            states.Fail,
            states.NotImplemented,
            states.InvalidGraph,
            states.InvalidArgument,
            states.RuntimeException,
        ) as error:
            from onnx.reference import ReferenceEvaluator

            from sofie_bridge.stages.numpy_nodes import numpy_nodes

            try:
                evaluator = ReferenceEvaluator(model, new_ops=numpy_nodes())
            except RuntimeError as unknown:  # NotImplementedError is one
                why = f"{unknown}; onnxruntime says: {_last_line(error)}"
                raise BadSamples("there is nothing to compare with: no reference runs the model", why=why) from unknown
            self.name = "onnx.reference"
            self._run: Callable[[Mapping[str, Array]], Any] = lambda feeds: evaluator.run(None, dict(feeds))
            # what its operators, written in numpy, make of inputs that they do not take
            self._failures: tuple[type[Exception], ...] = (
                ArithmeticError,
                AssertionError,
                AttributeError,
                ImportError,
                LookupError,
                RuntimeError,
                TypeError,
                ValueError,
            )
        else:
            self.name = "onnxruntime"
            self._run = lambda feeds: session.run(None, dict(feeds))
            # RuntimeError: dtypes that its Python interface does not hand over
            self._failures = (states.Fail, states.InvalidArgument, states.RuntimeException, RuntimeError)

    def _stage(self, model: onnx.ModelProto, *, optimised: bool, second: bool) -> None:
        """Around custom operators, which onnxruntime does not know, it runs the model in parts."""
        from sofie_bridge.stages.reference import StagedReference  # which is made of such references

        staged = StagedReference(model, optimised=optimised, second=second)
        self.name, self._run, self._failures = staged.name, staged.run, ()

    def __call__(self, arrays: Arrays) -> dict[str, Array]:
        """Outputs by name.

        :raises BadSamples: the reference cannot run on these inputs (an index out of range, say).
        """
        try:
            with np.errstate(all="ignore"):
                results = self._run({name: np.asarray(array) for name, array in arrays.items()})
        except self._failures as error:
            raise BadSamples(f"{self.name} cannot run the model on these inputs", why=_last_line(error)) from error
        answers = dict(zip(self.outputs, (np.asarray(r) for r in results), strict=True))
        if self.name == "onnx.reference":
            self._check(answers)
        return answers

    def _check(self, answers: Arrays) -> None:
        """ONNX's evaluator goes by numpy's rules: what it gives need not be what the model declares.

        :raises BadSamples: it is not.
        """
        for name, array in answers.items():
            dims = self._declared.get(name)
            if dims is not None and (
                len(dims) != array.ndim or any(d is not None and d != n for d, n in zip(dims, array.shape, strict=True))
            ):
                raise BadSamples(
                    "ONNX's own evaluator does not keep to the model's shapes",
                    why=f"{name!r} is {list(array.shape)}, and declared as {dims}",
                )


def _last_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1]


def _session(model: onnx.ModelProto, options: Any) -> Any:
    """A session; of a large model by way of a file, since one made of bytes keeps them."""
    import onnxruntime as ort

    providers = ["CPUExecutionProvider"]
    if model.ByteSize() < LARGE:
        return ort.InferenceSession(model.SerializeToString(), options, providers=providers)
    with NamedTemporaryFile(prefix="sofie-reference-", suffix=".onnx") as file:
        onnx.save(model, file.name)
        return ort.InferenceSession(file.name, options, providers=providers)
