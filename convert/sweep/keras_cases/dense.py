"""Dense layers, embeddings, reshaping, merging and what stands beside them."""

from __future__ import annotations

from typing import Any

from convert.sweep.case import Case
from convert.sweep.keras_cases.build import Shape, built, each, first_axes, layer, whole
from convert.sweep.keras_cases.convolution import SHAPES

_FIRST: dict[str, Any] = {"data_format": "channels_first"}


def cases() -> list[Case]:
    return [*_core(), *_reshaping(), *_padding(), *_merging(), *_regularisation()]


def _core() -> list[Case]:
    ids = [whole((6,), 0, 9)]
    lora: dict[str, Any] = {"lora_rank": 2}
    return [
        *each("Dense", (5,), {"units": 3}, {"use_bias": False}, {"activation": "relu"}, lora),
        *each("Dense", (4, 5), {"units": 3}, {"activation": "softmax"}, words="rank 3"),
        *each("Dense", (2, 4, 5), {"units": 3}, words="rank 4"),
        *each("Dense", (None, 5), {"units": 3}, words="open axis"),
        *each("EinsumDense", (4, 5), {"equation": "abc,cd->abd", "output_shape": (None, 3)}, {"bias_axes": "d"}),
        *each("EinsumDense", (5,),
              {"equation": "ab,bc->ac", "output_shape": 3, "bias_axes": "c", "activation": "relu"}),
        *each("EinsumDense", (4, 6), {"equation": "abc,cde->abde", "output_shape": (None, 2, 3), "bias_axes": "de"}),
        *each("EinsumDense", (4, 5), {"equation": "...x,xy->...y", "output_shape": 3, "bias_axes": "y"}),
        *each("Embedding", (6,), {"input_dim": 9, "output_dim": 4}, dtype="int32", samples=ids),
        layer("Embedding", (6,), input_dim=9, output_dim=4, samples=[ids[0] + 0.5], words="float input"),
        _embedding_masked(),
        built("ReversibleEmbedding", "both ways", (6,), _reversible, dtype="int32", samples=ids),
        built("ReversibleEmbedding", "reverse", (3, 4),
              lambda k, x: k.layers.ReversibleEmbedding(9, 4)(x, reverse=True)),
        layer("Identity", (4, 3)),
        built("InputLayer", "as it is", (4,), lambda k, x: k.layers.Dense(2)(x)),
        built("Lambda", "x * x + 1", (4,), lambda k, x: k.layers.Lambda(lambda t: t * t + 1)(x)),
        built("Lambda", "keras.ops", (4, 3), lambda k, x: k.layers.Lambda(lambda t: k.ops.sum(k.ops.exp(t), -1))(x)),
    ]  # fmt: skip


def _embedding_masked() -> Case:
    def call(k: Any, x: Any) -> Any:
        return k.layers.GlobalAveragePooling1D()(k.layers.Embedding(9, 4, mask_zero=True)(x))

    return built(
        "Embedding", "mask_zero=True, GlobalAveragePooling1D", (6,), call, dtype="int32", samples=[whole((6,), 0, 9)]
    )


def _reversible(k: Any, x: Any) -> Any:
    made = k.layers.ReversibleEmbedding(9, 4, logit_soft_cap=3.0)
    return made(made(x), reverse=True)


def _reshaping() -> list[Case]:
    return [
        *each("Flatten", (3, 4, 2), {}, _FIRST),
        layer("Flatten", (), words="scalars"),
        layer("Flatten", (None, 4), words="open axis"),
        *each("Reshape", (6, 4), {"target_shape": (3, 8)}, {"target_shape": (-1, 2)}, {"target_shape": (24,)}),
        layer("Reshape", (None, 4), target_shape=(-1, 2), words="open axis"),
        *each("Permute", (3, 4, 5), {"dims": (2, 1, 3)}, {"dims": (3, 1, 2)}),
        layer("RepeatVector", (4,), n=3),
        layer("UpSampling1D", (5, 3), size=3),
        *each("UpSampling2D", (4, 5, 3), {}, {"size": (3, 2)}, {"interpolation": "bilinear"}),
        *each("UpSampling2D", (4, 5, 3), {"interpolation": "bicubic"}, {"interpolation": "lanczos3"},
              {"interpolation": "lanczos5"}),
        layer("UpSampling2D", (3, 4, 5), **_FIRST),
        *each("UpSampling3D", (3, 4, 5, 2), {}, {"size": (1, 2, 3)}),
        layer("UpSampling3D", (2, 3, 4, 5), **_FIRST),
    ]  # fmt: skip


def _padding() -> list[Case]:
    pairs = ((1, 2), (0, 1), (2, 0))
    found = [
        *each("Cropping1D", SHAPES[1], {}, {"cropping": (0, 2)}),
        *each("ZeroPadding1D", SHAPES[1], {}, {"padding": (0, 2)}),
        layer("ZeroPadding1D", first_axes(SHAPES[1]), padding=2, **_FIRST),
    ]
    for rank in (2, 3):
        shape: Shape = SHAPES[rank]
        for name, argument in (("Cropping", "cropping"), ("ZeroPadding", "padding")):
            values = ({argument: 1}, {argument: pairs[:rank]}, {argument: (1, 2, 1)[:rank]})
            found += each(f"{name}{rank}D", shape, *values)
            found += each(f"{name}{rank}D", first_axes(shape), {argument: 1} | _FIRST)
    return found


def _merging() -> list[Case]:
    two, three = [(4, 3), (4, 3)], [(4, 3), (4, 3), (4, 3)]
    found = []
    for name in ("Add", "Average", "Maximum", "Minimum", "Multiply"):
        found += [layer(name, two, words="2 inputs"), layer(name, three, words="3 inputs")]
        found.append(layer(name, [(4, 3), (1, 3)], words="broadcast"))
        found.append(layer(name, [(4, 3), (3,)], words="of other ranks"))
    return [
        *found,
        layer("Subtract", two),
        layer("Subtract", [(4, 3), (4, 1)], words="broadcast"),
        *each("Concatenate", two, {}, {"axis": 1}),
        layer("Concatenate", [(4, 3), (4, 2), (4, 1)], axis=-1, words="3 inputs"),
        *each("Dot", [(4, 3), (5, 3)], {"axes": 2}, {"axes": (2, 2)}, {"axes": 2, "normalize": True}),
        *each("Dot", [(4,), (4,)], {"axes": 1}, {"axes": -1, "normalize": True}),
        layer("Dot", [(4, 3), (3, 5)], axes=(2, 1)),
    ]


def _regularisation() -> list[Case]:
    return [
        layer("ActivityRegularization", (4, 3), l1=0.1),
        layer("AlphaDropout", (4, 3), rate=0.3),
        layer("Dropout", (4, 3), rate=0.3),
        layer("GaussianDropout", (4, 3), rate=0.3),
        layer("GaussianNoise", (4, 3), stddev=0.3),
        layer("SpatialDropout1D", (4, 3), rate=0.3),
        layer("SpatialDropout2D", (4, 3, 2), rate=0.3),
        layer("SpatialDropout3D", (4, 3, 2, 2), rate=0.3),
    ]
