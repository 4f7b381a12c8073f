"""A TensorFlow function to ONNX, through tf2onnx."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

from convert.errors import ExportFailed
from converters.domains import import_domains
from converters.graph_nets_tracing import of_known_lengths
from converters.quiet import Attempt, quietly, reason
from converters.tf_builder import handler
from converters.tf_refusals import Watch, untraceable
from converters.tf_retracing import retraced
from converters.tf_symbolic import exporting
from converters.translations import TENSORFLOW, load_shipped

if TYPE_CHECKING:
    import onnx

#: The newest that tf2onnx writes.
OPSET = 18
EXPORTER = "tf2onnx"

Dims = tuple[int | str | None, ...]


@dataclass(frozen=True)
class Call:
    """A model as a function from tensors to tensors, in evaluation mode.

    :param names: of the inputs, the user's own. :param dtypes: numpy's names. :param shapes: sizes, names of open
        dimensions, None where an open one has no name yet.
    :param run: from a list of tensors to the outputs by their names, none of which is an input's.
    :param notes: sentences for the user.
    """

    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    shapes: tuple[Dims, ...]
    run: Callable[[Sequence[Any]], dict[str, Any]]
    notes: tuple[str, ...] = ()


def export(
    call: Call, *, where: str, tracing: Callable[[], contextlib.AbstractContextManager[None]], verbose: bool
) -> onnx.ModelProto:
    """Trace, freeze and convert.

    :param tracing: context in which the function is traced; the front end replaces what cannot be traced there.
    :raises ExportFailed: what cannot be traced; the operators for which there is no translation, with their places.
    """
    import tensorflow as tf

    load_shipped("tf_ops")
    # Names of the graph's own: a user's may be none that TensorFlow takes.
    specs = [
        tf.TensorSpec([d if isinstance(d, int) else None for d in shape], dtype, name=f"input_{k}")
        for k, (dtype, shape) in enumerate(zip(call.dtypes, call.shapes, strict=True))
    ]

    names: list[str] = []

    def traced(*tensors: Any) -> list[Any]:
        outputs = call.run(tensors)
        names[:] = outputs
        return [tf.identity(t, name=f"output_{k}") for k, t in enumerate(outputs.values())]

    with quietly(verbose=verbose), Attempt() as attempt, exporting(), tracing(), of_known_lengths(), retraced():
        function = tf.function(traced, input_signature=specs, autograph=False).get_concrete_function()
    if attempt.error is not None:
        raise untraceable(attempt.error, where) from attempt.error
    watch, model = Watch(), None
    with quietly(verbose=verbose), Attempt() as attempt, watch.translating():
        model = _convert(function, call, names)
    watch.refuse(model, where=where)
    if model is None:
        raise ExportFailed(f"{EXPORTER} failed", where=where, why=reason(attempt.error)) from attempt.error
    return model


def _convert(function: Any, call: Call, names: Sequence[str]) -> onnx.ModelProto:
    import tensorflow as tf
    from tf2onnx import optimizer, tf_loader, tfonnx

    # constants that the function captured stand behind its own inputs
    inputs = [t.name for t in function.inputs[: len(call.names)]]
    outputs = [t.name for t in function.outputs]
    with tf.device("/cpu:0"), _kept_apart():
        frozen = tf_loader.from_function(function, inputs, outputs)
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(frozen, name="")
            converted = tfonnx.process_tf_graph(
                graph,
                opset=OPSET,
                custom_op_handlers={name: handler(f) for name, f in TENSORFLOW.items()},
                input_names=inputs,
                output_names=outputs,
                tensors_to_rename=dict(zip((*inputs, *outputs), (*call.names, *names), strict=True)),
                continue_on_error=True,
            )
        model: onnx.ModelProto = optimizer.optimize_graph(converted).make_model("from TensorFlow")
    _settle(model, call)
    return model


def _settle(model: onnx.ModelProto, call: Call) -> None:
    """The user's inputs in the user's order, with their dimensions; no made-up names of dimensions. In place."""
    import onnx

    made = {v.name: v for v in model.graph.input}
    wanted = []
    for name, shape in zip(call.names, call.shapes, strict=True):
        if name not in made:
            continue  # not used by the model
        kind = made[name].type.tensor_type.elem_type
        wanted.append(onnx.helper.make_tensor_value_info(name, kind, shape))
    import_domains(model)
    captured = [v for v in model.graph.input if v.name not in call.names]
    del model.graph.input[:]
    model.graph.input.extend([*wanted, *captured])
    del model.graph.value_info[:]
    for value in model.graph.output:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param or dim.dim_value <= 0:
                dim.Clear()


@contextlib.contextmanager
def _kept_apart() -> Iterator[None]:
    """tf2onnx keeps functions of one conversion for the next."""
    from tf2onnx import tf_loader

    tf_loader.clear_functions()
    try:
        yield
    finally:
        tf_loader.clear_functions()


def without_jit() -> Any:
    """Context in which ``tf.function(jit_compile=True)`` makes plain ones: tf2onnx sees nothing of compiled ones."""
    import tensorflow as tf

    original = tf.function

    def plain(func: Any = None, **options: Any) -> Any:
        options.pop("jit_compile", None)
        return original(func, **options)

    return mock.patch.object(tf, "function", plain)
