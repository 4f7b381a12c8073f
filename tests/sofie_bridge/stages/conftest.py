"""Custom operators that are known for one test, and models with them as headers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from custom_operators import declare
from small_models import parse

from convert.custom import CustomOperator, declared_for
from rewrite.passes.infer_shapes import infer_shapes
from sofie_bridge.emit import Emitted
from sofie_bridge.sofie import Sofie
from sofie_bridge.stages.emit import emit


@pytest.fixture
def operators() -> Iterator[dict[str, CustomOperator]]:
    with declared_for():
        yield declare()


@pytest.fixture
def staged(operators: dict[str, CustomOperator], tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """``staged(text, name=..., weights=...)``: the model of a text, and what was emitted of it."""
    with Sofie() as sofie:

        def make(text: str, name: str = "net", **given: Any) -> tuple[onnx.ModelProto, Emitted]:
            model = infer_shapes(parse(text, domains={"test": 1, **given.pop("domains", {})}))
            return model, emit(model, name, tmp_path, sofie, **given)

        yield make
