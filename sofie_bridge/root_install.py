"""The installed ROOT: where its headers and libraries are, for what includes them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from convert.errors import MissingPackage, NoCompiler
from convert.root_layout import INSTALL as INSTALL
from sofie_bridge.process import run_child

#: A header that needs ROOT: ``<TFile.h>`` of ours, ``"TMVA/SOFIE_common.hxx"`` of ROOT's SOFIE.
_INCLUDE = re.compile(
    rb'^[ \t]*#[ \t]*include[ \t]*[<"](?:T[A-Z]\w+\.h|TMVA/[\w/]+\.hxx|ROOT/\w+\.hxx)[>"]', re.MULTILINE
)
#: What these need at link time, of what the installed ROOT has; only distributions with SOFIE have the last.
_LIBRARIES = ("Core", "RIO", "MathCore", "ROOTTMVASofie")


@dataclass(frozen=True)
class Root:
    """One ROOT. :param include: folder of its headers. :param libraries: of its shared libraries."""

    include: Path
    libraries: Path

    def cflags(self) -> tuple[str, ...]:
        """As system headers: ROOT's own warnings (it was built for C++17) are not the user's to mend."""
        return ("-isystem", str(self.include))

    def ldflags(self) -> tuple[str, ...]:
        found = [n for n in _LIBRARIES if (self.libraries / f"lib{n}.so").exists()]
        return (f"-L{self.libraries}", *(f"-l{n}" for n in found), f"-Wl,-rpath,{self.libraries}")


def find(wanted: str) -> Root:
    """The wheel's ROOT, or that of ``root-config`` on the PATH.

    :param wanted: what it is for: "a header that reads its weights from a .root file".
    :raises MissingPackage: there is none.
    """
    found = _find(os.environ.get("PATH", ""))
    if found is None:
        raise MissingPackage(f"ROOT is not installed, and {wanted} needs it", advice=INSTALL)
    return found


@cache
def _find(path: str) -> Root | None:
    spec = find_spec("ROOT")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent  # the wheel's root-config names folders that only its build had
        if (folder / "include" / "TFile.h").exists():
            return Root(folder / "include", folder / "lib")
    told = shutil.which("root-config", path=path)
    if told is None:
        return None
    done = run_child([told, "--incdir", "--libdir"], time_limit=60)
    include, _, libraries = done.stdout.strip().partition(" ")
    found = Root(Path(include), Path(libraries.strip()))
    return found if done.returncode == 0 and (found.include / "TFile.h").exists() else None


def python_has_root() -> bool:
    """Can this Python import ROOT? Nothing is imported to find out."""
    return find_spec("ROOT") is not None


def flags(texts: Sequence[bytes], family: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Compiler and linker flags for sources with these contents; none where no text includes a header of ROOT's.

    :param family: the compiler's, see :class:`sofie_bridge.toolchain.Toolchain`.
    :raises MissingPackage: a text needs ROOT, and there is none.
    :raises NoCompiler: the compiler's C++ library is another than ROOT's.
    """
    if not any(_INCLUDE.search(text) for text in texts):
        return (), ()
    root = find("this header")
    if family == "zig":
        raise NoCompiler(
            "no compiler for a header that needs ROOT",
            why="ROOT's libraries are made with libstdc++, and the compiler of the wheel ziglang comes with libc++",
            advice="install g++ or clang++ (on Debian: apt install g++), or choose other --weights",
        )
    return root.cflags(), root.ldflags()
