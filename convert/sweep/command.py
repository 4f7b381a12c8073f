"""The command line of the sweep."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter

from convert.sweep.case import SUITES, Case, suite_of, without_case
from convert.sweep.driver import sweep
from convert.sweep.outcome import Fate, Result
from convert.sweep.table import failing, page, shares, summary

_TITLES = {"jax": "JAX and Flax", "keras": "Keras", "torch": "PyTorch"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Sweep and print; 1 if anything is wrong, an error, or without a case."""
    p = argparse.ArgumentParser(prog="python -m convert.sweep", description=__doc__)
    p.add_argument("suite", choices=SUITES, help="the framework")
    p.add_argument("--only", default="", help="cases whose name and arguments have this in them")
    p.add_argument("--jobs", type=int, default=2, help="processes (2)")
    p.add_argument("--json", type=Path, help="write every result")
    p.add_argument(
        "--quick", action="store_true", help="what is not right at first is not tried by the pipeline itself"
    )
    p.add_argument("--again", type=Path, help="an earlier --json: what was right then is not run again")
    p.add_argument("--markdown", type=Path, help="write the page of the docs")
    options = p.parse_args(arguments)
    suite = suite_of(options.suite)
    missing = without_case(suite)
    sys.stderr.writelines(f"{line}\n" for line in missing)
    chosen = [c for c in suite.cases() if options.only in str(c)]
    if options.markdown and options.only:
        p.error("the page is of all cases: --markdown goes without --only")
    known = _right(options.again) if options.again else {}
    progress = _Progress(chosen, {str(c): known[str(c)] for c in chosen if str(c) in known}, options.json)
    running = [c for c in chosen if str(c) not in known]
    sweep(options.suite, running, jobs=options.jobs, progress=progress, quick=options.quick)
    found = progress.found
    sys.stderr.write(f"\r{perf_counter() - progress.start:.0f} s           \n")
    sys.stdout.writelines(f"{line}\n" for line in failing(chosen, found))
    sys.stdout.writelines(f"{line}\n" for line in shares(chosen, found))
    sys.stdout.write(summary(chosen, found) + "\n")
    if options.markdown:
        command = f"python -m convert.sweep {options.suite} --markdown {options.markdown}"
        text = page(suite, f"{_TITLES[options.suite]} layers and functions", command, found)
        options.markdown.write_text(text, encoding="utf-8")
    bad = sum(r.outcome in ("wrong", "error") for r in found.values())
    return int(bad > 0 or bool(missing))


@dataclass
class _Progress:
    """Tells on the terminal, and keeps what is found on disk: a sweep that is broken off can go on with ``--again``."""

    chosen: Sequence[Case]
    found: dict[str, Result]
    path: Path | None
    start: float = field(default_factory=perf_counter)

    def __call__(self, case: Case, result: Result) -> None:
        self.found[str(case)] = result
        if result.open.outcome != "right" and not (case.refuses and result.outcome == "refused"):
            how = "fixed batch only" if result.outcome == "right" else result.outcome
            sys.stderr.write(f"\r{how} {case}: {result.open.words[:300]}\n")
        sys.stderr.write(f"\r{len(self.found)} of {len(self.chosen)}")
        sys.stderr.flush()
        if self.path is not None:
            told = [
                {"name": c.name, "words": c.words, "outcome": r.outcome, **asdict(r)}
                for c, r in ((c, self.found.get(str(c))) for c in self.chosen)
                if r is not None
            ]
            self.path.write_text(json.dumps(told, indent=1))


def _right(path: Path) -> dict[str, Result]:
    told = json.loads(path.read_text())
    return {f"{t['name']}({t['words']})": Result(Fate("right")) for t in told if t["open"]["outcome"] == "right"}
