"""The reference of a staged model: onnxruntime runs the parts, and for what a user declared NumPy stands in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from convert.attempt import Attempt, raised_at
from convert.custom import Tensor
from convert.dimensions import Counted
from convert.errors import BadOperator, BadSamples
from rewrite.passes.infer_shapes import infer_shapes
from rewrite.passes.inline_functions import inline_functions
from sofie_bridge.reference import OnnxReference
from sofie_bridge.samples import Array
from sofie_bridge.stages.cut import Part, cut
from sofie_bridge.stages.kernel import kernel_of
from sofie_bridge.stages.own_code import OwnCode
from sofie_bridge.stages.whole import Whole


class StagedReference:
    """Runs a model with custom operators on arrays by name.

    An operator without NumPy implementation is run in its own C++: what is around it can be judged then, it cannot.

    :param optimised: as of :class:`sofie_bridge.reference.OnnxReference`. :param second: likewise.
    """

    def __init__(self, model: onnx.ModelProto, *, optimised: bool, second: bool) -> None:
        self.outputs = [o.name for o in model.graph.output]
        whole = Whole(_inferred(model))
        self._constants = whole.constants
        self._steps: list[OnnxReference | _Standing] = []
        for step in cut(whole.model, lambda n: kernel_of(n) is not None):
            if isinstance(step, Part):
                part = OnnxReference(step.model(whole), optimised=optimised, second=second)
                self._steps.append(part)
            else:
                self._steps.append(_Standing(whole, step.node))
        names = dict.fromkeys(s.name for s in self._steps)
        self.name = " and ".join(names)

    def run(self, arrays: Mapping[str, Array]) -> list[Array]:
        """The outputs, in order.

        :raises BadSamples: one of the references cannot run on these inputs. :raises BadOperator: a NumPy
            implementation gives something else than is declared.
        """
        held = dict(arrays)
        for step in self._steps:
            if isinstance(step, OnnxReference):
                held |= step({n: held[n] for n in step.inputs})
            else:
                held |= step(
                    {n: held[n] if n in held else numpy_helper.to_array(self._constants[n]) for n in step.inputs}
                )
        return [held[n] for n in self.outputs]

    def _constant(self, name: str) -> Array:
        return numpy_helper.to_array(self._constants[name])


class _Standing:
    """What stands in for one node."""

    def __init__(self, whole: Whole, node: onnx.NodeProto) -> None:
        kernel = kernel_of(node)
        assert kernel is not None
        self.inputs = list(dict.fromkeys(n for n in node.input if n))
        self._call = kernel.call(node, whole.inputs(node))
        self._place = kernel.code(self._call).place
        reference = kernel.reference(self._call)
        self.name = "NumPy" if reference is not None else "the operators' own C++"
        self._compute = reference if reference is not None else OwnCode(whole.model, node)

    def __call__(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        node = self._call.node
        given = [arrays[n] if n else None for n in node.input]
        with Attempt() as attempt, np.errstate(all="ignore"):
            answer = self._compute(*given, **self._call.attributes)
        if attempt.error is not None:
            why = f"{type(attempt.error).__name__}: {attempt.error}, at {raised_at(attempt.error)}"
            what = f"the NumPy implementation of {_name(node)} cannot run on these inputs"
            raise BadSamples(what, why=why, where=self._place)
        answers = answer if isinstance(answer, tuple | list) else (answer,)
        if len(answers) < len(node.output):
            raise self._unfit(f"{len(answers)} outputs, the node has {len(node.output)}")
        sizes = _sizes(self._call.inputs, given)
        pairs = zip(node.output, answers, self._call.outputs, strict=False)
        return {n: self._fitting(np.asarray(a), t, sizes) for n, a, t in pairs if n}

    def _fitting(self, array: Array, declared: Tensor, sizes: Mapping[Any, int]) -> Array:
        """The array in the declared dtype, where it is of that kind; NumPy is generous with doubles.

        :param sizes: of the open dimensions of the inputs.
        :raises BadOperator: another kind of number, or another shape.
        """
        dtype = np.dtype(declared.dtype)
        wanted = [_settled(d, sizes) for d in declared.shape]
        fits = len(wanted) == array.ndim and all(
            n <= w[1] if isinstance(w, tuple) else w in (None, n) for w, n in zip(wanted, array.shape, strict=True)
        )
        if array.dtype.kind != dtype.kind or not fits:
            shape = ",".join(str(w if w is not None else d) for w, d in zip(wanted, declared.shape, strict=True))
            raise self._unfit(f"{array.dtype}{list(array.shape)}; it is declared to be {dtype}[{shape}]")
        return array.astype(dtype)

    def _unfit(self, given: str) -> BadOperator:
        what = f"the NumPy implementation of {_name(self._call.node)} gives {given}"
        return BadOperator(what, where=self._place, advice="either it or the shape function is wrong")


def _sizes(tensors: Sequence[Tensor | None], arrays: Sequence[Array | None]) -> dict[Any, int]:
    """What the open dimensions are in these arrays."""
    pairs = [(t, a) for t, a in zip(tensors, arrays, strict=True) if t is not None and a is not None]
    return {d: n for t, a in pairs for d, n in zip(t.shape, a.shape, strict=True) if not isinstance(d, int)}


def _settled(size: Any, sizes: Mapping[Any, int]) -> Any:
    """A declared size as a number, None where it cannot be told; of a counted one the most that it can be, second."""
    if isinstance(size, Counted):
        most = _settled(size.at_most, sizes)
        return ("at most", most) if most is not None else None
    if isinstance(size, int):
        return size
    found = size.subs(sizes)
    return int(found) if found.is_Integer else None


def unverified(model: onnx.ModelProto) -> list[str]:
    """Custom operators of the model whose C++ nothing of the user's is there to compare with."""
    found, whole = [], Whole(model)
    for node in model.graph.node:
        kernel = kernel_of(node)
        if kernel is not None and kernel.reference(kernel.call(node, whole.inputs(node))) is None:
            found.append(_name(node))
    return list(dict.fromkeys(found))


def _inferred(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with the types of all tensors; outputs may have none."""
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    names = [o.name for o in copied.graph.output]
    typed = [o for o in copied.graph.output if o.type.HasField("tensor_type")]
    kept = onnx.GraphProto(output=typed)
    del copied.graph.output[:]
    copied.graph.output.extend(kept.output)
    inferred = infer_shapes(inline_functions(copied))
    known = {i.name: i for i in (*inferred.graph.value_info, *inferred.graph.output, *inferred.graph.input)}
    outputs = [known.get(n) or helper.make_empty_tensor_value_info(n) for n in names]
    settled = onnx.GraphProto(output=outputs)
    del inferred.graph.output[:]
    inferred.graph.output.extend(settled.output)
    return inferred


def _name(node: onnx.NodeProto) -> str:
    return f"{node.domain}::{node.op_type}"
