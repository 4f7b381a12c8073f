"""Recurrent modules and their cells."""

from __future__ import annotations

from typing import Any

from convert.sweep.case import Case
from convert.sweep.torch_cases.build import Shape, built, calling, each, module

STEPS: Shape = (5, "N", 3)
ROWS: Shape = ("N", 5, 3)


def cases() -> list[Case]:
    return [*(c for name in ("LSTM", "GRU", "RNN") for c in (*_named(name), *_cell(name)))]


def _named(name: str) -> list[Case]:
    base: dict[str, Any] = {"input_size": 3, "hidden_size": 4}
    first = base | {"batch_first": True}
    deep = {"num_layers": 3}
    both = {"bidirectional": True}
    found = [
        *each(module, name, STEPS, base, both),
        *each(module, name, ROWS, first, deep, both, deep | both, {"bias": False}, {"num_layers": 2, "dropout": 0.3}),
        module(name, (5, 3), **base, words="no batch"),
        module(name, ("N", "T", 3), **first, words="open steps"),
        _with_state(name, "initial state", 1, 1, ROWS, first),
        _with_state(name, "initial state, num_layers=2, bidirectional=True", 2, 2, ROWS,
                    first | both | {"num_layers": 2}),
        built(f"torch.nn.{name}", "then Linear, last step", ROWS,
              lambda t: calling(lambda r, d, x: d(r(x)[0][:, -1]), getattr(t.nn, name)(**first), t.nn.Linear(4, 2))),
    ]  # fmt: skip
    if name == "LSTM":
        found += each(module, name, ROWS, first | {"proj_size": 2}, both)
    if name == "RNN":
        found += each(module, name, ROWS, first | {"nonlinearity": "relu"}, deep | both)
    return found


def _with_state(name: str, words: str, layers: int, ways: int, shape: Shape, given: dict[str, Any]) -> Case:
    """The state as it is passed by users: one tensor, or a tuple of two."""
    state: Shape = (layers * ways, "N", 4)

    def make(torch: Any) -> Any:
        made = getattr(torch.nn, name)(**given)
        return calling(lambda r, x, *s: r(x, s if name == "LSTM" else s[0]), made)

    return built(f"torch.nn.{name}", words, [shape, *[state] * (2 if name == "LSTM" else 1)], make)


def _cell(name: str) -> list[Case]:
    base: dict[str, Any] = {"input_size": 3, "hidden_size": 4}
    full = f"torch.nn.{name}Cell"
    states: list[Shape] = [("N", 4)] * (2 if name == "LSTM" else 1)

    def stepped(torch: Any) -> Any:
        made = getattr(torch.nn, f"{name}Cell")(**base)
        return calling(lambda c, x, *s: c(x, s if name == "LSTM" else s[0]), made)

    found = [
        *each(module, f"{name}Cell", ("N", 3), base, {"bias": False}),
        built(full, "with state", [("N", 3), *states], stepped),
    ]
    return found + ([module("RNNCell", ("N", 3), **base, nonlinearity="relu")] if name == "RNN" else [])
