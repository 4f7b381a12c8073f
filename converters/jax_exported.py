"""Programs of ``jax.export``: their StableHLO traced anew, as a network whose call and parameters are known.

The program itself, compiled by JAX for the CPU, is the reference.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from convert.errors import BadInput, BadModel, ExportFailed, Finding, LoadError
from convert.spec import DTYPES, TensorSpec
from converters.base import LoadOptions
from converters.inputs import fix_batch, match_specs, misfits
from converters.jax_calls import Call
from converters.jax_kinds import EXPORTED
from converters.jax_networks import Network
from converters.jax_tracing import Traced, trace
from converters.jax_trees import path_of
from converters.leaf_names import label
from converters.quiet import Attempt, quietly, reason
from converters.signature import Signature

_CPU = "cpu"
_INSTEAD = "give the function that it was exported from: python -m convert model.py:factory --params FILE"
_NAME, _WORD = re.compile(r"[A-Za-z_]\w*"), re.compile(r"\w+")


@dataclass(frozen=True)
class SizedCall(Call):
    """A call whose open sizes are not of any size.

    :param constraints: as ``jax.export.symbolic_shape`` takes them.
    """

    constraints: tuple[str, ...] = ()

    def sized(self, sizes: Mapping[str, Any]) -> list[Any]:
        """With the constraints, where sizes are open."""
        import jax

        if not self.constraints or all(isinstance(size, int) for size in sizes.values()):
            return super().sized(sizes)
        names = ",".join(self.symbols)
        symbols = jax.export.symbolic_shape(names, constraints=self.constraints)
        return super().sized(dict(zip(self.symbols, symbols, strict=True)))


@dataclass(frozen=True)
class Carried:
    """A program carried over.

    :param network: the program itself, as JAX runs it. :param call: of it.
    """

    network: Network
    call: SizedCall
    traced: Traced
    notes: tuple[str, ...]


def carried(source: Any, options: LoadOptions, *, where: str) -> Carried:
    """A file of ``jax.export``, or an ``Exported`` in memory, as a jaxpr.

    :raises BadModel: damaged, of a JAX that this one does not read, or not for one CPU.
    :raises BadInput: the given inputs are not the program's.
    :raises ExportFailed: every operation that cannot be carried over.
    """
    from converters.stablehlo.program import Program
    from converters.stablehlo.tracing import Tracer

    exported, notes = _vetted(_read(source, where), where)
    with quietly(verbose=options.verbose), Attempt() as attempt:
        program = Program.of(_module(exported))
    if attempt.error is not None:
        raise _unreadable(where, attempt.error)
    _refuse_unknown(program, where)
    name = source.stem if isinstance(source, Path) else exported.fun_name
    name = name if isinstance(source, Path) or name.isidentifier() else "function"
    network = Network(EXPORTED, lambda _, *a, **k: exported.call(*a, **k), (), None, Signature(()), name, notes)
    call = _call_of(exported, program, options, where)
    tracer = Tracer(program)
    again = replace(network, apply=lambda _, *a, **k: _traced(tracer, exported, a, k))
    try:
        traced = trace(again, (), call, where=where, verbose=options.verbose)
    except LoadError as error:
        raise _not_done(tracer, error, where) or error from error.__cause__
    wants = dict.fromkeys((*(f"sizes have to be {text}" for text in call.constraints), *tracer.wants))
    asked = tuple(f"the program asserts, and the header does not: {text}" for text in wants)
    way = "the program's StableHLO was done again with jax.lax, operation by operation"
    return Carried(network, call, traced, (*notes, way, *asked))


def _read(source: Any, where: str) -> Any:
    """
    :raises BadModel: nothing that this JAX reads.
    """
    import jax

    if not isinstance(source, Path):
        return source
    with quietly(), Attempt() as attempt:
        return jax.export.deserialize(bytearray(source.read_bytes()))
    raise _unreadable(where, attempt.error)


def _unreadable(where: str, error: BaseException | None) -> BadModel:
    import jax

    oldest, newest = _conventions()
    advice = f"copy it again, or export it anew: jax {jax.__version__} reads calling conventions {oldest} to {newest}"
    what, why = "the jax.export program cannot be read: damaged, or of another version of JAX?", reason(error)
    if "unregistered type" in why:
        what = "the jax.export program takes or gives a class that is not known here"
        advice = "export a function of arrays, tuples, lists and dicts"
    return BadModel(what, where=where, why=why, advice=advice)


def _conventions() -> tuple[int, int]:
    """The oldest and the newest calling convention that this JAX reads."""
    from jax import export

    return export.minimum_supported_calling_convention_version, export.maximum_supported_calling_convention_version


def _vetted(exported: Any, where: str) -> tuple[Any, tuple[str, ...]]:
    """The program as one for the CPU, and notes.

    :raises BadModel: all that keeps it from being a function of arrays on one CPU.
    """
    findings = list(_obstacles(exported))
    if findings:
        raise BadModel("the program cannot be used", where=where, advice=_INSTEAD, findings=tuple(findings))
    if _CPU in exported.platforms:
        return exported, ()
    devices = ", ".join(exported.platforms)
    note = f"the program was exported for {devices}; it is run on the CPU, as what it is made of is of no device"
    return dataclasses.replace(exported, platforms=(_CPU,)), (note,)


def _obstacles(exported: Any) -> Iterator[Finding]:
    oldest, newest = _conventions()
    if not oldest <= exported.calling_convention_version <= newest:
        text = f"it is of calling convention {exported.calling_convention_version}, and jax reads {oldest} to {newest}"
        yield Finding(text, advice="export it anew")
    if exported.nr_devices != 1:
        advice = "export it without shardings"
        yield Finding(f"it is for {exported.nr_devices} devices together", advice=advice)
    if len(exported.platforms) > 1 and _CPU not in exported.platforms:
        advice = "export it with platforms=['cpu']"
        yield Finding(f"it is for the platforms {', '.join(exported.platforms)}, none of them cpu", advice=advice)
    effects = [*exported.ordered_effects, *exported.unordered_effects]
    if effects:
        said = ", ".join(sorted({str(effect) for effect in effects}))
        yield Finding(f"it has effects beside its outputs: {said}", advice="take debugging and callbacks out")
    for title, avals in (("input", exported.in_avals), ("output", exported.out_avals)):
        for place, aval in enumerate(avals):
            if str(aval.dtype) not in DTYPES or str(aval.dtype) in ("float64", "int64", "uint64"):
                advice = "split complex numbers into real and imaginary part; export without jax_enable_x64"
                yield Finding(f"{title} {place} has the dtype {aval.dtype}", advice=advice)


def _module(exported: Any) -> Any:
    from jax.interpreters import mlir

    with mlir.make_ir_context():
        return exported.mlir_module(serialized=False)


def _refuse_unknown(program: Any, where: str) -> None:
    """
    :raises ExportFailed: every operation that nothing here does, and every number that is none of ours, with places.
    """
    from converters.stablehlo.registry import load
    from converters.stablehlo.tracing import is_done

    load()
    unknown: dict[str, Finding] = {}
    others: dict[str, Finding] = {}
    for op, place in program.operations():
        if not is_done(op):
            unknown.setdefault(op.known_as, Finding(f"{op.known_as} has no translation", where=place))
        for kind in op.types:
            if kind.dtype is None or str(kind.dtype) not in DTYPES or str(kind.dtype) == "float64":
                text = f"{op.known_as} gives numbers that are not taken: {kind.text}"
                others.setdefault(kind.text, Finding(text, where=place))
    if unknown or others:
        what = f"the program's StableHLO cannot be carried over: {', '.join(unknown or others)}"
        raise ExportFailed(what, where=where, advice=_INSTEAD, findings=(*unknown.values(), *others.values()))


def _not_done(tracer: Any, error: LoadError, where: str) -> ExportFailed | None:
    """What of the program could not be carried over; None where it is something else that went wrong."""
    findings = tracer.refused
    if not findings and tracer.stopped is not None:
        findings = [replace(tracer.stopped, why=error.finding.why, advice=error.finding.advice)]
    what = "the program cannot be carried over"
    return ExportFailed(what, where=where, advice=_INSTEAD, findings=tuple(findings)) if findings else None


def _traced(tracer: Any, exported: Any, args: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """The program on these arguments, in the nest that it gives."""
    import jax
    import numpy as np

    leaves = jax.tree.leaves((args, dict(keywords)))
    inputs = [leaves[i] for i in exported.module_kept_var_idx]
    if len(exported.platforms) > 1:
        inputs.insert(0, np.array(exported.platforms.index(_CPU), np.int32))
    return jax.tree.unflatten(exported.out_tree, tracer.run(inputs))


# ----------------------------------------------------------------------------------------------------- the call


def _call_of(exported: Any, program: Any, options: LoadOptions, where: str) -> SizedCall:
    """The call that the program is for, with what the user says of names and sizes.

    :raises BadInput: what does not fit.
    """
    import jax

    if options.example or any(given is not None for given in (options.dynamic_shapes, options.params, options.model)):
        what = "the program has its own code, shapes and parameters"
        raise BadInput(what, where=where, advice="give names and sizes with inputs, and nothing else")
    names = _names(exported, program)
    own = [TensorSpec(n, str(a.dtype), tuple(d if isinstance(d, int) else str(d) for d in a.shape))
           for n, a in zip(names, exported.in_avals, strict=True)]  # fmt: skip
    given = _renamed(options.inputs, names)
    matched, findings = match_specs(given, names)
    findings += fix_batch(own, matched, options.batch)
    findings += [f for spec in own if spec.name in matched for f in misfits(spec, matched[spec.name])]
    titles = dict(zip(names, (s.name for s in options.inputs), strict=False)) if given != options.inputs else {}
    sizes = {} if findings else _sizes(own, matched, findings)
    specs = [replace(s, shape=tuple(sizes.get(d, d) if isinstance(d, str) else d for d in s.shape)) for s in own]
    findings += [Finding(f"the input {s.name} has the size {d}", advice="give it a number in --input")
                 for s in specs for d in s.symbols if not _NAME.fullmatch(d)]  # fmt: skip
    if findings:
        advice = "the program's inputs are " + " ".join(map(str, own))
        raise BadInput("the given inputs do not fit the model", where=where, advice=advice, findings=tuple(findings))

    def rebuild(values: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        filled: tuple[tuple[Any, ...], dict[str, Any]] = jax.tree.unflatten(exported.in_tree, list(values))
        return filled

    symbols = [symbol for spec in specs for symbol in spec.symbols]
    named = tuple(replace(s, name=titles.get(s.name, s.name)) for s in specs)
    return SizedCall(named, rebuild, constraints=_constraints(program, sizes, symbols))


def _renamed(given: Sequence[TensorSpec], names: Sequence[str]) -> tuple[TensorSpec, ...]:
    """Names of which none is an input's rename the inputs, in order."""
    renames = all(s.name for s in given) and not any(s.name in names for s in given) and len(given) == len(names)
    return tuple(replace(s, name="") for s in given) if renames else tuple(given)


def _sizes(
    own: Sequence[TensorSpec], matched: Mapping[str, TensorSpec], findings: list[Finding]
) -> dict[str, int | str]:
    """What is given for the program's open sizes, by the program's names of them."""
    sizes: dict[str, int | str] = {}
    for spec in own:
        for have, want in zip(spec.shape, matched.get(spec.name, spec).shape, strict=True):
            if isinstance(have, str) and want is not None and want != have and sizes.setdefault(have, want) != want:
                findings.append(Finding(f"the dimension {have} is given as {sizes[have]} and as {want}"))
    return sizes


def _constraints(program: Any, sizes: Mapping[str, int | str], symbols: Sequence[str]) -> tuple[str, ...]:
    """The program's, of the sizes that are still open, by the names that these have now."""
    found = [_NAME.sub(lambda name: str(sizes.get(name[0], name[0])), text) for text in program.constraints()]
    functions = {"mod", "floordiv", "max", "min"}
    return tuple(text for text in found if symbols and set(_NAME.findall(text)) - functions <= set(symbols))


def _names(exported: Any, program: Any) -> list[str]:
    """Of the inputs: arguments by their names in the exported function, then keys; x, or x_0, x_1 ..., without."""
    import jax

    kept = exported.module_kept_var_idx
    said = dict(zip(kept, program.argument_names(len(kept)), strict=True))
    args, keywords = jax.tree.unflatten(exported.in_tree, range(exported.in_tree.num_leaves))
    pairs, _ = jax.tree_util.tree_flatten_with_path((args, keywords))
    names: list[str] = []
    for keys, place in pairs:
        _, first, *rest = path_of(keys)
        words = _WORD.findall(said.get(place, ""))
        if not words:
            words = [first if isinstance(first, str) else "x" if len(args) == 1 else f"x_{first}", *map(str, rest)]
        name = label(tuple(words))
        names.append(name if name not in names else f"{name}_{place}")
    return names
