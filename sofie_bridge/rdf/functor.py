"""The text of ``<name>_rdf.hxx``: a functor for RDataFrame, made for a model's own inputs and outputs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from convert.spec import TensorSpec
from sofie_bridge.columns import CPP, Feed, Layout
from sofie_bridge.filled import filled
from sofie_bridge.names import comment


def functor_name(model: str) -> str:
    """The class in ``namespace sofie``.

    >>> functor_name("tagger")
    'TaggerFunctor'
    """
    return f"{title(model)}Functor"


def title(model: str) -> str:
    return model[:1].upper() + model[1:]


def functor_text(layout: Layout, header: str, space: str = "sofie") -> str:
    """C++17 where the header is, with no more than ROOT's RVec.

    :param header: the name of the header's file, as in ``#include``. :param space: the namespace.
    """
    return filled("rdf.hxx.j2", _facts(layout, header, space))


def _facts(layout: Layout, header: str, space: str) -> dict[str, Any]:
    names = layout.interface.names
    symbols = list(layout.open)
    values = {s: f"sizes[{k}]" for k, s in enumerate(symbols)} | (
        {layout.batch: "events.count"} if layout.batch else {}
    )
    unmasked = [(k, layout.least(s)) for k, s in enumerate(symbols) if s not in layout.masked]
    outputs = [_output(o, layout) for o in layout.interface.outputs]
    return {
        "name": names.name,
        "space": space,
        "guard": f"{space}_{names.name}_rdf_hxx".upper(),
        "title": title(names.name),
        "namespace": names.namespace,
        "header": header,
        "weights": names.weights,
        "weights_argument": f', "{names.weights}"' if names.weights else "",
        "quoted_columns": ", ".join(json.dumps(comment(c.name)) for c in layout.columns),
        "feeds": [_feed(f, layout) for f in layout.feeds],
        "gives": ", ".join(f"{o['name']}: {o['type']}" for o in outputs),
        "several": len(outputs) > 1,
        "outputs": outputs,
        "open": symbols,
        "columns": layout.columns,
        "types": [c.type for c in layout.columns],
        "checks": list(_checks(layout)),
        "session_sizes": [values[s] for s in names.sizes],
        "arguments": [values.get(a, f"events.{a}.data()") for a in names.arguments],
        "nothing": " || ".join(f"sizes[{k}] < {n}" for k, n in unmasked) or "false",
        "batched": layout.batched,
    }


def _positions(layout: Layout) -> dict[str, range]:
    """Where each input's columns stand among all; a column may feed several inputs."""
    found, start = {}, 0
    for feed in layout.feeds:
        found[feed.tensor.name] = range(start, start + len(feed.columns))
        start += len(feed.columns)
    return found


def _feed(feed: Feed, layout: Layout) -> dict[str, Any]:
    positions = _positions(layout)
    told_by = feed.of[0] if feed.way == "mask" else feed.tensor.name
    length, size = feed.length, "length"
    if isinstance(length, str):
        size = f"sizes[{list(layout.open).index(length)}]"
    columns = ", ".join(comment(c.name) for c in feed.columns)
    told = {
        "scalars": columns,
        "values": f"{columns}, all elements row by row",
        "rows": f"{columns}, lists" + (f" padded or cut to {length}" if isinstance(length, int) else ""),
        "mask": f"{feed.real} where {', '.join(feed.of)} is filled, {1 - feed.real} for padding; no column",
    }[feed.way]
    return {
        "name": feed.tensor.name,
        "type": CPP[feed.tensor.dtype],
        "way": feed.way,
        "told": f"{feed.tensor}: {told}",
        "length": size if isinstance(length, str) else str(length if isinstance(length, int) else 1),
        "elements": f"length * {feed.rest}" if feed.long is not None else str(feed.rest),
        "positions": positions[told_by],
        "interleaved": feed.interleaved,
        "rest": feed.rest,
        "real": feed.real,
    }


def _output(output: TensorSpec, layout: Layout) -> dict[str, Any]:
    elements = layout.elements(output)
    number = CPP[output.dtype]
    return {
        "name": output.name,
        "number": number,
        "scalar": elements == 1,
        "type": number if elements == 1 else f"ROOT::VecOps::RVec<{number}>",
        "elements": elements or 0,
        "known": elements is not None,
        "vanishes": layout.vanishes(output),
    }


def _checks(layout: Layout) -> Iterator[str]:
    """Statements that measure one event's lists."""
    positions = _positions(layout)
    model = json.dumps(layout.interface.names.name)
    symbols = list(layout.open)
    seen: dict[int | str, Feed] = {}
    for feed in (f for f in layout.feeds if f.columns and f.columns[0].jagged):
        gets = ", ".join(f"std::get<{k}>(columns)" for k in positions[feed.tensor.name])
        real, names = f"real_{feed.tensor.name}", json.dumps(", ".join(comment(c.name) for c in feed.columns))
        yield f"[[maybe_unused]] const std::size_t {real} = ::sofie::columns_1::same({model}, {names}, {gets});"
        if feed.way == "values":
            wrong = f"{real} % {feed.rest} != 0" if feed.long is not None else f"{real} != {feed.rest}"
            told = (
                f" values, which is no multiple of {feed.rest}"
                if feed.long is not None
                else f" values, not {feed.rest}"
            )
            said = f'{names[:-1]} has " + std::to_string({real}) + "{told}"'
            yield f"if ({wrong}) ::sofie::columns_1::refuse({model}, {said});"
        if not isinstance(feed.length, str):
            continue
        size = f"{real} / {feed.rest}" if feed.way == "values" else real
        if feed.length in seen:
            both = json.dumps(f"{seen[feed.length].tensor.name} and {feed.tensor.name}")
            yield f"::sofie::columns_1::agree({model}, {both}, sizes[{symbols.index(feed.length)}], {size});"
        else:
            yield f"sizes[{symbols.index(feed.length)}] = {size};"
            seen[feed.length] = feed
    for feed in (f for f in layout.feeds if f.way == "mask"):
        for other in feed.of[1:]:
            yield f'::sofie::columns_1::agree({model}, "{feed.of[0]} and {other}", real_{feed.of[0]}, real_{other});'
    for symbol in symbols:
        if symbol in layout.masked:
            k = symbols.index(symbol)
            yield f"sizes[{k}] = std::max<std::size_t>(sizes[{k}], {layout.least(symbol)});"
