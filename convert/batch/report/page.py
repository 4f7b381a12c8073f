"""One self-contained HTML page: styles, script and data inside, nothing from a network."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import jinja2

from convert.batch.compare import Changes
from convert.batch.report import words
from convert.batch.report.facts import STEPS, details, points_each, record
from convert.batch.report.overview import overview
from convert.batch.row import STATUSES, Results
from convert.report import finite

#: The script's parts, in order: they share one scope.
_SCRIPTS = ("words.js", "plots.js", "details.js", "table.js")
#: Models named in a group of causes; changes in the list.
_MOST = 50


def page(results: Results, changes: Changes | None = None, *, title: str = "Conversion report") -> str:
    """The whole page.

    The policy in its head allows this one style sheet and this one script, by their hashes, and nothing else: neither
    other code nor a request to anywhere.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("convert", "templates/report"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
        finalize=_untrusted,
    )
    environment.filters |= {"seconds": words.seconds}
    style, script = _text(environment, "page.css"), "".join(_text(environment, s) for s in _SCRIPTS)
    script = f'"use strict";\n(() => {{\n{script}}})();\n'
    names, table = list(results.rows), _table(results, changes)
    rendered = environment.get_template("page.html.j2").render(
        title=title,
        policy=f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'",
        style=style,
        script=script,
        table=_json(table),
        known={"name", "status", *(key for row in table["rows"] for key in row)},
        lines="\n".join(_lines(results, changes)),
        seen=overview(results),
        made=_made(results),
        changes=changes,
        places={n: i for i, n in enumerate(names)},
        most=_MOST,
    )
    # halves of characters, which JSON allows, are in no encoding
    return rendered.encode("utf-8", "replace").decode("utf-8")


def _untrusted(value: Any) -> Any:
    """Text of others in one line; markup (what the template calls safe) and numbers as they are."""
    return words.line(value, 600) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _text(environment: jinja2.Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0].replace("\r\n", "\n")


def _hash(text: str) -> str:
    """As a policy names what is allowed: of the bytes between the tags."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(value: Any) -> str:
    """JSON in one line of ASCII, without the characters by which a script element could end or a comment begin."""
    told = json.dumps(finite(value), allow_nan=False, separators=(",", ":"))
    return told.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _table(results: Results, changes: Changes | None) -> dict[str, Any]:
    by_model = changes.by_model if changes else {}
    rows = [record(r, by_model.get(r.name, ())) for r in results.rows.values()]
    return {"rows": rows, "statuses": STATUSES, "steps": STEPS, "against": changes is not None}


def _lines(results: Results, changes: Changes | None) -> Iterator[str]:
    """A line a model, so that the page reads those that are opened."""
    rows, by_model = list(results.rows.values()), changes.by_model if changes else {}
    points = points_each(rows)
    for row in rows:
        yield _json(details(row, by_model.get(row.name, ()), points))


def _made(results: Results) -> dict[str, str]:
    """How the run was made, as far as it is told."""
    made = results.made
    arguments, took, left = made.get("arguments"), made.get("seconds"), made.get("unfinished")
    told = {
        "made": made.get("when"),
        "by": f"python -m convert batch {' '.join(map(str, arguments))}" if isinstance(arguments, list) else None,
        "took": words.seconds(took) if isinstance(took, int | float) else None,
        "not reached": f"{left} models" if left else None,
    }
    return {key: str(value) for key, value in told.items() if value}
