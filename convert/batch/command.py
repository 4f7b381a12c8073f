"""``python -m convert batch ZOO... --output out/``: the command line."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from convert.batch.journal import made_of
from convert.batch.zoo import read_zoo, select
from convert.errors import UsageError
from convert.request import Layout, To, Weights

#: Exit code where a model did not become what was expected of it, and of a regression (``convert compare``).
UNEXPECTED = 7
#: Options of a conversion, by their Python names, that hold for every model whose zoo file does not say otherwise.
_SHARED = ("weights", "rtol", "atol", "allow_code", "custom_objects", "translations", "batch", "float32", "layout")

_EPILOG = """\
PLACE is a folder (searched for models by content), a list (.txt, .list: a model or factory a line), a zoo file
(.toml: docs/batch.md), a model file, or FILE.py:FACTORY. results.json in the output folder has a row a model; the next
run converts what has changed. Exit codes: 0 all became what was expected (without expectation: converted); 7 some did
not; 1 usage; 130 Ctrl-C: what was done is written, and --resume goes on."""


def parser(make: type[ArgumentParser]) -> ArgumentParser:
    """All options. :param make: the class of parser, which says how errors are told."""
    p = make(prog="python -m convert batch", description="Convert a zoo of models.", epilog=_EPILOG)
    p.add_argument("places", nargs="*", metavar="PLACE", help="what is to be converted")
    p.add_argument("--to", default="header", choices=get_args(To), help="what to write")
    p.add_argument("--output", "-o", type=Path, default=Path("out"), metavar="FOLDER", help="where (out)")
    p.add_argument("--jobs", "-j", type=int, default=os.cpu_count() or 1, help="models at a time (one a processor)")
    p.add_argument("--timeout", type=float, default=1800, metavar="SECONDS", help="for one model (1800)")
    p.add_argument(
        "--memory", type=float, metavar="GB", help="for each process of a model (its share of 80%% of the machine's)"
    )
    p.add_argument("--scheduler", default="", metavar="ADDRESS", help="a Dask scheduler, as tcp://host:8786")
    p.add_argument("--tag", action="append", default=[], help="only models with this tag; repeatable")
    p.add_argument("--only", action="append", default=[], metavar="PATTERN", help="only names or paths like this")
    p.add_argument("--resume", action="store_true", help="go on with the batch in the output folder, as it was begun")
    p.add_argument("--retry", action="store_true", help="convert again what was not converted, though it is unchanged")
    p.add_argument("--anew", action="store_true", help="convert all, changed or not")
    p.add_argument("--keep", action="store_true", help="keep the exported ONNX and the inputs compared on")
    p.add_argument("--bench", action="store_true", help="measure the latency of header and onnxruntime")
    p.add_argument("--weights", choices=get_args(Weights), help="where weights go (file)")
    p.add_argument("--layout", choices=get_args(Layout), help="nchw: channels-first inputs and outputs")
    p.add_argument("--batch", type=int, metavar="SIZE", help="a fixed size for the batch")
    p.add_argument("--rtol", type=float, help="relative tolerance of float outputs")
    p.add_argument("--atol", type=float, help="absolute tolerance of float outputs")
    p.add_argument("--float32", action="store_true", default=None, help="run double and 16-bit floats in float32")
    p.add_argument("--allow-code", action="store_true", default=None, help="open files that run code of theirs")
    p.add_argument("--custom-objects", action="append", metavar="MODULE", help="classes of Keras models' own")
    p.add_argument("--translations", action="append", metavar="FILE.py", help="translations of your operators")
    return p


def main(arguments: Sequence[str], make: type[ArgumentParser] = ArgumentParser) -> int:
    """Run the command; the exit code."""
    options = parser(make).parse_args(list(arguments))
    if options.resume:
        options = _resumed(options, make)
    if options.jobs < 1:
        raise UsageError(f"--jobs {options.jobs} is no number of jobs")
    if not options.places:
        raise UsageError("there is nothing to convert", advice="python -m convert batch --help")
    from convert.batch.run import Plan, run_batch

    shared = {name: getattr(options, name) for name in _SHARED if getattr(options, name) is not None}
    entries = select(read_zoo(options.places, _absolute(shared)), tags=options.tag, only=options.only)
    if not entries:
        raise UsageError("no model of the zoo has such a tag or name")
    plan = Plan(
        options.to, options.output, options.jobs, options.timeout,
        None if options.memory is None else int(options.memory * 1e9), options.scheduler, options.keep, options.bench,
        options.anew, options.retry,
    )  # fmt: skip
    done = run_batch(entries, plan, {"arguments": list(_lasting(arguments, options))})
    words = f"{done.rows} models, {done.kept} of them unchanged since the last run; {done.unexpected} not as expected"
    left = f"; {done.unfinished} not reached: --resume goes on" if done.unfinished else ""
    sys.stderr.write(f"{words}{left}\n")
    sys.stdout.write(f"{done.results}\n")
    return 130 if done.interrupted else UNEXPECTED if done.unexpected else 0


def _lasting(arguments: Sequence[str], options: Namespace) -> list[str]:
    """What ``--resume`` takes up: the arguments, without those that are for one run."""
    if options.resume:
        return list(options.begun)
    return [a for a in arguments if a not in ("--anew", "--retry")]


def _resumed(options: Namespace, make: type[ArgumentParser]) -> Namespace:
    """The options of the batch that was begun in the output folder."""
    if options.places:
        raise UsageError("--resume takes no places", advice="it goes on with the batch in the --output folder")
    begun = made_of(options.output).get("arguments", [])
    found = parser(make).parse_args(begun)
    found.output, found.resume, found.begun, found.jobs = options.output, True, begun, options.jobs
    return found


def _absolute(options: dict[str, Any]) -> dict[str, Any]:
    """Paths that hold in other processes, on other machines too."""
    if "translations" in options:
        options["translations"] = [str(Path(p).absolute()) for p in options["translations"]]
    return options
