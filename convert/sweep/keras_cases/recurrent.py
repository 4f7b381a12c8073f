"""Recurrent layers, their cells and wrappers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from convert.sweep.case import Case
from convert.sweep.keras_cases.build import built, each, layer

STEPS = (5, 3)
_ALL: dict[str, Any] = {"return_sequences": True}
_NONE: dict[str, Any] = {}


def cases() -> list[Case]:
    return [
        *(c for name in ("LSTM", "GRU", "SimpleRNN") for c in _named(name)),
        *_own(),
        *_cells(),
        *_bidirectional(),
        *_convolutional(),
        *_distributed(),
    ]


def _named(name: str) -> list[Case]:
    base = {"units": 4}
    found = each(
        name, STEPS, base,
        _ALL, {"return_state": True}, _ALL | {"return_state": True}, {"go_backwards": True},
        _ALL | {"go_backwards": True},
        {"use_bias": False}, {"activation": "relu"}, {"unroll": True}, {"dropout": 0.2, "recurrent_dropout": 0.2},
        {"activation": "elu"},
    )  # fmt: skip
    if name != "SimpleRNN":
        found += each(name, STEPS, {**base, "recurrent_activation": "hard_sigmoid"}, _ALL)
    if name == "GRU":
        found += each(name, STEPS, {**base, "reset_after": False}, _ALL, {"use_bias": False})
    states = 2 if name == "LSTM" else 1
    return [
        *found,
        *each(name, (None, 3), base, _ALL, words="open steps"),
        built(name, "initial_state", [STEPS, *[(4,)] * states],
              lambda k, x, *s: getattr(k.layers, name)(4)(x, initial_state=list(s))),
        built(name, "stacked", STEPS, lambda k, x: _layer(k, name)(_layer(k, name, **_ALL)(x))),
        built(name, "masked", STEPS, lambda k, x: _layer(k, name)(k.layers.Masking()(x))),
        built(name, "masked, return_sequences=True", STEPS,
              lambda k, x: _layer(k, name, **_ALL)(k.layers.Masking()(x))),
        built(name, "mask given", [STEPS, (5,)], lambda k, x, m: _layer(k, name)(x, mask=m), dtype=("float32", "bool")),
        built(name, "mask of an Embedding", (6,), lambda k, x: _layer(k,
              name)(k.layers.Embedding(9, 3, mask_zero=True)(x)),
              dtype="int32"),
        built(name, "masked, go_backwards", STEPS, lambda k, x: _layer(k, name,
              go_backwards=True)(k.layers.Masking()(x))),
        built(name, "encoder and decoder", [STEPS, (4, 2)], lambda k, x, y: _decoded(k, name, x, y)),
    ]  # fmt: skip


def _layer(keras: Any, name: str, **given: Any) -> Any:
    return getattr(keras.layers, name)(4, **given)


def _decoded(keras: Any, name: str, x: Any, y: Any) -> Any:
    _, *states = _layer(keras, name, return_state=True)(x)
    return _layer(keras, name, **_ALL)(y, initial_state=states)


def _own() -> list[Case]:
    """``RNN`` around cells."""

    def run(words: str, cell: Callable[[Any], Any], **given: Any) -> Case:
        said = ", ".join([words, *(f"{k}={v}" for k, v in given.items())])
        return built("RNN", said, STEPS, lambda k, x: k.layers.RNN(cell(k), **given)(x))

    return [
        run("LSTMCell", lambda k: k.layers.LSTMCell(4)),
        run("GRUCell", lambda k: k.layers.GRUCell(4), return_sequences=True),
        run("SimpleRNNCell", lambda k: k.layers.SimpleRNNCell(4), go_backwards=True),
        run("a list of cells", lambda k: [k.layers.LSTMCell(4), k.layers.LSTMCell(3)], return_sequences=True),
        run("LSTMCell", lambda k: k.layers.LSTMCell(4), return_state=True),
        built("StackedRNNCells", "GRUCell, LSTMCell", STEPS, lambda k, x: k.layers.RNN(
            k.layers.StackedRNNCells([k.layers.GRUCell(3), k.layers.LSTMCell(4)]))(x)),
        built("RNN", "masked, zero_output_for_mask", STEPS, lambda k, x: k.layers.RNN(
            k.layers.GRUCell(4), return_sequences=True, zero_output_for_mask=True)(k.layers.Masking()(x))),
    ]  # fmt: skip


def _cells() -> list[Case]:
    """One step, as a user with a loop of his own has it."""

    def step(name: str, states: int, **given: Any) -> Case:
        said = ", ".join(["one step", *(f"{k}={v}" for k, v in given.items())])

        def call(k: Any, x: Any, *s: Any) -> Any:
            output, after = getattr(k.layers, name)(4, **given)(x, list(s))
            return [output, *after]

        return built(name, said, [(3,), *[(4,)] * states], call)

    return [
        step("LSTMCell", 2), step("LSTMCell", 2, use_bias=False),
        step("LSTMCell", 2, recurrent_activation="hard_sigmoid"),
        step("GRUCell", 1), step("GRUCell", 1, reset_after=False), step("GRUCell", 1, use_bias=False),
        step("SimpleRNNCell", 1), step("SimpleRNNCell", 1, use_bias=False), step("SimpleRNNCell", 1, activation="relu"),
    ]  # fmt: skip


def _bidirectional() -> list[Case]:
    def run(name: str, words: str = "", *, shape: Any = STEPS, masked: bool = False, **given: Any) -> Case:
        inner = {n: given.pop(n) for n in ("return_sequences", "return_state") if n in given}
        said = [name, *(f"{k}={v}" for k, v in (inner | given).items()), *([words] if words else [])]

        def call(k: Any, x: Any) -> Any:
            x = k.layers.Masking()(x) if masked else x
            return k.layers.Bidirectional(_layer(k, name, **inner), **given)(x)

        return built("Bidirectional", ", ".join(said), shape, call)

    kinds = [run(name, **given) for name in ("LSTM", "GRU", "SimpleRNN") for given in (_NONE, _ALL)]
    modes = [run("LSTM", merge_mode=m, **_ALL) for m in ("sum", "mul", "ave", None)]
    return [
        *kinds, *modes,
        run("GRU", merge_mode="sum"),
        run("LSTM", return_state=True),
        run("LSTM", "masked", masked=True),
        run("GRU", "open steps", shape=(None, 3)),
        built("Bidirectional", "backward_layer", STEPS, lambda k, x: k.layers.Bidirectional(
            k.layers.LSTM(4), backward_layer=k.layers.GRU(4, go_backwards=True))(x)),
        built("Bidirectional", "stacked", STEPS, lambda k, x: k.layers.Bidirectional(_layer(k, "GRU"))(
            k.layers.Bidirectional(_layer(k, "LSTM", **_ALL))(x))),
    ]  # fmt: skip


def _convolutional() -> list[Case]:
    found = []
    for rank, shape in {1: (3, 6, 2), 2: (3, 5, 6, 2), 3: (2, 4, 5, 3, 2)}.items():
        name, base = f"ConvLSTM{rank}D", {"filters": 3, "kernel_size": 2}
        found += each(name, shape, base, _ALL, {"padding": "same"}, {"strides": 2, "padding": "same"})
        found += each(name, shape, {**base, "return_state": True}, {"go_backwards": True}, {"use_bias": False})
        first = (shape[0], shape[-1], *shape[1:-1])
        found += each(name, first, {**base, "data_format": "channels_first"})
    return found + each(
        "ConvLSTM2D", (3, 5, 6, 2), {"filters": 3, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}
    )


def _distributed() -> list[Case]:
    def run(words: str, shape: Any, inner: Callable[[Any], Any], *, masked: bool = False) -> Case:
        def call(k: Any, x: Any) -> Any:
            return k.layers.TimeDistributed(inner(k))(k.layers.Masking()(x) if masked else x)

        return built("TimeDistributed", words, shape, call)

    def after(words: str, call: Callable[[Any, Any], Any]) -> Case:
        return built("Masking", words, STEPS, lambda k, x: call(k, k.layers.Masking(mask_value=0.5)(x)))

    return [
        run("Dense", (4, 3), lambda k: k.layers.Dense(2)),
        run("Dense, masked", (4, 3), lambda k: k.layers.Dense(2), masked=True),
        run("Conv2D", (2, 6, 5, 3), lambda k: k.layers.Conv2D(4, 3)),
        run("LSTM", (2, 5, 3), lambda k: k.layers.LSTM(4)),
        run("Dense, open steps", (None, 3), lambda k: k.layers.Dense(2)),
        run("BatchNormalization", (4, 3), lambda k: k.layers.BatchNormalization()),
        layer("Masking", STEPS),
        layer("Masking", STEPS, mask_value=1.0),
        after("mask_value=0.5, GlobalAveragePooling1D", lambda k, x: k.layers.GlobalAveragePooling1D()(x)),
        after("mask_value=0.5, Dense and LSTM", lambda k, x: k.layers.LSTM(4)(k.layers.Dense(3)(x))),
    ]
