"""The C++ compiler and the BLAS that headers are compiled with."""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache as remember
from importlib.util import find_spec
from pathlib import Path

from convert.errors import CompileFailed, Finding, NoCompiler, UsageError
from sofie_bridge import cache, root_install
from sofie_bridge.process import run_child

#: Environment variable with the linker flags of a BLAS ("-lopenblas").
BLAS_VARIABLE = "SOFIE_CONVERT_BLAS"

#: Routines that generated code may call; the wheel's BLAS has them under a prefix.
_BLAS_ROUTINES = tuple(
    f"{letter}{routine}_" for letter in "sd" for routine in ("gemm", "gemv", "ger", "axpy", "copy", "dot", "scal")
)

#: Hidden symbols, so that two headers of one name in one process do not share theirs.
_ALWAYS = ("-std=c++20", "-shared", "-fPIC", "-fvisibility=hidden", "-fvisibility-inlines-hidden")

#: zig compiles without optimisation as a checked build, and traps where SOFIE's code has harmless undefined behaviour;
#: gcc gives inline statics STB_GNU_UNIQUE, which binds across libraries whatever their visibility.
_BY_FAMILY = {"gcc": ("-fno-gnu-unique",), "zig": ("-fno-sanitize=undefined",), "clang": ()}

_INEXACT = frozenset({"-ffast-math", "-Ofast", "-funsafe-math-optimizations", "-ffinite-math-only"})
_ERROR_LINE = re.compile(r"error:|undefined (?:reference|symbol)|cannot find|ld returned")
_QUOTED_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
_ADVICE = "install g++ or clang++ (on Debian: apt install g++), set CXX to a compiler, or: pip install ziglang"


@dataclass(frozen=True)
class Toolchain:
    """What turns a header into a shared library.

    :param command: the compiler, with its own arguments: ``("g++",)``.
    :param version: first line of what it says of itself, with its name.
    :param family: "gcc", "clang" or "zig".
    :param blas_cflags: compiler flags for the BLAS.
    :param blas_ldflags: linker flags for the BLAS.
    """

    command: tuple[str, ...]
    version: str
    family: str
    blas_cflags: tuple[str, ...]
    blas_ldflags: tuple[str, ...]


def find() -> Toolchain:
    """``$CXX``, else g++ or clang++ on the PATH, else the wheel ``ziglang``; with the BLAS of ``$SOFIE_CONVERT_BLAS``
    or of the wheel ``scipy-openblas32``.

    :raises NoCompiler: with what was tried.
    """
    return _find(os.environ.get("CXX", ""), os.environ.get("PATH", ""), os.environ.get(BLAS_VARIABLE, ""))


@remember
def _find(cxx: str, path: str, blas: str) -> Toolchain:
    named = tuple(shlex.split(cxx))
    candidates: list[tuple[str, ...]]
    candidates = [named] if named else [(c,) for c in ("g++", "clang++") if shutil.which(c, path=path)]
    if not named and find_spec("ziglang") is not None:
        candidates.append((sys.executable, "-m", "ziglang", "c++"))
    findings: list[Finding] = []
    for command in candidates:
        done = run_child([*command, "--version"], time_limit=120, env=_environment())
        if done.returncode == 0 and done.stdout.strip():
            first_line = done.stdout.strip().splitlines()[0]
            return Toolchain(command, first_line, _family(command, done.stdout), *_blas(blas))
        findings.append(Finding(f"{shlex.join(command)} does not work", why=(done.stderr or done.stdout).strip()[:500]))
    what = f"the compiler that CXX names, {cxx!r}, does not work" if named else "no C++ compiler found"
    raise NoCompiler(what, advice=_ADVICE, findings=tuple(findings))


def _family(command: tuple[str, ...], version: str) -> str:
    if "ziglang" in command or Path(command[0]).name == "zig":
        return "zig"
    return "gcc" if "Free Software Foundation" in version else "clang"


def _blas(flags: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Compiler and linker flags."""
    if flags:
        return (), tuple(shlex.split(flags))
    spec = find_spec("scipy_openblas32")
    if spec is None or spec.origin is None:
        advice = f"pip install scipy-openblas32, or set {BLAS_VARIABLE} to a BLAS's linker flags, such as -lopenblas"
        raise NoCompiler("no BLAS found", advice=advice)
    folder = Path(spec.origin).parent / "lib"
    defines = tuple(f"-D{routine}=scipy_{routine}" for routine in _BLAS_ROUTINES)
    return defines, (str(folder / "libscipy_openblas.so"), f"-Wl,-rpath,{folder}")


def compile_shared(
    source: Path,
    output: Path | None,
    toolchain: Toolchain,
    *,
    optimise: str = "-O2",
    native: bool = True,
    definitions: Sequence[str] = (),
    includes: Sequence[Path] = (),
    time_limit: float = 900.0,
) -> Path:
    """Compile ``source`` into a shared library, or take it from the cache.

    What includes ROOT's headers gets ROOT's flags as well.

    :param output: where the library is also put; None to leave it in the cache only.
    :param optimise: optimisation flags; none that changes the meaning of arithmetic.
    :param native: use all of this processor's instructions.
    :param definitions: ``NAME`` or ``NAME=VALUE``.
    :param includes: folders for ``#include``; quoted includes found in them or beside the source count as content.
    :param time_limit: seconds. The first compilation with zig builds the C++ library too: more than a minute.
    :returns: the library's path.
    :raises CompileFailed: the compiler's first errors, or its running out of time.
    :raises UsageError: for a flag such as ``-ffast-math``.
    """
    wanted = shlex.split(optimise)
    if not _INEXACT.isdisjoint(wanted):
        raise UsageError(f"{optimise!r} changes what arithmetic means", advice="use -O2 or -O3")
    flags = [*_ALWAYS, *_BY_FAMILY[toolchain.family], *wanted, *(["-march=native"] if native else [])]
    flags += [*toolchain.blas_cflags, *(f"-D{d}" for d in definitions), *(f"-I{folder}" for folder in includes)]
    texts = _texts(source, tuple(includes))
    of_root, root_libraries = root_install.flags(texts, toolchain.family)
    flags += of_root
    libraries = (*toolchain.blas_ldflags, *root_libraries)
    place = cache.key(*toolchain.command, toolchain.version, *flags, *libraries, _cpu(), *texts)
    library = cache.entry("library", place)
    if library.exists():
        os.utime(library)  # what is used stays when the cache is pruned
    else:
        with cache.publish(library) as scratch:
            _compile([*toolchain.command, *flags, str(source), "-o", str(scratch), *libraries], time_limit)
    if output is not None:
        with cache.publish(output) as scratch:
            shutil.copyfile(library, scratch)
    return library if output is None else output


def _compile(command: list[str], time_limit: float) -> None:
    done = run_child(command, time_limit=time_limit, env=_environment())
    if done.timed_out:
        raise CompileFailed(
            f"the compiler did not finish in {time_limit:g} s",
            why="large weights inside a header make compilers slow",
            advice="keep the weights in a file of their own, or optimise less (-O1)",
        )
    if done.returncode != 0:
        lines = (done.stderr + done.stdout).splitlines()
        errors = [line for line in lines if _ERROR_LINE.search(line)] or lines[-3:]
        firsts = {line.partition(":")[0]: line for line in reversed(errors)}  # of each file that has one
        shown = "\n".join(dict.fromkeys([*errors[:3], *firsts.values()]))
        cause = f"it was ended by {done.signal_name}" if done.signal_name else shown
        raise CompileFailed("the header does not compile", where=shlex.join(command[:4]), why=cause)


def _environment() -> dict[str, str]:
    """zig compiles its C++ library into a cache of its own: into ours, which is writable."""
    folder = str(cache.root() / "zig")
    return {"ZIG_GLOBAL_CACHE_DIR": folder, "ZIG_LOCAL_CACHE_DIR": folder, "LC_ALL": "C"}


def _texts(source: Path, folders: tuple[Path, ...]) -> list[bytes]:
    """Contents of the source and of all that it includes in quotes."""
    waiting, seen, texts = [source.resolve()], set[Path](), list[bytes]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        texts.append(path.read_bytes())
        for name in _QUOTED_INCLUDE.findall(texts[-1].decode(errors="replace")):
            found = (place / name for place in (path.parent, *folders) if (place / name).is_file())
            waiting.extend(p.resolve() for p in list(found)[:1])
    return texts


@remember
def _cpu() -> str:
    """What ``-march=native`` depends on."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return f"{platform.machine()} {platform.processor()}"
    lines = info.read_text().split("\n\n")[0].splitlines()
    wanted = ("model name", "flags", "Features", "CPU ")
    return "\n".join([platform.machine(), *(line for line in lines if line.startswith(wanted))])
