"""How to draw a valid node of an operator whose schema's types alone hardly ever give one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sketch import Sketch

#: Draws a node of the operator (the second argument) into the sketch.
Recipe: TypeAlias = Callable[[Sketch, str], None]

RECIPES: dict[str, Recipe] = {}


def recipe(*operators: str) -> Callable[[Recipe], Recipe]:
    """Register a recipe for one or several operators."""

    def register(function: Recipe) -> Recipe:
        for operator in operators:
            assert operator not in RECIPES, operator
            RECIPES[operator] = function
        return function

    return register
