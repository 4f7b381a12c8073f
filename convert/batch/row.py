"""What ``results.json`` holds: a header and one row a model. ``docs/batch.md`` documents the fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from convert.errors import UsageError

#: Version of the form of ``results.json``. A reader refuses another.
SCHEMA = 1

#: "converted": a header (or what was asked for) was written, verified unless that was not asked for; "refused": the
#: model cannot be loaded or has operators without a way, said by name; "wrong": a header was made whose numbers are not
#: the references', and not written; "failed": it ended with an error in another stage; "crashed", "timed out", "out of
#: memory": its process did; "skipped": it needs what is not installed here.
Status = Literal["converted", "refused", "wrong", "failed", "crashed", "timed out", "out of memory", "skipped"]
STATUSES: tuple[Status, ...] = get_args(Status)


@dataclass(frozen=True)
class Row:
    """One model's result.

    :param name: the model's, distinct in the zoo. :param source: its file or factory, as the zoo has it.
    :param stage: where it ended ("load", "rewrite", "emit", "verify", "write"); "done" where it came through.
    :param cause: what it ended of, in words that models with the same fault share; empty where it came through.
    :param error: the error as :meth:`convert.errors.ConvertError.as_json` gives it, or words under "what".
    :param expected: the status that the zoo expects; empty for none. :param expected_cause: words that are to be in the
        error, as the name of an operator.
    :param key: hash of all that the result hangs on: the model's content, options, versions.
    :param operators: nodes per operator "before" and "after" rewriting, and those taken as they were ("native").
    :param rewrites: applications of rules, equal ones together: rule, before, after, count.
    :param errors: one for each output and comparison, as :class:`sofie_bridge.verify.Measured` has it.
    :param spread: for each output, as :class:`sofie_bridge.spread.Spread` has it.
    :param stages: name, state, seconds, summary and peak_memory (bytes; the highest so far) of each stage.
    :param seconds: from the start of its process to its end.
    :param sizes: bytes of what was written, by "header" and "weights".
    :param hashes: SHA-256 of the "source", and of each of the files by its name.
    :param latency: seconds a call of "header" and "onnxruntime" on the first inputs; empty without ``--bench``.
    :param files: what was written, relative to the output folder.
    :param versions: of what the numbers depend on.
    :param kept: was it taken from an earlier run, unchanged?
    """

    name: str
    source: str
    status: Status
    stage: str
    cause: str = ""
    error: Mapping[str, Any] | None = None
    expected: str = ""
    expected_cause: str = ""
    tags: tuple[str, ...] = ()
    key: str = ""
    kind: str = ""
    exporter: str = ""
    inputs: tuple[Mapping[str, Any], ...] = ()
    outputs: tuple[Mapping[str, Any], ...] = ()
    operators: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    rewrites: tuple[Mapping[str, Any], ...] = ()
    errors: tuple[Mapping[str, Any], ...] = ()
    spread: tuple[Mapping[str, Any], ...] = ()
    stages: tuple[Mapping[str, Any], ...] = ()
    seconds: float = 0.0
    peak_memory: int = 0
    sizes: Mapping[str, int] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    latency: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    kept: bool = False

    @property
    def as_expected(self) -> bool:
        """Did it become what the zoo says? Where the zoo says nothing: was it converted?"""
        if not self.expected:
            return self.status in ("converted", "skipped")
        if self.status == "skipped":
            return True
        return self.status == self.expected and self.expected_cause in self.told

    @property
    def told(self) -> str:
        """All that the error says."""
        return json.dumps(self.error, ensure_ascii=False) if self.error else ""

    @property
    def worst(self) -> float:
        """Largest difference between the header and a reference, over all outputs; 0 where nothing was compared."""
        return max((float(e["absolute"]) for e in self.errors if str(e["edge"]).startswith("header")), default=0.0)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Row:
        """From JSON; lists become tuples again. Fields of a later version are left out."""
        known = {f.name for f in fields(cls)}
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in told.items() if k in known}
        return cls(**given)


@dataclass(frozen=True)
class Results:
    """A whole ``results.json``.

    :param made: when, with which options and versions. :param rows: by name.
    """

    made: Mapping[str, Any]
    rows: Mapping[str, Row]

    @classmethod
    def read(cls, path: Path) -> Results:
        """:raises UsageError: no such file, or no results of this schema."""
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(told, dict) or not isinstance(told.get("rows"), list):
                raise ValueError("it has no rows")
        except (OSError, ValueError) as error:
            advice = "give the results.json that `python -m convert batch` wrote"
            raise UsageError(f"cannot read results from {path}", why=str(error), advice=advice) from error
        if told.get("schema") != SCHEMA:
            why = f"they have the schema {told.get('schema')}, and {SCHEMA} is read here"
            raise UsageError(f"cannot read the results in {path}", why=why, advice="run the batch again")
        try:
            rows = [Row.read(r) for r in told["rows"]]
        except (TypeError, AttributeError) as error:
            raise UsageError(f"a row of {path} is none", why=str(error), advice="run the batch again") from error
        strange = next((r for r in rows if r.status not in STATUSES), None)
        if strange is not None:
            raise UsageError(f"the status of {strange.name} in {path} is {strange.status!r}")
        return cls(told.get("made", {}), {r.name: r for r in rows})
