"""Headers in ROOT's interpreter, cling: ROOT found, the BLAS loaded, C++ declared."""

from __future__ import annotations

import hashlib
import shlex
import sys
import warnings
from pathlib import Path
from typing import Any

from convert.errors import CompileFailed, MissingPackage, NoCompiler
from convert.root_layout import INSTALL
from sofie_bridge import blas, signature, toolchain

#: Namespace → digest of the header that this process's interpreter holds.
_declared: dict[str, str] = {}


def root() -> Any:
    """The module ``ROOT``.

    :raises MissingPackage: it is not installed; with the line that installs it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the wheel says at every import that it is in alpha
            import ROOT
    except ImportError as error:
        raise MissingPackage("ROOT is not installed", why=str(error), advice=INSTALL) from error
    return ROOT


def load_blas() -> str:
    """Load the BLAS of :func:`sofie_bridge.toolchain.find` for code that cling compiles; its path or name.

    :raises NoCompiler: there is none, or it cannot be loaded.
    """
    gsystem = root().gSystem
    loaded = list(blas.libraries())
    for name in loaded:
        if gsystem.Load(name) < 0:
            raise NoCompiler("the BLAS cannot be loaded into ROOT", where=name, advice=f"set {toolchain.BLAS_VARIABLE}")
    if not loaded:
        flags = shlex.join(toolchain.find().blas_ldflags)
        raise NoCompiler("its flags name no BLAS", where=flags, advice=f"set {toolchain.BLAS_VARIABLE}=-lopenblas")
    return ", ".join(loaded)


def declare(header: str | Path) -> Any:
    """Make a header known to cling, ready to run; once, however often it is called.

    :returns: its namespace: ``declare("mlp.hxx").Session("mlp.dat", 1).infer(1, x)``.
    :raises CompileFailed: it is no header of SOFIE's, cling does not take it, or another of its name is there already.
    :raises MissingPackage: ROOT is not installed.
    """
    path = Path(header).absolute()
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise CompileFailed("the header cannot be read", where=str(path), why=str(error)) from error
    namespace = signature.read(text, str(path)).namespace
    declare_text(text, namespace, str(path))
    return getattr(root(), namespace)


def declare_text(text: str, name: str, where: str) -> None:
    """Hand C++ to cling, optimised, its calls of BLAS renamed as the loaded one wants.

    :param name: what may be declared only once with other text. :param where: for messages.
    :raises CompileFailed: see :func:`declare`.
    """
    digest = hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
    if _declared.get(name) == digest:
        return
    known = root().gInterpreter.ClassInfo_IsValid(root().gInterpreter.ClassInfo_Factory(name))
    if name in _declared or known:
        raise CompileFailed(
            f"ROOT's interpreter holds another {name} already",
            where=where,
            why="a name can be declared once in a process, and the include guard would hide the second",
            advice="convert it under another name (--output NAME.hxx), or start a new process",
        )
    load_blas()
    if not root().gInterpreter.Declare(_for_cling(text)):
        raise CompileFailed("ROOT's interpreter does not take the header", where=where, why="its messages are above")
    _declared[name] = digest


def _for_cling(text: str) -> str:
    """Optimised as a compiler would; the macros that rename the BLAS do not outlive the text."""
    pairs = [flag.removeprefix("-D").split("=") for flag in toolchain.find().blas_cflags]
    defines = "".join(f"#define {name} {other}\n" for name, other in pairs)
    return f"#pragma cling optimize(3)\n{defines}{text}\n" + "".join(f"#undef {name}\n" for name, _ in pairs)


def macro_prelude() -> str:
    """Lines for the top of a ``root -l`` macro, in front of ``#include "model.hxx"``: the BLAS, on this machine.

    >>> print(macro_prelude())  # doctest: +SKIP
    R__LOAD_LIBRARY(/…/scipy_openblas32/lib/libscipy_openblas.so)
    #define sgemm_ scipy_sgemm_
    ...
    """
    lines = [f"R__LOAD_LIBRARY({name})" for name in blas.libraries()]
    lines += ["#define {} {}".format(*flag.removeprefix("-D").split("=")) for flag in toolchain.find().blas_cflags]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(macro_prelude())
