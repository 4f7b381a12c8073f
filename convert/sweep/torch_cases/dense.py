"""Linear modules, embeddings, padding, resizing, reshaping and similarities."""

from __future__ import annotations

from typing import Any

from convert.sweep.case import Case
from convert.sweep.torch_cases.build import Shape, Shapes, built, calling, each, function, index, module
from convert.sweep.torch_cases.convolution import SHAPES

ROWS: Shape = ("N", 5, 6)
IMAGE: Shape = ("N", 3, 4, 5)


def cases() -> list[Case]:
    return [
        *_linear(),
        *_embeddings(),
        *(c for rank in SHAPES for c in _padding(rank)),
        *_pad(),
        *_resizing(),
        *_sampling(),
        *_reshaping(),
        *_similarities(),
    ]


def _linear() -> list[Case]:
    base: dict[str, Any] = {"in_features": 6, "out_features": 4}
    two: Shapes = [("N", 5), ("N", 6)]
    bilinear: dict[str, Any] = {"in1_features": 5, "in2_features": 6, "out_features": 4}
    return [
        *each(module, "Linear", ROWS, base, {"bias": False}),
        module("Linear", ("N", 6), **base, words="rank 2"),
        module("Linear", (6,), **base, words="no batch"),
        module("Linear", ("N", "M", 6), **base, words="open axis"),
        *each(function, "linear", ROWS, {"weights": {"weight": (4, 6)}},
              {"weights": {"weight": (4, 6), "bias": (4,)}, "words": "bias"}),
        function("linear", [ROWS, (4, 6), (4,)], words="run-time weight"),
        function("grouped_mm", [(2, 4, 8), (2, 8, 12)]),
        *each(module, "Bilinear", two, bilinear, {"bias": False}),
        function("bilinear", two, weights={"weight": (4, 5, 6), "bias": (4,)}),
        built("torch.nn.Linear", "shared", [("N", 6), ("N", 6)],
              lambda t: calling(lambda m, x, y: t.cat([m(x), m(y)], -1), t.nn.Linear(6, 3))),
    ]  # fmt: skip


def _embeddings() -> list[Case]:
    base: dict[str, Any] = {"num_embeddings": 9, "embedding_dim": 4}
    table: dict[str, Shape] = {"weight": (9, 4)}
    ids: dict[str, Any] = {"dtype": "int64"}
    bags: dict[str, Any] = {"dtype": "int64", "prepare": [index(9)]}
    return [
        *each(module, "Embedding", ("N", 6), base, {"padding_idx": 2}, {"max_norm": 0.5}, **ids),
        module("Embedding", ("N", 6), dtype="int32", **base, words="int32"),
        *each(module, "EmbeddingBag", ("N", 6), base, {"mode": "sum"}, {"mode": "max"}, {"padding_idx": 2}, **bags),
        built("torch.nn.EmbeddingBag", "offsets", (8,), lambda t: calling(
              lambda m, x: m(x.clamp(0, 8), t.tensor([0, 2, 5])), t.nn.EmbeddingBag(9, 4)), dtype="int64"),
        *each(function, "embedding", ("N", 6), {"weights": table}, {"padding_idx": 2}, **ids),
        *each(function, "embedding_bag", ("N", 6), {"weights": table}, {"mode": "sum"}, {"mode": "max"}, **bags),
        *each(function, "one_hot", ("N", 6), {"num_classes": 9}, dtype="int64", prepare=[index(9)]),
    ]  # fmt: skip


def _padding(rank: int) -> list[Case]:
    shape, sides = SHAPES[rank], (1, 2, 0, 1, 2, 1)[: 2 * rank]
    found = [
        *each(module, f"ConstantPad{rank}d", shape, {"padding": 2, "value": 0.5}, {"padding": sides}),
        *each(module, f"ZeroPad{rank}d", shape, {"padding": sides}, {"padding": (-1, *sides[1:])}),
    ]
    for kind in ("Reflection", "Replication", "Circular"):
        found += each(module, f"{kind}Pad{rank}d", shape, {"padding": 1}, {"padding": sides})
    return found


def _pad() -> list[Case]:
    sides: dict[str, Any] = {"pad": (1, 2)}
    return [
        *each(function, "pad", ROWS, sides, {"value": 0.5}, {"mode": "reflect"}, {"mode": "replicate"},
              {"mode": "circular"}, {"pad": (-1, 2)}, {"pad": (1, 0, 2, 1)}),
        function("pad", ROWS, pad=(0, 0, 0, 0, 1, 2), words="the batch"),
        function("pad", SHAPES[2], pad=(1, 2, 0, 1), mode="reflect", words="rank 4"),
    ]  # fmt: skip


def _resizing() -> list[Case]:
    twice: dict[str, Any] = {"scale_factor": 2}
    size: dict[str, Any] = {"size": (7, 3)}
    found: list[Case] = []
    for kind, name in ((module, "Upsample"), (function, "interpolate")):
        found += [*each(kind, name, IMAGE, twice, {"scale_factor": (1.5, 2.0)}), kind(name, IMAGE, **size)]
        found += each(kind, name, IMAGE, size | {"mode": "bilinear"}, {"align_corners": True})
        found += each(kind, name, IMAGE, twice | {"mode": "bicubic"}, {"align_corners": True})
        found += each(kind, name, ("N", 3, 5), twice | {"mode": "linear"}, {"mode": "nearest"}, words="rank 3")
        found += each(kind, name, ("N", 2, 3, 4, 5), twice | {"mode": "trilinear"}, {"mode": "nearest"},
                      words="rank 5")  # fmt: skip
    return [
        *found,
        *each(function, "interpolate", IMAGE, size | {"mode": "area"}, {"mode": "nearest-exact"},
              {"mode": "bilinear", "antialias": True}),
        function("interpolate", IMAGE, scale_factor=0.5, mode="bilinear", recompute_scale_factor=True),
        *each(module, "UpsamplingNearest2d", IMAGE, twice, {"scale_factor": None, "size": (7, 9)}),
        *each(module, "UpsamplingBilinear2d", IMAGE, twice, {"scale_factor": None, "size": (7, 9)}),
        *each(function, "upsample", IMAGE, twice, {"mode": "bilinear"}),
        function("upsample_nearest", IMAGE, **twice),
        function("upsample_bilinear", IMAGE, **twice),
    ]  # fmt: skip


def _sampling() -> list[Case]:
    both: Shapes = [IMAGE, ("N", 6, 7, 2)]
    solid: Shapes = [("N", 2, 3, 4, 5), ("N", 3, 2, 4, 3)]
    straight: dict[str, Any] = {"align_corners": False}
    return [
        *each(function, "grid_sample", both, straight, {"align_corners": True}, {"mode": "nearest"},
              {"mode": "bicubic"}, {"padding_mode": "border"}, {"padding_mode": "reflection"}),
        function("grid_sample", solid, **straight, words="rank 5"),
        *each(function, "affine_grid", (3, 2, 3), straight | {"size": (3, 2, 4, 5)}, {"align_corners": True}),
        function("affine_grid", (3, 3, 4), size=(3, 2, 3, 4, 5), **straight, words="rank 5"),
    ]  # fmt: skip


def _reshaping() -> list[Case]:
    blocks: Shape = ("N", 8, 3, 5)
    flat = {"dim": 1, "unflattened_size": (2, 4)}
    return [
        *each(module, "Flatten", IMAGE, {}, {"start_dim": 2}, {"start_dim": 0}, {"start_dim": 1, "end_dim": 2}),
        *each(module, "Unflatten", blocks, flat, {"unflattened_size": (2, -1)}),
        module("ChannelShuffle", blocks, groups=2),
        *(function(n, blocks, groups=2) for n in ("channel_shuffle", "native_channel_shuffle")),
        module("PixelShuffle", blocks, upscale_factor=2),
        module("PixelUnshuffle", ("N", 2, 4, 6), downscale_factor=2),
        function("pixel_shuffle", blocks, upscale_factor=2),
        function("pixel_unshuffle", ("N", 2, 4, 6), downscale_factor=2),
    ]


def _similarities() -> list[Case]:
    two: Shapes = [ROWS, ROWS]
    return [
        *each(module, "CosineSimilarity", two, {}, {"dim": -1}),
        *each(function, "cosine_similarity", two, {}, {"dim": -1, "eps": 1e-4}),
        *each(module, "PairwiseDistance", two, {}, {"p": 1.0}, {"keepdim": True}),
        *each(function, "pairwise_distance", two, {}, {"p": 3.0}),
        *each(function, "pdist", ("N", 6), {}, {"p": 1.0}),
        *each(function, "pdist", (5, 6), {}, {"p": 3.0}, words="fixed"),
    ]
