"""``python -m convert --operators``: what becomes of each ONNX operator, from the data that decides it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from typing import Any

import onnx

from rewrite.api import load_rules
from rewrite.graph import OPSET
from rewrite.rule import all_rules
from rewrite.taken_out import TAKEN_OUT
from rewrite.unsupported import ML, ML_OPSET, unsupported
from sofie_bridge.sofie import build
from sofie_bridge.stages.library import meaning_of
from sofie_bridge.survey_table import Surveyed, by_operator, families

_KNOWN = f"""\
What becomes of an operator of ONNX, opset {OPSET}, in front of SOFIE `{build()}`.
A node whose inputs are all constant is computed beforehand, whatever its operator."""

_DOMAINS = {"": OPSET, ML: ML_OPSET, "ai.onnx.preview.training": 1}

_WAYS = {
    "native": "SOFIE takes it and gets it right, for the dtypes and at so many of the survey's points; nodes that "
    "it does not, or gets wrong, go the other ways",
    "rule": "a rule expresses it in other operators",
    "function body": "ONNX's own definition expresses it in other operators",
    "pass": "a pass takes it out",
    "kernel": "where none of these does, the project's own C++ runs it (docs/kernels.md)",
    "refused": "there is no way, and why",
}


@dataclass(frozen=True)
class Operator:
    """One operator and its ways: pairs of a way's name and what is to be said of it, code in backticks."""

    name: str
    ways: tuple[tuple[str, str], ...]


def operators() -> list[Operator]:
    """Every operator of ONNX's domains, each domain in alphabetical order."""
    load_rules()
    surveyed = by_operator(families())
    rules: dict[str, list[str]] = {}
    for rule in all_rules():
        before = " after the node that SOFIE merges it with" if rule.merged else ""
        rules.setdefault(rule.operator, []).append(f"`{rule.name}`{before}: `{rule.equation}`")
    return [
        Operator(full, tuple(_ways(name, domain, surveyed.get(name), rules.get(full, []))))
        for domain, opset in _DOMAINS.items()
        for name in _names(domain, opset)
        for full in (f"{domain}.{name}" if domain else name,)
    ]


def _names(domain: str, opset: int) -> list[str]:
    """Operators that the opset has; of trees the old ones too, which models still hold."""
    names = {s.name for s in onnx.defs.get_all_schemas_with_history() if s.domain == domain}
    held = (n for n in names if onnx.defs.has(n, opset, domain))
    return sorted(n for n in held if domain == ML or not onnx.defs.get_schema(n, opset, domain).deprecated)


def _ways(name: str, domain: str, surveyed: Surveyed | None, rules: list[str]) -> Iterator[tuple[str, str]]:
    known = unsupported(name, domain)
    taken_out = None if domain else TAKEN_OUT.get(name)
    native = surveyed is not None and bool(surveyed.outcomes["right"])
    schema: Any = None if domain else onnx.defs.get_schema(name, OPSET, "")  # its stub lacks what is asked next
    body = schema is not None and (schema.has_function or schema.has_context_dependent_function)
    if taken_out is not None:
        yield "pass", taken_out.when
    if known is None or not known.always:
        if surveyed is not None and native:
            yield "native", f"{', '.join(sorted(surveyed.right))}: {surveyed.outcomes['right']} of {surveyed.points}"
        yield from (("rule", r) for r in rules)
        if body:
            yield "function body", ""
    kernel = meaning_of(f"{domain}.{name}" if domain else name)
    if kernel:
        yield "kernel", kernel
    if (known is not None and not kernel) or not (native or rules or body or taken_out or kernel):
        yield "refused", "no rule expresses it yet" if known is None else f"{known.why}; {known.advice}"


def text() -> str:
    """For the terminal."""
    from rich.console import Console
    from rich.table import Table

    view = Table(box=None, pad_edge=False)
    view.add_column("operator", no_wrap=True)
    view.add_column("way", no_wrap=True)
    view.add_column("", overflow="fold")
    for operator in operators():
        for k, (way, said) in enumerate(operator.ways):
            view.add_row("" if k else operator.name, way, said.replace("`", ""))
    out = StringIO()
    out.write(_KNOWN.replace("`", "") + "\n\n")
    out.writelines(f"{way}: {said}.\n" for way, said in _WAYS.items())
    out.write("\n")
    Console(file=out, width=140, markup=False, highlight=False).print(view)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def markdown() -> str:
    """The page of the docs."""
    rows = [
        f"| `{o.name}` | " + " <br> ".join(f"{way}: {_cell(said)}" if said else way for way, said in o.ways) + " |"
        for o in operators()
    ]
    legend = [f"- {way}: {said}." for way, said in _WAYS.items()]
    by = "This page is what `python -m convert --operators markdown` prints."
    head = ["# Operators", "", _KNOWN, by, "", *legend, "", "| operator | ways |", "|---|---|"]
    return "\n".join([*head, *rows, ""])


def _cell(said: str) -> str:
    """A bar would end the cell, in code too."""
    return re.sub(r"(?<!\\)\|", r"\\|", said)
