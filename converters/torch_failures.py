"""Exporters that gave up: what they said, of which operator, at which line of the user's."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from convert.errors import ExportFailed, Finding
from converters.quiet import Chatter, first_line, reason
from converters.torch_refusals import Untranslated, skeleton

_OPERATOR = re.compile(r"Exporting the operator '([\w:]+)'|OpOverload\(op='([\w.]+)'|target=torch\.ops\.([\w.]+)|"
                       r"unrecognized namespace ([\w:]+)")  # fmt: skip
_HERE = Path(__file__).parent.as_posix() + "/"


@dataclass(frozen=True)
class Failure:
    """An exporter that gave up: one line, the operator it lacks and the user's line, where they are known."""

    exporter: str
    line: str
    operator: str
    where: str
    text: str

    def __str__(self) -> str:
        return self.line + (f" ({self.operator})" if self.operator and self.operator not in self.line else "")


def failure(exporter: str, error: BaseException | None, chatter: Chatter) -> Failure:
    """What can be known of it from the error and what was said on the way."""
    if error is None:
        return Failure(exporter, "no reason given", "", "", "")
    text = "\n".join([str(error), str(error.__cause__ or ""), reason(error), chatter.text])
    operator = _OPERATOR.search(text)
    name = next(filter(None, operator.groups()), "") if operator else ""
    return Failure(exporter, reason(error), name, user_line(text, name), text)


def user_line(text: str, operator: str = "") -> str:
    """The last "file:line" in the text that is not torch's own; else that of the operator in TorchScript's graph."""
    lines = [f"{f}:{n}" for f, n in re.findall(r'File "([^"]+)", line (\d+)', text) if not is_inner(f)]
    if not lines and operator:
        lines = re.findall(rf"= {re.escape(operator)}\(.*# (\S+?:\d+):\d+", text)[:1]
        lines = [line for line in lines if not is_inner(line)]
    return lines[-1] if lines else ""


def is_inner(path: str, *, torchs: bool = True) -> bool:
    """Is the file ours, or made up by Python? Or torch's own?"""
    path = path.replace("\\", "/")
    return (torchs and ("/site-packages/torch/" in path or path.startswith("<"))) or path.startswith(_HERE)


def tracer_notes(warned: list[warnings.WarningMessage]) -> Iterator[str]:
    """A trace keeps only the way the example went: values that became Python numbers are frozen in."""
    places = dict.fromkeys(
        f"{w.filename}:{w.lineno}: {first_line(str(w.message)).split('. ')[0]}"
        for w in warned
        if w.category.__name__ == "TracerWarning" and not is_inner(w.filename)
    )
    for place in places:
        yield f"the trace follows the example's values only: {place}"


def gave_up(
    failures: Sequence[Failure], where: str, own: Sequence[Untranslated] = (), *, forward: bool = False
) -> ExportFailed:
    """The error that says so.

    :param own: operators and functions that no exporter knows; the first is named, all are in the skeleton.
    :param forward: was the forward of every Function traced, at the user's wish?
    """
    findings = [Finding(f"{f.exporter} gave up", where=f.where, why=str(f)) for f in failures]
    operator = own[0].name if own else next((f.operator for f in failures if f.operator), "")
    place = (own and user_line(own[0].trace)) or next((f.where for f in failures if f.where), "")
    what = f"the operator {operator} cannot be exported" if operator else "the model cannot be exported to ONNX"
    advice = "rewrite that part of forward with supported operators, or give a translation of it with --translations"
    if forward:
        advice = "leave out --functions forward, so that static symbolics are taken; else " + advice
    if own:
        kind = "operator" if "::" in operator else "function"
        what = f"the {kind} {operator}({own[0].signature}) cannot be exported"
        advice = "fill in this file and give it with --translations my_ops.py (docs/pytorch.md):\n\n" + skeleton(own)
        findings += [Finding(f"nor can {o.name}({o.signature})", where=user_line(o.trace)) for o in own[1:]]
    where = f"{place} of {where}" if place else where
    return ExportFailed(what, where=where, findings=tuple(findings), advice=advice)
