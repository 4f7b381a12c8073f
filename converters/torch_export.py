"""torch.onnx: the dynamo exporter first, the TorchScript exporter where it gives up."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from convert.errors import BadInput
from converters.quiet import Attempt, first_line, quietly
from converters.torch_calls import Call
from converters.torch_failures import Failure, failure, gave_up, is_inner, tracer_notes, user_line
from converters.torch_fake_quantize import as_arithmetic, settled
from converters.torch_functions import called, fill_in, opaque_calls, translated_functions
from converters.torch_refusals import untranslated, untranslated_of_program
from converters.torch_symbolics import mended_symbolics, registered_by_the_user
from converters.torch_translations import (
    decomposed_traces,
    decompositions,
    graph_builder,
    symbolics,
    translation_table,
)  # fmt: skip
from converters.translations import load_shipped

if TYPE_CHECKING:
    import onnx
    import torch

#: The newest that both exporters write.
OPSET = 20
DYNAMO = "torch.onnx (dynamo)"
SCRIPT = "torch.onnx (TorchScript)"
_STACK = "pkg.torch.onnx.stack_trace"


@dataclass(frozen=True)
class Exported:
    """The exporter's model; ``notes`` say which exporter it was and why not another."""

    model: onnx.ModelProto
    exporter: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """What is to be exported, in evaluation mode.

    :param outputs: names for the output tensors.
    :param flat: all leaves of the output are tensors (else a wrapper leaves out the others).
    :param forward: trace the forward of every ``torch.autograd.Function``, also of one with a static ``symbolic``.
    """

    module: torch.nn.Module
    call: Call
    outputs: tuple[str, ...]
    flat: bool
    forward: bool
    verbose: bool


def export_module(task: Task, *, where: str) -> Exported:
    """Export by the first exporter that can.

    :raises ExportFailed: every exporter gave up; the reasons of each.
    :raises BadInput: a symbolic dimension that cannot be one.
    """
    load_shipped("torch_ops")
    failures: list[Failure] = []
    with translated_functions(_symbolic_of), settled(task.module) as notes, as_arithmetic():
        done = _exported(task, failures, where)
    if done is None:
        own = untranslated(wrap(task.module, task.call), task.call.tensors, [f.operator for f in failures])
        raise gave_up(failures, where, own, forward=task.forward)
    return replace(done, notes=(*notes, *done.notes))


def _symbolic_of(translation: Callable[..., Any]) -> Callable[..., Any]:
    return lambda graph, *arguments: translation(graph_builder(graph), *arguments)


def _exported(task: Task, failures: list[Failure], where: str) -> Exported | None:
    import torch

    is_script = isinstance(task.module, torch.jit.ScriptModule)
    for math in (False, True) if not is_script else ():
        if math and "Cannot view a tensor" not in failures[-1].text:
            break
        done = _try_dynamo(task, failures, math=math)
        if done is not None:
            why = (f"attention was exported in its plain form because of {failures[-1]}",) if math else ()
            return _by_symbolics(task, replace(done, notes=(*why, *done.notes)))
    if failures:
        _refuse_frozen_sizes(failures[-1], task.call, where)
    done = _try_script(task, failures)
    if done is None and is_script:
        done = _try_converted(task, failures)
        note = f"{failures[0]}: the archive was made a torch.export program, which the dynamo exporter took"
        return done and replace(done, notes=(note, *done.notes))
    notes = [f"the dynamo exporter failed ({f}); exported with the TorchScript exporter" for f in failures[:1]]
    return done and replace(done, notes=(*notes, *done.notes))


def _by_symbolics(task: Task, done: Exported) -> Exported:
    """By the TorchScript exporter, which alone calls what ``register_custom_op_symbolic`` was given, if it was."""
    own = registered_by_the_user(done.model)
    if not own:
        return done
    failures: list[Failure] = []
    theirs = _try_script(task, failures)
    names = ", ".join(own)
    if theirs is None:
        note = f"symbolics are registered for {names}, but the TorchScript exporter, which calls them, failed"
        note += f" ({failures[0]})"
        return replace(done, notes=(note, *done.notes))
    note = f"symbolics are registered for {names}: exported with the TorchScript exporter, which calls them"
    return replace(theirs, notes=(note, *theirs.notes))


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
                                 custom_translation_table=translation_table())  # fmt: skip
        assert done is not None  # only dynamo=False gives None
        return Exported(done.model_proto, DYNAMO, ())
    failed = failure(DYNAMO, attempt.error, chatter)
    if not failed.where and (named := re.search(r"translating node %(\w+)", failed.text)):
        failed = replace(failed, where=_node_line(program, named[1]))
    raise gave_up([failed], where, untranslated_of_program(program.graph))


def _refuse_frozen_sizes(failed: Failure, call: Call, where: str) -> None:
    """A trace would freeze the example's size in without a word: no falling back where torch.export saw it.

    :raises BadInput: torch.export found that a symbolic dimension has but one size.
    """
    found = re.search(
        r"^.*(?:tracing inferred a static shape|was inferred to be a constant|is open: it has to be a number).*$",
        failed.text,
        re.M,
    )
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
    return user_line("\n".join(traces))


def _try_dynamo(task: Task, failures: list[Failure], *, math: bool) -> Exported | None:
    import torch

    call = task.call
    plain = call.plain and task.flat
    subject = task.module if plain else wrap(task.module, call)
    shapes = tuple(dict(axes) or None for axes in call.dims)
    dynamic: Any = None if not any(shapes) else shapes if plain else {"tensors": shapes}
    backend = _plain_attention() if math else contextlib.nullcontext()
    with quietly(verbose=task.verbose) as chatter, Attempt() as attempt, backend:
        with opaque_calls(forward=task.forward) as calls, decompositions():
            done = torch.onnx.export(subject, call.tensors, dynamo=True, external_data=False, opset_version=OPSET,
                                     input_names=list(call.names), output_names=list(task.outputs),
                                     dynamic_shapes=dynamic, custom_translation_table=translation_table(),
                                     verbose=task.verbose)  # fmt: skip
        assert done is not None  # only dynamo=False gives None
        model: onnx.ModelProto = done.model_proto
        fill_in(model, calls, OPSET)
        _forget_wrapper(model)
        return Exported(model, DYNAMO, calls.notes)
    failures.append(failure(DYNAMO, attempt.error, chatter))
    return None


def _plain_attention() -> contextlib.AbstractContextManager[None]:
    from torch.nn.attention import SDPBackend, sdpa_kernel

    context: contextlib.AbstractContextManager[None] = sdpa_kernel(SDPBackend.MATH)
    return context


def _try_converted(task: Task, failures: list[Failure]) -> Exported | None:
    """By torch's own converter of TorchScript to torch.export programs, which knows shapes that the archive lost."""
    from torch._export.converter import TS2EPConverter

    with quietly(verbose=task.verbose) as chatter, Attempt() as attempt:
        convert: Callable[..., Any] = TS2EPConverter  # has no annotations
        program = convert(task.module, task.call.tensors).convert()
    if attempt.error is not None:
        failures.append(failure("torch's TorchScript converter", attempt.error, chatter))
        return None
    return _try_dynamo(replace(task, module=program.module()), failures, math=False)


def _try_script(task: Task, failures: list[Failure]) -> Exported | None:
    import onnx
    import torch

    file: Any = io.BytesIO()  # taken by this exporter, though its annotation says path
    call = task.call
    axes = {name: dict(dims) for name, dims in zip(call.names, call.dims, strict=True) if dims}
    with quietly(verbose=task.verbose) as chatter, Attempt() as attempt:
        subject: Any = wrap(task.module, call)
        with contextlib.ExitStack() as stack:
            for context in (decomposed_traces(), mended_symbolics(OPSET), symbolics(OPSET)):
                stack.enter_context(context)
            calls = stack.enter_context(called(forward=task.forward))
            if any(isinstance(part, torch.jit.ScriptModule) for part in task.module.modules()):
                # The exporter's own tracer knows no scripted submodules; torch.jit.trace keeps their control flow.
                trace: Callable[..., Any] = torch.jit.trace  # has no annotations
                subject = trace(subject, call.tensors, check_trace=False)
            torch.onnx.export(subject, call.tensors, file, dynamo=False, opset_version=OPSET, verbose=task.verbose,
                              input_names=list(call.names), output_names=list(task.outputs),
                              dynamic_axes=axes)  # fmt: skip
    if attempt.error is not None:
        failures.append(failure(SCRIPT, attempt.error, chatter))
        return None
    told = tuple(tracer_notes(chatter.warnings))
    if frozen := [note for note in told if "Converting a tensor to a NumPy array" in note]:
        # What comes back is a constant of the example's values, and the input may be lost: nothing would show it.
        where = re.search(r"(\S+:\d+): Converting", frozen[0])
        failures.append(Failure(SCRIPT, "NumPy computes with a value of the trace", "", where[1] if where else "", ""))
        return None
    notes = (*calls.notes, *told)
    return Exported(onnx.load_model_from_string(file.getvalue()), SCRIPT, notes)


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
                    if not is_inner(part.lstrip().removeprefix('File "').partition('"')[0], torchs=False)
                ).lstrip()  # fmt: skip
