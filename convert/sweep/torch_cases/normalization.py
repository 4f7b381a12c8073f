"""Normalisations."""

from __future__ import annotations

from typing import Any

from convert.sweep.case import Case
from convert.sweep.torch_cases.build import Shape, built, calling, each, function, module
from convert.sweep.torch_cases.convolution import SHAPES

ROWS: Shape = ("N", 5, 6)


def cases() -> list[Case]:
    return [*(c for rank in SHAPES for c in _batch(rank)), *_others(), *_functions(), *_parametrised()]


def _batch(rank: int) -> list[Case]:
    shape = SHAPES[rank]
    base: dict[str, Any] = {"num_features": 4}
    kept = {"affine": True, "track_running_stats": True}
    return [
        *each(module, f"BatchNorm{rank}d", shape, base, {"affine": False}, {"eps": 0.1},
              {"track_running_stats": False}),
        *each(module, f"InstanceNorm{rank}d", shape, base, {"affine": True}, {"eps": 0.1}, kept),
    ]  # fmt: skip


def _others() -> list[Case]:
    image = SHAPES[2]
    groups: dict[str, Any] = {"num_groups": 2, "num_channels": 4}
    last: dict[str, Any] = {"normalized_shape": 6}
    two: dict[str, Any] = {"normalized_shape": (5, 6)}
    return [
        module("BatchNorm1d", ("N", 7), num_features=7, words="rank 2"),
        *each(module, "GroupNorm", image, groups, {"affine": False}, {"eps": 0.1}, {"num_groups": 1},
              {"num_groups": 4}),
        module("GroupNorm", ("N", 4), **groups, words="rank 2"),
        module("GroupNorm", SHAPES[1], **groups, words="rank 3"),
        *each(module, "LayerNorm", ROWS, last, two, {"elementwise_affine": False}, {"bias": False}, {"eps": 0.1}),
        module("LayerNorm", ("N", 6), **last, words="rank 2"),
        *each(module, "RMSNorm", ROWS, last, two, {"elementwise_affine": False}, {"eps": 0.1}),
        *each(module, "LocalResponseNorm", image, {"size": 2}, {"size": 3, "alpha": 0.1, "beta": 0.5, "k": 2.0}),
        module("LocalResponseNorm", SHAPES[1], size=2, words="rank 3"),
        module("SyncBatchNorm", image, num_features=4),
        *each(module, "CrossMapLRN2d", image, {"size": 3}),
    ]  # fmt: skip


def _functions() -> list[Case]:
    image = SHAPES[2]
    scale: dict[str, Shape] = {"weight": (4,), "bias": (4,)}
    rows: dict[str, Shape] = {"weight": (6,), "bias": (6,)}
    return [
        built("torch.nn.functional.batch_norm", "training=False", image, _with_statistics),
        function("batch_norm", image, words="running_mean=None", running_mean=None, running_var=None, training=True),
        *each(function, "group_norm", image, {"num_groups": 2}, {"weights": scale, "words": "affine"}),
        *each(function, "instance_norm", image, {}, {"weights": scale, "words": "affine"}),
        *each(function, "layer_norm", ROWS, {"normalized_shape": (6,)}, {"weights": rows, "words": "affine"}),
        *each(function, "rms_norm", ROWS, {"normalized_shape": (6,)}, {"weights": {"weight": (6,)}, "eps": 0.1}),
        *each(function, "local_response_norm", image, {"size": 3}),
    ]


def _with_statistics(torch: Any) -> Any:
    held = torch.nn.BatchNorm2d(4)
    call = torch.nn.functional.batch_norm
    return calling(lambda h, x: call(x, h.running_mean, h.running_var, h.weight, h.bias, training=False), held)


def _parametrised() -> list[Case]:
    def of(name: str) -> Case:
        def make(torch: Any) -> Any:
            return getattr(torch.nn.utils.parametrizations, name)(torch.nn.Linear(6, 6))

        return built("torch.nn.Linear", f"parametrizations.{name}", ROWS, make)

    return [of(name) for name in ("weight_norm", "spectral_norm", "orthogonal")]
