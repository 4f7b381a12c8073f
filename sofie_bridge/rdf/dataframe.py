"""A model's answer as a column of a dataframe: :func:`define`."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from convert.errors import CompileFailed, Finding, NoCompiler, RunFailed, UsageError
from sofie_bridge import blas, cling, toolchain
from sofie_bridge.columns import Column, Layout
from sofie_bridge.header import build
from sofie_bridge.interface import Interface
from sofie_bridge.layout import Wishes, lay_out
from sofie_bridge.rdf.source import Source, parts_of, source
from sofie_bridge.rdf.types import column
from sofie_bridge.toolchain import Toolchain

#: How the functor is compiled: by a compiler, or by ROOT's interpreter.
Through = Literal["library", "cling"]

#: Functions that this process holds; they stay: dataframes run them.
_known: set[str] = set()


def define(
    df: Any,
    name: str | Sequence[str],
    header: str | Path,
    columns: Sequence[str] | Mapping[str, Sequence[str]],
    *,
    weights: str | Path | None = None,
    masks: Mapping[str, bool] | None = None,
    padded: Sequence[str] = (),
    axes: Mapping[str, int] | None = None,
    at_least: int = 1,
    empty: float | None = None,
    batch: int | None = None,
    key: Sequence[str] = (),
    through: Through | None = None,
) -> Any:
    """The dataframe with the model's answer as a new column, or several.

    Nothing runs before a result of the dataframe is asked for, except with ``batch``. Each slot has a session of its
    own, without locks: as many threads as ``ROOT.EnableImplicitMT`` starts.

    :param df: an ``RDataFrame``, or what its ``Filter`` and ``Define`` return.
    :param name: of the column; where the model has several outputs it stands in front of their names. Or a list: a
        column for each output, or for each number of the only one.
    :param header: of SOFIE's, with a ``Session``. :param weights: its weight file, by default the one beside it.
    :param columns: those of all inputs in order, masks left out; or of each input by its name.
    :param masks: inputs that are made here, and what they hold where a particle is: True (1) or False (0). By default
        those with "mask" in their names, 1 for a particle.
    :param padded: inputs of one jagged column that is padded or cut, rather than exactly as long as the input.
    :param axes: by input, the axis along which its lists run, where the shapes allow two.
    :param at_least: with a mask along an open axis, the size that shorter lists are padded to.
    :param empty: what events get that have empty lists along an open axis without a mask. Without it they end the loop.
    :param batch: run the loop now and the model on this many events at a time; the new column is then looked up.
    :param key: with ``batch``: columns of whole numbers that tell events apart. By default the entry's number, which
        is the same in every loop only where one thread runs it.
    :param through: compile with the compiler or with ROOT's interpreter; by default the compiler, where there is one.
    :raises UsageError: columns that are not there, of a wrong type or number, all of them.
    :raises MissingPackage: ROOT is not installed.
    :raises VerifyError: the header does not compile, or has no session; with ``batch`` also where the loop fails.
    """
    ROOT = cling.root()  # noqa: N806
    built = build(header, weights)
    wishes = Wishes(masks or {}, padded, axes or {}, at_least)
    layout = lay_out(Interface.of(built, header), _columns(df, columns), wishes)
    keys = _keys(df, layout, batch, key)
    names, parts = parts_of(layout, name)
    _check_new(df, names)
    path = Path(header).absolute()
    call = _function(layout, path, parts, [c.type for c in keys], _route(through))
    if ROOT.IsImplicitMTEnabled():
        blas.one_thread()
    strings = ROOT.std.vector["std::string"]
    made = [*([f"rdf_{names[0]}_outputs_"] if parts else []), *names]
    given = strings(made), strings([c.name for c in layout.columns]), strings([c.name for c in keys])
    none = ROOT.std.vector["double"]([] if empty is None else [float(empty)])
    try:
        return call(ROOT.RDF.AsRNode(df), built.weights, *given, none, batch or 1)
    except ROOT.std.exception as error:
        raise RunFailed(
            "the loop over the events failed", where=str(header), why=str(error.what()).rpartition("_error: ")[2]
        ) from error


def _columns(
    df: Any, given: Sequence[str] | Mapping[str, Sequence[str]]
) -> Sequence[Column] | Mapping[str, Sequence[Column]]:
    """Every column with its type. :raises UsageError: all that are missing, or no numbers."""
    if isinstance(given, str):
        raise UsageError(f"columns={given!r} is one text", advice=f"columns=[{given!r}]")
    by_input = given if isinstance(given, Mapping) else {"": given}
    found = {n: [column(df, c) for c in ([cs] if isinstance(cs, str) else cs)] for n, cs in by_input.items()}
    wrong = [c for several in found.values() for c in several if isinstance(c, Finding)]
    if wrong:
        raise UsageError("the dataframe has not these columns", findings=tuple(dict.fromkeys(wrong)))
    good = {n: [c for c in several if isinstance(c, Column)] for n, several in found.items()}
    return good if isinstance(given, Mapping) else good[""]


def _keys(df: Any, layout: Layout, batch: int | None, key: Sequence[str]) -> list[Column]:
    """What tells events apart; nothing where they are not run in batches."""
    if batch is None:
        if key:
            raise UsageError("key is for batches", advice="give batch=1024 too")
        return []
    if batch < 1:
        raise UsageError(f"batch={batch} is no number of events", advice="give a number from 1")
    if not layout.batched:
        raise UsageError(
            f"{layout.interface.names.name} takes one event at a time",
            why="the first axis of its inputs and outputs is not one open size that counts events",
            advice='convert the model with an open batch (--input "x:float32[N,7]"), or leave batch out',
        )
    if not key and cling.root().IsImplicitMTEnabled():
        raise UsageError(
            "batches on several threads need a key",
            why="with ROOT.EnableImplicitMT the number of an entry is another in every loop over the events",
            advice='key=["run", "event"], or whatever columns of whole numbers tell events apart',
        )
    found = [column(df, c) for c in ([key] if isinstance(key, str) else key) or ["rdfentry_"]]
    wrong = [c for c in found if isinstance(c, Finding)]
    good = [c for c in found if isinstance(c, Column)]
    wrong += [
        Finding(f"column {c.name} is {c.type}", why="a key is made of single whole numbers")
        for c in good
        if c.jagged or c.dtype.startswith("float")
    ]
    if wrong:
        raise UsageError("these columns cannot tell events apart", findings=tuple(wrong))
    return good


def _check_new(df: Any, names: Sequence[str]) -> None:
    wrong = [Finding(f"there is a column {n} already") for n in names if df.HasColumn(n)]
    wrong += [Finding(f"{n!r} is no name of a column") for n in names if not n.isidentifier()]
    wrong += [Finding(f"{n} is given twice") for n in dict.fromkeys(names) if list(names).count(n) > 1]
    if wrong:
        raise UsageError("the new columns cannot be named so", findings=tuple(wrong))


def _route(through: Through | None) -> Toolchain | None:
    """The compiler; None for the interpreter.

    :raises NoCompiler: one was asked for, and there is none that ROOT's libraries go with.
    """
    if through not in (None, "library", "cling"):
        raise UsageError(f"through={through!r} is none of library, cling")
    if through == "cling":
        return None
    found = toolchain.find()
    if found.family != "zig":
        return found
    if through == "library":
        raise NoCompiler(
            "no compiler that goes with ROOT",
            why="ROOT's libraries are made with libstdc++, and the compiler of the wheel ziglang comes with libc++",
            advice="install g++ or clang++, or leave it to ROOT's interpreter: through='cling'",
        )
    return None


def _function(
    layout: Layout, header: Path, parts: Sequence[str], keys: Sequence[str], compiler: Toolchain | None
) -> Any:
    """The compiled function, callable from Python; compiled and loaded once in a process."""
    ROOT = cling.root()  # noqa: N806
    made = source(layout, header, parts, keys, for_cling=compiler is None)
    if made.function not in _known:
        if compiler is None:
            cling.declare(header)
            cling.declare_text(made.text, made.function, str(header))
        else:
            load_library(compile_functor(made, header.parent, compiler), made)
        _known.add(made.function)
    return getattr(ROOT, made.function)


def compile_functor(made: Source, folder: Path, compiler: Toolchain) -> Path:
    """Into a shared library. :param folder: of what the text includes. :raises CompileFailed: it does not compile."""
    with tempfile.TemporaryDirectory(prefix="sofie-rdf-") as place:
        unit = Path(place, "define.cxx")
        unit.write_text(made.text, encoding="utf-8")
        return toolchain.compile_shared(unit, None, compiler, optimise="-O3", includes=[folder])


def load_library(library: Path, made: Source) -> Any:
    """Make the compiled function known to ROOT. :raises CompileFailed: it cannot be loaded."""
    ROOT = cling.root()  # noqa: N806
    if ROOT.gSystem.Load(str(library)) < 0 or not ROOT.gInterpreter.Declare(made.declaration):
        raise CompileFailed("ROOT cannot load the compiled functor", where=str(library), why="its messages are above")
    return getattr(ROOT, made.function)
