"""The table of kernels: ``python -m sofie_bridge.stages.library_table``."""

from __future__ import annotations

import sys

from sofie_bridge.stages import control
from sofie_bridge.stages.library import library


def table() -> str:
    """As Markdown, for the docs."""
    meanings = {n: e.meaning for n, e in library().items()} | control.MEANINGS
    rows = [f"| `{name}` | {said} |" for name, said in sorted(meanings.items())]
    return "\n".join(["| operator | what it gives |", "|---|---|", *rows, ""])


if __name__ == "__main__":
    sys.stdout.write(table())
