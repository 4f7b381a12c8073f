"""Random models of one to five nodes, from ONNX's schemas; and the smallest of those for which something holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

import onnx
import recipes_layers
import recipes_selection
import recipes_shapes
import recipes_signal
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from recipes import RECIPES
from sketch import KINDS, Draw, Impossible, Sketch

from rewrite.graph import OPSET

#: Modules whose import fills the table of recipes.
TABLES = (recipes_layers, recipes_selection, recipes_shapes, recipes_signal)

#: Attributes by name, where the schema's type alone would seldom give a value with a meaning.
FLAGS = ("detect_negative", "detect_positive", "saturate")
CHOICES: dict[str, tuple[object, ...]] = {
    "alpha": (0.5, 1.0, 0.1, 2.0, 0.0, -0.5),
    "approximate": ("none", "tanh"),
    "beta": (0.5, 0.2, 0.0, 1.5),
    "bias": (1.0, 0.5, 0.0, -0.5),
    "direction": ("LEFT", "RIGHT"),
    "epsilon": (1e-5, 1e-3, 0.1),
    "gamma": (1.0, 2.0, 0.5),
    "lambd": (0.5, 0.0, 1.5),
    "p": (2, 1, 3),
    "round_mode": ("up", "down", "nearest"),
}


#: Operators that want a recipe and are not worth one: they are refused by name.
REFUSED = ("ImageDecoder", "TfIdfVectorizer", "Multinomial", "OptionalGetElement", "OptionalHasElement")


MOST_NODES = 5


@dataclass(frozen=True)
class Candidate:
    """What was drawn: a model, or why there is none."""

    model: onnx.ModelProto | None
    problem: str = ""

    @property
    def text(self) -> str:
        """As the cases of rules have it."""
        return onnx.printer.to_text(self.model) if self.model is not None else self.problem


@cache
def schemas() -> dict[str, onnx.defs.OpSchema]:
    """ONNX's own operators at the version that rewriting works at, on tensors of numbers and without inner graphs."""
    newest: dict[str, onnx.defs.OpSchema] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.since_version <= OPSET:
            other = newest.get(schema.name)
            if other is None or other.since_version < schema.since_version:
                newest[schema.name] = schema
    return {n: s for n, s in sorted(newest.items()) if not s.deprecated and (n in RECIPES or _generic(s))}


def _generic(schema: onnx.defs.OpSchema) -> bool:
    """Can its inputs be drawn from their types alone: tensors of numbers, of one type, whose shapes broadcast?"""
    kinds = {i.type_str for i in schema.inputs}
    inner = (onnx.defs.OpSchema.AttrType.GRAPH, onnx.defs.OpSchema.AttrType.TYPE_PROTO)
    special = any(a.type in inner for a in schema.attributes.values()) or schema.name in REFUSED
    return len(kinds) == 1 and bool(allowed(schema, schema.inputs[0])) and not special


def allowed(schema: onnx.defs.OpSchema, operand: onnx.defs.OpSchema.FormalParameter) -> tuple[int, ...]:
    """Element types of an operand that are drawn at all."""
    names = {f"tensor({onnx.TensorProto.DataType.Name(k).lower()})": k for k in KINDS}
    return tuple(k for n, k in names.items() if n in operand.types)


@st.composite
def candidates(draw: Draw) -> Candidate:
    """One to five nodes; operators of a chain mostly read what the one before made."""
    sketch = Sketch(draw)
    try:
        for _ in range(MOST_NODES):
            if not draw(_nodes(sketch)):
                break
        return Candidate(sketch.model())
    except Impossible as error:
        return Candidate(None, str(error).strip().splitlines()[0][:200])


@st.composite
def _nodes(draw: Draw, sketch: Sketch) -> bool:
    """Add a node; whether there is to be another. Drawn as one, a node can be left out when a model is made small."""
    operator = draw(st.sampled_from(list(schemas())))
    if operator in RECIPES:
        RECIPES[operator](sketch, operator)
    else:
        _draw_generic(sketch, schemas()[operator])
    return draw(st.booleans())


def _draw_generic(s: Sketch, schema: onnx.defs.OpSchema) -> None:
    """Operands that broadcast; attributes by their names and types."""
    first = schema.inputs[0]
    ranks = (2, 1, 3, 4, 5) if "axis" in schema.attributes else (2, 1, 3, 4, 0, 5)
    x = s.take(allowed(schema, first), ranks)
    variadic = first.option == onnx.defs.OpSchema.FormalParameterOption.Variadic
    others = s.integer(0, 2) if variadic else len(schema.inputs) - 1
    operands = [x, *(s.like(x.kind, s.partner(x.shape)) for _ in range(others))]
    if len(operands) == 2 and s.chance(30):
        operands.reverse()
    attributes: dict[str, Any] = {n: _attribute(s, a, x.rank) for n, a in schema.attributes.items()}
    s.node(schema.name, operands, **attributes)


def _attribute(s: Sketch, attribute: onnx.defs.OpSchema.Attribute, rank: int) -> object:
    if not attribute.required and s.chance(30):
        return None
    if attribute.name == "axis":
        return s.axis(rank)
    if attribute.name == "axes":
        return s.axes(rank)
    if attribute.name in FLAGS:
        return s.flag()
    return s.one(CHOICES[attribute.name]) if attribute.name in CHOICES else None


#: Of what hypothesis generates from a seed, the first is the simplest there is, whatever the seed; the second is drawn.
FIRST_DRAWN = 2


def draw_candidate(seed: int) -> Candidate:
    """What hypothesis draws from a seed: the same each time. One a seed, since it goes on with variations on that."""
    drawn: list[Candidate] = []

    def keep(candidate: Candidate) -> bool:
        drawn.append(candidate)
        return False

    _find(keep, seed, FIRST_DRAWN, phases=[Phase.generate])
    return drawn[-1]


def smallest(seed: int, fits: Callable[[Candidate], bool]) -> Candidate | None:
    """The smallest candidate for which ``fits`` holds, by hypothesis' shrinking of what the seed gives."""
    return _find(fits, seed, FIRST_DRAWN, phases=[Phase.generate, Phase.shrink])


def _find(fits: Callable[[Candidate], bool], seed: int, count: int, *, phases: Sequence[Phase]) -> Candidate | None:
    options = settings(
        max_examples=count,
        phases=phases,
        database=None,
        derandomize=False,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    try:
        return find(candidates(), fits, settings=options, random=Random(seed))
    except NoSuchExample:
        return None
