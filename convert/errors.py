"""What can go wrong, by the stage in which it goes wrong.

::

    ConvertError                     exit code
    ├── UsageError                   1   the command or the call is wrong
    ├── LoadError                    2   model file -> ONNX
    │   ├── UnknownFile                  nothing known, or damaged
    │   ├── UnsafeFile                   opening it would run code, or read outside its folder
    │   ├── MissingPackage               a framework that is not installed
    │   ├── BadModel                     the file was read; what it holds is not a usable model
    │   ├── BadInput                     --input does not fit the model
    │   ├── BadOperator                  the declaration of a custom operator, or what it gave
    │   └── ExportFailed                 the framework's exporter gave up
    ├── RewriteError                 3   ONNX -> ONNX that the target takes
    │   ├── IllegalOperators             every node that has no way, each with its reasons
    │   ├── NotConverging                rules that undo each other
    │   └── WrongRewrite                 a rule or pass changed the numbers
    ├── EmitError                    4   ONNX -> header
    │   ├── SofieRefused                 SOFIE's own words
    │   ├── SofieCrashed                 a signal, a limit of time or of memory
    │   └── WrongShapes                  SOFIE's shapes or types are not ONNX's
    ├── VerifyError                  5   header -> verdict
    │   ├── NoCompiler                   nothing to compile with
    │   ├── CompileFailed                the compiler's first error
    │   ├── RunFailed                    the compiled header crashed, threw or hung
    │   ├── WrongOperator                the C++ of a custom operator: sizes, memory, numbers
    │   ├── BadSamples                   the inputs to compare on do not fit the model
    │   └── Mismatch                     the numbers differ
    └── WriteError                   6   the verdict was good; the disk was not

An error carries *findings*: all that was found, not just the first. Its text is made from them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: what, where in the user's model, why, what to do next."""

    what: str
    where: str = ""
    why: str = ""
    advice: str = ""

    def __str__(self) -> str:
        lines = [self.what + (f", at {self.where}" if self.where else "")]
        if self.why:
            lines.append(f"    because: {self.why}")
        if self.advice:
            lines.append(f"    try: {self.advice}")
        return "\n".join(lines)


class ConvertError(Exception):
    """Root of the tree.

    :param what: one sentence on what failed.
    :param where: file, node or source line in the user's model.
    :param why: the cause, in the words of whoever knows it.
    :param advice: what to do next.
    :param findings: all findings, where there is more than one.
    """

    exit_code: ClassVar[int] = 1
    stage: ClassVar[str] = "usage"

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        why: str = "",
        advice: str = "",
        findings: tuple[Finding, ...] = (),
    ) -> None:
        self.finding = Finding(what, where, why, advice)
        self.findings = findings
        super().__init__(str(self))

    def __str__(self) -> str:
        return "\n".join([str(self.finding), *("  " + str(f).replace("\n", "\n  ") for f in self.findings)])

    def as_json(self) -> dict[str, Any]:
        """Fields for the report: class, stage and every finding."""
        return {
            "kind": type(self).__name__,
            "stage": self.stage,
            **asdict(self.finding),
            "findings": [asdict(f) for f in self.findings],
        }


class UsageError(ConvertError):
    """The command line or the call does not make sense."""


class LoadError(ConvertError):
    """The model file could not be turned into ONNX."""

    exit_code = 2
    stage = "load"


class UnknownFile(LoadError):
    """Missing, empty, truncated, or of no kind known here."""


class UnsafeFile(LoadError):
    """Opening it would execute code from the file, or read files outside the model's folder."""


class MissingPackage(LoadError):
    """A framework is needed that is not installed."""


class BadModel(LoadError):
    """The file holds no usable model."""


class BadInput(LoadError):
    """Given input names, dtypes or shapes do not fit the model."""


class BadOperator(LoadError):
    """The declaration of a custom operator cannot be used, or its shape function failed."""


class ExportFailed(LoadError):
    """The framework's exporter gave up."""


class RewriteError(ConvertError):
    """The ONNX model could not be rewritten into what the target takes."""

    exit_code = 3
    stage = "rewrite"


class IllegalOperators(RewriteError):
    """Nodes that the target refuses and no rule can express."""


class NotConverging(RewriteError):
    """Rules that keep undoing each other's work."""


class WrongRewrite(RewriteError):
    """A rule or pass changed the numbers."""


class EmitError(ConvertError):
    """SOFIE did not emit a header."""

    exit_code = 4
    stage = "emit"


class SofieRefused(EmitError):
    """SOFIE raised an exception on the model."""


class SofieCrashed(EmitError):
    """SOFIE was ended by a signal, a time limit or a memory limit."""


class WrongShapes(EmitError):
    """SOFIE's shapes or types of tensors are not those of ONNX."""


class VerifyError(ConvertError):
    """The header was emitted but not shown to be right."""

    exit_code = 5
    stage = "verify"


class NoCompiler(VerifyError):
    """No C++ compiler or BLAS was found."""


class CompileFailed(VerifyError):
    """The header does not compile."""


class RunFailed(VerifyError):
    """The compiled header crashed, threw or ran out of time."""


class WrongOperator(VerifyError):
    """The C++ of a custom operator does not do what its declaration says."""


class BadSamples(VerifyError):
    """The inputs to compare on do not fit the model, or the reference cannot run them."""


class Mismatch(VerifyError):
    """The header's numbers are not the reference's."""


class WriteError(ConvertError):
    """The outputs could not be written."""

    exit_code = 6
    stage = "write"
