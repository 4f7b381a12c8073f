"""What the survey found, operator by operator: ``python -m sofie_bridge.survey --table``."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from convert.errors import UsageError
from sofie_bridge.sofie import build
from sofie_bridge.survey import BAD, DATA

#: In the order of the columns. A point is one node with its dtypes, shapes, attributes and constant inputs.
OUTCOMES = ("right", "refused", "wrong", "uncompilable", "crashed", "died", "unjudged")
_DTYPES = {"float": "float32", "double": "float64"}


@dataclass
class Surveyed:
    """What the survey found about one operator.

    :param outcomes: how many of its points came to what.
    :param right: dtypes of the first input for which SOFIE's numbers were right somewhere.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    right: set[str] = field(default_factory=set)

    @property
    def points(self) -> int:
        return self.outcomes.total()


def families(path: Path | None = None) -> Mapping[str, Mapping[str, int]]:
    """Outcomes by family, of the installed SOFIE or of a data file.

    :raises UsageError: nobody has surveyed this build of SOFIE.
    """
    path = path or DATA / f"{build()}.json"
    if not path.exists():
        raise UsageError(f"there is no survey of {build()}", advice="python -m sofie_bridge.survey takes one")
    found: Mapping[str, Mapping[str, int]] = json.loads(path.read_text(encoding="utf-8"))["families"]
    return found


def by_operator(found: Mapping[str, Mapping[str, int]]) -> dict[str, Surveyed]:
    """The same by operator, in alphabetical order."""
    operators: defaultdict[str, Surveyed] = defaultdict(Surveyed)
    for family, outcomes in found.items():
        name, _, operands = family.partition("(")
        operators[name].outcomes.update(outcomes)
        if outcomes.get("right") and (dtype := re.match(r"(?:constant )?(\w+)/", operands)):
            operators[name].right.add(_DTYPES.get(dtype[1], dtype[1]))
    return dict(sorted(operators.items()))


_PAGE = """\
# The survey of SOFIE

What SOFIE itself makes of ONNX's operators, before any rewriting; the build is `{build}`. A point is one node with its
dtypes, shapes and attributes, its inputs constant or given at run time. This page is what
`python -m sofie_bridge.survey --table` prints of the data that legality is read from.

{table}

`refused`: SOFIE says no. `crashed`: it ends its process. `uncompilable`, `died`, `wrong`: it takes the node, and the
header does not compile, ends its process, or gives other numbers than onnxruntime. `unjudged`: no reference runs it.

## Accepted and not right

{bad} of {all} families (operator, dtypes and ranks of the inputs) have points that SOFIE takes and gets wrong. A node
of such a family is measured before it counts as legal.

{families}
"""


def markdown(found: Mapping[str, Mapping[str, int]]) -> str:
    """The page of the docs."""
    operators = by_operator(found)
    total = sum((s.outcomes for s in operators.values()), Counter[str]())
    bad = {f: text for f, outcomes in found.items() if (text := _counts(outcomes))}
    table = [
        "| operator | points | " + " | ".join(OUTCOMES) + " |",
        "|---|" + "--:|" * (len(OUTCOMES) + 1),
        *(_row(f"`{name}`", s.outcomes) for name, s in operators.items()),
        _row("**all**", total),
    ]
    of = {name: [f for f in bad if f.startswith(f"{name}(")] for name in operators}
    listed = (f"- {', '.join(f'`{f}` ({bad[f]})' for f in fs)}" for fs in of.values() if fs)
    return _PAGE.format(build=build(), table="\n".join(table), bad=len(bad), all=len(found), families="\n".join(listed))


def _counts(outcomes: Mapping[str, int]) -> str:
    return ", ".join(f"{outcomes[b]} {b}" for b in BAD if outcomes.get(b))


def _row(name: str, outcomes: Counter[str]) -> str:
    return f"| {name} | {outcomes.total()} | " + " | ".join(str(outcomes[o] or "–") for o in OUTCOMES) + " |"
