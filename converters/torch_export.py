"""torch.onnx: the dynamo exporter first, the TorchScript exporter where it gives up."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convert.errors import BadInput, ExportFailed, Finding
from converters.quiet import Attempt, Chatter, first_line, quietly, reason
from converters.torch_calls import Call
from converters.torch_functions import fill_in, opaque_calls
from converters.torch_refusals import Untranslated, untranslated
from converters.torch_symbolics import mended_symbolics, mended_translations, registered_by_the_user
from converters.torch_translations import decompositions, symbolics, translation_table
from converters.translations import load_shipped

if TYPE_CHECKING:
    import onnx
    import torch

#: The newest that both exporters write.
OPSET = 20
DYNAMO = "torch.onnx (dynamo)"
SCRIPT = "torch.onnx (TorchScript)"
_OPERATOR = re.compile(r"Exporting the operator '([\w:]+)'|OpOverload\(op='([\w.]+)'|target=torch\.ops\.([\w.]+)")
_HERE = Path(__file__).parent.as_posix() + "/"
_STACK = "pkg.torch.onnx.stack_trace"


@dataclass(frozen=True)
class Exported:
    """The exporter's model; ``notes`` say which exporter it was and why not another."""

    model: onnx.ModelProto
    exporter: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Failure:
    """An exporter that gave up: one line, the operator it lacks and the user's line, where they are known."""

    exporter: str
    line: str
    operator: str
    where: str
    text: str

    def __str__(self) -> str:
        return self.line + (f" ({self.operator})" if self.operator and self.operator not in self.line else "")


def export_module(
    module: torch.nn.Module, call: Call, outputs: Sequence[str], *, flat: bool, where: str, verbose: bool
) -> Exported:
    """Export in evaluation mode.

    :param outputs: names for the output tensors.
    :param flat: all leaves of the output are tensors (else a wrapper leaves out the others).
    :raises ExportFailed: every exporter gave up; the reasons of each.
    :raises BadInput: a symbolic dimension that cannot be one.
    """
    import torch

    load_shipped("torch_ops")
    failures: list[_Failure] = []
    if not isinstance(module, torch.jit.ScriptModule):
        for math in (False, True):
            if math and "Cannot view a tensor" not in failures[-1].text:
                break
            done = _try_dynamo(module, call, outputs, failures, flat=flat, math=math, verbose=verbose)
            if done is not None:
                own = registered_by_the_user(done.model)
                by_theirs = _by_symbolics(own, module, call, outputs, verbose=verbose) if own else None
                why = (f"attention was exported in its plain form because of {failures[-1]}",) if math else ()
                return by_theirs or replace(done, notes=(*why, *done.notes))
        _refuse_frozen_sizes(failures[-1], call, where)
    model, warned = _try_script(module, call, outputs, failures, verbose=verbose)
    if model is None and isinstance(module, torch.jit.ScriptModule):
        done = _try_converted(module, call, outputs, failures, flat=flat, verbose=verbose)
        if done is not None:
            note = f"{failures[0]}: the archive was made a torch.export program, which the dynamo exporter took"
            return replace(done, notes=(note, *done.notes))
    if model is None:
        raise _gave_up(failures, where, untranslated(wrap(module, call), call.tensors))
    notes = [f"the dynamo exporter failed ({f}); exported with the TorchScript exporter" for f in failures[:1]]
    return Exported(model, SCRIPT, (*notes, *_tracer_notes(warned)))


def _by_symbolics(
    own: Sequence[str], module: torch.nn.Module, call: Call, outputs: Sequence[str], *, verbose: bool
) -> Exported | None:
    """By the TorchScript exporter, which alone calls what ``register_custom_op_symbolic`` was given."""
    model, warned = _try_script(module, call, outputs, [], verbose=verbose)
    if model is None:
        return None
    note = f"symbolics are registered for {', '.join(own)}: exported with the TorchScript exporter, which calls them"
    return Exported(model, SCRIPT, (note, *_tracer_notes(warned)))


def export_program(
    program: Any, names: Sequence[str], outputs: Sequence[str], *, where: str, verbose: bool
) -> Exported:
    """Export a torch.export program, which the TorchScript exporter does not take.

    :raises ExportFailed: the exporter gave up.
    """
    import torch

    load_shipped("torch_ops")
    with quietly(verbose=verbose) as chatter, Attempt() as attempt, decompositions():
        done = torch.onnx.export(program, dynamo=True, external_data=False, opset_version=OPSET, verbose=verbose,
                                 input_names=list(names), output_names=list(outputs),
                                 custom_translation_table=_translations())  # fmt: skip
        assert done is not None  # only dynamo=False gives None
        return Exported(done.model_proto, DYNAMO, ())
    failure = _failure(DYNAMO, attempt.error, chatter)
    if not failure.where and (named := re.search(r"translating node %(\w+)", failure.text)):
        failure = replace(failure, where=_node_line(program, named[1]))
    raise _gave_up([failure], where)


def _translations() -> dict[Any, Callable[..., Any]]:
    return {**mended_translations(), **translation_table()}


def _refuse_frozen_sizes(failure: _Failure, call: Call, where: str) -> None:
    """A trace would freeze the example's size in without a word: no falling back where torch.export saw it.

    :raises BadInput: torch.export found that a symbolic dimension has but one size.
    """
    found = re.search(r"^.*(?:tracing inferred a static shape|was inferred to be a constant).*$", failure.text, re.M)
    if any(call.dims) and found:
        raise BadInput(
            "a symbolic dimension of the inputs can have one size only",
            where=where,
            why=first_line(found[0].lstrip("- ")),
            advice="give that size with --input, or make forward work for every size",
        )


def _node_line(program: Any, name: str) -> str:
    """The user's line of a node; the exporter names nodes as they are after decomposition."""
    graphs = [program.graph]
    with quietly(), Attempt():
        graphs.append(program.run_decompositions().graph)
    traces = [n.meta.get("stack_trace") or "" for graph in graphs for n in graph.nodes if n.name == name]
    return _user_line("\n".join(traces))


def _try_dynamo(
    module: torch.nn.Module,
    call: Call,
    outputs: Sequence[str],
    failures: list[_Failure],
    *,
    flat: bool,
    math: bool,
    verbose: bool,
) -> Exported | None:
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    plain = call.plain and flat
    subject = module if plain else wrap(module, call)
    shapes = tuple(dict(axes) or None for axes in call.dims)
    dynamic: Any = None if not any(shapes) else shapes if plain else {"tensors": shapes}
    backend = sdpa_kernel(SDPBackend.MATH) if math else contextlib.nullcontext()
    with quietly(verbose=verbose) as chatter, Attempt() as attempt, backend:
        with opaque_calls() as calls, decompositions():
            done = torch.onnx.export(subject, call.tensors, dynamo=True, external_data=False, opset_version=OPSET,
                                     input_names=list(call.names), output_names=list(outputs), dynamic_shapes=dynamic,
                                     custom_translation_table=_translations(), verbose=verbose)  # fmt: skip
        assert done is not None  # only dynamo=False gives None
        model: onnx.ModelProto = done.model_proto
        fill_in(model, calls, OPSET)
        _forget_wrapper(model)
        return Exported(model, DYNAMO, calls.notes)
    failures.append(_failure(DYNAMO, attempt.error, chatter))
    return None


def _try_converted(
    module: torch.jit.ScriptModule,
    call: Call,
    outputs: Sequence[str],
    failures: list[_Failure],
    *,
    flat: bool,
    verbose: bool,
) -> Exported | None:
    """By torch's own converter of TorchScript to torch.export programs, which knows shapes that the archive lost."""
    from torch._export.converter import TS2EPConverter

    with quietly(verbose=verbose) as chatter, Attempt() as attempt:
        convert: Callable[..., Any] = TS2EPConverter  # has no annotations
        program = convert(module, call.tensors).convert()
    if attempt.error is not None:
        failures.append(_failure("torch's TorchScript converter", attempt.error, chatter))
        return None
    return _try_dynamo(program.module(), call, outputs, failures, flat=flat, math=False, verbose=verbose)


def _try_script(
    module: torch.nn.Module, call: Call, outputs: Sequence[str], failures: list[_Failure], *, verbose: bool
) -> tuple[onnx.ModelProto | None, list[warnings.WarningMessage]]:
    import onnx
    import torch

    file: Any = io.BytesIO()  # taken by this exporter, though its annotation says path
    axes = {name: dict(dims) for name, dims in zip(call.names, call.dims, strict=True) if dims}
    with quietly(verbose=verbose) as chatter, Attempt() as attempt:
        subject: Any = wrap(module, call)
        if any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
            # The exporter's own tracer knows no scripted submodules; torch.jit.trace keeps their control flow.
            trace: Callable[..., Any] = torch.jit.trace  # has no annotations
            subject = trace(subject, call.tensors, check_trace=False)
        with mended_symbolics(OPSET), symbolics(OPSET):
            torch.onnx.export(subject, call.tensors, file, dynamo=False, opset_version=OPSET, verbose=verbose,
                              input_names=list(call.names), output_names=list(outputs), dynamic_axes=axes)  # fmt: skip
    if attempt.error is None:
        return onnx.load_model_from_string(file.getvalue()), chatter.warnings
    failures.append(_failure(SCRIPT, attempt.error, chatter))
    return None, []


def wrap(module: torch.nn.Module, call: Call) -> torch.nn.Module:
    """The module with tensors in and a tuple of tensors out: no keywords, nests, numbers or None."""
    import torch

    from converters.torch_reference import Runner

    class Flat(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return tuple(Runner(self.inner, call)(tensors))

    return Flat().train(module.training)


def _forget_wrapper(model: onnx.ModelProto) -> None:
    """Our own frames are no place in the user's model."""
    for node in (*model.graph.node, *(n for f in model.functions for n in f.node)):
        for entry in node.metadata_props:
            if entry.key == _STACK:
                entry.value = "\n".join(
                    part for part in re.split(r"\n(?=\s*File \")", entry.value)
                    if not part.lstrip().removeprefix('File "').replace("\\", "/").startswith(_HERE)
                ).lstrip()  # fmt: skip


def _failure(exporter: str, error: BaseException | None, chatter: Chatter) -> _Failure:
    if error is None:
        return _Failure(exporter, "no reason given", "", "", "")
    text = "\n".join([str(error), str(error.__cause__ or ""), reason(error), chatter.text])
    operator = _OPERATOR.search(text)
    name = next(filter(None, operator.groups()), "") if operator else ""
    return _Failure(exporter, reason(error), name, _user_line(text, name), text)


def _user_line(text: str, operator: str = "") -> str:
    """The last "file:line" in the text that is not torch's own; else that of the operator in TorchScript's graph."""
    lines = [f"{f}:{n}" for f, n in re.findall(r'File "([^"]+)", line (\d+)', text) if not _is_inner(f)]
    if not lines and operator:
        lines = re.findall(rf"= {re.escape(operator)}\(.*# (\S+?:\d+):\d+", text)[:1]
        lines = [line for line in lines if not _is_inner(line)]
    return lines[-1] if lines else ""


def _is_inner(path: str) -> bool:
    path = path.replace("\\", "/")
    return "/site-packages/torch/" in path or path.startswith((_HERE, "<"))


def _tracer_notes(warned: list[warnings.WarningMessage]) -> Iterator[str]:
    """A trace keeps only the way the example went: values that became Python numbers are frozen in."""
    places = dict.fromkeys(
        f"{w.filename}:{w.lineno}: {first_line(str(w.message)).split('. ')[0]}"
        for w in warned
        if w.category.__name__ == "TracerWarning" and not _is_inner(w.filename)
    )
    for place in places:
        yield f"the trace follows the example's values only: {place}"


def _gave_up(failures: list[_Failure], where: str, own: Untranslated | None = None) -> ExportFailed:
    findings = tuple(Finding(f"{f.exporter} gave up", where=f.where, why=str(f)) for f in failures)
    operator = own.name if own else next((f.operator for f in failures if f.operator), "")
    place = (own and _user_line(own.trace)) or next((f.where for f in failures if f.where), "")
    what = f"the operator {operator} cannot be exported" if operator else "the model cannot be exported to ONNX"
    advice = "rewrite that part of forward with supported operators, or give a translation of it with --translations"
    if own:
        what = f"the operator {own.name}({own.signature}) cannot be exported"
        advice = (
            f"fill in this file and give it with --translations my_ops.py (docs/translations.md):\n\n{own.skeleton}"
        )
    return ExportFailed(what, where=f"{place} of {where}" if place else where, findings=findings, advice=advice)
