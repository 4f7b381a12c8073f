"""Attention, of oneself and of others, with masks; transformers whole and in parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from convert.sweep.case import Case
from convert.sweep.torch_cases.build import Shape, Shapes, built, calling, words_of

QUERY: Shape = ("N", 5, 8)
OTHER: Shape = ("N", 7, 8)


def cases() -> list[Case]:
    return [*_heads(), *_products(), *_layers(), *_transformers(), _by_hand()]


def _heads() -> list[Case]:
    base: dict[str, Any] = {"embed_dim": 8, "num_heads": 2, "batch_first": True}
    masked = ("float32", "bool")
    return [
        _head(base, "self", QUERY, lambda m, x: m(x, x, x)),
        _head(base, "self, need_weights=False", QUERY, lambda m, x: m(x, x, x, need_weights=False)),
        _head(base, "self, every head's weights", QUERY, lambda m, x: m(x, x, x, average_attn_weights=False)),
        _head(base, "cross", [QUERY, OTHER], lambda m, x, y: m(x, y, y)),
        _head(base, "causal", QUERY, lambda m, x: m(
            x, x, x, attn_mask=_square(), is_causal=True)),
        _head(base, "bool attn_mask", [QUERY, (5, 5)], lambda m, x, y: m(x, x, x, attn_mask=_open(y)), masked),
        _head(base, "float attn_mask", [QUERY, (5, 5)], lambda m, x, y: m(x, x, x, attn_mask=y)),
        _head(base, "key_padding_mask", [QUERY, ("N", 5)],
              lambda m, x, y: m(x, x, x, key_padding_mask=_open(y)), masked),
        _head(base | {"batch_first": False}, "self", (5, "N", 8), lambda m, x: m(x, x, x)),
        _head(base, "no batch", (5, 8), lambda m, x: m(x, x, x)),
        _head(base, "open steps", ("N", "T", 8), lambda m, x: m(x, x, x)),
        _head(base | {"bias": False}, "self", QUERY, lambda m, x: m(x, x, x)),
        _head(base | {"add_bias_kv": True}, "self", QUERY, lambda m, x: m(x, x, x)),
        _head(base | {"add_zero_attn": True}, "self", QUERY, lambda m, x: m(x, x, x)),
        _head(base | {"kdim": 6, "vdim": 4}, "cross", [QUERY, ("N", 7, 6), ("N", 7, 4)],
              lambda m, x, y, z: m(x, y, z)),
        _head(base | {"dropout": 0.3}, "self", QUERY, lambda m, x: m(x, x, x)),
    ]  # fmt: skip


def _open(mask: Any) -> Any:
    """True shuts a key off; with none left, PyTorch's answer is no number."""
    import torch

    first = torch.arange(mask.shape[-1]) == 0
    return mask & ~first


def _head(
    given: Mapping[str, Any], words: str, shapes: Shapes, call: Callable[..., Any],
    dtype: str | Sequence[str] = "float32",
) -> Case:  # fmt: skip
    return _of("MultiheadAttention", given, words, shapes, call, dtype)


def _of(
    name: str, given: Mapping[str, Any], words: str, shapes: Shapes, call: Callable[..., Any],
    dtype: str | Sequence[str] = "float32",
) -> Case:  # fmt: skip
    """``call(torch.nn.<name>(**given), *inputs)``."""

    def make(torch: Any) -> Any:
        return calling(call, getattr(torch.nn, name)(**given))

    return built(f"torch.nn.{name}", ", ".join(filter(None, [words_of(given), words])), shapes, make, dtype=dtype)


def _products() -> list[Case]:
    query, key = ("N", 2, 5, 4), ("N", 2, 7, 4)
    all_three: Shapes = [query, key, key]

    def product(words: str, shapes: Shapes, dtype: str | Sequence[str] = "float32", **given: Any) -> Case:
        def call(torch: Any, q: Any, k: Any, v: Any, *mask: Any) -> Any:
            masks = [_open(m) if m.dtype == torch.bool else m for m in mask]
            return torch.nn.functional.scaled_dot_product_attention(q, k, v, *masks, **given)

        said = ", ".join(filter(None, [words_of(given), words]))
        return built(f"{_FUNCTION}.scaled_dot_product_attention", said, shapes,
                     lambda t: calling(lambda *x: call(t, *x)), dtype=dtype)  # fmt: skip

    return [
        product("", all_three),
        product("", [query, query, query], is_causal=True),
        product("", all_three, scale=0.3),
        product("float mask", [*all_three, (5, 7)]),
        product("bool mask", [*all_three, ("N", 1, 5, 7)], (*["float32"] * 3, "bool")),
        product("", [("N", 4, 5, 4), key, key], enable_gqa=True),
        product("rank 3", [("N", 5, 4), ("N", 7, 4), ("N", 7, 3)]),
    ]


_FUNCTION = "torch.nn.functional"


def _layers() -> list[Case]:
    base: dict[str, Any] = {"d_model": 8, "nhead": 2, "dim_feedforward": 12, "batch_first": True}
    encoder, decoder = "TransformerEncoderLayer", "TransformerDecoderLayer"
    variants: list[dict[str, Any]] = [{}, {"norm_first": True}, {"activation": "gelu"}, {"bias": False}]
    found = [_of(encoder, base | v, "", QUERY, lambda m, x: m(x)) for v in variants]
    found += [_of(decoder, base | v, "", [QUERY, OTHER], lambda m, x, y: m(x, y)) for v in variants]
    causal = "causal"
    return [
        *found,
        _of(encoder, base | {"batch_first": False}, "", (5, "N", 8), lambda m, x: m(x)),
        _of(encoder, base, causal, QUERY, lambda m, x: m(x, _square(), is_causal=True)),
        _of(encoder, base, "src_key_padding_mask", [QUERY, ("N", 5)],
            lambda m, x, y: m(x, src_key_padding_mask=_open(y)), ("float32", "bool")),
        _of(decoder, base, causal, [QUERY, OTHER], lambda m, x, y: m(x, y, _square(), tgt_is_causal=True)),
        _of(decoder, base, "memory_key_padding_mask", [QUERY, OTHER, ("N", 7)],
            lambda m, x, y, z: m(x, y, memory_key_padding_mask=_open(z)), ("float32", "float32", "bool")),
    ]  # fmt: skip


def _square() -> Any:
    import torch

    return torch.nn.Transformer.generate_square_subsequent_mask(5)


def _transformers() -> list[Case]:
    size: dict[str, Any] = {"nhead": 2, "dim_feedforward": 12, "batch_first": True}
    whole = size | {"d_model": 8, "num_encoder_layers": 2, "num_decoder_layers": 2}

    def stack(words: str, **given: Any) -> Case:
        def make(torch: Any) -> Any:
            layer = torch.nn.TransformerEncoderLayer(8, **size)
            return torch.nn.TransformerEncoder(layer, 2, norm=torch.nn.LayerNorm(8) if words else None, **given)

        said = ", ".join(filter(None, ["num_layers=2", words, words_of(given)]))
        return built("torch.nn.TransformerEncoder", said, QUERY, make)

    def decoder(torch: Any) -> Any:
        return torch.nn.TransformerDecoder(torch.nn.TransformerDecoderLayer(8, **size), 2)

    return [
        stack(""),
        stack("norm"),
        stack("", enable_nested_tensor=False),
        built("torch.nn.TransformerDecoder", "num_layers=2", [QUERY, OTHER], decoder),
        _of("Transformer", whole, "", [OTHER, QUERY], lambda m, x, y: m(x, y)),
        _of("Transformer", whole, "causal", [OTHER, QUERY],
            lambda m, x, y: m(x, y, tgt_mask=_square(), tgt_is_causal=True)),
        _of("Transformer", whole | {"norm_first": True}, "", [OTHER, QUERY], lambda m, x, y: m(x, y)),
    ]  # fmt: skip


def _by_hand() -> Case:
    def make(torch: Any) -> Any:
        attend = torch.nn.functional.multi_head_attention_forward

        def call(m: Any, x: Any) -> Any:
            out = m.out_proj
            return attend(x, x, x, 8, 2, m.in_proj_weight, m.in_proj_bias, None, None, False, 0.0, out.weight, out.bias,
                          training=False)  # fmt: skip

        return calling(call, torch.nn.MultiheadAttention(8, 2))

    return built(f"{_FUNCTION}.multi_head_attention_forward", "num_heads=2", (5, "N", 8), make)
