"""The C++ that :func:`sofie_bridge.rdf.define` has compiled: the functor and what puts it on a dataframe."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from convert.errors import UsageError
from sofie_bridge.columns import CPP, Layout
from sofie_bridge.filled import filled
from sofie_bridge.rdf.functor import functor_text, title


@dataclass(frozen=True)
class Source:
    """C++ behind an ``#include`` of the header.

    :param function: the name of the function in it, another for every other text:
        ``RNode f(RNode, weights, names, columns, keys, empty, block)``. :param declaration: of that function.
    """

    text: str
    function: str
    declaration: str


def source(layout: Layout, header: Path, parts: Sequence[str], keys: Sequence[str], *, for_cling: bool) -> Source:
    """Write it. Another header, layout or set of types gives another function, in a namespace of its own.

    :param header: read, for its digest; the text includes it by its name.
    :param parts: see :func:`parts_of`.
    :param keys: C++ types of the columns that name an event, for batches; none to run event by event.
    :param for_cling: who compiles it, which makes another function too; cling is given the header by its whole path.
    """
    name = layout.interface.names.name
    facts = {
        "name": name,
        "title": title(name),
        "types": [c.type for c in layout.columns],
        "parts": parts,
        "keys": keys,
    }
    plain = functor_text(layout, header.name) + filled("rdf_define.cxx.j2", {**facts, "space": "", "function": ""})
    digest = hashlib.sha256(plain.encode() + bytes([for_cling]) + header.read_bytes()).hexdigest()[:16]
    space, function = f"sofie_rdf_{digest}", f"sofie_rdf_define_{digest}"
    text = functor_text(layout, str(header) if for_cling else header.name, space)
    text += filled("rdf_define.cxx.j2", {**facts, "space": space, "function": function})
    return Source(text, function, _declaration(function))


def source_of_file(layout: Layout, file: str, parts: Sequence[str]) -> Source:
    """The same around the functor of a file that was written: ``file`` is included and nothing of it repeated."""
    name, function = layout.interface.names.name, f"sofie_rdf_define_{layout.interface.names.name}"
    facts = {"name": name, "title": title(name), "types": [c.type for c in layout.columns], "parts": parts, "keys": []}
    text = f'#include "{file}"\n' + filled("rdf_define.cxx.j2", {**facts, "space": "sofie", "function": function})
    return Source(text, function, _declaration(function))


def _declaration(function: str) -> str:
    texts = "const std::vector<std::string> &"
    arguments = f"const std::string &, {texts}, {texts}, {texts}, const std::vector<double> &, std::size_t"
    return f"#include <ROOT/RDataFrame.hxx>\nROOT::RDF::RNode {function}(ROOT::RDF::RNode, {arguments});"


def parts_of(layout: Layout, name: str | Sequence[str]) -> tuple[list[str], list[str]]:
    """Which columns the outputs become: their names, and C++ that takes each out of ``score``, the whole.

    One column takes the whole: then there is no C++.

    :param name: of the one output; or in front of the outputs' names; or one for each output, or for each number of the
        only output.
    :raises UsageError: as many names as there are neither outputs nor numbers.
    """
    outputs = layout.interface.outputs
    names = [name] if isinstance(name, str) else list(name)
    if len(outputs) > 1:
        if isinstance(name, str):
            names = [f"{name}_{o.name}" for o in outputs]
        if len(names) == len(outputs):
            return names, [f"score.{o.name}" for o in outputs]
    elif len(names) == 1:
        return names, []
    elif layout.elements(outputs[0]) == len(names):
        return names, [f"static_cast<{CPP[outputs[0].dtype]}>(score[{k}])" for k in range(len(names))]
    shown = ", ".join(map(str, outputs))
    raise UsageError(f"{len(names)} names for the outputs {shown}", advice="give one name, or one for each output")
