"""Keras models, TensorFlow functions and modules as one kind of function: tensors in, tensors out, evaluation mode."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from convert.errors import BadInput, BadModel, Finding
from convert.spec import TensorSpec
from converters.base import LoadOptions
from converters.inputs import match_specs
from converters.keras_inputs import settle
from converters.tf_export import Call
from converters.tf_structures import distinct, named_leaves, named_outputs, pack

#: Arguments of a layer's call that are no tensors of the user's.
_SWITCHES = ("self", "training", "mask", "is_training")


# ------------------------------------------------------------------------------------ Keras models


def from_model(model: Any, options: LoadOptions, *, where: str) -> Call:
    """A Keras model or layer, of Keras 3 or of tf_keras: Functional, Sequential or subclassed.

    :raises BadModel: it keeps a state between calls, or has sparse inputs.
    :raises BadInput: its inputs are not known, or what is given of them misfits.
    """
    _refuse_unfit(model, where)
    structures = _structures(model)
    if structures is None:
        return from_callable(model, _evaluated(model), options, where=where, known=_built_specs(model))
    inputs, outputs = structures
    tensors = [t for _, t in named_leaves(inputs, "")]
    names = distinct([_layer_name(t) for t in tensors])
    titles = [name or _layer_name(t) for name, t in _keyed(outputs)]

    def run(given: Sequence[Any]) -> dict[str, Any]:
        found = model(pack(inputs, given), training=False)
        return named_outputs(titles, [t for _, t in named_leaves(found, "")], names)

    dtypes = tuple(_dtype(t.dtype) for t in tensors)
    return settle(names, dtypes, [tuple(t.shape) for t in tensors], run, options, where=where)


def _structures(model: Any) -> tuple[Any, Any] | None:
    """Nested ``Input`` tensors and outputs; None for a subclassed model, a layer, and a Sequential not yet built."""
    inner = getattr(model, "_functional", None) or model  # a Keras 3 Sequential's
    if hasattr(inner, "_inputs_struct"):
        return inner._inputs_struct, inner._outputs_struct
    if getattr(model, "_is_graph_network", False):  # of tf_keras
        return model._nested_inputs, model._nested_outputs
    return None


def _keyed(structure: Any) -> list[tuple[str, Any]]:
    """Leaves of the outputs with names where they have keys, else with none."""
    plain = not isinstance(structure, Mapping)
    return [("" if plain else name, t) for name, t in named_leaves(structure, "")]


def _layer_name(tensor: Any) -> str:
    history = tensor._keras_history
    return str((history.operation if hasattr(history, "operation") else history.layer).name)


def _refuse_unfit(model: Any, where: str) -> None:
    """
    :raises BadModel: layers that remember, inputs that are sparse.
    """
    layers = list(model._flatten_layers()) if hasattr(model, "_flatten_layers") else []
    kept = tuple(Finding(f"layer {layer.name} is stateful") for layer in layers if getattr(layer, "stateful", False))
    if kept:
        raise BadModel(
            "the model keeps a state from one call to the next, which a header does not", where=where, findings=kept,
            advice="build it with stateful=False and the same weights, with the states as inputs and outputs",
        )  # fmt: skip
    unfit = tuple(
        Finding(f"input {layer.name} is {kind}")
        for layer in layers
        for kind in ("sparse", "ragged")
        if type(layer).__name__ == "InputLayer" and getattr(layer, kind, False)
    )
    if unfit:
        advice = "build the model with dense inputs and the same weights"
        raise BadModel("the model's inputs cannot be used", where=where, advice=advice, findings=unfit)


def _evaluated(model: Any) -> Callable[..., Any]:
    if "training" in inspect.signature(model.call).parameters:
        return lambda *args, **named: model(*args, **named, training=False)
    return lambda *args, **named: model(*args, **named)


def _built_specs(model: Any) -> list[TensorSpec]:
    """The shapes that a subclassed Keras 3 model was built with, as its file has them; Keras keeps no dtypes there."""
    shapes = getattr(model, "_build_shapes_dict", None) or {}
    first = _parameters(model)[0]
    found: list[TensorSpec] = []
    for key, shape in shapes.items():
        name = first if key == "input_shape" else key.removesuffix("_shape")
        many = isinstance(shape, Mapping) or any(isinstance(s, (list, tuple)) for s in shape)
        leaves = [(name, shape)] if not many else _shapes(shape, name)
        found += [TensorSpec(n, "float32", (None, *s[1:])) for n, s in leaves]
    return found


def _shapes(shapes: Any, name: str) -> list[tuple[str, Any]]:
    if isinstance(shapes, Mapping):
        return [(str(k), shapes[k]) for k in sorted(shapes)]
    return [(f"{name}_{k}", s) for k, s in enumerate(shapes)]


# ------------------------------------------------------------------------------------ signatures of a SavedModel


def from_signature(function: Any, options: LoadOptions, *, where: str, order: Sequence[str] = ()) -> Call:
    """A concrete function with named tensors, as the signatures of a SavedModel are.

    :param order: of the inputs, where it is known.
    """
    specs = function.structured_input_signature[1]
    names = tuple(order) if set(order) == set(specs) else tuple(sorted(specs, key=_natural))
    titles = sorted(function.structured_outputs, key=_natural)

    def run(tensors: Sequence[Any]) -> dict[str, Any]:
        found = function(**dict(zip(names, tensors, strict=True)))
        return named_outputs(titles, [found[t] for t in titles], names)

    dtypes = tuple(_dtype(specs[n].dtype) for n in names)
    return settle(names, dtypes, [_shape(specs[n]) for n in names], run, options, where=where)


def _natural(name: str) -> tuple[str, int]:
    """``output_10`` comes behind ``output_9``."""
    text, number = re.fullmatch(r"(.*?)(\d*)", name, re.DOTALL).groups()  # type: ignore[union-attr]  # matches anything
    return text, int(number or -1)


# ------------------------------------------------------------------------------------ functions and modules


def from_callable(
    subject: Any,
    function: Callable[..., Any],
    options: LoadOptions,
    *,
    where: str,
    known: Sequence[TensorSpec] = (),
) -> Call:
    """A function whose inputs stand in its input signature, its example, in --input, or are ``known``.

    :raises BadInput: the inputs are not known, or what is given misfits.
    """
    signature = _input_signature(subject)
    if signature is None and not options.example:
        if options.inputs and not _named_parameters(subject):
            return _from_places(function, options, where)
        return _from_specs(function, _parameters(subject), options, known, where)
    args, keywords = signature if signature is not None else (options.example, {})
    parameters = _parameters(subject)
    prefixes = [*parameters[: len(args)], *(f"input_{k}" for k in range(len(parameters), len(args)))]
    leaves = [leaf for prefix, a in zip(prefixes, args, strict=True) for leaf in named_leaves(a, prefix)]
    leaves += named_leaves(keywords, "")
    names = distinct([_spec_name(leaf) or name for name, leaf in leaves])

    def run(tensors: Sequence[Any]) -> dict[str, Any]:
        count = len(tensors) - len(named_leaves(keywords, ""))
        return _results(function(*pack(tuple(args), tensors[:count]), **pack(keywords, tensors[count:])), names)

    shapes = [_shape(leaf) for _, leaf in leaves]
    if signature is None:  # an example's first axes are its batch
        shapes = [(None, *s[1:]) if s else s for s in shapes]
    return settle(names, tuple(_dtype(leaf.dtype) for _, leaf in leaves), shapes, run, options, where=where)


def _from_specs(
    function: Callable[..., Any],
    parameters: Sequence[str],
    options: LoadOptions,
    known: Sequence[TensorSpec],
    where: str,
) -> Call:
    """Specs are for the parameters of those names, or in order.

    For one parameter, many are its list (``x_0``, ``x_1``, or without names) or else its dict.
    """
    specs = list(options.inputs) or list(known)
    if not specs:
        wanted = " ".join(f"--input '{p}:float32[N,7]'" for p in parameters)
        raise BadInput(
            "the model does not say what its inputs are", where=where, advice=f"give dtypes and shapes, as in {wanted}"
        )
    first = parameters[0]
    places = [f"{first}_{k}" for k in range(len(specs))]
    named = [s.name for s in specs]
    many = len(parameters) == 1 and named != [first] and (len(specs) > 1 or bool(named[0]))
    targets = list(parameters) if not many else named if all(named) else places
    matched, findings = match_specs(specs, targets)
    if findings:
        advice = f"its inputs are {', '.join(parameters)}"
        raise BadInput("the given inputs do not fit the model", where=where, advice=advice, findings=tuple(findings))
    names = tuple(t for t in targets if t in matched)

    def run(tensors: Sequence[Any]) -> dict[str, Any]:
        by_name = dict(zip(names, tensors, strict=True))
        if not many:
            return _results(function(**by_name), names)
        return _results(function(list(tensors) if set(names) <= set(places) else by_name), names)

    full = [matched[n] for n in names]
    settled = LoadOptions(inputs=(), batch=options.batch)
    return settle(names, tuple(s.dtype for s in full), [s.shape for s in full], run, settled, where=where)


def _from_places(function: Callable[..., Any], options: LoadOptions, where: str) -> Call:
    """Specs are for the arguments in order, of a function that hides its parameters, as Sonnet's modules do."""
    specs = options.inputs
    names = distinct([s.name or f"input_{k}" for k, s in enumerate(specs)])

    def run(tensors: Sequence[Any]) -> dict[str, Any]:
        return _results(function(*tensors), names)

    settled = LoadOptions(inputs=(), batch=options.batch)
    return settle(names, tuple(s.dtype for s in specs), [s.shape for s in specs], run, settled, where=where)


def _results(found: Any, taken: Sequence[str]) -> dict[str, Any]:
    leaves = named_leaves(found, "output")
    return named_outputs([n for n, _ in leaves], [t for _, t in leaves], taken)


def _input_signature(subject: Any) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Specs of the positional and of the keyword arguments of a tf.function, or of a module's ``__call__``."""
    import tensorflow as tf

    if isinstance(subject, tf.types.experimental.ConcreteFunction):
        args, keywords = subject.structured_input_signature
        return tuple(args), dict(keywords)
    is_function = hasattr(subject, "get_concrete_function")
    function = subject if is_function else inspect.getattr_static(subject, "__call__", None)
    signature = getattr(function, "input_signature", None)
    return None if signature is None else (tuple(signature), {})


def _parameters(subject: Any) -> tuple[str, ...]:
    """Names of the arguments that may be tensors: without a default, or with None; ``input`` if none has a name."""
    return _named_parameters(subject) or ("input",)


def _named_parameters(subject: Any) -> tuple[str, ...]:
    call = getattr(subject, "python_function", None) or getattr(subject, "call", None) or subject
    call = call if inspect.isfunction(call) or inspect.ismethod(call) else call.__call__
    known = [p for n, p in inspect.signature(call).parameters.items() if n not in _SWITCHES]
    named = [p for p in known if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.default in (p.empty, None)]
    return tuple(p.name for p in named)


def _spec_name(leaf: Any) -> str:
    """A TensorSpec's name where it is one that a user wrote."""
    name = getattr(leaf, "name", None)
    return name if isinstance(name, str) and re.fullmatch(r"\w+", name) else ""


def _shape(leaf: Any) -> tuple[int | None, ...] | None:
    rank = getattr(leaf.shape, "rank", len(leaf.shape) if isinstance(leaf.shape, tuple) else None)
    return None if rank is None else tuple(leaf.shape)


def _dtype(dtype: Any) -> str:
    return str(getattr(dtype, "name", dtype))
