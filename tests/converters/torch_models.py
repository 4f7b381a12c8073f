"""Networks for the tests; pickles look their classes up here."""

from __future__ import annotations

import torch


class Net(torch.nn.Module):
    """Two inputs, outputs in a dict with a nested tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(7, 3)
        self.drop = torch.nn.Dropout(0.5)

    def forward(self, x: torch.Tensor, scale: torch.Tensor) -> dict[str, object]:
        y = self.drop(torch.relu(self.linear(x)))
        return {"y": y * scale, "both": (y + 1, x.sum(-1))}


class Branch(torch.nn.Module):
    """torch.export refuses a branch on data; the tracer follows the example."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.sum() > 1e9:
            return x - 1
        return x + 1


class Hopeless(torch.nn.Module):
    """No exporter knows eigenvalues."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values: torch.Tensor = torch.linalg.eigvals(x)
        return values.real


class Nested(torch.nn.Module):
    """A list, a dict, a number and None among the arguments; None and a number among the outputs."""

    def forward(self, xs: list[torch.Tensor], d: dict[str, torch.Tensor], k: float = 2.0, no: object = None) -> object:
        return xs[0] * k + d["b"], None, 5, {"z": xs[1] - d["a"], "a": d["b"] * 2}


class InPlace(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.add_(1) * 2


class Optional(torch.nn.Module):
    def forward(
        self, x: torch.Tensor, shift: torch.Tensor | None = None, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        y = x if shift is None else x + shift
        return y if mask is None else y * mask
