"""Attention: dot-product, additive, with heads and groups, of oneself and of others, with masks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convert.sweep.case import Case
from convert.sweep.keras_cases.build import built

QUERY, OTHER = (5, 8), (7, 8)


def cases() -> list[Case]:
    return [*_plain("Attention"), *_plain("AdditiveAttention"), *_scores(), *_heads(), *_groups()]


def _plain(name: str) -> list[Case]:
    def with_call(words: str, shapes: Any, dtype: Any = "float32", **call: Any) -> Case:
        def run(k: Any, *x: Any) -> Any:
            masks = {"mask": list(x[-2:])} if "mask" in words else {}
            values = list(x[:-2]) if masks else list(x)
            return getattr(k.layers, name)()(values, **masks, **call)

        return built(name, words, shapes, run, dtype=dtype)

    masked = ("float32", "float32", "bool", "bool")
    return [
        with_call("query and value", [QUERY, OTHER]),
        with_call("query, value and key", [QUERY, (7, 6), OTHER] if name == "Attention" else [QUERY, OTHER, OTHER]),
        with_call("causal", [QUERY, QUERY], use_causal_mask=True),
        with_call("scores too", [QUERY, OTHER], return_attention_scores=True),
        with_call("masks", [QUERY, OTHER, (5,), (7,)], masked),
    ]


def _scores() -> list[Case]:
    def of(name: str, **given: Any) -> Case:
        words = ", ".join(f"{k}={v}" for k, v in given.items())
        return built(name, words, [QUERY, OTHER], lambda k, q, v: getattr(k.layers, name)(**given)([q, v]))

    return [
        of("Attention", use_scale=True),
        of("Attention", score_mode="concat"),
        of("Attention", score_mode="concat", use_scale=True),
        of("Attention", dropout=0.3),
        of("AdditiveAttention", use_scale=False),
    ]


def _attend(
    name: str, made: Mapping[str, Any], words: str = "", shapes: Any = None, dtype: Any = "float32", **call: Any
) -> Case:
    """``made``: arguments of the layer; ``call``: of its call, a number being that input."""
    said = [f"{k}={v}" for k, v in made.items()] + ([words] if words else [])

    def run(k: Any, *x: Any) -> Any:
        given = {n: x[v] if type(v) is int else v for n, v in call.items()}
        return getattr(k.layers, name)(**made)(**({"query": x[0], "value": x[0]} | given))

    return built(name, ", ".join(said), shapes or [QUERY], run, dtype=dtype)


def _heads() -> list[Case]:
    name, base = "MultiHeadAttention", {"num_heads": 2, "key_dim": 3}
    both, masked = [QUERY, OTHER], ("float32", "float32", "bool")
    image = [(3, 4, 8)]
    return [
        _attend(name, base, "self"),
        _attend(name, base, "cross", both, value=1),
        _attend(name, base, "cross with key", [*both, (7, 6)], value=1, key=2),
        _attend(name, base, "causal", use_causal_mask=True),
        _attend(name, base, "scores too", both, value=1, return_attention_scores=True),
        _attend(name, base, "attention_mask", [*both, (5, 7)], masked, value=1, attention_mask=2),
        _attend(name, base, "value_mask", [*both, (7,)], masked, value=1, value_mask=2),
        _attend(name, base, "query_mask and causal", [QUERY, (5,)], ("float32", "bool"), query_mask=1,
                use_causal_mask=True),
        _attend(name, {**base, "use_bias": False}),
        _attend(name, {**base, "value_dim": 4}),
        _attend(name, {**base, "output_shape": 6}),
        _attend(name, {**base, "dropout": 0.2}),
        _attend(name, {**base, "flash_attention": False}),
        _attend(name, {**base, "attention_axes": (1, 2)}, "image", image),
        _attend(name, {**base, "attention_axes": (2,)}, "image", image),
        _attend(name, base, "open steps", [(None, 8)]),
        _attend(name, base, "open steps, causal", [(None, 8)], use_causal_mask=True),
        built(name, "encoder block", QUERY, _encoder),
        built(name, "mask of an Embedding", (6,), _embedded, dtype="int32"),
    ]  # fmt: skip


def _encoder(k: Any, x: Any) -> Any:
    attended = k.layers.LayerNormalization()(x + k.layers.MultiHeadAttention(2, 4)(x, x))
    inner = k.layers.Dense(8)(k.layers.Dense(16, activation="gelu")(attended))
    return k.layers.LayerNormalization()(attended + inner)


def _embedded(k: Any, x: Any) -> Any:
    embedded = k.layers.Embedding(9, 8, mask_zero=True)(x)
    return k.layers.MultiHeadAttention(2, 4)(embedded, embedded)


def _groups() -> list[Case]:
    name, base = "GroupQueryAttention", {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
    both, masked = [QUERY, OTHER], ("float32", "float32", "bool")
    return [
        _attend(name, base, "self"),
        _attend(name, base, "cross", both, value=1),
        _attend(name, base, "causal", use_causal_mask=True),
        _attend(name, base, "scores too", return_attention_scores=True),
        _attend(name, base, "attention_mask", [*both, (5, 7)], masked, value=1, attention_mask=2),
        _attend(name, {**base, "use_bias": False}),
        _attend(name, {**base, "use_gate": True}),
        _attend(name, {**base, "num_key_value_heads": 1}),
        _attend(name, {**base, "num_key_value_heads": 4}),
    ]
