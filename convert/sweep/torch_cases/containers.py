"""Containers, and modules that are made when they are first called."""

from __future__ import annotations

from typing import Any

from convert.sweep.case import Case
from convert.sweep.torch_cases.build import Shape, built, calling
from convert.sweep.torch_cases.convolution import SHAPES

ROWS: Shape = ("N", 6)


def cases() -> list[Case]:
    return [
        *_lazy(),
        built("torch.nn.Sequential", "Linear, ReLU, Linear", ROWS,
              lambda t: t.nn.Sequential(t.nn.Linear(6, 5), t.nn.ReLU(), t.nn.Linear(5, 3))),
        built("torch.nn.ModuleList", "summed", ROWS, lambda t: calling(
              lambda m, x: sum(f(x) for f in m), t.nn.ModuleList([t.nn.Linear(6, 4) for _ in range(3)]))),
        built("torch.nn.ModuleDict", "by key", ROWS, lambda t: calling(
              lambda m, x: m["b"](m["a"](x)), t.nn.ModuleDict({"a": t.nn.Linear(6, 4), "b": t.nn.Tanh()}))),
        built("torch.nn.ParameterList", "by place", ROWS, lambda t: calling(
              lambda p, x: x * p[0] + p[1], t.nn.ParameterList([t.ones(6), t.ones(6)]))),
        built("torch.nn.ParameterDict", "by key", ROWS, lambda t: calling(
              lambda p, x: x @ p["w"] + p["b"], t.nn.ParameterDict({"w": t.ones(6, 4), "b": t.ones(4)}))),
    ]  # fmt: skip


def _lazy() -> list[Case]:
    found = [_called("LazyLinear", ROWS, {"out_features": 4})]
    for rank, shape in SHAPES.items():
        given = {"out_channels": 6, "kernel_size": 2}
        found += [_called(f"Lazy{kind}{rank}d", shape, given) for kind in ("Conv", "ConvTranspose")]
        found += [_called(f"Lazy{kind}Norm{rank}d", shape, {}) for kind in ("Batch", "Instance")]
    return found


def _called(name: str, shape: Shape, given: dict[str, Any]) -> Case:
    """After its first call, when it has become the module that it stands for."""

    def make(torch: Any) -> Any:
        made = getattr(torch.nn, name)(**given)
        made(torch.zeros([2 if isinstance(size, str) else size for size in shape]))
        return made

    return built(f"torch.nn.{name}", "after its first call", shape, make)
