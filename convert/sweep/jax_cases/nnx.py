"""Layers of ``flax.nnx``, and its pools and attention."""

from __future__ import annotations

import inspect
from typing import Any

from convert.sweep.case import Case
from convert.sweep.jax_cases.build import Shape, nnx
from convert.sweep.jax_cases.linen import FUNCTIONS, IMAGE, ROW, STEPS, TRACKS, VOLUME
from convert.sweep.jax_cases.written import calls

#: Words by shape; behind each comes ``rngs=rngs``.
LAYERS: dict[str, dict[Shape, tuple[str, ...]]] = {
    "Linear": {ROW: ("6, 4", "6, 4, use_bias=False"), STEPS: ("3, 4",), IMAGE: ("4, 5",)},
    "LinearGeneral": {STEPS: ("3, 4", "3, (2, 4)", "(5, 3), 4, axis=(-2, -1)", "5, 4, axis=1",
                              "(5, 3), (2, 4), axis=(1, 2), use_bias=False")},
    "Einsum": {STEPS: ("'nsi,io->nso', (3, 4), (4,)", "'nsi,sio->nso', (5, 3, 2)")},
    "Conv": {
        STEPS: ("3, 4, 3", "3, 4, (3,), padding='VALID'", "3, 4, 3, strides=2", "3, 4, 3, padding='CAUSAL'",
                "3, 4, 3, padding='CIRCULAR'", "3, 4, 3, padding='REFLECT'", "3, 4, 2, kernel_dilation=2"),
        IMAGE: ("4, 6, (3, 3)", "4, 6, (3, 2), padding='VALID'", "4, 6, (3, 3), strides=(2, 2)",
                "4, 6, (3, 3), strides=2, padding=1", "4, 6, (3, 3), kernel_dilation=(2, 1)",
                "4, 6, (3, 3), feature_group_count=2", "4, 8, (3, 3), feature_group_count=4",
                "4, 6, (3, 3), input_dilation=2, padding=1", "4, 6, (3, 3), use_bias=False",
                "4, 6, (3, 3), mask=jnp.tril(jnp.ones((3, 3)))[:, :, None, None] * jnp.ones((3, 3, 4, 6))"),
        VOLUME: ("2, 4, (3, 3, 3)", "2, 4, (2, 3, 2), padding='VALID', strides=(1, 2, 1)"),
        ("N", 2, 8, 7, 4): ("4, 6, (3, 3)",),
    },
    "ConvTranspose": {
        STEPS: ("3, 4, (3,)", "3, 4, (3,), strides=(2,)", "3, 4, (2,), strides=(3,), padding='VALID'"),
        IMAGE: ("4, 6, (3, 3)", "4, 6, (3, 3), strides=(2, 2)", "4, 6, (2, 2), strides=(2, 2), padding='VALID'",
                "4, 6, (3, 3), kernel_dilation=(2, 2)", "4, 6, (3, 3), strides=(2, 2), transpose_kernel=True",
                "4, 6, (3, 3), strides=(2, 2), padding='CIRCULAR'", "4, 6, (3, 3), use_bias=False"),
        VOLUME: ("2, 4, (3, 3, 3)", "2, 4, (2, 2, 2), strides=(2, 2, 2), padding='VALID'"),
    },
    "BatchNorm": {ROW: ("6", "6, use_running_average=True", "6, epsilon=0.1", "6, use_bias=False, use_scale=False"),
                  IMAGE: ("4", "8, axis=1"), VOLUME: ("2",)},
    "GroupNorm": {ROW: ("6, num_groups=2",), STEPS: ("3, num_groups=3", "3, num_groups=None, group_size=1"),
                  IMAGE: ("4, num_groups=2", "4, num_groups=4, use_bias=False",
                          "4, num_groups=2, use_scale=False, epsilon=0.1")},
    "InstanceNorm": {STEPS: ("3",), IMAGE: ("4", "4, use_scale=False, use_bias=False", "4, epsilon=0.1")},
    "LayerNorm": {ROW: ("6", "6, use_bias=False", "6, use_bias=False, use_scale=False", "6, use_fast_variance=False"),
                  STEPS: ("3", "5, reduction_axes=1, feature_axes=1"), IMAGE: ("4",)},
    "RMSNorm": {ROW: ("6", "6, use_scale=False", "6, epsilon=0.1"), STEPS: ("3",), IMAGE: ("4",)},
    "Dropout": {ROW: ("0.3", "0.3, deterministic=True"), IMAGE: ("0.3, broadcast_dims=(1, 2)",)},
    "LoRA": {ROW: ("6, 2, 4", "6, 2, 4, base_module=nn.Linear(6, 4, rngs=rngs)")},
    "LoRALinear": {ROW: ("6, 4, lora_rank=2",), STEPS: ("3, 4, lora_rank=1",)},
    "WeightNorm": {ROW: ("nn.Linear(6, 4, rngs=rngs)",), IMAGE: ("nn.Conv(4, 4, (3, 3), rngs=rngs)",)},
    "MultiHeadAttention": {STEPS: ("3, 3, decode=False", "2, 3, qkv_features=8, out_features=5, decode=False",
                                   "3, 3, qkv_features=6, normalize_qk=True, decode=False",
                                   "1, 3, use_bias=False, decode=False", "3, 3, dropout_rate=0.2, decode=False")},
}  # fmt: skip

_TWO: list[Shape] = [STEPS, ("N", 4, 3)]
_HEADS = "3, 3, decode=False, rngs=rngs"


def cases() -> list[Case]:
    return [
        *(nnx(name, f"{words}, rngs=rngs", shape)
          for name, each in LAYERS.items() for shape, said in each.items() for words in said),
        nnx("PReLU", "", ROW), nnx("PReLU", "negative_slope_init=0.3", IMAGE),
        nnx("Sequential", "nn.Linear(6, 5, rngs=rngs), nn.relu, nn.Linear(5, 3, rngs=rngs)", ROW),
        nnx("Sequential", "nn.Conv(4, 3, (3, 3), rngs=rngs), nn.gelu, lambda e: nn.avg_pool(e, (2, 2))", IMAGE),
        nnx("List", "[nn.Linear(6, 6, rngs=rngs), nn.Linear(6, 6, rngs=rngs)]", ROW,
            does="lambda m, x: m[1](nn.relu(m[0](x)))"),
        nnx("Dict", "one=nn.Linear(6, 6, rngs=rngs), two=nn.Linear(6, 6, rngs=rngs)", ROW,
            does="lambda m, x: m['two'](nn.relu(m['one'](x)))"),
        nnx("Embed", "7, 3, rngs=rngs", ("N", 5), does="lambda m, i: m(jnp.clip(i, 0, 6))", dtype="int32"),
        nnx("Embed", "7, 3, rngs=rngs", STEPS, does="lambda m, x: m.attend(x)"),
        nnx("SpectralNorm", "nn.Linear(6, 4, rngs=rngs), rngs=rngs", ROW, does="lambda m, x: m(x, update_stats=False)"),
        nnx("SpectralNorm", "nn.Conv(4, 4, (3, 3), rngs=rngs), update_stats=False, rngs=rngs", IMAGE),
        nnx("BatchNorm", "3, rngs=rngs", [STEPS, ("N", 5, 1)], dtype=("float32", "bool"),
            does="lambda m, x, f: m(x, mask=f)"),
        nnx("MultiHeadAttention", _HEADS, _TWO, does="lambda m, x, y: m(x, y)"),
        nnx("MultiHeadAttention", _HEADS, STEPS, does="lambda m, x: m(x, mask=nn.make_causal_mask(x[:, :, 0]))"),
        nnx("MultiHeadAttention", _HEADS, STEPS, does="lambda m, x: m(x, is_causal=True)"),
        nnx("MultiHeadAttention", _HEADS, [STEPS, ("N", 5)], dtype=("float32", "bool"),
            does="lambda m, x, f: m(x, mask=nn.make_attention_mask(f, f))"),
        *_recurrent(),
        *calls("flax.nnx", {n: FUNCTIONS[n] for n in FUNCTIONS if n != "dot_product_attention_weights"}),
        *calls("flax.nnx", {"min_pool": ("r, (2, 2)", "r, (2, 2), padding='SAME'")}),
    ]  # fmt: skip


def _recurrent() -> list[Case]:
    one: list[Shape] = [("N", 3), ("N", 4)]
    two: list[Shape] = [*one, ("N", 4)]
    single, double = "lambda m, x, h: m(h, x)", "lambda m, x, h, c: m((c, h), x)"
    cells = ("LSTMCell", "OptimizedLSTMCell", "GRUCell", "SimpleCell")
    made = {n: f"nn.{n}(3, 4, rngs=rngs)" for n in cells}
    return [
        *(nnx(n, f"3, 4, {w}rngs=rngs", two, does=double) for n in cells[:2]
          for w in ("", "activation_fn=nn.relu, gate_fn=nn.hard_sigmoid, ")),
        *(nnx(n, f"3, 4, {w}rngs=rngs", one, does=single) for n in cells[2:] for w in ("", "activation_fn=nn.relu, ")),
        nnx("SimpleCell", "3, 4, residual=True, rngs=rngs", one, does=single),
        *(nnx("RNN", f"{m}, rngs=rngs", STEPS) for m in made.values()),
        *(nnx("RNN", f"{made[n]}, {w}, rngs=rngs", STEPS) for n in ("OptimizedLSTMCell", "GRUCell")
          for w in ("return_carry=True", "reverse=True", "reverse=True, keep_order=True", "unroll=5")),
        nnx("RNN", f"{made['LSTMCell']}, time_major=True, rngs=rngs", (5, "N", 3)),
        nnx("RNN", f"{made['GRUCell']}, return_carry=True, rngs=rngs", [STEPS, ("N",)], dtype=("float32", "int32"),
            does="lambda m, x, s: m(x, seq_lengths=jnp.clip(s, 1, 5))"),
        nnx("RNN", f"{made['GRUCell']}, rngs=rngs", [STEPS, ("N", 4)], does="lambda m, x, h: m(x, initial_carry=h)"),
        *(nnx("Bidirectional", f"nn.RNN({m}), nn.RNN({m}), rngs=rngs", STEPS) for m in made.values()),
        *(nnx("RNN", f"{m}, rngs=rngs", TRACKS) for m in made.values()),
        nnx("RNN", f"{made['LSTMCell']}, rngs=rngs", ("N", 24, 3), does="lambda m, x: m(x)[:, -1]"),
        nnx("RNN", f"{made['GRUCell']}, return_carry=True, rngs=rngs", [TRACKS, ("N",)], dtype=("float32", "int32"),
            does="lambda m, x, s: m(x, seq_lengths=jnp.clip(s, 1, x.shape[1]))"),
        nnx("Bidirectional", f"nn.RNN({made['GRUCell']}), nn.RNN({made['GRUCell']}), rngs=rngs", TRACKS),
    ]  # fmt: skip


_GENERIC = "the base class: it computes nothing"
EXCLUDED = {"flax.nnx.Module": _GENERIC, "flax.nnx.RNNCellBase": _GENERIC}


def names(nn: Any) -> list[str]:
    """Layer classes, and functions of Flax's modules of pools and attention; activations are those of ``jax.nn``."""
    homes = ("flax.linen.pooling", "flax.nnx.nn.attention")
    return [
        f"flax.nnx.{n}"
        for n, v in vars(nn).items()
        if (inspect.isclass(v) and issubclass(v, nn.Module)) or (inspect.isfunction(v) and v.__module__ in homes)
    ]
