"""Inputs as the user names them (``x``, ``batch.x``, ``batch_x``, ``hits.0``), put to a call's arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from convert.errors import Finding
from convert.spec import TensorSpec
from converters.inputs import match_specs
from converters.leaf_names import label
from converters.signature import Argument, Make, Signature, made


@dataclass(frozen=True)
class Named:
    """One reading of what the user gives.

    :param names: of the header's inputs. :param specs: the tensors', in the same order.
    :param rebuild: tensors in that order → positional and keyword arguments.
    :param plain: the arguments are these tensors, positionally, and nothing else.
    """

    names: tuple[str, ...]
    specs: tuple[TensorSpec, ...]
    rebuild: Callable[[Sequence[Any]], tuple[tuple[Any, ...], dict[str, Any]]]
    plain: bool
    notes: tuple[str, ...] = ()


#: An argument's place in a nest, "batch.x": the argument, then the keys.
_Path = tuple[str, ...]


def named(given: Sequence[TensorSpec], takes: Signature) -> tuple[list[Named], list[Finding]]:
    """Every reading that fits forward, the likelier first; without one, what is wrong with the plain one.

    ``batch_x`` is read as the key x of the argument batch where its annotation says that it is a nest, and else where
    nothing else runs.
    """
    nested = [_reading(given, takes, underscored=True)] if _underscored(given, takes, any_kind=True) else []
    plain = _reading(given, takes, underscored=False)
    sure = bool(nested) and _underscored(given, takes, any_kind=False)
    readings = [*nested, plain] if sure else [plain, *nested]
    fitting = [reading for reading, findings in readings if not findings]
    return fitting, readings[0][1]


def _reading(given: Sequence[TensorSpec], takes: Signature, *, underscored: bool) -> tuple[Named, list[Finding]]:
    known = takes.names
    paths = [_path(spec.name, takes, underscored=underscored) for spec in given]
    nests = {path[0] for path in paths if len(path) > 1}
    leaves = [s for s, path in zip(given, paths, strict=True) if len(path) < 2]
    free = [name for name in known if name not in nests]
    if takes.any_number:  # those come ahead of what is given by its name only
        by_name = {a.name for a in takes.arguments if a.by_name}
        placed = [name for name in free if name not in by_name]
        others = sum(spec.name not in by_name for spec in leaves) - len(placed)
        free = [*placed, *(f"input_{i}" for i in range(others)), *(name for name in free if name in by_name)]
    if takes.any_name:
        free += [s.name for s in leaves if s.name and s.name not in free]
    by_argument, notes, findings = _assigned(leaves, free)
    members: dict[_Path, TensorSpec] = {(name,): spec for name, spec in by_argument.items()}
    for spec, path in zip(given, paths, strict=True):
        if len(path) > 1:
            findings += [Finding(f"the input {spec.name} is given twice")] if path in members else []
            members[path] = replace(spec, name=label(path))
    findings += _misfits(members, takes)
    rank = {a.name: (a.by_name and takes.any_number, i) for i, a in enumerate(takes.arguments)}
    order = sorted(members, key=lambda path: rank.get(path[0], (False, len(rank))))
    specs = tuple(members[path] for path in order)
    rebuild, plain = _rebuilder(order, takes)
    return Named(tuple(s.name or label(p) for s, p in zip(specs, order, strict=True)), specs, rebuild, plain,
                 notes), findings  # fmt: skip


def _path(name: str, takes: Signature, *, underscored: bool) -> _Path:
    """The argument and the keys that the name is for; one part for an argument itself."""
    if name in takes.names:
        return (name,)
    first, *keys = name.split(".")
    if keys and (first in takes.names or takes.any_name):
        return (first, *keys)
    if underscored:
        fitting = [a for a in takes.arguments if name.startswith(a.name + "_")]
        if fitting:
            longest = max(fitting, key=lambda a: len(a.name))
            rest = name.removeprefix(longest.name + "_")
            return (longest.name, *(rest.split("_") if rest.replace("_", "").isdigit() else (rest,)))
    return (name,)


def _underscored(given: Sequence[TensorSpec], takes: Signature, *, any_kind: bool) -> bool:
    """Could some name be a key of an argument that is not given itself? Of one annotated as a nest, if not any kind."""
    names = {spec.name for spec in given}
    kinds: Iterable[Argument] = (a for a in takes.arguments if (any_kind or a.make) and a.name not in names)
    heads = tuple(a.name + "_" for a in kinds)
    return any(name.startswith(heads) and name not in takes.names for name in names) if heads else False


def _assigned(
    given: Sequence[TensorSpec], names: list[str]
) -> tuple[dict[str, TensorSpec], tuple[str, ...], list[Finding]]:
    """Specs by argument. Names of which none is an argument's rename the arguments, in order."""
    renames = bool(given) and all(s.name for s in given) and not any(s.name in names for s in given)
    if renames and len(given) <= len(names):
        specs = dict(zip(names, given, strict=False))
        pairs = ", ".join(f"{spec.name} for {name}" for name, spec in specs.items())
        return specs, (f"inputs were given to forward's arguments in order: {pairs}",), []
    specs, findings = match_specs(given, names)
    return specs, (), findings


def _misfits(members: dict[_Path, TensorSpec], takes: Signature) -> list[Finding]:
    there = {path[0] for path in members}
    findings = [Finding(f"the required argument {a.name} is not given")
                for a in takes.arguments if a.needed and a.name not in there]  # fmt: skip
    labels = [spec.name for spec in members.values()]
    findings += [Finding(f"the input {n} is given twice") for n in sorted({n for n in labels if labels.count(n) > 1})]
    return findings + [Finding(f"{spec} has the size 0") for spec in members.values() if 0 in spec.shape]


def _rebuilder(
    order: Sequence[_Path], takes: Signature
) -> tuple[Callable[[Sequence[Any]], tuple[tuple[Any, ...], dict[str, Any]]], bool]:
    """Arguments stand in their places as long as none before them is left out, and go by name from there."""
    heads = list(dict.fromkeys(path[0] for path in order))
    by_name = {a.name for a in takes.arguments if a.by_name} | (
        {h for h in heads if h not in takes.names} if takes.any_name and not takes.any_number else set()
    )
    positional = [a.name for a in takes.arguments if not a.by_name]
    leading: list[str] = []
    for place, head in enumerate(heads):
        expected = positional[place] if place < len(positional) else head
        if head in by_name or head != expected or place != len(leading):
            break
        leading.append(head)
    makes = {a.name: a.make for a in takes.arguments}

    def rebuild(tensors: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        values: dict[str, Any] = {}
        for head in heads:
            inner = [(path[1:], t) for path, t in zip(order, tensors, strict=True) if path[0] == head]
            values[head] = _nest(inner, makes.get(head))
        return tuple(values[h] for h in leading), {h: v for h, v in values.items() if h not in leading}

    plain = len(leading) == len(order) and all(len(path) == 1 for path in order) and not takes.any_number
    return rebuild, plain


def _nest(inner: Sequence[tuple[_Path, Any]], make: Make | None) -> Any:
    if inner[0][0] == ():
        return inner[0][1]
    keys = dict.fromkeys(path[0] for path, _ in inner)
    members = {key: _nest([(path[1:], t) for path, t in inner if path[0] == key], None) for key in keys}
    return (make or made)(members)
