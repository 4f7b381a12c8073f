"""Results as JUnit XML: each model a test case.

Valid against both schemas in use: that of Apache Ant's reports (windyroad/JUnit-Schema) and Jenkins's ``junit-10.xsd``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element, SubElement

from convert.batch.compare import Change, Changes, versions
from convert.batch.report import words
from convert.batch.report.overview import ENDED, told
from convert.batch.row import Results, Row

#: What XML 1.0 cannot hold, not even escaped.
_IMPOSSIBLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(results: Results, changes: Changes | None = None, *, only_changes: bool = False) -> str:
    """A model fails where it is not as expected, or where it got worse.

    :param changes: against an earlier run. :param only_changes: a model fails only where it got worse.
    """
    root = Element("testsuites")
    suite = SubElement(root, "testsuite")
    properties = SubElement(suite, "properties")
    for name, version in versions(results.rows.values()).items():
        SubElement(properties, "property", name=_token(name), value=words.line(version))
    by_model = changes.by_model if changes else {}
    counts: Counter[str] = Counter()
    for row in results.rows.values():
        worse = [c for c in by_model.get(row.name, ()) if c.regression]
        counts[_case(suite, row, worse, only_changes=only_changes)] += 1
    gone = [c for c in changes.regressions if c.name not in results.rows] if changes else []
    for change in gone:
        case = SubElement(suite, "testcase", name=_token(change.name), classname="-", time="0.000")
        _end(case, "failure", change.kind, _words(change), "")
    SubElement(suite, "system-out")
    SubElement(suite, "system-err")
    total = sum(r.seconds for r in results.rows.values())
    suite.attrib |= {
        "name": "sofie-convert", "package": "sofie-convert", "id": "0", "hostname": "localhost",
        "timestamp": _timestamp(results), "tests": str(len(results.rows) + len(gone)), "time": f"{total:.3f}",
        "failures": str(counts["failure"] + len(gone)), "errors": str(counts["error"]),
        "skipped": str(counts["skipped"]),
    }  # fmt: skip
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: Element, row: Row, worse: Sequence[Change], *, only_changes: bool) -> str:
    """One model; "failure", "error", "skipped", or empty."""
    group = ".".join(row.tags) or row.kind or "model"
    case = SubElement(suite, "testcase", name=_token(row.name), classname=_token(group), time=f"{row.seconds:.3f}")
    if row.status == "skipped" and not worse:
        SubElement(case, "skipped", message=words.line(row.cause or told(row.error) or "skipped"))
        return "skipped"
    if row.as_expected or only_changes:
        if not worse:
            return ""
        message = "; ".join(_words(c) for c in worse)
        return _end(case, "failure", worse[0].kind, message, _told(row))
    expected = f"expected {row.expected or 'converted'}" + (f" ({row.expected_cause})" if row.expected_cause else "")
    message = "; ".join([f"{row.status}, {expected}: {told(row.error) or row.cause}", *map(_words, worse)])
    return _end(case, "error" if row.status in ENDED else "failure", row.status, message, _told(row))


def _end(case: Element, tag: str, kind: str, message: str, text: str) -> str:
    SubElement(case, tag, type=kind, message=words.line(message)).text = _IMPOSSIBLE.sub("�", text)
    return tag


def _told(row: Row) -> str:
    """The whole error: what, where, why, advice, and every finding."""
    from convert.errors import Finding

    if not row.error:
        return row.cause
    fields = ("what", "where", "why", "advice")
    every = [row.error, *row.error.get("findings", ())]
    return "\n".join(str(Finding(**{k: str(f.get(k) or "") for k in fields})) for f in every)


def _words(change: Change) -> str:
    before, after = change.shown
    return f"{change.kind}: {change.what}: {before} → {after}"


def _token(text: str) -> str:
    """The schema's token: neither empty, nor with blanks at its ends."""
    return words.line(text).strip() or "-"


def _timestamp(results: Results) -> str:
    """When the run was made, without a zone, as the schema has it."""
    try:
        return datetime.fromisoformat(str(results.made.get("when"))).strftime("%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return "1970-01-01T00:00:00"  # it has to have one
