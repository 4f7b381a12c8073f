"""A plain jaxpr to ONNX, through jax2onnx's translations of JAX's primitives.

jax2onnx patches the user's libraries while it traces, which fails for many a module; here it gets a jaxpr that was
traced outside of it and holds primitives only, and so needs none of its plugins for functions and layers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any
from unittest import mock

from convert.errors import ExportFailed, Finding
from converters.domains import import_domains
from converters.jax_decompositions import REFUSALS, load
from converters.jax_lowering import register
from converters.jax_wiring import wire
from converters.places import user_line
from converters.quiet import Attempt, quietly, reason

if TYPE_CHECKING:
    import onnx

EXPORTER = "jax2onnx"
#: jax2onnx's own default, which its translations are tested with.
OPSET = 23
#: Its translations of primitives; all of the others patch what is not called here, and take twenty seconds to import.
_PLUGINS = ("jax2onnx.plugins.jax.core", "jax2onnx.plugins.jax.lax")
#: Primitives whose bodies become graphs inside a node.
_CONTROL = ("scan", "while", "cond")


def export(closed: Any, names: Sequence[str], outputs: Sequence[str], *, where: str, verbose: bool) -> onnx.ModelProto:
    """The jaxpr as ONNX, each node with the user's line.

    :param names: of the inputs. :param outputs: names of the outputs.
    :raises ExportFailed: every primitive that has no translation, with its place.
    """
    with quietly(verbose=verbose):
        import jax2onnx

        _import_plugins()
    _refuse_unknown(closed, where)
    import jax

    tensors = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in closed.in_avals]
    places: list[str] = []
    with quietly(verbose=verbose), Attempt() as attempt, _only_primitives(), _placed(places):
        run = jax.extend.core.jaxpr_as_fun(closed)
        model: onnx.ModelProto = jax2onnx.to_onnx(run, tensors, opset=OPSET, normalization_mode="force_decomposed")
        wire(model, names, outputs)
        import_domains(model)
        return model
    what = f"{EXPORTER} failed" + (f" at the primitive {places[-1]}" if places else "")
    raise ExportFailed(what, where=where, why=reason(attempt.error)) from attempt.error


def _import_plugins() -> None:
    for home in _PLUGINS:
        for module in iter_modules(import_module(home).__path__, f"{home}."):
            import_module(module.name)
    load()
    register()  # ours stand before them


def _refuse_unknown(closed: Any, where: str) -> None:
    """
    :raises ExportFailed: primitives that nobody translates.
    """
    from jax2onnx.plugins.plugin_system import PLUGIN_REGISTRY

    unknown = {e.primitive.name: user_line(e.source_info) for e in reversed(_equations(closed.jaxpr))
               if e.primitive.name not in PLUGIN_REGISTRY or e.primitive.name in REFUSALS}  # fmt: skip
    if unknown:
        findings = tuple(Finding(f"{name} has no translation", where=place, why=REFUSALS.get(name, ""))
                         for name, place in unknown.items())  # fmt: skip
        advice = "say it with other functions of jax.numpy, or cut it off the model"
        what = f"the primitives {', '.join(unknown)} cannot be exported"
        raise ExportFailed(what, where=where, advice=advice, findings=findings)


def _equations(jaxpr: Any) -> list[Any]:
    """Those in the bodies of loops and branches too."""
    from jax.extend.core import jaxprs_in_params

    found = []
    for equation in jaxpr.eqns:
        inner = jaxprs_in_params(equation.params) if equation.primitive.name in _CONTROL else ()
        found += [equation, *(e for j in inner for e in _equations(getattr(j, "jaxpr", j)))]
    return found


@contextlib.contextmanager
def _only_primitives() -> Iterator[None]:
    """Keep jax2onnx from importing, and patching with, its plugins for functions and layers."""
    from jax2onnx.plugins import plugin_system

    with mock.patch.object(plugin_system, "_already_imported_plugins", True):
        yield


@contextlib.contextmanager
def _placed(places: list[str]) -> Iterator[None]:
    """Write the user's line into every node as a primitive is translated to it.

    :param places: gets each primitive and its line, in order.
    """
    from jax2onnx.converter import lowering_dispatch

    original = lowering_dispatch.dispatch_plugin_lowering

    def dispatch(plugin: object, *, ctx: Any, eqn: Any, **others: Any) -> object:
        line = user_line(eqn.source_info)
        places.append(f"{eqn.primitive.name} ({line})" if line else eqn.primitive.name)
        before = len(ctx.builder.nodes)
        found = original(plugin, ctx=ctx, eqn=eqn, **others)
        file, _, number = line.rpartition(":")
        for node in ctx.builder.nodes[before:] if line else ():
            node.doc_string = f'File "{file}", line {number}'
        return found

    with mock.patch.object(lowering_dispatch, "dispatch_plugin_lowering", dispatch):
        yield
