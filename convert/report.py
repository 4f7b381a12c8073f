"""What a conversion did, as data."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from converters.base import Loaded
    from rewrite.api import Rewritten
    from sofie_bridge.verify import Verification
    from sofie_bridge.witness import OnnxWitness

#: Version of the report's JSON form.
SCHEMA = 1


@dataclass(frozen=True)
class Stage:
    """One line of the report: a stage, how long it took, what it found.

    :param state: "done", "failed", "skipped", or "again": a node was found wrong, and the stages before run once more.
    :param peak_memory: largest resident memory up to its end, in bytes, of this process or the largest of its children.
    """

    name: str
    state: str
    seconds: float
    summary: str
    peak_memory: int = 0


@dataclass(frozen=True)
class Port:
    """An input or output of the header.

    :param name: the model's own name. :param cpp: the C++ name, which has ``tensor_`` in front in the header.
    :param shape: sizes, symbolic ones by their C++ names.
    """

    name: str
    cpp: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass
class Report:
    """A whole conversion.

    :param source: the model file, or the class of the object.
    :param name: the model's name in C++.
    :param least: by symbolic dimension, as in C++, the least size that the model runs with, where that is not 1.
    :param stages: in order. :param notes: decisions the user should know of.
    :param files: what was written.
    :param latency: seconds a call of "header" and "onnxruntime", where that was asked for.
    :param witness: what ``paranoid`` checked; None where it was not asked for.
    :param seconds: per stage, as in ``stages``.
    """

    source: str
    name: str = ""
    kind: str = ""
    exporter: str = ""
    stages: list[Stage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    least: Mapping[str, int] = field(default_factory=dict)
    rewritten: Rewritten | None = None
    verification: Verification | None = None
    witness: OnnxWitness | None = None
    files: tuple[Path, ...] = ()
    latency: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    peak_memory: int = 0

    @property
    def verified(self) -> bool:
        """Was the header compiled, run and found right?"""
        return self.verification is not None and not self.verification.failures

    def loaded(self, loaded: Loaded) -> None:
        self.kind, self.exporter = loaded.kind, loaded.exporter
        self.notes.extend(loaded.notes)

    def as_json(self) -> dict[str, Any]:
        """Plain values, for ``json``."""
        return {
            "schema": SCHEMA,
            **{k: getattr(self, k) for k in ("source", "name", "kind", "exporter", "notes", "verified", "peak_memory")},
            "stages": [dataclasses.asdict(s) for s in self.stages],
            "inputs": [dataclasses.asdict(p) for p in self.inputs],
            "outputs": [dataclasses.asdict(p) for p in self.outputs],
            "rewriting": _rewriting(self.rewritten),
            "paranoid": _paranoid(self.witness),
            "verification": _verification(self.verification),
            "files": [str(f) for f in self.files],
            "latency": dict(self.latency),
            "versions": dict(self.versions),
            "error": self.error,
        }

    def write(self, path: Path) -> None:
        """Write the report as JSON; appears by rename."""
        from convert.files import publish_text

        publish_text(path, json.dumps(finite(self.as_json()), indent=2) + "\n")


def _rewriting(rewritten: Rewritten | None) -> dict[str, Any] | None:
    if rewritten is None:
        return None
    return {
        "before": dict(sorted(rewritten.before.items())),
        "native": dict(sorted(rewritten.native.items())),
        "after": dict(sorted(rewritten.after.items())),
        "trail": [dataclasses.asdict(s) for s in rewritten.trail],
        "stuck": [dataclasses.asdict(s) for s in rewritten.stuck],
    }


def _paranoid(witness: OnnxWitness | None) -> dict[str, Any] | None:
    if witness is None:
        return None
    return {"checked": witness.checked, "unjudged": [dataclasses.asdict(f) for f in witness.unjudged]}


def _verification(verification: Verification | None) -> dict[str, Any] | None:
    if verification is None:
        return None
    return {
        "reference": verification.reference,
        "samples": list(verification.samples),
        "left_out": [list(x) for x in verification.left_out],
        "measured": [dataclasses.asdict(m) for m in verification.measured],
        "failures": [dataclasses.asdict(f) for f in verification.failures],
        "spread": [dataclasses.asdict(s) for s in verification.spread],
    }


def finite(value: Any) -> Any:
    """The same values for ``json``, which knows no infinity: such numbers become strings."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    return [finite(v) for v in value] if isinstance(value, list | tuple) else value
