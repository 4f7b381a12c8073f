"""``--check``: what would happen, per operator."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convert.report import Report


def table(report: Report) -> str:
    """Per operator how many nodes SOFIE takes as they are, how many a rule rewrites, how many have no way and why."""
    from rich.console import Console
    from rich.table import Table

    rewritten = report.rewritten
    assert rewritten is not None
    stuck: dict[str, int] = {}
    for s in rewritten.stuck:
        stuck[s.origin.operator] = stuck.get(s.origin.operator, 0) + 1
    view = Table(box=None, pad_edge=False)
    for heading in ("operator", "nodes", "as it is", "rewritten", "no way"):
        view.add_column(heading, justify="left" if heading == "operator" else "right")
    for operator, count in sorted(rewritten.before.items()):
        native, lost = rewritten.native[operator], min(stuck.get(operator, 0), count - rewritten.native[operator])
        view.add_row(operator, *(str(n or "-") for n in (count, native, count - native - lost, lost)))
    text = StringIO()
    Console(file=text, width=100).print(view)
    for s in rewritten.stuck:
        text.write(f"\n{s.finding('SOFIE')}\n")
    return text.getvalue()
