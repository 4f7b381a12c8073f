"""PyTorch: torch.export programs, TorchScript, pickles, state dicts, and modules in memory."""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convert.errors import BadInput, BadModel, ExportFailed, MissingPackage
from converters import torch_kinds
from converters.base import Loaded, LoadOptions
from converters.inputs import apply_specs, batched
from converters.quiet import Attempt, quietly, reason
from converters.symbols import Sizes, substitute
from converters.torch_kinds import MODULE, PICKLE, PROGRAM, SCRIPT
from converters.vetting import real_inputs, run_checker, vet

if TYPE_CHECKING:
    import onnx

    from converters.torch_calls import Call
    from converters.torch_export import Exported
    from converters.torch_reference import Runner
    from converters.torch_trees import Tree


class TorchFrontend:
    """Reads what PyTorch writes, and takes modules in memory."""

    name = "torch"
    kinds: tuple[str, ...] = (PROGRAM, SCRIPT, PICKLE, MODULE)

    def sniff(self, head: bytes, path: Path) -> str | None:
        """By the members of the zip archive."""
        return torch_kinds.sniff(head, path)

    def sniff_object(self, source: object) -> str | None:
        """A module or program; neither can exist before torch has been imported."""
        torch = sys.modules.get("torch")
        if torch is None:
            return None
        if isinstance(source, torch.export.ExportedProgram):
            return PROGRAM
        return MODULE if isinstance(source, torch.nn.Module) else None

    def load(self, source: Any, kind: str, options: LoadOptions) -> Loaded:
        """Open, export and check.

        :raises convert.errors.LoadError: whatever the file holds.
        """
        if importlib.util.find_spec("torch") is None:
            raise MissingPackage("PyTorch is needed to read this model", where=_where(source),
                                 advice="pip install 'sofie-convert[torch]' (the extra [torch])")  # fmt: skip
        with quietly(verbose=options.verbose), Attempt() as attempt:
            import torch  # noqa: F401
        if attempt.error is not None:
            raise MissingPackage("PyTorch cannot be imported", why=reason(attempt.error),
                                 advice="install it again with the extra [torch]")  # fmt: skip
        from converters.torch_files import Opened, open_file
        from converters.torch_modules import unwrapped

        if isinstance(source, Path):
            with quietly(verbose=options.verbose):
                opened = open_file(source, kind, options)
        else:
            opened = Opened(source, kind)
        if kind == PROGRAM:
            name = source.stem if isinstance(source, Path) else type(source).__name__
            return _load_program(opened.subject, name, _where(source), options)
        module, notes = unwrapped(opened.subject)
        name = source.stem if isinstance(source, Path) else type(module).__name__
        loaded = _load_module(module, opened.kind, name, _where(source), options)
        return replace(loaded, notes=(*opened.notes, *notes, *loaded.notes))


def _where(source: Any) -> str:
    return str(source) if isinstance(source, Path) else f"the {type(source).__name__} in memory"


def _load_module(module: Any, kind: str, name: str, where: str, options: LoadOptions) -> Loaded:
    from converters.torch_calls import evaluating
    from converters.torch_export import Task, export_module
    from converters.torch_modules import refuse_quantized
    from converters.torch_outputs import left_out, names_of_outputs

    refuse_quantized(module, where)
    notes = ["the module was in training mode; it is taken in evaluation mode"] if module.training else []
    with evaluating(module):
        module, call, tree = _working_call(module, where, options)
        names = names_of_outputs(call, tree, where)
        flat = len(names) == len(tree.leaves) and not tree.opened
        forward = options.functions == "forward"
        task = Task(module, call, tuple(names), flat=flat, forward=forward, verbose=options.verbose)
        exported = export_module(task, where=where)
    notes += [*call.notes, *left_out(tree), *exported.notes]
    notes += _settle_symbols(exported.model, call, where)
    return _finish(exported, _runner(module, call), tree, kind, name, where, notes, own=bool(options.example))


def _working_call(module: Any, where: str, options: LoadOptions) -> tuple[Any, Call, Tree]:
    """The first call that the module itself can run, and its output; the module in float32 where it runs only so."""
    from converters.torch_calls import from_example, from_specs
    from converters.torch_modules import in_float32

    if options.batch is not None and options.example:
        advice = "give examples with that many rows, and leave the batch out"
        raise BadInput("the batch is that of the example inputs", where=where, advice=advice)
    if options.dynamic_shapes is not None and not options.example:
        advice = "give example inputs too, or name open dimensions with --input 'x:float32[N,7]'"
        raise BadInput("dynamic_shapes is of example inputs, and there are none", where=where, advice=advice)
    calls = [from_example(module, options, where=where)] if options.example else list(from_specs(
        module, batched(options.inputs, options.batch, where=where), where=where))  # fmt: skip
    errors: list[BaseException] = []
    for call in calls:
        tree = _tried(module, call, errors, verbose=options.verbose)
        if tree is not None:
            return module, call, tree
    widened = in_float32(module, {t.dtype for call in calls for t in call.tensors})
    if widened is not None:
        copied, notes = widened
        for call in calls:
            tree = _tried(copied, call, errors, verbose=options.verbose)
            if tree is not None:
                return copied, replace(call, notes=(*notes, *call.notes)), tree
    raise BadInput(
        "the model itself does not run on these inputs", where=where, why=reason(errors[0]),
        advice="give shapes and dtypes that forward takes",
    ) from errors[0]  # fmt: skip


def _tried(module: Any, call: Call, errors: list[BaseException], *, verbose: bool) -> Tree | None:
    """The module's output; None where it raises, which joins the errors."""
    import torch

    from converters.torch_fake_quantize import observers_off

    with quietly(verbose=verbose), Attempt() as attempt, torch.no_grad(), observers_off(module):
        return _runner(module, call).tree([t.clone() for t in call.tensors])
    assert attempt.error is not None  # it was raised
    errors.append(attempt.error)
    return None


def _runner(module: Any, call: Call) -> Runner:
    from converters.torch_reference import Runner

    return Runner(module, call)


def _settle_symbols(model: onnx.ModelProto, call: Call, where: str) -> list[str]:
    """Bring the exporter's names of dimensions back to the user's, in place; what it found equal or fixed is a note."""
    notes: list[str] = []
    sizes: Sizes = {}
    values = {value.name: value for value in model.graph.input}
    for name, dims in zip(call.names, call.dims, strict=True):
        for axis, wanted in dims.items() if name in values else ():
            dim = values[name].type.tensor_type.shape.dim[axis]
            if not dim.dim_param:
                what = f"the exporter fixed the dimension {wanted} of the input {name} at {dim.dim_value}"
                raise BadInput(what, where=where, advice=f"give it that size, or make forward work for every {wanted}")
            if sizes.setdefault(dim.dim_param, wanted) != wanted:
                note = f"the model needs the dimensions {sizes[dim.dim_param]} and {wanted} to be equal"
                notes += [] if note in notes else [note]
    substitute(model, sizes)
    known = set(sizes.values())
    # The TorchScript exporter makes up names for what it cannot follow ("Concat5_dim_0").
    for value in model.graph.output:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param and not known & set(re.findall(r"[A-Za-z_]\w*", dim.dim_param)):
                dim.ClearField("dim_param")
    return notes


def _load_program(program: Any, name: str, where: str, options: LoadOptions) -> Loaded:
    import torch
    from torch.utils import _pytree as pytree

    from converters.torch_calls import Call
    from converters.torch_export import export_program
    from converters.torch_outputs import names_of_outputs

    if options.example:
        raise BadInput("a torch.export program has its own example inputs", where=where, advice="leave out example")
    args, kwargs = program.example_inputs or ((), {})
    values, treespec = pytree.tree_flatten((args, kwargs))
    places = [i for i, value in enumerate(values) if isinstance(value, torch.Tensor)]

    def rebuild(tensors: Any) -> Any:
        filled = list(values)
        for place, tensor in zip(places, tensors, strict=True):
            filled[place] = tensor
        return pytree.tree_unflatten(filled, treespec)

    given = [s.arg for s in program.graph_signature.input_specs if s.kind.name == "USER_INPUT"]
    user_inputs = tuple(arg.name for arg in given if not hasattr(arg, "value"))  # numbers and None have a value
    if len(user_inputs) != len(places):
        raise BadModel("the program does not hold example inputs for all its inputs", where=where,
                       advice="save it with torch.export.save of a program made by torch.export.export")  # fmt: skip
    call = Call(
        user_inputs, tuple(values[i].detach().clone() for i in places), ({},) * len(places), rebuild, plain=True
    )
    with quietly(verbose=options.verbose), Attempt() as attempt, torch.no_grad():
        module = program.module()
        for part in module.modules():
            part.training = False  # its eval() raises: the mode was settled by torch.export
        runner = _runner(module, call)
        tree = runner.tree([t.clone() for t in call.tensors])
    if attempt.error is not None:
        raise BadModel("the program does not run on its own example inputs", where=where, why=reason(attempt.error))
    names = names_of_outputs(call, tree, where)
    exported = export_program(program, user_inputs, names, where=where, verbose=options.verbose)
    _name_symbols(exported.model)
    notes = [*exported.notes, *apply_specs(exported.model, options.inputs, where=where, batch=options.batch)]
    return _finish(exported, runner, tree, PROGRAM, name, where, notes, own=True)


def _name_symbols(model: onnx.ModelProto) -> None:
    """torch.export's own names (s77) say nothing: N for a first axis, else the input's name and the axis. In place."""
    names: Sizes = {}
    for value in real_inputs(model):
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if re.fullmatch(r"[a-z]+\d+", dim.dim_param) and dim.dim_param not in names:
                names[dim.dim_param] = "N" if axis == 0 and "N" not in names.values() else f"{value.name}_{axis}"
    substitute(model, names)


def _finish(
    exported: Exported,
    runner: Runner,
    tree: Tree,
    kind: str,
    name: str,
    where: str,
    notes: list[str],
    *,
    own: bool,
) -> Loaded:
    """Check the exported model and tie it to the module's own answers."""
    import torch

    from converters.torch_reference import TorchReference, to_array

    model, call = exported.model, runner.call
    vet(model, where=where)
    run_checker(model, where=where)
    count = sum(isinstance(leaf, torch.Tensor) for leaf in tree.leaves)
    if len(model.graph.output) != count:
        what = f"{exported.exporter} wrote {len(model.graph.output)} outputs, but the module returns {count} tensors"
        raise ExportFailed(what, where=where)
    inputs = _places(model, call, where)
    _refuse_lost_inputs(runner, tree, set(inputs.values()), where)
    notes += [f"the input {n} is not used and not an input of the ONNX model"
              for place, n in enumerate(call.names) if place not in inputs.values()]  # fmt: skip
    notes += [f"exported by {exported.exporter}, opset {model.opset_import[0].version}"]
    outputs = tuple(value.name for value in model.graph.output)
    reference = TorchReference(f"torch {torch.__version__}", runner.answers, call.tensors, inputs, outputs)
    example = {n: to_array(call.tensors[place]) for n, place in inputs.items()}
    fits = own and _fits(model, example)
    return Loaded(model, "torch", kind, exported.exporter, name, tuple(notes), reference, (example,) if fits else ())


def _refuse_lost_inputs(runner: Runner, tree: Tree, kept: set[int], where: str) -> None:
    """An input that the exporter left out must be one that nothing depends on: a trace may have frozen its values.

    :raises ExportFailed: the module's answer is another where such an input is another.
    """
    import torch

    call = runner.call
    if len(kept) == len(call.tensors):
        return
    changed = [t if i in kept else ~t if t.dtype == torch.bool else 1 - t for i, t in enumerate(call.tensors)]
    with quietly(), Attempt(), torch.no_grad():
        answers = runner.answers([t.clone() for t in changed])
        before = [leaf for leaf in tree.leaves if isinstance(leaf, torch.Tensor)]
        same = all(torch.equal(torch.nan_to_num(a), torch.nan_to_num(b)) for a, b in zip(answers, before, strict=True))
        if not same:
            lost = ", ".join(name for i, name in enumerate(call.names) if i not in kept)
            what = f"the exporter made constants of what depends on {lost}"
            raise ExportFailed(what, where=where, advice="keep those values tensors of torch's all through forward")


def _places(model: onnx.ModelProto, call: Call, where: str) -> dict[str, int]:
    """ONNX input → place in the call: by order where all are there (names may have changed), else by name."""
    names = [value.name for value in real_inputs(model)]
    if len(names) == len(call.names):
        return {name: place for place, name in enumerate(names)}
    lost = [name for name in names if name not in call.names]
    if lost:
        raise ExportFailed(f"the exporter wrote inputs that forward does not have: {', '.join(lost)}", where=where)
    return {name: call.names.index(name) for name in names}


def _fits(model: onnx.ModelProto, example: dict[str, Any]) -> bool:
    """Sizes given with --input may be others than the example's."""
    return all(
        dim.dim_param or dim.dim_value == size
        for value in real_inputs(model)
        for dim, size in zip(value.type.tensor_type.shape.dim, example[value.name].shape, strict=True)
    )


frontend = TorchFrontend()
