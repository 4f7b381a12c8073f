"""PyTorch's kinds of files, told apart without torch; and what in a program archive could run code."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

PROGRAM = "torch.export program"
SCRIPT = "TorchScript archive"
PICKLE = "PyTorch pickle"
MODULE = "torch.nn.Module"

#: torch.save before 1.6: a pickled magic number comes first.
_LEGACY = (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", b"\x80\x04\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")
#: Names in a symbolic size: s77, u0, and sympy's or torch's own functions.
_HARMLESS = re.compile(r"(?:[a-z]{1,2}\d+|Max|Min|Mod|FloorDiv|CeilDiv|CleanDiv|PythonMod|ModularIndexing|"
                       r"Eq|Ne|Lt|Le|Gt|Ge|And|Or|Not|IntTrueDiv|FloatTrueDiv|PowByNatural|RShift|LShift|Where|"
                       r"oo|int_oo|True|False|"
                       r"Symbol|Integer|Float|Rational|Add|Mul|Pow|integer|positive|negative|nonnegative|nonpositive|"
                       r"zero|nonzero|"
                       r"real|finite|even|odd|VR|ToFloat|TruncToInt|CeilToInt|FloorToInt|Identity|Piecewise|"
                       r"e\d+)")  # fmt: skip
#: Plain tensors; custom_obj_0 and opaque_obj_0 are unpickled whatever "use_pickle" says.
_PLAIN = re.compile(r"(?:weight|tensor)_\d+")
_EXPRESSION = re.compile(r"[A-Za-z0-9_ +\-*/(),<>=&|~%.]*")


def sniff(head: bytes, path: Path) -> str | None:
    """The kind of a PyTorch file by the members of the zip archive, or by the legacy magic number."""
    if head.startswith(_LEGACY):
        return PICKLE
    if not head.startswith(b"PK\x03\x04"):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2] or name for name in archive.namelist()} | set(archive.namelist())
    except zipfile.BadZipFile:
        return None
    if names & {"models/model.json", "serialized_exported_program.json"}:
        return PROGRAM
    if "constants.pkl" in names and any(name.startswith("code/") for name in names):
        return SCRIPT
    return PICKLE if "data.pkl" in names else None


def risks(path: Path) -> Iterator[str]:
    """What torch.export.load would run as code.

    Pickled members, objects that are no plain tensors, compiled libraries, and names in symbolic sizes
    (sympy evaluates them).
    """
    with zipfile.ZipFile(path) as archive:
        names = [name.lower() for name in archive.namelist()]
        if len(set(names)) != len(names):
            yield "members share a name, so that torch may read another than is checked here"
        if any("aotinductor/" in name for name in names):
            yield "it holds a compiled library"
        for name in archive.namelist():
            if not name.lower().endswith(".json"):
                continue
            for key, value in _walk(json.loads(archive.read(name))):
                if key == "use_pickle" and value:
                    yield f"{name} refers to a pickled object"
                elif key == "path_name" and not _PLAIN.fullmatch(str(value)):
                    yield f"{name} refers to the object {str(value)[:80]!r}"
                elif key == "expr_str" and not _is_harmless(str(value)):
                    yield f"{name} holds the expression {str(value)[:80]!r}"


def tensor_files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Members written by torch.save: torch.export.load opens them with pickle if the safe way fails."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.lower().endswith(".pt"):
                yield name, archive.read(name)


def _is_harmless(expression: str) -> bool:
    expression = re.sub(r"'[a-z]{1,4}\d+'", "s0", expression)  # Symbol('s77', positive=True)
    names = re.findall(r"[A-Za-z_]\w*", expression)
    return bool(_EXPRESSION.fullmatch(expression)) and all(_HARMLESS.fullmatch(name) for name in names)


def _walk(tree: object) -> Iterator[tuple[str, object]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield str(key), value
            yield from _walk(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _walk(value)
