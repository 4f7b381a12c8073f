"""``dynamic_shapes`` as ``torch.export`` takes it: which axes of which tensors are open, and their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from convert.errors import BadInput
from converters.leaf_names import Path, label
from converters.signature import Signature

if TYPE_CHECKING:
    import torch

_ADVICE = "write it as torch.export does, by the arguments' names: dynamic_shapes={'x': {0: torch.export.Dim('N')}}"


def names_of_dimensions(
    given: Any, paths: Sequence[Path], tensors: Sequence[torch.Tensor], takes: Signature, *, where: str
) -> list[dict[int, str]]:
    """For each tensor of the example its open axes, by name.

    :param given: ``torch.export``'s: for each argument, by name or in order, a nest like the argument's, with a dict
        or sequence of sizes where a tensor stands: a ``Dim``, a name, None for the example's own size.
    :param paths: where the tensors stand: the argument's name, then keys.
    :raises BadInput: it does not have the arguments' form.
    """
    if given is None:
        return [{} for _ in paths]
    if isinstance(given, Mapping):
        by_argument = dict(given)
    else:
        positional = [a.name for a in takes.arguments if not a.by_name]
        positional += [f"input_{i}" for i in range(len(positional), len(given))]
        by_argument = dict(zip(positional, given, strict=False))
    arguments = {path[0] for path in paths}
    if unknown := [name for name in by_argument if name not in arguments]:
        what = f"dynamic_shapes has {', '.join(map(repr, unknown))}, which the example does not give"
        raise BadInput(what, where=where, advice=_ADVICE)
    return [
        _axes(_at(by_argument, path, where), path, tensor, where) for path, tensor in zip(paths, tensors, strict=True)
    ]


def _at(nest: Any, path: Path, where: str) -> Any:
    """What is said of the tensor at the path; None where nothing is."""
    for depth, key in enumerate(path):
        if nest is None:
            return None
        if isinstance(nest, Mapping):
            nest = nest.get(key)
        elif isinstance(nest, (list, tuple)) and isinstance(key, int) and key < len(nest):
            nest = nest[key]
        else:
            what = f"dynamic_shapes has no place for {label(path[: depth + 1])}"
            raise BadInput(what, where=where, advice=_ADVICE)
    return nest


def _axes(said: Any, path: Path, tensor: torch.Tensor, where: str) -> dict[int, str]:
    if said is None:
        return {}
    name = label(path)
    axes = dict(said) if isinstance(said, Mapping) else dict(enumerate(said)) if isinstance(said, (list, tuple)) else {}
    if not isinstance(said, (Mapping, list, tuple)) or any(
        not isinstance(a, int) or not -tensor.ndim <= a < tensor.ndim for a in axes
    ):
        what = f"dynamic_shapes says {said!r} of {name}, a tensor of {tensor.ndim} axes"
        raise BadInput(what, where=where, advice=_ADVICE)
    found = {axis % tensor.ndim: _name(size, f"{name}_{axis % tensor.ndim}") for axis, size in axes.items()}
    return {axis: size for axis, size in found.items() if size}


def _name(size: Any, made_up: str) -> str | None:
    """The name of a Dim; one that is none (``Dim.AUTO``, ``2 * N``) has its place's."""
    import torch

    if size is None or isinstance(size, int) or size is torch.export.Dim.STATIC:
        return None
    name = size if isinstance(size, str) else getattr(size, "__name__", "")
    return name if name.isidentifier() else made_up
