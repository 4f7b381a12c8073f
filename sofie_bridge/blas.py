"""The threads of the BLAS that headers call, in this process."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator

from sofie_bridge import toolchain

_LIBRARY = re.compile(r"-l(?P<short>\S+)|(?P<path>\S+\.(?:so|dylib)(?:\.\d+)*)")


def libraries() -> Iterator[str]:
    """The BLAS's libraries by path, or by name where the linker is to find them: ``libopenblas``.

    :raises NoCompiler: there is no BLAS.
    """
    for match in filter(None, map(_LIBRARY.fullmatch, toolchain.find().blas_ldflags)):
        yield match["path"] or f"lib{match['short']}"


def one_thread() -> None:
    """Let it run in the thread that calls it, where it is OpenBLAS.

    OpenBLAS has threads of its own for larger products, one team for all who call. With several slots of a dataframe
    these wait for one another, and on a busy machine a product of 1024 events takes ten times as long.
    """
    for name in libraries():
        try:
            library = ctypes.CDLL(name if "/" in name else f"{name}.so")
        except OSError:  # found by the linker and nobody else: then it keeps its threads
            continue
        for setter in ("scipy_openblas_set_num_threads", "openblas_set_num_threads"):
            if hasattr(library, setter):
                getattr(library, setter)(1)
