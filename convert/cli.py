"""``python -m convert MODEL --to header``: the command line."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from convert import __version__
from convert.errors import ConvertError, UsageError

#: Exit code of a program ended by Ctrl-C, by the shells' convention.
INTERRUPTED = 130

#: Commands that are no conversion, and the modules whose ``main(arguments, parser class)`` they are. A model file of
#: such a name is written ./batch.
COMMANDS = {
    "batch": "convert.batch.command",
    "compare": "convert.batch.compare",
    "report": "convert.batch.report.command",
    "verify": "convert.reverify",
}

_EPILOG = """\
commands: batch (a zoo of models), compare (two results), report (a page of results), verify (a header made before);
each has a --help of its own.
exit codes: 0 a verified header was written; 1 usage; 2 load; 3 rewrite; 4 emit; 5 verify; 6 write; 7 not as expected
(batch, compare); 130 Ctrl-C.
The paths of what was written go to stdout, all else to stderr."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, advice="python -m convert --help")


def parser() -> argparse.ArgumentParser:
    """All options."""
    p = _Parser(
        prog="python -m convert",
        description="Any trained model in, a C++ header out, proved right.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("model", nargs="?", help="the model file, or FILE.py:FACTORY; what a file is comes from its content")
    p.add_argument("--to", default="header", choices=("header", "onnx", "project", "rdf", "root"), help="what to write")
    p.add_argument("--output", "-o", type=Path, metavar="PLACE", help="a folder, or the file's own path ending in .hxx")
    p.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME:DTYPE[SIZES]",
        help="an input's dtype and shape, as x:float32[1,3,28,28]; open dimensions by name: x:float32[N,7]; repeatable",
    )
    p.add_argument("--weights", choices=("file", "embed", "safetensors", "root"), help="where weights go (file)")
    p.add_argument("--backend", default="pysofie", choices=("pysofie", "root"), help="the SOFIE that writes the header")
    p.add_argument("--check", action="store_true", help="say what would happen, per operator; write nothing")
    p.add_argument("--no-verify", action="store_true", help="do not compile and run; shapes and types are compared")
    p.add_argument("--keep-going", action="store_true", help="write the header although verification failed")
    p.add_argument("--inputs", type=Path, metavar="DATA.npz", help="inputs of your own to compare on")
    p.add_argument("--rtol", type=float, help="relative tolerance of float outputs (default: by dtype)")
    p.add_argument("--atol", type=float, help="absolute tolerance of float outputs (default: by dtype)")
    p.add_argument(
        "--allow-code",
        "--allow-pickle",
        action="store_true",
        help="open files that run code of theirs: pickles, Keras Lambdas",
    )
    p.add_argument(
        "--custom-objects",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module with a Keras model's own classes",
    )
    p.add_argument(
        "--translations", action="append", default=[], metavar="FILE.py", help="translations of your operators"
    )
    p.add_argument(
        "--functions",
        default="symbolic",
        choices=("symbolic", "forward"),
        help="a torch.autograd.Function with a symbolic: export that, or trace its forward",
    )
    p.add_argument(
        "--custom-operators",
        action="append",
        default=[],
        metavar="FILE.py",
        help="operators with C++ of your own: what declares them; repeatable",
    )
    p.add_argument("--inline-operators", action="store_true", help="write their C++ into the header")
    p.add_argument("--params", type=Path, metavar="FILE", help="the parameters, where the model has none")
    p.add_argument(
        "--batch", type=int, metavar="SIZE", help="a fixed size for the batch, where the model leaves it open"
    )
    p.add_argument("--model", dest="factory", metavar="MODULE:FACTORY", help="what makes the model of a state dict")
    p.add_argument("--float32", action="store_true", help="run double and 16-bit floats in float32 (else where needed)")
    p.add_argument(
        "--layout", default="as-given", choices=("as-given", "nchw"), help="nchw: channels-first inputs and outputs"
    )
    p.add_argument("--paranoid", action="store_true", help="check the numbers after each rewrite; name the guilty rule")
    p.add_argument(
        "--operators",
        nargs="?",
        const="text",
        choices=("text", "markdown"),
        help="print what becomes of each ONNX operator, as text or as the docs' page; needs no model",
    )
    p.add_argument("--keep", action="store_true", help="keep the exported ONNX and the inputs compared on, beside it")
    p.add_argument("--bench", action="store_true", help="measure the latency of header and onnxruntime")
    p.add_argument("--json", type=Path, metavar="FILE", help="write the whole report")
    p.add_argument("--verbose", action="store_true", help="let the exporter's own output through")
    p.add_argument("--debug", action="store_true", help="show tracebacks")
    p.add_argument("--version", action="version", version=__version__)
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if given and given[0] in COMMANDS:
            return _command(given[0], given[1:])
        options = parser().parse_args(given)
        return _convert(options) if options.operators is None else _print_operators(options)
    except ConvertError as error:
        if "--debug" in given:
            traceback.print_exc()
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: nothing was written\n")
        return INTERRUPTED


def _command(name: str, given: list[str]) -> int:
    """One of the commands that are no conversion."""
    debug = "--debug" in given
    run = import_module(COMMANDS[name]).main
    return int(run([a for a in given if a != "--debug"] if debug else given, _Parser))


def _print_operators(options: argparse.Namespace) -> int:
    if options.model is not None:
        raise UsageError("--operators takes no model", advice="--check says what becomes of the operators of one model")
    from convert import operators

    sys.stdout.write(operators.text() if options.operators == "text" else operators.markdown())
    return 0


def _convert(options: argparse.Namespace) -> int:
    if options.model is None:
        raise UsageError("there is no model to convert", advice="python -m convert --help")
    from convert.api import run_reported, source_of
    from convert.progress import Lines
    from convert.request import Request
    from convert.spec import TensorSpec

    request = Request(
        source=source_of(options.model),
        to=options.to,
        output=options.output,
        inputs=tuple(TensorSpec.parse(i) for i in options.input),
        weights=options.weights,
        backend=options.backend,
        check=options.check,
        verify=not options.no_verify,
        keep_going=options.keep_going,
        samples=options.inputs,
        rtol=options.rtol,
        atol=options.atol,
        allow_code=options.allow_code,
        custom_objects=tuple(options.custom_objects),
        translations=tuple(options.translations),
        functions=options.functions,
        custom_operators=tuple(options.custom_operators),
        inline_operators=options.inline_operators,
        params=options.params,
        batch=options.batch,
        model=options.factory,
        float32=options.float32,
        layout=options.layout,
        paranoid=options.paranoid,
        keep=options.keep,
        bench=options.bench,
        verbose=options.verbose,
    )
    report, error = run_reported(request, Lines())
    for note in report.notes:
        sys.stderr.write(f"note: {note}\n")
    if options.json is not None:
        report.write(options.json)
    if error is not None:
        raise error
    if request.check:
        from convert.check import table

        sys.stderr.write(table(report))
        return 3 if report.rewritten is not None and report.rewritten.stuck else 0
    for path in report.files:
        sys.stdout.write(f"{path}\n")
    if report.error is not None:
        sys.stderr.write("WARNING: the header is wrong and was written at your wish (--keep-going)\n")
        return 5
    return 0
