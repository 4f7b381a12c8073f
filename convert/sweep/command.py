"""The command line of the sweep."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter

from convert.sweep.case import SUITES, Case, suite_of, without_case
from convert.sweep.driver import sweep
from convert.sweep.outcome import Result
from convert.sweep.table import failing, page, summary


def main(arguments: Sequence[str] | None = None) -> int:
    """Sweep and print; 1 if anything is wrong, an error, or without a case."""
    p = argparse.ArgumentParser(prog="python -m convert.sweep", description=__doc__)
    p.add_argument("suite", choices=SUITES, help="the framework")
    p.add_argument("--only", default="", help="cases whose name and arguments have this in them")
    p.add_argument("--jobs", type=int, default=2, help="processes (2)")
    p.add_argument("--json", type=Path, help="write every result")
    p.add_argument("--markdown", type=Path, help="write the page of the docs")
    options = p.parse_args(arguments)
    suite = suite_of(options.suite)
    missing = without_case(suite)
    sys.stderr.writelines(f"{line}\n" for line in missing)
    chosen = [c for c in suite.cases() if options.only in str(c)]
    if options.markdown and options.only:
        p.error("the page is of all cases: --markdown goes without --only")
    start = perf_counter()
    count = 0

    def progress(case: Case, result: Result) -> None:
        nonlocal count
        count += 1
        if result.outcome in ("wrong", "error"):
            sys.stderr.write(f"\r{result.outcome} {case}: {result.words[:300]}\n")
        sys.stderr.write(f"\r{count} of {len(chosen)}")
        sys.stderr.flush()

    found = sweep(options.suite, chosen, jobs=options.jobs, progress=progress)
    sys.stderr.write(f"\r{perf_counter() - start:.0f} s           \n")
    sys.stdout.writelines(f"{line}\n" for line in failing(chosen, found))
    sys.stdout.write(summary(chosen, found) + "\n")
    if options.json:
        told = [{"name": c.name, "words": c.words, "outcome": found[str(c)].outcome, **asdict(found[str(c)])} for c in chosen]
        options.json.write_text(json.dumps(told, indent=1))
    if options.markdown:
        command = f"python -m convert.sweep {options.suite} --markdown {options.markdown}"
        options.markdown.write_text(page(suite, f"{options.suite.capitalize()} layers", command, found), encoding="utf-8")
    bad = sum(r.outcome in ("wrong", "error") for r in found.values())
    return int(bad > 0 or bool(missing))
