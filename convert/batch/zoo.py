"""What is to be converted: a folder, a list file, a zoo file, models and factories, as entries of distinct names."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from convert.batch.row import STATUSES
from convert.batch.search import models_in
from convert.errors import Finding, UsageError
from convert.spec import TensorSpec

#: Keys of a model in a zoo file that are options of the conversion, by their Python names, and their types.
OPTIONS: Mapping[str, type | tuple[type, ...]] = {
    "inputs": list, "weights": str, "samples": str, "rtol": (int, float), "atol": (int, float), "allow_code": bool,
    "custom_objects": list, "translations": list, "params": str, "batch": int, "model": str, "float32": bool,
    "layout": str, "verify": bool,
}  # fmt: skip
#: Options that are paths, relative to the zoo file.
_PATHS = ("samples", "params", "translations", "model")
_OTHERS: Mapping[str, type | tuple[type, ...]] = {
    "name": str, "path": str, "factory": str, "package": str, "expected": str, "cause": str, "tags": list,
    "needs": list,
}  # fmt: skip
_KINDS = {list: "a list", str: "a string", bool: "true or false", int: "a whole number", (int, float): "a number"}


@dataclass(frozen=True)
class Entry:
    """One model of a zoo.

    :param name: distinct, and an identifier of C++: the header's name.
    :param source: a path, or ``file.py:factory``, as :func:`convert.api.source_of` reads it.
    :param label: the source as the zoo has it, without the folder that the zoo is in.
    :param options: options of the conversion, as in :data:`OPTIONS`.
    :param expected: the status that is expected; empty for none. :param cause: words that the error is to have.
    :param needs: packages without which the model is skipped.
    """

    name: str
    source: str
    label: str
    options: Mapping[str, Any] = field(default_factory=dict)
    expected: str = ""
    cause: str = ""
    tags: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


def read_zoo(places: Sequence[str], defaults: Mapping[str, Any]) -> list[Entry]:
    """The entries of all places, names made distinct.

    :param places: folders, list files (``.txt``, ``.list``), zoo files (``.toml``), model files, factories.
    :param defaults: options for all; a zoo file's own stand before them.
    :raises UsageError: a place that is none of these; everything that is wrong in a zoo file; nothing found.
    """
    found: list[Entry] = []
    for place in places:
        path = Path(place).expanduser()
        path = path.absolute()
        if path.suffix == ".toml":
            found += _zoo_file(path, defaults)
        elif path.suffix in (".txt", ".list"):
            found += _listed(path, defaults)
        elif path.is_dir() and (inside := list(models_in(path))) != [path]:
            found += [Entry("", str(p), p.relative_to(path).as_posix(), defaults) for p in inside]
        else:
            found.append(Entry("", _resolved(place, Path.cwd()), place, defaults))
    if not found:
        raise UsageError(f"no model was found in {', '.join(places)}", advice="give folders, zoo files, or models")
    return _named(found)


def select(entries: Iterable[Entry], *, tags: Sequence[str], only: Sequence[str]) -> list[Entry]:
    """Those that have one of the tags, and a name or source like one of the patterns; all where none is given."""
    from fnmatch import fnmatch

    return [
        e for e in entries
        if (not tags or set(tags) & set(e.tags))
        and (not only or any(fnmatch(e.name, p) or fnmatch(e.label, p) for p in only))
    ]  # fmt: skip


def _listed(path: Path, defaults: Mapping[str, Any]) -> list[Entry]:
    """A model or factory a line, relative to the list; what follows # is a comment."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the list {path}", why=str(error)) from error
    given = [line.partition("#")[0].strip() for line in lines]
    return [Entry("", _resolved(line, path.parent), line, defaults) for line in given if line]


def _zoo_file(path: Path, defaults: Mapping[str, Any]) -> list[Entry]:
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"cannot read the zoo {path}", why=str(error)) from error
    common, models = told.pop("defaults", {}), told.pop("model", [])
    findings = [Finding(f"there is no {key!r} in a zoo file: [defaults] and [[model]]") for key in told]
    findings += list(_wrong(common, "[defaults]", OPTIONS))
    if not isinstance(models, list):
        findings, models = [*findings, Finding("models are written as [[model]]")], []
    for number, model in enumerate(models, 1):
        findings += _wrong(model, f"model {number} ({model.get('name') or model.get('path')})", {**OPTIONS, **_OTHERS})
    if findings:
        raise UsageError(f"the zoo {path} cannot be used", advice="see docs/batch.md", findings=tuple(findings))
    return [_entry(m, path.parent, {**defaults, **_placed(common, path.parent)}) for m in models]


def _wrong(given: Mapping[str, Any], where: str, known: Mapping[str, type | tuple[type, ...]]) -> Iterator[Finding]:
    for key, value in given.items():
        kind = known.get(key)
        if kind is None:
            yield Finding(f"unknown key {key!r}", where, advice=f"there are {', '.join(known)}")
        elif not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            yield Finding(f"{key} is {value!r}, and not {_KINDS[kind]}", where)
    if known is not OPTIONS:
        if ("path" in given) == ("factory" in given):
            yield Finding("a model has a path or a factory", where)
        if given.get("expected", STATUSES[0]) not in STATUSES:
            yield Finding(f"expected is {given['expected']!r}", where, advice=f"one of {', '.join(STATUSES)}")
    for text in given.get("inputs", ()):
        try:
            TensorSpec.parse(str(text))
        except UsageError as error:
            yield replace(error.finding, where=where)


def _entry(model: Mapping[str, Any], home: Path, defaults: Mapping[str, Any]) -> Entry:
    label = str(model.get("path") or model.get("factory"))
    needs = [*model.get("needs", ()), *([model["package"]] if "package" in model else ())]
    if "package" in model:  # its own files, wherever it is installed
        spec = find_spec(model["package"])
        home = Path((spec.submodule_search_locations or ["."])[0]) if spec is not None else home
        label = f"{model['package']}: {label}"
    source = _resolved(str(model.get("path") or model.get("factory")), home)
    options = {**defaults, **_placed({k: v for k, v in model.items() if k in OPTIONS}, home)}
    return Entry(
        model.get("name", ""), source, label, options, model.get("expected", ""), model.get("cause", ""),
        tuple(model.get("tags", ())), tuple(needs),
    )  # fmt: skip


def _placed(options: Mapping[str, Any], home: Path) -> dict[str, Any]:
    """With paths taken from the zoo's folder."""
    placed = dict(options)
    for key in _PATHS:
        value = placed.get(key)
        if isinstance(value, str):
            placed[key] = _resolved(value, home)
        elif isinstance(value, list):
            placed[key] = [_resolved(v, home) for v in value]
    return placed


def _resolved(text: str, home: Path) -> str:
    """A path from the zoo's folder; ``package.module:factory`` stays, ``file.py:factory`` is a path."""
    file, colon, name = text.rpartition(":")
    if colon and not file.endswith(".py"):
        return text
    return f"{home / file}:{name}" if colon else str(home / text)


def _named(entries: Sequence[Entry]) -> list[Entry]:
    """Names: the user's own, else the file's, else with the folders in front, else numbered.

    Files whose names differ in case alone are one on some disks.
    """
    from sofie_bridge.names import identifier

    short = [identifier(e.name or _stem(e)) for e in entries]
    many = Counter(n.lower() for n in short)
    named: dict[str, Entry] = {}
    for entry, plain in zip(entries, short, strict=True):
        stem = name = plain if entry.name or many[plain.lower()] == 1 else identifier(_path_name(entry))
        serial = 1
        while name.lower() in named:
            serial += 1
            name = f"{stem}_{serial}"
        named[name.lower()] = replace(entry, name=name)
    return list(named.values())


def _stem(entry: Entry) -> str:
    file, colon, name = entry.source.rpartition(":")
    return name if colon and file and "/" not in name else Path(entry.source).stem


def _path_name(entry: Entry) -> str:
    return "_".join(Path(entry.label.replace(":", "/")).with_suffix("").parts)
