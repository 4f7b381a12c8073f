"""Rows on disk as they come, and ``results.json`` of them in the end.

A row is a line in both, so that ten thousand of them are read and written one by one.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from convert.batch.fingerprint import digest_of
from convert.batch.row import SCHEMA, Row
from convert.errors import UsageError
from convert.report import finite

RESULTS = "results.json"
_JOURNAL = ".results.jsonl"


class Journal:
    """The results of a batch's output folder: those of an earlier run, and those of this one. A context.

    :param made: how this run was begun, written down first: what is broken off can be taken up again.
    :raises UsageError: another batch is writing there.
    """

    def __init__(self, folder: Path, made: Mapping[str, Any]) -> None:
        self._folder = folder
        self._made = made
        self._rows: dict[str, tuple[Path, int]] = {}
        self._old: dict[str, tuple[Path, int]] = {}
        self._file: TextIO | None = None
        #: How the run before was begun, if it was broken off.
        self.broken_off: Mapping[str, Any] | None = None

    def __enter__(self) -> Journal:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / _JOURNAL
        self._file = path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise UsageError("another batch is writing there", where=str(self._folder)) from error
        self.broken_off = _begun(path)
        with path.open("rb") as file:  # a kill may have cut the last line off
            self._file.truncate(sum(len(line) for line in file if line.endswith(b"\n")))
        for source in (self._folder / RESULTS, path):  # the journal is of a run that was broken off: it is newer
            self._old |= {name: (source, place) for name, place in _lines(source)}
        self._write(_made(self._made))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._file is not None
        self._file.close()

    def earlier(self, name: str) -> Row | None:
        """The row of an earlier run."""
        return _read(self._old[name]) if name in self._old else None

    def unchanged(self, name: str, key: str) -> Row | None:
        """The row of an earlier run, if it is of the same key and what it wrote is as it was."""
        row = self.earlier(name)
        if row is None or row.key != key:
            return None
        same = all(digest_of(self._folder / f) == row.hashes.get(f) for f in row.files)
        return row if same else None

    def add(self, row: Row) -> None:
        """Write a row down. Files of the model's earlier result that are not of this one are removed."""
        old = self.earlier(row.name)
        for name in set(old.files if old else ()) - set(row.files):
            (self._folder / name).unlink(missing_ok=True)
        self._rows[row.name] = self._folder / _JOURNAL, self._write(json.dumps(finite(row.as_json())))

    def _write(self, line: str) -> int:
        """A line of the journal; where it begins."""
        assert self._file is not None
        place = self._file.seek(0, 2)
        self._file.write(f"{line}\n")
        self._file.flush()
        return place

    def rows(self) -> Iterator[Row]:
        """Those of this run."""
        for place in self._rows.values():
            yield _read(place)

    def close(self, names: Iterable[str], made: Mapping[str, Any]) -> Path:
        """Make ``results.json`` of this run's rows in that order, and drop the journal."""
        scratch, path = self._folder / f".{RESULTS}.part", self._folder / RESULTS
        with scratch.open("w", encoding="utf-8") as file:
            file.write(f'{{"schema": {SCHEMA},\n{_made(made)},\n"rows": [\n')
            separator = ""
            for name in names:
                if name in self._rows:
                    file.write(separator + json.dumps(finite(_read(self._rows[name]).as_json())))
                    separator = ",\n"
            file.write("\n]}\n")
        scratch.replace(path)
        (self._folder / _JOURNAL).unlink()
        return path


def made_of(folder: Path) -> Mapping[str, Any]:
    """How the results in a folder were made. :raises UsageError: there are none."""
    found = _begun(folder / _JOURNAL) or _begun(folder / RESULTS)  # the journal is of a run that was broken off: newer
    if found is None:
        raise UsageError("there is no batch to go on with", where=str(folder))
    return found


def _begun(path: Path) -> Mapping[str, Any] | None:
    """What was told of the last run that wrote there."""
    found: Mapping[str, Any] | None = None
    if path.exists():
        with path.open(encoding="utf-8") as file:
            for line in file:
                if line.startswith('"made":') and line.endswith("\n"):
                    found = json.loads("{" + line.rstrip(",\n") + "}")["made"]
    return found


def _made(told: Mapping[str, Any]) -> str:
    return f'"made": {json.dumps(finite(dict(told)))}'


def _lines(path: Path) -> Iterator[tuple[str, int]]:
    """Names of the rows and where their lines begin; a last line that was cut off by a kill is left out."""
    if not path.exists():
        return
    place = 0
    with path.open("rb") as file:
        for line in file:
            if line.startswith(b'{"name"') and line.rstrip(b",\n").endswith(b"}"):
                yield json.loads(line.rstrip().rstrip(b","))["name"], place
            place += len(line)


def _read(place: tuple[Path, int]) -> Row:
    with place[0].open("rb") as file:
        file.seek(place[1])
        return Row.read(json.loads(file.readline().rstrip().rstrip(b",")))
