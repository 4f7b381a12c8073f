"""The comment in front of a header: what it is, how it was judged, where its tensors come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rewrite.origin import Origin
from sofie_bridge import least
from sofie_bridge.names import comment

if TYPE_CHECKING:
    from convert.report import Port, Report
    from rewrite.api import Rewritten

#: Provenance beyond this many nodes stays in the report.
NODES = 2000


def preamble(report: Report, rewritten: Rewritten) -> str:
    """Comment lines. No date, no absolute path: equal models give equal headers."""
    lines = [
        f"Code generated automatically by SOFIE for inference of the model {report.name}",
        f"from {report.source.rsplit('/', 1)[-1]} ({report.kind}, {report.exporter})",
        "with " + ", ".join(f"{k} {v}" for k, v in sorted(report.versions.items())),
        "",
        *(f"input  {_port(p)}" for p in report.inputs),
        *(f"output {_port(p)}" for p in report.outputs),
        *least.lines(report.least),
        "",
        *_verdict(report),
        "",
        *_provenance(rewritten),
    ]
    return "".join(f"// {comment(line)}".rstrip() + "\n" for line in lines) + "\n"


def _port(port: Port) -> str:
    shape = ",".join(map(str, port.shape))
    return f"tensor_{port.cpp}: {port.dtype}[{shape}]" + (f"  ({port.name})" if port.name != port.cpp else "")


def _verdict(report: Report) -> Iterator[str]:
    seen = report.verification
    if seen is None:
        yield "NOT VERIFIED: this header was not compiled or run before it was written."
        return
    yield (
        "Compiled, run and compared before it was written:" if not seen.failures else "WRONG, kept at the user's wish:"
    )
    for m in seen.measured:
        if m.edge.startswith("header"):
            yield (
                f"  {m.output}, {m.edge}: max |difference| {m.absolute:.3g}, relative {m.relative:.3g}"
                f" (rtol {m.tolerance.rtol:g}, atol {m.tolerance.atol:g})"
            )
    yield f"  on {len(seen.samples)} sets of inputs, reference {seen.reference}"


def _provenance(rewritten: Rewritten) -> Iterator[str]:
    nodes = rewritten.model.graph.node
    yield "Where each operator comes from, in order:"
    for node in nodes[:NODES]:
        origin = Origin.of(node)
        yield f"  {node.op_type:<20} {origin}"
    if len(nodes) > NODES:
        yield f"  and {len(nodes) - NODES} more, see the report (--json)"
