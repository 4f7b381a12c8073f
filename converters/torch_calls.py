"""How a module is called: its arguments as a flat list of named tensors, from a spec, an example or a program."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from convert.errors import BadInput, Finding
from convert.spec import TensorSpec
from converters.base import LoadOptions
from converters.inputs import match_specs
from converters.leaf_names import label
from converters.named_inputs import Named, named
from converters.signature import by_argument
from converters.torch_dynamic import names_of_dimensions
from converters.torch_signature import signature
from converters.torch_trees import flatten

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


def from_specs(module: torch.nn.Module, given: Sequence[TensorSpec], *, where: str) -> Iterator[Call]:
    """Calls with made-up tensors of the given shapes, one for each choice of sizes for the symbolic dimensions.

    :raises BadInput: none given, unknown names, too many, or required arguments left out.
    """
    takes = signature(module)
    if not given:
        wanted = " ".join(f"--input '{a.name}:float32[1,3]'" for a in takes.arguments if a.needed) or "--input '...'"
        what = "the shapes of the inputs are not known"
        raise BadInput(what, where=where, advice=f"write them, as in {wanted}", why=f"forward takes {takes}")
    readings, findings = named(given, takes)
    if not readings:
        advice = f"forward takes {takes}"
        raise BadInput("the given inputs do not fit the model", where=where, advice=advice, findings=tuple(findings))
    for reading in readings:
        yield from _made_up_calls(reading)


def _made_up_calls(reading: Named) -> Iterator[Call]:
    dims = tuple(
        {axis: d or f"{name}_{axis}" for axis, d in enumerate(spec.shape) if not isinstance(d, int)}
        for name, spec in zip(reading.names, reading.specs, strict=True)
    )
    for sizes in _size_choices(dims):
        tensors = tuple(
            _made_up(spec.dtype, [d if isinstance(d, int) else sizes[axes[axis]] for axis, d in enumerate(spec.shape)])
            for spec, axes in zip(reading.specs, dims, strict=True)
        )
        yield Call(reading.names, tensors, dims, reading.rebuild, reading.plain, reading.notes)


def from_example(module: torch.nn.Module, options: LoadOptions, *, where: str) -> Call:
    """The call that the example makes; ``options.inputs`` may name tensors and make dimensions symbolic.

    :raises BadInput: the specs are not those of the example's tensors.
    """
    takes = signature(module)
    example = options.example
    args, kwargs = ((), dict(example)) if isinstance(example, Mapping) else (tuple(example), {})
    tree = flatten(_as_tensors((args, kwargs)))
    indices = [i for i, leaf in enumerate(tree.leaves) if _is_tensor(leaf)]
    paths = [by_argument(path, takes) for path in tree.paths]
    labels = [label(paths[i]) for i in indices]
    tensors = tuple(tree.leaves[i].detach().clone() for i in indices)
    symbols = names_of_dimensions(options.dynamic_shapes, [paths[i] for i in indices], tensors, takes, where=where)
    specs, findings = match_specs(options.inputs, labels)
    dims: list[Mapping[int, str]] = []
    for name, tensor, symbolic in zip(labels, tensors, symbols, strict=True):
        spec = specs.get(name, TensorSpec(name, _dtype(tensor), tuple(tensor.shape)))
        findings.extend(_misfits(spec, tensor))
        open_axes = {a: d or f"{name}_{a}" for a, d in enumerate(spec.shape) if not isinstance(d, int)}
        dims.append({**symbolic, **open_axes})
    if findings:
        advice = "the example's tensors are " + " ".join(
            str(TensorSpec(n, _dtype(t), tuple(t.shape))) for n, t in zip(labels, tensors, strict=True)
        )
        raise BadInput("the inputs do not fit the example", where=where, advice=advice, findings=tuple(findings))

    def rebuild(values: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        filled = list(tree.leaves)
        for i, value in zip(indices, values, strict=True):
            filled[i] = value
        again: tuple[tuple[Any, ...], dict[str, Any]] = tree.rebuild(filled)
        return again

    fixed = {label(p): leaf for p, leaf in zip(paths, tree.leaves, strict=True) if not _is_tensor(leaf)}
    values = ", ".join(f"{name}={value!r}" for name, value in fixed.items() if value is not None)
    notes = (f"arguments that are no tensors are fixed at the example's: {values}",) if values else ()
    bare = all(len(path) == 1 for path in paths) and len(tensors) == len(tree.leaves)
    plain = bare and not kwargs and not takes.any_number
    return Call(tuple(labels), tensors, tuple(dims), rebuild, plain, notes)


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
