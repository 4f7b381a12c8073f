"""``python -m convert report results.json -o report.html``: the command line."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from convert.batch.compare import Changes, compare
from convert.batch.limits import add_limits, limits_of
from convert.batch.report.write import write
from convert.batch.row import Results
from convert.errors import UsageError

Form = Callable[[Results, Changes | None], str]


def _page(results: Results, changes: Changes | None) -> str:
    from convert.batch.report.page import page

    return page(results, changes)


def _markdown(results: Results, changes: Changes | None) -> str:
    from convert.batch.report.markdown import as_markdown

    return as_markdown(results, changes)


def _junit(results: Results, changes: Changes | None) -> str:
    from convert.batch.report.junit import junit

    return junit(results, changes)


#: What is written, by the suffix of the output.
FORMS: Mapping[str, Form] = {".html": _page, ".md": _markdown, ".xml": _junit}


def main(arguments: Sequence[str], make: type[ArgumentParser] = ArgumentParser) -> int:
    """Run the command; the exit code.

    :param make: the class of parser, which says how errors are told.
    :raises UsageError: of the arguments or the files. :raises WriteError: a report cannot be written.
    """
    p = make(prog="python -m convert report", description="Tell the results of a batch: .html, .md or .xml (JUnit).")
    p.add_argument("results", type=Path, help="results.json of a batch")
    p.add_argument(
        "--output", "-o", type=Path, action="append", metavar="FILE", help="report.html, .md, .xml; repeatable"
    )
    p.add_argument("--against", type=Path, metavar="FILE", help="results.json of an earlier run, to tell what changed")
    add_limits(p)
    given = p.parse_args(arguments)
    places: list[Path] = given.output or [Path("report.html")]
    for place in places:
        if place.suffix not in FORMS:
            why = f"what is written goes by the suffix: {', '.join(FORMS)}"
            raise UsageError(f"{place} is no kind of report", why=why, advice="-o report.html")
    results = Results.read(given.results)
    changes = compare(Results.read(given.against), results, limits_of(given)) if given.against else None
    for place in places:
        write(place, FORMS[place.suffix](results, changes))
        sys.stdout.write(f"{place}\n")
    return 0
