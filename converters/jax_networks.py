"""Linen, NNX and Equinox modules and plain functions as one kind of thing: a pure function of parameters and inputs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from convert.errors import BadModel
from converters.jax_modes import SWITCHES, evaluation, said
from converters.quiet import Attempt, reason
from converters.signature import Signature, signature_of

LINEN, NNX, EQUINOX = "Flax Linen module", "Flax NNX module", "Equinox module"
FUNCTION = "JAX function"


@dataclass(frozen=True)
class Network:
    """A model and how it is called.

    :param kind: one of the four above.
    :param apply: the state, then positional and keyword arguments → what the model gives, in evaluation mode.
    :param state: a nest of the parameters that are known; None where there are none yet.
    :param expected: of the arguments' shapes → a nest like the state, of shapes and dtypes; None where nothing says
        what the parameters have to be.
    :param takes: the arguments that are inputs.
    """

    kind: str
    apply: Callable[..., Any]
    state: Any
    expected: Callable[..., Any] | None
    takes: Signature
    name: str
    notes: tuple[str, ...] = ()


def kind_of(source: object) -> str | None:
    """The kind of a model, or of a pair of a model and its parameters; None for all else. Imports nothing."""
    if isinstance(source, tuple) and len(source) == 2:
        first = kind_of(source[0])
        return NNX if _is_split(source) else first
    if isinstance(source, _classes("flax.linen", "Module")):
        return LINEN
    if isinstance(source, _classes("flax.nnx", "Module")):
        return NNX
    if isinstance(source, _classes("equinox", "Module")) and not _is_transformed(source):
        return EQUINOX
    return FUNCTION if "jax" in sys.modules and callable(source) and not isinstance(source, type) else None


def _classes(module: str, name: str) -> tuple[type, ...]:
    """A class of a package that somebody imported; none can have an instance before."""
    found = getattr(sys.modules.get(module), name, None)
    return (found,) if isinstance(found, type) else ()


def _is_split(source: tuple[object, object]) -> bool:
    """What ``nnx.split`` gives."""
    return isinstance(source[0], _classes("flax.nnx", "GraphDef"))


def _is_transformed(source: object) -> bool:
    """``equinox.filter_jit`` and its kin make modules of functions: what they hold are no parameters of a network."""
    return type(source).__module__.startswith("equinox._") and hasattr(source, "__wrapped__")


def network_of(source: Any, *, has_params: bool, where: str) -> Network:
    """The model, with the parameters that it brings.

    :param has_params: does a file bring parameters (``--params``)? A function's first argument is theirs then.
    :raises BadModel: what it is made of does not fit together.
    """
    kind = kind_of(source)
    if isinstance(source, tuple) and not _is_split(source):
        if has_params:
            raise BadModel("parameters come with the model and with --params", where=where, advice="give one of both")
        module, state = source
    else:
        module, state = source, None
    with Attempt() as attempt:
        if kind == LINEN:
            return _linen(module, state)
        if kind == NNX:
            return _nnx(module, state)
        if kind == EQUINOX:
            return _equinox(module, state)
        return _function(module, state, takes_params=has_params or isinstance(source, tuple))
    raise BadModel("the model cannot be taken", where=where, why=reason(attempt.error)) from attempt.error


def _linen(module: Any, variables: Any) -> Network:
    import jax
    from flax.core import meta

    if variables is None and module.scope is not None:  # made by module.bind(variables)
        module, variables = module.unbind()
    known = evaluation(module.__call__)
    given = {name: value for name, value in known.items() if getattr(module, name, None) is not None}
    module = module.clone(**given) if given else module  # a switch may be given to the module or to its call
    switches = {name: value for name, value in known.items() if name not in given}

    def apply(state: Any, *args: Any, **keywords: Any) -> Any:
        return module.apply(state, *args, **keywords, **switches)

    def expected(*args: Any, **keywords: Any) -> Any:
        shapes = jax.eval_shape(lambda *a, **k: module.init(jax.random.key(0), *a, **k, **switches), *args, **keywords)
        return meta.unbox(shapes)

    takes = signature_of(module.__call__, SWITCHES)
    return Network(LINEN, apply, variables, expected, takes, type(module).__name__, said(known))


def _nnx(module: Any, state: Any) -> Network:
    """A copy is put into evaluation mode: the user's module stays as it is."""
    import jax
    from flax import nnx

    copied = nnx.merge(*module) if isinstance(module, tuple) else nnx.merge(*nnx.split(module))
    copied.eval()
    graph, own, rngs = nnx.split(copied, nnx.Not(nnx.RngState), ...)
    switches = evaluation(copied.__call__)

    def apply(leaves: Any, *args: Any, **keywords: Any) -> Any:
        fresh = jax.tree.map(lambda leaf: leaf, rngs)  # variables of this trace: those outside must not change
        return nnx.merge(graph, leaves, fresh)(*args, **keywords, **switches)

    takes = signature_of(copied.__call__, SWITCHES)
    mode = said(switches, "nnx's eval()")
    held = own if state is None else state
    return Network(NNX, apply, held, lambda *_, **__: own, takes, type(copied).__name__, mode)


def _equinox(module: Any, state: Any) -> Network:
    import equinox

    module = equinox.nn.inference_mode(module)
    own, static = equinox.partition(module, equinox.is_array)
    switches = evaluation(module.__call__)

    def apply(leaves: Any, *args: Any, **keywords: Any) -> Any:
        return equinox.combine(leaves, static)(*args, **keywords, **switches)

    takes = signature_of(module.__call__, SWITCHES)
    mode = said(switches, "equinox's inference_mode")
    held = own if state is None else state
    return Network(EQUINOX, apply, held, lambda *_, **__: own, takes, type(module).__name__, mode)


def _function(function: Any, state: Any, *, takes_params: bool) -> Network:
    switches = evaluation(function)
    takes = signature_of(function, SWITCHES)

    def apply(leaves: Any, *args: Any, **keywords: Any) -> Any:
        first = (leaves,) if takes_params else ()
        return function(*first, *args, **keywords, **switches)

    if takes_params:
        takes = Signature(takes.arguments[1:], takes.any_number, takes.any_name)
    name = getattr(function, "__name__", type(function).__name__)
    name = name if name.isidentifier() else "function"
    return Network(FUNCTION, apply, state if takes_params else (), None, takes, name, said(switches))


def arguments_of(takes: Signature) -> Sequence[str]:
    """Names of the inputs that have to be given."""
    return [a.name for a in takes.arguments if a.needed] or [a.name for a in takes.arguments][:1]
