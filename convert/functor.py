"""``--to rdf``: a functor for ROOT's RDataFrame beside the header, compiled and run where ROOT is there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile

from convert.report import Port, Report
from convert.spec import TensorSpec
from sofie_bridge import root_install
from sofie_bridge.emit import Emitted
from sofie_bridge.interface import Interface
from sofie_bridge.layout import default
from sofie_bridge.rdf.check import check
from sofie_bridge.rdf.functor import functor_name, functor_text
from sofie_bridge.toolchain import Toolchain


@dataclass(frozen=True)
class Functor:
    """A functor as written. :param summary: what was found, in a line. :param unchecked: why it was not run, or ""."""

    file: Path
    summary: str
    unchecked: str = ""


def write_functor(report: Report, emitted: Emitted, stem: str, folder: Path, compiler: Toolchain | None) -> Functor:
    """Write ``<stem>_rdf.hxx`` into ``folder``, beside a copy of the header, and run it against the header.

    :param compiler: None for no such run.
    :raises UsageError: inputs that no columns feed.
    :raises VerifyError: it does not compile, fails, or gives other numbers than the header.
    """
    folder.mkdir()
    header, file = folder / f"{stem}.hxx", folder / f"{stem}_rdf.hxx"
    copyfile(emitted.header, header)
    text = emitted.header.read_text(encoding="utf-8", errors="surrogateescape")
    layout = default(Interface.of_text(text, _specs(report.inputs), _specs(report.outputs), report.least))
    file.write_text(functor_text(layout, header.name), encoding="utf-8")
    made = f"sofie::{functor_name(layout.interface.names.name)} of {len(layout.columns)} columns"
    why = _unchecked(compiler)
    if why or compiler is None:
        return Functor(file, f"{made}, not compiled", why)
    events = check(layout, file, header, emitted.weights, compiler)
    return Functor(file, f"{made}; right: the header's numbers on {events} events through RDataFrame, two threads")


def _unchecked(compiler: Toolchain | None) -> str:
    if compiler is None:
        return "not asked for"
    if not root_install.python_has_root():
        return f"ROOT is not installed ({root_install.INSTALL})"
    return "" if compiler.family != "zig" else "ROOT's libraries want g++ or clang++, and there is neither"


def _specs(ports: tuple[Port, ...]) -> list[TensorSpec]:
    return [TensorSpec(p.cpp, p.dtype, p.shape) for p in ports]
