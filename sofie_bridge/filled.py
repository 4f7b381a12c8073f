"""Templates of C++ and what belongs to it, filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def filled(template: str, facts: Mapping[str, Any], *, package: str = "sofie_bridge", folder: str = "templates") -> str:
    """The text of a template of the package's; a fact that it names and that is missing is an error."""
    import jinja2  # only what writes a header pays for it

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package, folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # C++, not HTML
    )
    return environment.get_template(template).render(facts)
