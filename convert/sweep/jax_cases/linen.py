"""Layers of ``flax.linen``, and its pools and attention."""

from __future__ import annotations

import inspect
from typing import Any

from convert.sweep.case import Case
from convert.sweep.jax_cases.build import Shape, linen
from convert.sweep.jax_cases.written import calls

ROW: Shape = ("N", 6)
STEPS: Shape = ("N", 5, 3)
TRACKS: Shape = ("N", "K", 3)
IMAGE: Shape = ("N", 8, 7, 4)
VOLUME: Shape = ("N", 5, 6, 4, 2)

#: Words by shape.
LAYERS: dict[str, dict[Shape, tuple[str, ...]]] = {
    "Dense": {ROW: ("4", "4, use_bias=False"), STEPS: ("4",), IMAGE: ("5",)},
    "DenseGeneral": {STEPS: ("4", "(2, 4)", "4, axis=(-2, -1)", "4, axis=1", "(2, 4), axis=(1, 2), use_bias=False",
                               "4, axis=(1,)")},
    "Einsum": {STEPS: ("(3, 4), 'nsi,io->nso'", "(5, 3, 2), 'nsi,sio->nso', use_bias=False")},
    "Conv": {
        STEPS: ("4, 3", "4, (3,), padding='VALID'", "4, 3, strides=2", "4, 3, padding='CAUSAL'",
                "4, 3, padding='CIRCULAR'", "4, 3, padding='REFLECT'", "4, 2, kernel_dilation=2", "4, 1"),
        IMAGE: ("6, (3, 3)", "6, (3, 2), padding='VALID'", "6, (3, 3), strides=(2, 2)",
                "6, (3, 3), strides=2, padding=1",
                "6, (3, 3), kernel_dilation=(2, 1)", "6, (3, 3), feature_group_count=2",
                "8, (3, 3), feature_group_count=4",
                "6, (3, 3), input_dilation=2, padding=1", "6, (3, 3), use_bias=False",
                "6, (3, 3), padding=((1, 0), (2, 1))",
                "6, (3, 3), mask=jnp.tril(jnp.ones((3, 3)))[:, :, None, None] * jnp.ones((3, 3, 4, 6))",
                "6, (3, 3), padding='CIRCULAR'", "6, (1, 1)"),
        VOLUME: ("4, (3, 3, 3)", "4, (2, 3, 2), padding='VALID', strides=(1, 2, 1)", "4, (2, 2, 2), kernel_dilation=2",
                 "4, (3, 2, 2), feature_group_count=2"),
        ("N", 2, 8, 7, 4): ("6, (3, 3)",),
        (8, 7, 4): ("6, (3, 3)",),
    },
    "ConvLocal": {STEPS: ("4, (3,)", "4, (2,), padding='VALID', strides=2"),
                  IMAGE: ("3, (3, 3), padding='VALID'", "3, (2, 3), use_bias=False")},
    "ConvTranspose": {
        STEPS: ("4, (3,)", "4, (3,), strides=(2,)", "4, (2,), strides=(3,), padding='VALID'",
                "4, (3,), padding='CIRCULAR'"),
        IMAGE: ("6, (3, 3)", "6, (3, 3), strides=(2, 2)", "6, (2, 2), strides=(2, 2), padding='VALID'",
                "6, (3, 3), kernel_dilation=(2, 2)", "6, (3, 3), strides=(2, 2), transpose_kernel=True",
                "6, (4, 3), strides=(2, 3)",
                "6, (3, 3), strides=(2, 2), padding=((1, 2), (0, 1))", "6, (3, 3), use_bias=False",
                "6, (3, 3), strides=(2, 2), padding='CIRCULAR'"),
        VOLUME: ("4, (3, 3, 3)", "4, (2, 2, 2), strides=(2, 2, 2), padding='VALID'"),
    },
    "BatchNorm": {ROW: ("use_running_average=True", "", "epsilon=0.1", "use_bias=False, use_scale=False"),
                  IMAGE: ("", "axis=1"), STEPS: ("",), VOLUME: ("",)},
    "GroupNorm": {ROW: ("num_groups=2",), STEPS: ("num_groups=3", "num_groups=None, group_size=1"),
                  IMAGE: ("num_groups=2", "num_groups=4, use_bias=False", "num_groups=2, use_scale=False, epsilon=0.1",
                          "num_groups=2, use_fast_variance=False"),
                  VOLUME: ("num_groups=1",)},
    "InstanceNorm": {STEPS: ("",), IMAGE: ("", "use_scale=False, use_bias=False", "epsilon=0.1", "feature_axes=1")},
    "LayerNorm": {ROW: ("", "use_bias=False", "use_bias=False, use_scale=False", "epsilon=0.1",
                        "use_fast_variance=False"),
                  STEPS: ("", "reduction_axes=(1, 2)", "reduction_axes=1, feature_axes=1"), IMAGE: ("",)},
    "RMSNorm": {ROW: ("", "use_scale=False", "epsilon=0.1"), STEPS: ("", "reduction_axes=(1, 2)"), IMAGE: ("",)},
    "PReLU": {ROW: ("", "negative_slope_init=0.3"), IMAGE: ("",)},
    "Dropout": {ROW: ("0.3, deterministic=True", "0.3"), IMAGE: ("0.3, broadcast_dims=(1, 2)",)},
    "Sequential": {ROW: ("[nn.Dense(5), nn.relu, nn.Dense(3)]",),
                   IMAGE: ("[nn.Conv(3, (3, 3)), nn.gelu, lambda e: nn.avg_pool(e, (2, 2)), nn.Dense(2)]",)},
    "WeightNorm": {ROW: ("nn.Dense(4)", "nn.Dense(4), use_scale=False", "nn.Dense(4), feature_axes=None"),
                   IMAGE: ("nn.Conv(4, (3, 3))",)},
    "SelfAttention": {STEPS: ("3", "1, use_bias=False", "2, qkv_features=8, out_features=5", "3, normalize_qk=True",
                              "3, dropout_rate=0.2")},
}  # fmt: skip

_ATTEND = "lambda m, x, y: m(x, y)"
_MASKED = "lambda m, x: m(x, mask=nn.make_causal_mask(x[:, :, 0]))"
_PADDED = "lambda m, x, f: m(x, mask=nn.make_attention_mask(f, f))"
_TWO: list[Shape] = [STEPS, ("N", 4, 3)]


def cases() -> list[Case]:
    return [
        *(linen(name, words, shape) for name, each in LAYERS.items() for shape, said in each.items() for words in said),
        linen("Embed", "7, 3", ("N", 5), does="lambda m, i: m(jnp.clip(i, 0, 6))", dtype="int32"),
        linen("Embed", "1, 3", ("N", 5), does="lambda m, i: m(jnp.clip(i, 0, 0))", dtype="int32"),
        linen("Embed", "7, 3", STEPS, does="lambda m, x: m.attend(x)"),
        *(linen("SpectralNorm", f"nn.{made}", shape, does="lambda m, x: m(x, update_stats=False)")
          for made, shape in (("Dense(4)", ROW), ("Conv(4, (3, 3))", IMAGE))),
        linen("BatchNorm", "use_running_average=True", [STEPS, ("N", 5, 1)], dtype=("float32", "bool"),
              does="lambda m, x, f: m(x, mask=f)"),
        linen("LayerNorm", "use_fast_variance=False", [STEPS, ("N", 5, 3)], dtype=("float32", "bool"),
              does="lambda m, x, f: m(x, mask=jnp.asarray(f).at[:, :, :2].set(True))"),
        linen("SelfAttention", "3", STEPS, does=_MASKED),
        *(linen(name, words, STEPS) for name in ("MultiHeadAttention", "MultiHeadDotProductAttention")
          for words in ("3", "2, qkv_features=8, out_features=5", "3, normalize_qk=True", "1, use_bias=False")),
        *(linen(name, "3", _TWO, does=_ATTEND) for name in ("MultiHeadAttention", "MultiHeadDotProductAttention")),
        *(linen(name, "3", STEPS, does=_MASKED) for name in ("MultiHeadAttention", "MultiHeadDotProductAttention")),
        *(linen(name, "3", [STEPS, ("N", 5)], does=_PADDED, dtype=("float32", "bool"))
          for name in ("MultiHeadAttention", "MultiHeadDotProductAttention")),
        *_recurrent(),
        *calls("flax.linen", FUNCTIONS),
    ]  # fmt: skip


def _recurrent() -> list[Case]:
    one: list[Shape] = [("N", 3), ("N", 4)]
    two: list[Shape] = [*one, ("N", 4)]
    single, double = "lambda m, x, h: m(h, x)", "lambda m, x, h, c: m((c, h), x)"
    cells = ("LSTMCell", "OptimizedLSTMCell", "GRUCell", "MGUCell", "SimpleCell")
    return [
        *(linen(n, w, two, does=double) for n in cells[:2]
          for w in ("4", "4, activation_fn=nn.relu, gate_fn=nn.hard_sigmoid")),
        *(linen(n, w, one, does=single) for n in cells[2:] for w in ("4", "4, activation_fn=nn.relu")),
        linen("MGUCell", "4, reset_gate=False", one, does=single),
        linen("SimpleCell", "4, residual=True", one, does=single),
        *(linen("RNN", f"nn.{n}(4)", STEPS) for n in cells),
        *(linen("RNN", f"nn.{n}(4), {w}", STEPS) for n in ("OptimizedLSTMCell", "GRUCell")
          for w in ("return_carry=True", "reverse=True", "reverse=True, keep_order=True", "unroll=5")),
        linen("RNN", "nn.LSTMCell(4), time_major=True", (5, "N", 3)),
        linen("RNN", "nn.GRUCell(4), return_carry=True", [STEPS, ("N",)], dtype=("float32", "int32"),
              does="lambda m, x, s: m(x, seq_lengths=jnp.clip(s, 1, 5))"),
        linen("RNN", "nn.SimpleCell(4), reverse=True, keep_order=True", [STEPS, ("N",)], dtype=("float32", "int32"),
              does="lambda m, x, s: m(x, seq_lengths=jnp.clip(s, 1, 5))"),
        linen("RNN", "nn.GRUCell(4)", [STEPS, ("N", 4)], does="lambda m, x, h: m(x, initial_carry=h)"),
        *(linen("Bidirectional", f"nn.RNN(nn.{n}(4)), nn.RNN(nn.{n}(4))", STEPS) for n in cells),
        linen("Bidirectional", "nn.RNN(nn.GRUCell(4)), nn.RNN(nn.GRUCell(4)), merge_fn=jnp.add", STEPS),
        linen("ConvLSTMCell", "4, (3, 3)", [IMAGE, IMAGE, IMAGE], does=double),
        linen("ConvLSTMCell", "4, (3,), use_bias=False", [("N", 6, 4)] * 3, does=double),
        linen("RNN", "nn.ConvLSTMCell(3, (3, 3))", ("N", 3, 6, 5, 2)),
        *(linen("RNN", f"nn.{n}(4)", TRACKS) for n in cells),
        linen("RNN", "nn.LSTMCell(4)", ("N", 24, 3), does="lambda m, x: m(x)[:, -1]"),
        linen("RNN", "nn.GRUCell(4), return_carry=True", [TRACKS, ("N",)], dtype=("float32", "int32"),
              does="lambda m, x, s: m(x, seq_lengths=jnp.clip(s, 1, x.shape[1]))"),
        linen("RNN", "nn.SimpleCell(4), time_major=True, reverse=True", [("K", "N", 3), ("N", 4)],
              does="lambda m, x, h: m(x, initial_carry=h)"),
        linen("RNN", "nn.ConvLSTMCell(3, (3, 3))", ("N", "K", 6, 5, 2)),
        linen("Bidirectional", "nn.RNN(nn.LSTMCell(4)), nn.RNN(nn.LSTMCell(4))", TRACKS),
    ]  # fmt: skip


#: Of images and sequences r, x ..., as :mod:`convert.sweep.jax_cases.written` has them.
FUNCTIONS: dict[str, tuple[str, ...]] = {
    "avg_pool": ("r, (2, 2)", "r, (2, 2), strides=(2, 2)", "r, (3, 2), strides=(2, 1), padding='SAME'",
                 "r, (3, 3), padding='SAME', count_include_pad=False", "x, (2,)",
                 "r, (2, 2), padding=((1, 0), (0, 1))"),
    "max_pool": ("r, (2, 2)", "r, (2, 2), strides=(2, 2)", "r, (3, 2), strides=(2, 1), padding='SAME'", "x, (2,)",
                 "r, (2, 2), padding=((1, 0), (0, 1))"),
    "pool": ("r, 0.0, lax.add, (2, 2), (1, 1), 'VALID'", "r, np.inf, lax.min, (2, 2), (2, 1), 'SAME'"),
    "dot_product_attention": ("r, 2 * r, r + 1", "r, r, r, bias=r[:, :, :1, 0].transpose(0, 2, 1)[:, :, None]"),
    "dot_product_attention_weights": ("r, 2 * r",),
    "make_attention_mask": ("x[:, :, 0] > 0, x[:, 0] > 0",),
    "make_causal_mask": ("x[:, :, 0]",),
    "combine_masks": ("c, d",),
}  # fmt: skip

_GENERIC = "the base class: it computes nothing"
_EIGHT = "8-bit floats, for training on GPUs"
EXCLUDED = {
    "flax.linen.Module": _GENERIC,
    "flax.linen.RNNCellBase": _GENERIC,
    **{f"flax.linen.{n}": _EIGHT for n in ("Fp8DirectDotGeneralOp", "Fp8DotGeneral", "Fp8DotGeneralOp", "Fp8Einsum",
                                           "NANOOFp8DotGeneralOp")},
}  # fmt: skip


def names(nn: Any) -> list[str]:
    """Layer classes, and functions of its modules of pools and attention; activations are those of ``jax.nn``."""
    homes = ("flax.linen.pooling", "flax.linen.attention")
    return [
        f"flax.linen.{n}"
        for n, v in vars(nn).items()
        if (inspect.isclass(v) and issubclass(v, nn.Module)) or (inspect.isfunction(v) and v.__module__ in homes)
    ]
