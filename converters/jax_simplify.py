"""A jaxpr made plain: what is known is computed, calls are inlined, loops of known length unrolled, branches selected.

What comes out holds nothing but primitives of ``jax.lax`` in one flat list, each with the user's line. This is done by
running the jaxpr once more under JAX's own tracing (as ``jax.core.eval_jaxpr`` does), where values that depend on no
input are concrete.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from converters import jax_loops
from converters.jax_binding import bound, read, shaped
from converters.jax_decompositions import DECOMPOSITIONS, load
from converters.places import is_inner, user_line

#: Primitives that call a jaxpr, and where they have it.
_CALLS = {
    "jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "core_call": "call_jaxpr", "checkpoint": "jaxpr",
    "remat2": "jaxpr", "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr", "composite": "jaxpr",
}  # fmt: skip
#: Primitives that change no number: what they say is for gradients, compilers and debuggers.
_IDENTITIES = ("stop_gradient", "optimization_barrier", "name", "sharding_constraint", "copy", "copy_p", "device_put",
               "pvary", "layout_constraint")  # fmt: skip
_SILENT = ("debug_callback", "debug_print")


def simplified(closed: Any, known: Sequence[Any]) -> tuple[Any, tuple[str, ...]]:
    """The jaxpr with its first arguments put in, and notes for the user.

    :param closed: ``jax.extend.core.ClosedJaxpr``.
    :param known: values of its first arguments.
    :raises convert.errors.ExportFailed: loops that cannot be unrolled.
    """
    load()
    replay = _Replay()
    return _without_dead(replay.plain(_without_dead(closed), known)), tuple(dict.fromkeys(replay.notes))


def _without_dead(closed: Any) -> Any:
    """Without what no output depends on; every input stays."""
    from jax.extend.core import ClosedJaxpr
    from jax.interpreters import partial_eval

    jaxpr, _ = partial_eval.dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outvars), instantiate=True)
    held = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
    return ClosedJaxpr(jaxpr, [held[v] for v in jaxpr.constvars])


@dataclass
class _Replay:
    """
    :param only_calls: inline calls and compute what is known, and nothing else.
    """

    only_calls: bool = False
    notes: list[str] = field(default_factory=list)
    #: Where a library's function was called, which JAX traces once for all callers.
    _caller: Any = None
    #: The equation that the jaxpr being run is inside of, for those in it that JAX kept no line of.
    _around: Any = None

    def plain(self, closed: Any, known: Sequence[Any]) -> Any:
        """The jaxpr of the inputs that are left."""
        import jax

        jaxpr = getattr(closed, "jaxpr", closed)
        free = [shaped(v.aval) for v in jaxpr.invars[len(known) :]]
        return jax.make_jaxpr(lambda *values: self.run(closed, [*known, *values]))(*free)

    def run(self, closed: Any, inputs: Sequence[Any]) -> list[Any]:
        """The outputs of a jaxpr, closed or open, for values of which some are known."""
        from jax.extend import source_info_util

        jaxpr, consts = (closed.jaxpr, closed.consts) if hasattr(closed, "consts") else (closed, ())
        values = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *inputs), strict=True))
        around = self._around
        for equation in jaxpr.eqns:
            own = equation.source_info
            info = self._caller or (own if around is None or user_line(own) else around)
            self._around = info
            with source_info_util.user_context(info.traceback, name_stack=info.name_stack):
                outputs = self._equation(equation, [read(values, v) for v in equation.invars])
            values.update(zip(equation.outvars, outputs, strict=True))
        self._around = around
        return [read(values, v) for v in jaxpr.outvars]

    def _equation(self, equation: Any, inputs: list[Any]) -> list[Any]:
        import jax

        name = equation.primitive.name
        if name in _SILENT:
            self.notes.append("what jax.debug.print and jax.debug.callback do is left out")
            return [None] * len(equation.outvars)
        if not any(isinstance(v, jax.core.Tracer) for v in inputs) and not _is_open(equation):
            with jax.ensure_compile_time_eval():
                return bound(equation, inputs)
        if name in _CALLS:
            return self._call(equation, inputs)
        if name in _IDENTITIES:
            return inputs
        if self.only_calls:
            return bound(equation, inputs)
        if name == "scan":
            return jax_loops.scan(equation, inputs, self.run, _Replay(only_calls=True, notes=self.notes).plain)
        if name == "while":
            return jax_loops.repeat(equation, inputs, self.run)
        if name == "cond":
            return jax_loops.choose(equation, inputs, self.run)
        outputs = self._decomposed(equation, inputs)
        return bound(equation, inputs) if outputs is None else outputs

    def _call(self, equation: Any, inputs: list[Any]) -> list[Any]:
        inner = equation.params[_CALLS[equation.primitive.name]]
        before = self._caller
        self._caller = before or (self._around if _is_library(getattr(inner, "jaxpr", inner)) else None)
        try:
            return self.run(inner, inputs)
        finally:
            self._caller = before

    def _decomposed(self, equation: Any, inputs: list[Any]) -> list[Any] | None:
        """In other primitives, made plain in their turn."""
        import jax

        places = [i for i, value in enumerate(inputs) if isinstance(value, jax.core.Tracer)]
        unknown = [inputs[i] for i in places]
        for decomposition in DECOMPOSITIONS.get(equation.primitive.name, ()):

            def decomposed(*given: Any, decomposition: Any = decomposition) -> Any:
                """What is known is not an argument: a decomposition may look at it."""
                values = dict(enumerate(inputs)) | dict(zip(places, given, strict=True))
                return decomposition(*values.values(), **equation.params)

            if decomposed(*unknown) is not NotImplemented:
                return self.run(jax.make_jaxpr(decomposed)(*map(shaped, unknown)), unknown)
        return None


def _is_open(equation: Any) -> bool:
    """Does a size that is not known yet stand in it?"""
    from jax.extend import core

    if equation.primitive.name == "dim_as_value":
        return True
    inner = [e for j in core.jaxprs_in_params(equation.params) for e in getattr(j, "jaxpr", j).eqns]
    sizes = (size for v in equation.outvars for size in getattr(v.aval, "shape", ()))
    return not all(isinstance(size, int) for size in sizes) or any(map(_is_open, inner))


def _is_library(jaxpr: Any) -> bool:
    """Was the function that this is of written by others than the user?"""
    place = re.search(r" at (.+):\d+$", str(jaxpr.debug_info.func_src_info))
    return place is None or is_inner(place[1])
