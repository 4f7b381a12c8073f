"""Models to measure on, with random weights; zero-argument factories for ``bench/models.py:NAME``."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """ResNet's basic block (He et al., arXiv:1512.03385, figure 5 left)."""

    def __init__(self, narrow: int, wide: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(narrow, wide, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(wide, wide, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(wide), nn.BatchNorm2d(wide)])
        self.short = (
            nn.Sequential(nn.Conv2d(narrow, wide, 1, stride, bias=False), nn.BatchNorm2d(wide))
            if stride != 1 or narrow != wide
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norms[0](self.first(x)))
        return torch.relu(self.norms[1](self.second(y)) + self.short(x))


def resnet18() -> nn.Module:
    """ResNet-18 for images of 224 x 224; input float32[1,3,224,224]."""
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    widths = [(64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2)]
    blocks = [Residual(*w) for w in [*widths, (512, 512, 1)]]
    return _settled(nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)))


def encoder() -> nn.Module:
    """A transformer encoder of three layers; input float32[1,50,64]."""
    layer = nn.TransformerEncoderLayer(64, 4, 256, batch_first=True)
    return _settled(nn.Sequential(nn.TransformerEncoder(layer, 3, enable_nested_tensor=False), nn.Linear(64, 5)))


class EdgeConv(nn.Module):
    """ParticleNet's block: features of k nearest neighbours (Qu and Gouskos, arXiv:1902.08570, figure 1)."""

    def __init__(self, narrow: int, wide: int, neighbours: int) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.layers = nn.Sequential(
            nn.Conv2d(2 * narrow, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU(),
            nn.Conv2d(wide, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU(),
        )  # fmt: skip
        self.short = nn.Sequential(nn.Conv1d(narrow, wide, 1, bias=False), nn.BatchNorm1d(wide))

    def forward(self, points: Tensor, features: Tensor) -> Tensor:
        inner = torch.matmul(points.transpose(1, 2), points)
        square = (points * points).sum(1, keepdim=True)
        distance = 2 * inner - square - square.transpose(1, 2)
        nearest = distance.topk(self.neighbours + 1, dim=-1)[1][:, :, 1:]
        batch, channels, count = features.shape
        index = nearest.reshape(batch, 1, count * self.neighbours).expand(-1, channels, -1)
        around = torch.gather(features, 2, index).reshape(batch, channels, count, self.neighbours)
        centre = features.unsqueeze(-1).expand_as(around)
        edges = self.layers(torch.cat([centre, around - centre], 1)).mean(-1)
        return torch.relu(edges + self.short(features))


class ParticleNet(nn.Module):
    """A small ParticleNet: two edge convolutions over 64 particles."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = EdgeConv(7, 32, 8), EdgeConv(32, 64, 8)
        self.head = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 5))

    def forward(self, points: Tensor, features: Tensor) -> Tensor:
        x = self.first(points, features)
        return self.head(self.second(x, x).mean(-1))


def particlenet() -> nn.Module:
    """Inputs points float32[1,2,64] (pseudorapidity and azimuth) and features float32[1,7,64]."""
    return _settled(ParticleNet())


class DeepSets(nn.Module):
    """Particles summed by a mask (Komiske, Metodiev and Thaler, arXiv:1810.05165, equation 2.2)."""

    def __init__(self) -> None:
        super().__init__()
        self.each = nn.Sequential(nn.Linear(7, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.all = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3), nn.Softmax(-1))

    def forward(self, particles: Tensor, mask: Tensor) -> Tensor:
        return self.all((self.each(particles) * mask.unsqueeze(-1)).sum(1))


def deepsets() -> nn.Module:
    """Inputs particles float32[N,30,7] and mask float32[N,30]."""
    return _settled(DeepSets())


#: Input specifications of the factories, as ``--input`` takes them.
INPUTS = {
    "resnet18": ["x:float32[1,3,224,224]"],
    "encoder": ["x:float32[1,50,64]"],
    "particlenet": ["points:float32[1,2,64]", "features:float32[1,7,64]"],
    "deepsets": ["particles:float32[N,30,7]", "mask:float32[N,30]"],
}


def _settled(model: nn.Module) -> nn.Module:
    """Seeded weights, in evaluation mode, with batch statistics that are not the trivial ones."""
    generator = torch.Generator().manual_seed(0)
    for name, held in model.state_dict().items():
        if name.endswith("running_mean"):
            held.normal_(0, 0.1, generator=generator)
        elif name.endswith("running_var"):
            held.uniform_(0.5, 1.5, generator=generator)
        elif held.ndim > 1:
            held.normal_(0, held[0].numel() ** -0.5, generator=generator)
        elif held.is_floating_point():
            held.uniform_(0.5, 1.0, generator=generator)
    return model.eval()
