"""How a module is called: its arguments as a flat list of named tensors, from a spec, an example or a program."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from convert.errors import BadInput, Finding
from convert.spec import TensorSpec
from converters.base import LoadOptions
from converters.inputs import match_specs

if TYPE_CHECKING:
    import torch

Rebuild = Callable[[Sequence[Any]], tuple[tuple[Any, ...], dict[str, Any]]]
_SEED = 20240229


@dataclass(frozen=True)
class Call:
    """One way to call a module.

    :param names: a name for each tensor, in the order of the arguments.
    :param tensors: example tensors, distinct objects (the exporter merges inputs that are one object).
    :param dims: for each tensor, symbolic axes and their names.
    :param rebuild: tensors in that order → positional and keyword arguments.
    :param plain: the arguments are these tensors, positionally, and nothing else.
    """

    names: tuple[str, ...]
    tensors: tuple[torch.Tensor, ...]
    dims: tuple[Mapping[int, str], ...]
    rebuild: Rebuild
    plain: bool
    notes: tuple[str, ...] = ()


@contextlib.contextmanager
def evaluating(module: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode within; every submodule's own mode is put back afterwards."""
    modes = [(m, m.training) for m in module.modules()]
    if any(mode for _, mode in modes):
        try:
            module.eval()
        except NotImplementedError:  # the module of a torch.export program: its mode was settled when it was exported
            for child, _ in modes:
                child.training = False
    try:
        yield
    finally:
        for child, mode in modes:
            if child.training != mode:
                child.training = mode


def arguments(module: torch.nn.Module) -> list[tuple[str, bool]]:
    """Names of forward's arguments, and whether each is required. ``*args`` is left out."""
    import torch

    if isinstance(module, torch.jit.ScriptModule):
        forward: Any = module.forward
        schema = forward.schema.arguments[1:]
        return [(a.name, not a.has_default_value()) for a in schema]
    parameters = inspect.signature(module.forward).parameters.values()
    skipped = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [(p.name, p.default is p.empty) for p in parameters if p.kind not in skipped]


def takes_any(module: torch.nn.Module) -> bool:
    """Does forward take ``*args``?"""
    import torch

    if isinstance(module, torch.jit.ScriptModule):
        return False
    return any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(module.forward).parameters.values())


def from_specs(module: torch.nn.Module, given: Sequence[TensorSpec], *, where: str) -> Iterator[Call]:
    """Calls with made-up tensors of the given shapes, one for each choice of sizes for the symbolic dimensions.

    :raises BadInput: none given, unknown names, too many, or required arguments left out.
    """
    known = arguments(module)
    names = [name for name, _ in known]
    if not given:
        wanted = " ".join(f"--input '{name}:float32[1,3]'" for name, needed in known if needed) or "--input '...'"
        what = "the shapes of the inputs are not known"
        raise BadInput(what, where=where, advice=f"write them, as in {wanted}", why=f"forward takes {_listed(known)}")
    specs, notes = _assigned(given, known, names, any_number=takes_any(module), where=where)
    order = [name for name in names if name in specs] + [name for name in specs if name not in names]
    leading = order == names[: len(order)] or takes_any(module) or bool(notes)
    labels = [given_name or arg for arg, given_name in ((a, specs[a].name) for a in order)]

    def rebuild(tensors: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (tuple(tensors), {}) if leading else ((), dict(zip(order, tensors, strict=True)))

    dims = tuple(
        {axis: d or f"{label}_{axis}" for axis, d in enumerate(specs[arg].shape) if not isinstance(d, int)}
        for arg, label in zip(order, labels, strict=True)
    )
    for sizes in _size_choices(dims):
        tensors = tuple(
            _made_up(specs[arg].dtype, [d if isinstance(d, int) else sizes[dims[i][axis]]
                     for axis, d in enumerate(specs[arg].shape)])
            for i, arg in enumerate(order)
        )  # fmt: skip
        yield Call(tuple(labels), tensors, dims, rebuild, leading and not takes_any(module), notes)


def from_example(module: torch.nn.Module, options: LoadOptions, *, where: str) -> Call:
    """The call that the example makes; ``options.inputs`` may name tensors and make dimensions symbolic.

    :raises BadInput: the specs are not those of the example's tensors.
    """
    names = [name for name, _ in arguments(module)]
    leaves, treespec, paths = _flatten(tuple(_as_tensors(options.example)))
    indices = [i for i, leaf in enumerate(leaves) if _is_tensor(leaf)]
    labels = [_label(paths[i], names) for i in indices]
    tensors = tuple(leaves[i].detach().clone() for i in indices)
    specs, findings = match_specs(options.inputs, labels)
    dims: list[Mapping[int, str]] = []
    for label, tensor in zip(labels, tensors, strict=True):
        spec = specs.get(label, TensorSpec(label, _dtype(tensor), tuple(tensor.shape)))
        findings.extend(_misfits(spec, tensor))
        dims.append({a: d or f"{label}_{a}" for a, d in enumerate(spec.shape) if not isinstance(d, int)})
    if findings:
        advice = "the example's tensors are " + " ".join(
            str(TensorSpec(n, _dtype(t), tuple(t.shape))) for n, t in zip(labels, tensors, strict=True)
        )
        raise BadInput("the inputs do not fit the example", where=where, advice=advice, findings=tuple(findings))

    def rebuild(values: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        filled = list(leaves)
        for i, value in zip(indices, values, strict=True):
            filled[i] = value
        args: tuple[Any, ...] = _unflatten(filled, treespec)
        return args, {}

    plain = len(tensors) == len(options.example) == len(leaves) and not takes_any(module)
    return Call(tuple(labels), tensors, tuple(dims), rebuild, plain)


def _assigned(
    given: Sequence[TensorSpec], known: list[tuple[str, bool]], names: list[str], *, any_number: bool, where: str
) -> tuple[dict[str, TensorSpec], tuple[str, ...]]:
    """Specs by argument. Names of which none is an argument's rename the arguments, in order."""
    if any_number:
        names = names + [f"input_{i}" for i in range(len(given) - len(names))]
    renames = all(s.name for s in given) and not any(s.name in names for s in given)
    notes: tuple[str, ...] = ()
    findings: list[Finding] = []
    if renames and len(given) <= len(names):
        specs = dict(zip(names, given, strict=False))
        pairs = ", ".join(f"{spec.name} for {name}" for name, spec in specs.items())
        notes = (f"inputs were given to forward's arguments in order: {pairs}",)
    else:
        specs, findings = match_specs(given, names)
    missing = [name for name, needed in known if needed and name not in specs]
    findings += [Finding(f"the required argument {name} is not given") for name in missing]
    labels = [spec.name for spec in specs.values()]
    findings += [Finding(f"the input {n} is given twice") for n in sorted({n for n in labels if labels.count(n) > 1})]
    findings += [Finding(f"{spec} has the size 0") for spec in specs.values() if 0 in spec.shape]
    if findings:
        advice = f"forward takes {_listed(known)}"
        raise BadInput("the given inputs do not fit the model", where=where, advice=advice, findings=tuple(findings))
    return specs, notes


def _listed(known: list[tuple[str, bool]]) -> str:
    return ", ".join(name if needed else f"{name} (optional)" for name, needed in known) or "no named arguments"


def _size_choices(dims: Sequence[Mapping[int, str]]) -> Iterator[dict[str, int]]:
    """Sizes to try: distinct and even first, as equal ones may be merged; then larger, then equal."""
    symbols = list(dict.fromkeys(name for axes in dims for name in axes.values()))
    if not symbols:
        yield {}
        return
    for base in (4, 16, 64):
        yield {name: base + base // 2 * i for i, name in enumerate(symbols)}
    if len(symbols) > 1:
        for base in (4, 64):
            yield dict.fromkeys(symbols, base)


def _made_up(dtype: str, shape: Sequence[int]) -> torch.Tensor:
    import torch

    generator = torch.Generator().manual_seed(_SEED)
    kind: torch.dtype = getattr(torch, dtype)
    if kind.is_floating_point:
        return torch.randn(shape, generator=generator).to(kind)
    # Small enough to be an index into any table.
    return torch.randint(0, 2, shape, generator=generator).to(kind)


def _flatten(tree: Any) -> tuple[list[Any], Any, list[Any]]:
    from torch.utils import _pytree as pytree

    pairs, treespec = pytree.tree_flatten_with_path(tree)
    return [leaf for _, leaf in pairs], treespec, [path for path, _ in pairs]


def _unflatten(leaves: list[Any], treespec: Any) -> Any:
    from torch.utils import _pytree as pytree

    return pytree.tree_unflatten(leaves, treespec)


def _label(path: Sequence[Any], names: Sequence[str]) -> str:
    keys = [str(getattr(key, "idx", getattr(key, "key", getattr(key, "name", "")))) for key in path]
    first = names[int(keys[0])] if int(keys[0]) < len(names) else f"input_{keys[0]}"
    return re.sub(r"\W", "_", "_".join([first, *keys[1:]]))


def _as_tensors(tree: Any) -> Any:
    import numpy as np
    import torch
    from torch.utils import _pytree as pytree

    return pytree.tree_map(lambda leaf: torch.from_numpy(leaf) if isinstance(leaf, np.ndarray) else leaf, tree)


def _is_tensor(leaf: Any) -> bool:
    import torch

    return isinstance(leaf, torch.Tensor)


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _misfits(spec: TensorSpec, tensor: torch.Tensor) -> Iterator[Finding]:
    if spec.dtype != _dtype(tensor):
        yield Finding(f"input {spec.name} has the dtype {_dtype(tensor)} in the example, not {spec.dtype}")
    if len(spec.shape) != tensor.ndim:
        yield Finding(f"input {spec.name} has {tensor.ndim} axes in the example, not {len(spec.shape)}")
        return
    for axis, (want, have) in enumerate(zip(spec.shape, tensor.shape, strict=True)):
        if isinstance(want, int) and want != have:
            yield Finding(f"axis {axis} of the input {spec.name} has the size {have} in the example, not {want}")
