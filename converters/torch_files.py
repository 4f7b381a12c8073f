"""PyTorch files opened: an nn.Module, a ScriptModule or an ExportedProgram in memory."""

from __future__ import annotations

import io
import json
import pickle
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convert.errors import BadModel, UnsafeFile
from converters.base import LoadOptions
from converters.quiet import Attempt, reason
from converters.torch_kinds import PROGRAM, SCRIPT, risks, tensor_files
from converters.torch_state import fill, find_state

_SAVE_AGAIN = "save it as a torch.export program (.pt2) or TorchScript"


@dataclass(frozen=True)
class Opened:
    """What a file held.

    :param subject: ``torch.nn.Module``, ``ScriptModule`` or ``ExportedProgram``.
    :param kind: the file's kind, finer than sniffing can tell.
    """

    subject: Any
    kind: str
    notes: tuple[str, ...] = ()


def open_file(path: Path, kind: str, options: LoadOptions) -> Opened:
    """Open a PyTorch file of the given kind.

    :raises UnsafeFile: it would run code, and ``allow_code`` is not given.
    :raises BadModel: damaged, or without a network.
    """
    if kind == PROGRAM:
        return _program(path, options)
    if kind == SCRIPT:
        return _archive(path)
    return _pickle(path, options)


def _program(path: Path, options: LoadOptions) -> Opened:
    import torch

    if not options.allow_code:
        _refuse_risks(path)
    with Attempt() as attempt:
        return Opened(torch.export.load(path), PROGRAM)
    advice = f"load it with the torch that saved it (here: {torch.__version__}) and save it again"
    raise _bad("the torch.export program cannot be loaded", path, attempt, advice)


def _refuse_risks(path: Path) -> None:
    import torch

    try:
        found = list(risks(path))
        for name, content in tensor_files(path):
            if content:  # torch takes an empty one for "nothing"
                with Attempt() as attempt:
                    torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
                if attempt.error is not None:
                    found.append(f"{name} is more than plain tensors")
    except (zipfile.BadZipFile, json.JSONDecodeError, UnicodeDecodeError, OSError, EOFError) as error:
        raise BadModel("the torch.export program is damaged", where=str(path), why=reason(error)) from error
    if found:
        advice = "if you trust its author, give --allow-pickle"
        raise UnsafeFile("loading this program could run code", where=str(path), why="; ".join(found), advice=advice)


def _archive(path: Path) -> Opened:
    import torch

    load_script: Callable[..., Any] = torch.jit.load  # has no annotations
    with Attempt() as attempt:
        return Opened(load_script(str(path), map_location="cpu"), SCRIPT)
    raise _bad("the TorchScript archive cannot be loaded", path, attempt, "script or trace the module again")


def _pickle(path: Path, options: LoadOptions) -> Opened:
    content = _unpickle(path, options)
    import torch

    for module in (content, *(content.values() if isinstance(content, dict) else ())):
        if isinstance(module, torch.nn.Module):
            return Opened(module, "pickled torch.nn.Module")
    state = find_state(content, where=str(path))
    module, notes = fill(state, options, where=str(path))
    if state.entry:
        notes = (f"the parameters are those of the checkpoint's entry {state.entry!r}", *notes)
    return Opened(module, "state dict", notes)


def _unpickle(path: Path, options: LoadOptions) -> Any:
    import torch

    with Attempt() as attempt:
        return torch.load(path, map_location="cpu", weights_only=True)
    needs_code = isinstance(attempt.error, pickle.UnpicklingError) and _needs_code(str(attempt.error))
    if not needs_code:
        raise _bad("the PyTorch file cannot be loaded", path, attempt, "copy it again")
    if not options.allow_code:
        raise UnsafeFile(
            "opening this pickle would run code from the file",
            where=str(path),
            why=_wanted(str(attempt.error)),
            advice=f"if you trust its author, give --allow-pickle; better, {_SAVE_AGAIN}, or only its state_dict()",
        )
    with Attempt() as attempt:
        return torch.load(path, map_location="cpu", weights_only=False)
    if isinstance(attempt.error, (ImportError, AttributeError)):
        with Attempt():
            checkpoint = torch.load(path, map_location="cpu", weights_only=False, pickle_module=_Lenient)
            if isinstance(checkpoint, dict) and _is_whole(checkpoint.get("state_dict")):
                return checkpoint  # the rest is hyper-parameters, callbacks and loops of a framework that is not here
    advice = f"make its classes importable (PYTHONPATH), or {_SAVE_AGAIN} where they are"
    raise _bad("the pickle cannot be loaded", path, attempt, advice)


class _Absent(dict[Any, Any]):
    """Stands for an object whose class cannot be imported: empty, whatever it is given."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def __setstate__(self, _: Any) -> None:
        """Nothing is kept."""

    def append(self, _: Any) -> None:
        """As a list is filled."""

    def extend(self, _: Any) -> None:
        """As a list is filled."""


class _Lenient:
    """What ``torch.load`` wants of a module such as ``pickle``."""

    class Unpickler(pickle.Unpickler):
        """Classes that cannot be imported are :class:`_Absent`."""

        def find_class(self, module: str, name: str) -> Any:
            try:
                return super().find_class(module, name)
            except (ImportError, AttributeError):
                return _Absent

    load = staticmethod(pickle.load)


def _is_whole(state: Any) -> bool:
    """Nothing of it is absent."""
    return isinstance(state, Mapping) and not any(isinstance(v, _Absent) for v in (state, *state.values()))


def _needs_code(text: str) -> bool:
    return re.search(r"Unsupported (global|class|operand)|GLOBAL|Trying to (instantiate|call)|BUILD", text) is not None


def _wanted(text: str) -> str:
    names = re.findall(r"GLOBAL ([\w.]+)", text)
    what = f"it holds objects of {names[0]}" if names else "it holds more than tensors"
    return f"{what}, and a pickle decides itself what is called to rebuild them"


def _bad(what: str, path: Path, attempt: Attempt, advice: str) -> BadModel:
    error = BadModel(what, where=str(path), why=reason(attempt.error), advice=advice)
    error.__cause__ = attempt.error
    return error
