"""Keras models, TensorFlow functions and modules as one kind of function: tensors in, tensors out, evaluation mode."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from convert.errors import BadInput, BadModel, Finding
from convert.spec import TensorSpec
from converters.base import LoadOptions
from converters.inputs import match_specs
from converters.tf_export import Call, Dims

#: Arguments of a layer's call that are no tensors of the user's.
_SWITCHES = ("self", "training", "mask", "is_training", "args", "kwargs")


def from_model(model: Any, options: LoadOptions, *, where: str) -> Call:
    """A Keras model, of Keras 3 or of tf_keras: Functional, Sequential or subclassed.

    :raises BadModel: it keeps a state between calls, or its inputs are not known. :raises BadInput: --input misfits.
    """
    _refuse_states(model, where)
    tensors = _symbolic_inputs(model)
    if tensors is None or options.example:
        return from_callable(model, _evaluated(model), _built_specs(model), options, where=where)
    names = _distinct([_name(t) for t in tensors])
    call = Call(
        names,
        tuple(_dtype(t.dtype) for t in tensors),
        tuple(tuple(t.shape) for t in tensors),
        _output_names(model, names),
        _functional(model),
    )
    return _settled(call, options, where)


def from_signature(function: Any, options: LoadOptions, *, where: str) -> Call:
    """A concrete function with named tensors, as the signatures of a SavedModel are."""
    specs = function.structured_input_signature[1]
    names = tuple(specs)

    def run(tensors: Sequence[Any]) -> list[Any]:
        return list(function(**dict(zip(names, tensors, strict=True))).values())

    call = Call(
        names,
        tuple(_dtype(s.dtype) for s in specs.values()),
        tuple(_dims(s) for s in specs.values()),
        _avoiding(tuple(function.structured_outputs), names),
        run,
    )
    return _settled(call, options, where)


def from_callable(
    subject: Any, function: Callable[..., Any], known: Sequence[TensorSpec], options: LoadOptions, *, where: str
) -> Call:
    """A function whose inputs stand in its example, its input signature, or in --input."""
    if options.example:
        return _from_example(function, options, where)
    signature = _input_signature(subject)
    if signature is not None:
        import tensorflow as tf

        flat = tf.nest.flatten(signature)
        found = re.compile(r"\w+")
        names = _distinct([s.name if s.name and found.fullmatch(s.name) else f"input_{k}" for k, s in enumerate(flat)])

        def run(tensors: Sequence[Any]) -> list[Any]:
            return _leaves(function(*tf.nest.pack_sequence_as(signature, list(tensors))))

        call = Call(names, tuple(_dtype(s.dtype) for s in flat), tuple(_dims(s) for s in flat), (), run)
        return _settled(call, options, where)
    parameters = _parameters(subject)
    specs = list(options.inputs) or list(known)
    if not specs:
        raise BadInput(
            "the model does not say what its inputs are",
            where=where,
            advice="give dtypes and shapes, as in " + " ".join(f"--input '{p}:float32[N,7]'" for p in parameters),
        )
    return _from_specs(function, parameters, specs, options, where)


def _from_specs(
    function: Callable[..., Any], parameters: Sequence[str], specs: Sequence[TensorSpec], options: LoadOptions, where: str
) -> Call:
    """``specs`` are for the parameters of those names or in order; for one parameter many are its list or dict."""
    given = {s.name for s in specs}
    if len(specs) > len(parameters) and len(parameters) == 1 and not given & set(parameters):
        named = all(given)
        full = [s if s.name else replace(s, name=f"{parameters[0]}_{k}") for k, s in enumerate(specs)]
        names = tuple(s.name for s in full)

        def run(tensors: Sequence[Any]) -> list[Any]:
            if named:
                try:
                    return _leaves(function(dict(zip(names, tensors, strict=True))))
                except (TypeError, KeyError, IndexError, ValueError):
                    pass  # a list, then, in the order in which they are named
            return _leaves(function(list(tensors)))

    else:
        matched, findings = match_specs(specs, parameters)
        if findings:
            advice = f"its inputs are {', '.join(parameters)}"
            raise BadInput("the given inputs do not fit the model", where=where, advice=advice, findings=tuple(findings))
        names = tuple(p for p in parameters if p in matched)
        full = [matched[n] for n in names]

        def run(tensors: Sequence[Any]) -> list[Any]:
            return _leaves(function(**dict(zip(names, tensors, strict=True))))

    call = Call(names, tuple(s.dtype for s in full), tuple(s.shape for s in full), (), run)
    return _settled(call, replace(options, inputs=()), where)


def _from_example(function: Callable[..., Any], options: LoadOptions, where: str) -> Call:
    import numpy as np
    import tensorflow as tf

    flat = [np.asarray(a) for a in tf.nest.flatten(options.example)]

    def run(tensors: Sequence[Any]) -> list[Any]:
        return _leaves(function(*tf.nest.pack_sequence_as(options.example, list(tensors))))

    names = ("input",) if len(flat) == 1 else tuple(f"input_{k}" for k in range(len(flat)))
    call = Call(names, tuple(str(a.dtype) for a in flat), tuple((None, *a.shape[1:]) for a in flat), (), run)
    return _settled(call, options, where)


# ------------------------------------------------------------------------------------ what the user said of the inputs


def _settled(call: Call, options: LoadOptions, where: str) -> Call:
    """The call with the user's sizes and names of dimensions; every open first axis is the batch.

    :raises BadInput: all that does not fit.
    """
    matched, findings = match_specs(options.inputs, call.names)
    shapes = []
    for name, dtype, shape in zip(call.names, call.dtypes, call.shapes, strict=True):
        dims: Dims = tuple(_default_name(d, k, name, options.batch) for k, d in enumerate(shape))
        spec = matched.get(name)
        if spec is not None:
            findings += _misfits(name, dtype, shape, spec)
            dims = tuple(w if w is not None else d for w, d in zip(spec.shape, dims, strict=False))
        shapes.append(dims)
    if findings:
        own = " ".join(str(TensorSpec(n, t, s)) for n, t, s in zip(call.names, call.dtypes, call.shapes, strict=True))
        what = "the given inputs do not fit the model"
        raise BadInput(what, where=where, advice=f"the model's inputs are {own}", findings=tuple(findings))
    return replace(call, shapes=tuple(shapes))


def _default_name(size: int | str | None, axis: int, name: str, batch: int | None) -> int | str:
    if size is not None:
        return size
    if axis == 0:
        return "N" if batch is None else batch
    clean = re.sub(r"\W", "_", f"{name}_{axis}", flags=re.ASCII)
    return clean if clean[0].isalpha() else f"d_{clean}"


def _misfits(name: str, dtype: str, shape: Dims, spec: TensorSpec) -> Iterable[Finding]:
    if spec.dtype != dtype:
        yield Finding(f"input {name} has the dtype {dtype}, not {spec.dtype}")
    if len(spec.shape) != len(shape):
        yield Finding(f"input {name} has {len(shape)} axes, not {len(spec.shape)}")
        return
    for axis, (want, have) in enumerate(zip(spec.shape, shape, strict=True)):
        if isinstance(have, int) and want not in (None, have):
            yield Finding(f"axis {axis} of the input {name} has the fixed size {have}, not {want}")
        elif want == 0:
            yield Finding(f"axis {axis} of the input {name} is given the size 0")


# ------------------------------------------------------------------------------------ what Keras says of a model


def _symbolic_inputs(model: Any) -> list[Any] | None:
    """The tensors of ``Input``; None for a subclassed model."""
    inputs = getattr(model, "inputs", None)
    symbolic = getattr(model, "_is_graph_network", True)  # of tf_keras, where subclassed models have inputs too
    return list(inputs) if inputs and symbolic else None


def _functional(model: Any) -> Callable[[Sequence[Any]], list[Any]]:
    import tensorflow as tf

    inner = getattr(model, "_functional", None) or model  # a Keras 3 Sequential's
    structure = getattr(inner, "_inputs_struct", None)
    if structure is None:
        structure = getattr(model, "_nested_inputs", None) or model.inputs[0]
    count = len(model.inputs)

    def run(tensors: Sequence[Any]) -> list[Any]:
        packed = tf.nest.pack_sequence_as(_counted(structure, count), list(tensors)) if count > 1 else tensors[0]
        return _leaves(model(packed if count > 1 or not _nested(structure) else _packed_one(structure, packed), training=False))

    return run


def _counted(structure: Any, count: int) -> Any:
    import tensorflow as tf

    return tf.nest.map_structure(lambda _: 0, structure, expand_composites=False) if count else structure


def _nested(structure: Any) -> bool:
    return isinstance(structure, (list, tuple, dict))


def _packed_one(structure: Any, tensor: Any) -> Any:
    import tensorflow as tf

    return tf.nest.pack_sequence_as(_counted(structure, 1), [tensor])


def _evaluated(model: Any) -> Callable[..., Any]:
    switch = "training" in inspect.signature(model.call).parameters
    return (lambda *a, **k: model(*a, **k, training=False)) if switch else model


def _built_specs(model: Any) -> list[TensorSpec]:
    """The shapes that a subclassed Keras 3 model was built with, as its file has them."""
    shapes = getattr(model, "_build_shapes_dict", None) or {}
    first = _parameters(model)[:1]
    found: list[TensorSpec] = []
    for key, shape in shapes.items():
        name = first[0] if key == "input_shape" and first else key.removesuffix("_shape")
        if isinstance(shape, Mapping):
            found += [TensorSpec(str(k), "float32", tuple(s)) for k, s in shape.items()]
        elif shape and isinstance(shape[0], (list, tuple)):
            found += [TensorSpec(f"{name}_{k}", "float32", tuple(s)) for k, s in enumerate(shape)]
        elif shape:
            found.append(TensorSpec(name, "float32", (None, *shape[1:])))
    return found


def _output_names(model: Any, taken: Sequence[str]) -> tuple[str, ...]:
    """Keys of a dict, else the names of the layers that give them."""
    inner = getattr(model, "_functional", None) or model
    structure = getattr(inner, "_outputs_struct", None)
    if structure is None:
        structure = getattr(model, "_nested_outputs", None)
    if isinstance(structure, dict):
        names = list(structure) if not hasattr(inner, "_outputs_struct") else sorted(structure)
        if len(names) == len(model.outputs):
            return _avoiding(_distinct(sorted(map(str, names))), taken)
    return _avoiding(_distinct([_name(t) for t in model.outputs]), taken)


def _name(tensor: Any) -> str:
    history = getattr(tensor, "_keras_history", None)
    layer = getattr(history, "operation", None) or getattr(history, "layer", None)
    return str(layer.name if layer is not None else tensor.name)


def _refuse_states(model: Any, where: str) -> None:
    """
    :raises BadModel: layers that remember.
    """
    flat = getattr(model, "_flatten_layers", None)
    layers = flat() if flat is not None else []
    findings = tuple(Finding(f"layer {l.name} is stateful", where=where) for l in layers if getattr(l, "stateful", False))
    if findings:
        raise BadModel(
            "the model keeps a state from one call to the next, which a header does not",
            where=where,
            advice="build it with stateful=False and the same weights, with the states as inputs and outputs",
            findings=findings,
        )


# ------------------------------------------------------------------------------------ small things


def _input_signature(subject: Any) -> Any:
    """The specs of a tf.function's positional arguments, a module's too; None where there are none."""
    import tensorflow as tf

    function = subject if hasattr(subject, "get_concrete_function") else getattr(type(subject), "__call__", None)
    if isinstance(subject, tf.types.experimental.ConcreteFunction):
        args, kwargs = subject.structured_input_signature
        return None if kwargs else tuple(args)
    signature = getattr(function, "input_signature", None)
    return tuple(signature) if signature is not None else None


def _parameters(subject: Any) -> tuple[str, ...]:
    """Names of the arguments that may be tensors: those without a default, or all if none is."""
    call = getattr(subject, "python_function", None) or getattr(subject, "call", None) or subject
    call = call if inspect.isfunction(call) or inspect.ismethod(call) else call.__call__
    known = [p for n, p in inspect.signature(call).parameters.items() if n not in _SWITCHES]
    named = [p for p in known if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return tuple(p.name for p in named) or ("input",)


def _leaves(outputs: Any) -> list[Any]:
    import tensorflow as tf

    return [tf.convert_to_tensor(o) for o in tf.nest.flatten(outputs) if o is not None]


def _dims(spec: Any) -> Dims:
    return tuple(spec.shape) if spec.shape.rank is not None else ()


def _dtype(dtype: Any) -> str:
    return str(getattr(dtype, "name", dtype))


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    found = []
    for name in names:
        count = seen[name] = seen.get(name, -1) + 1
        found.append(f"{name}_{count}" if count else name)
    return tuple(found)


def _avoiding(names: Sequence[str], taken: Sequence[str]) -> tuple[str, ...]:
    """An input that is an output too is two tensors in ONNX."""
    return tuple(f"{n}_output" if n in taken else n for n in names)
