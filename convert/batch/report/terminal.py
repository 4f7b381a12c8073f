"""Changes as a table on a terminal, or in a log."""

from __future__ import annotations

from typing import TextIO

from convert.batch.compare import Changes
from convert.batch.report import words

#: Lines of the table; a broken rule changes thousands of models.
MOST = 200
#: Columns where there is no terminal to ask.
_LOG = 160


def show(changes: Changes, file: TextIO) -> None:
    """The table, then a line that sums it up."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=file, width=None if file.isatty() else _LOG, highlight=False)
    if changes.found:
        table = Table("", "change", "model", "what", "before", "after", box=box.SIMPLE_HEAD)
        for c in changes.found[:MOST]:
            cells = ["worse" if c.regression else "", c.kind, words.line(c.name), words.line(c.what), *c.shown]
            style = "bold" if c.regression else ""
            table.add_row(*(Text(words.line(cell, 200), style) for cell in cells))
        console.print(table)
    if len(changes.found) > MOST:
        console.print(f"and {len(changes.found) - MOST} more: --json or --markdown have them", markup=False)
    for name, (before, after) in changes.versions.items():
        console.print(words.line(f"{name}: {before} → {after}"), markup=False)
    console.print(changes.summary, markup=False)
    if changes.regressions:
        worse = len({c.name for c in changes.regressions})
        console.print(f"REGRESSION: {worse} models got worse", markup=False, style="bold")
