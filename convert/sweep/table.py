"""Results as one line, as lines of what failed, and as the page of the docs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from convert.sweep.case import Case, Suite
from convert.sweep.outcome import OUTCOMES, Result

Results = Mapping[str, Result]


def summary(cases: Sequence[Case], results: Results) -> str:
    """Counts of the cases whose output is numeric and deterministic, and of the others."""
    numeric = [results[str(c)] for c in cases if not c.refuses]
    counts = Counter(r.outcome for r in numeric)
    said = ", ".join(f"{counts[o]} {o}" for o in OUTCOMES)
    share = f"{counts['right'] / len(numeric):.1%}" if numeric else "none"
    fixed = sum(r.outcome == "right" and r.open.outcome != "right" for r in numeric)
    others = [results[str(c)] for c in cases if c.refuses]
    refused = sum(r.outcome == "refused" for r in others)
    return (
        f"{len(numeric)} cases: {said}; {share} right, {fixed} of them with a fixed batch only; "
        f"{refused} of {len(others)} that are to be refused are, by name"
    )


def shares(cases: Sequence[Case], results: Results) -> list[str]:
    """One line for each module of the framework: cases that are right, and names all of whose cases are."""
    modules: dict[str, dict[str, list[bool]]] = {}
    for case in cases:
        if not case.refuses:
            module, _, _ = case.name.rpartition(".")
            right = results[str(case)].outcome == "right"
            modules.setdefault(module, {}).setdefault(case.name, []).append(right)
    return [
        f"{module}: {sum(map(sum, names.values()))} of {sum(map(len, names.values()))} cases right, "
        f"{sum(map(all, names.values()))} of {len(names)} names in all of theirs ({_share(names)})"
        for module, names in sorted(modules.items())
    ]


def _share(names: Mapping[str, Sequence[bool]]) -> str:
    return f"{sum(map(all, names.values())) / len(names):.1%}"


def failing(cases: Sequence[Case], results: Results) -> list[str]:
    """One line for each case that is not right, unless it is to be refused and is."""
    lines = []
    for case in cases:
        result = results[str(case)]
        if result.outcome == "refused" and case.refuses:
            continue
        if result.open.outcome != "right":
            how = "fixed batch only" if result.outcome == "right" else result.outcome
            lines.append(f"{how}: {case}: {_first(result.open.words)}")
    return lines


def page(suite: Suite, title: str, command: str, results: Results) -> str:
    """The page of the docs."""
    cases = suite.cases()
    head = [
        f"# {title}",
        "",
        "Every layer and function, found by introspection, through the pipeline, and the compiled header held against "
        f"the framework's own answers. {suite.title()}.",
        f"This page is what `{command}` prints.",
        "",
        f"{summary(cases, results)}.",
        "",
        *(f"- {line}" for line in shares(cases, results)),
        "",
        "- right: with the batch open, unless *fixed batch* says that the batch has to be given a size with `--batch`.",
        "- refused: the conversion ends with an error that names the operator and the place, and writes nothing.",
        "",
        "| name | cases | right | refused, and why |",
        "|---|---|---|---|",
    ]
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.name, []).append(case)
    rows = [_row(name, group, results) for name, group in sorted(groups.items())]
    left_out = [f"| `{n}` | {why} |" for n, why in sorted(suite.excluded().items())]
    tail = ["", "Left out:", "", "| name | why |", "|---|---|", *left_out] if left_out else []
    return "\n".join([*head, *rows, *tail, ""])


def _row(name: str, cases: Sequence[Case], results: Results) -> str:
    found = {c: results[str(c)] for c in cases}
    right = [c for c, r in found.items() if r.outcome == "right"]
    fixed = [c for c in right if found[c].open.outcome != "right"]
    said = f"{len(right)}" + (
        f" ({len(fixed)} *fixed batch*: {', '.join(_code(c.words) for c in fixed)})" if fixed else ""
    )
    why = " <br> ".join(
        ("" if r.outcome == "refused" else f"**{r.outcome}** ") + f"{_code(c.words)}: {_cell(_why(r.words))}"
        for c, r in found.items()
        if r.outcome != "right"
    )
    return f"| `{name}` | {len(cases)} | {said} | {why} |"


def _first(words: str, limit: int = 400) -> str:
    text = " ".join(words.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _why(words: str) -> str:
    """The finding, without the error's class and the general sentence before it."""
    text = re.sub(r"/\S+/(?=\w+\.hxx)", "", _first(words, 10_000).split(": ", 1)[-1])  # a header in a scratch folder
    found = re.search(r"(?:the TensorFlow operator \w+|because: .*)", text)
    return _first((found.group() if found else text).removeprefix("because: "), 160)


def _code(words: str) -> str:
    return f"`{_cell(words)}`" if words else "as it is"


def _cell(said: str) -> str:
    """A bar would end the cell, in code too."""
    return re.sub(r"(?<!\\)\|", r"\\|", said)
