"""Writing past the end of what was allocated, noticed: by the C library's own checks, where it has them."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping


def checked_memory() -> Mapping[str, str]:
    """Variables under which a child ends with SIGABRT when it frees what it has written past the end of.

    A header that does so may well give the right numbers, and whoever runs after it in the process dies of it. Empty
    where the C library is not glibc. Source: mallopt(3), M_CHECK_ACTION; from glibc 2.34 on in a library of its own.
    """
    name, version = platform.libc_ver()
    if name != "glibc":
        return {}
    checks = {"MALLOC_CHECK_": "3"}
    if tuple(int(v) for v in version.split(".")[:2]) >= (2, 34):
        given = os.environ.get("LD_PRELOAD", "")
        checks["LD_PRELOAD"] = f"libc_malloc_debug.so.0 {given}".strip()
    return checks
