"""Losses: functions of tensors, as modules and as functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from convert.sweep.case import Case
from convert.sweep.torch_cases.build import Prepare, Shape, built, calling, function, index, module

ROWS: Shape = ("N", 5)
#: How the losses of the rows are put together.
REDUCED: list[dict[str, Any]] = [{}, {"reduction": "sum"}, {"reduction": "none"}]


@dataclass(frozen=True)
class _Loss:
    """A loss by the name of its module and of its function, with its inputs and what is tried beside REDUCED."""

    name: str
    function: str
    shapes: list[Shape] = field(default_factory=lambda: [ROWS, ROWS])
    prepare: tuple[Prepare | None, ...] = ()
    dtype: tuple[str, ...] | str = "float32"
    variants: tuple[Mapping[str, Any], ...] = ()


def _share(t: Any) -> Any:
    """A number between 0 and 1, neither of them."""
    return t.sigmoid() * 0.9 + 0.05


def _sign(t: Any) -> Any:
    return (t > 0).to(t.dtype) * 2 - 1


def _positive(t: Any) -> Any:
    return t.abs() + 0.1


def _probabilities(t: Any) -> Any:
    return t.softmax(-1)


def _logarithms(t: Any) -> Any:
    return t.log_softmax(-1)


_CLASSES = (None, index(5))
_TARGET = ("float32", "int64")

LOSSES = (
    _Loss("BCELoss", "binary_cross_entropy", prepare=(_share, _share)),
    _Loss("BCEWithLogitsLoss", "binary_cross_entropy_with_logits", prepare=(None, _share)),
    _Loss("CosineEmbeddingLoss", "cosine_embedding_loss", [("N", 6), ("N", 6), ("N",)], (None, None, _sign),
          variants=({"margin": 0.3},)),
    _Loss("CrossEntropyLoss", "cross_entropy", [ROWS, ("N",)], _CLASSES, _TARGET,
          ({"label_smoothing": 0.1}, {"ignore_index": 2})),
    _Loss("GaussianNLLLoss", "gaussian_nll_loss", [ROWS, ROWS, ROWS], (None, None, _positive),
          variants=({"full": True},)),
    _Loss("HingeEmbeddingLoss", "hinge_embedding_loss", prepare=(None, _sign), variants=({"margin": 0.3},)),
    _Loss("HuberLoss", "huber_loss", variants=({"delta": 0.4},)),
    _Loss("KLDivLoss", "kl_div", prepare=(_logarithms, _probabilities), variants=({"reduction": "batchmean"},)),
    _Loss("L1Loss", "l1_loss"),
    _Loss("MSELoss", "mse_loss"),
    _Loss("MarginRankingLoss", "margin_ranking_loss", [("N",), ("N",), ("N",)], (None, None, _sign),
          variants=({"margin": 0.3},)),
    _Loss("MultiLabelMarginLoss", "multilabel_margin_loss", prepare=(None, index(5)), dtype=_TARGET),
    _Loss("MultiLabelSoftMarginLoss", "multilabel_soft_margin_loss", prepare=(None, _share)),
    _Loss("MultiMarginLoss", "multi_margin_loss", [ROWS, ("N",)], _CLASSES, _TARGET, ({"p": 2}, {"margin": 0.3})),
    _Loss("NLLLoss", "nll_loss", [ROWS, ("N",)], (_logarithms, index(5)), _TARGET, ({"ignore_index": 2},)),
    _Loss("PoissonNLLLoss", "poisson_nll_loss", prepare=(None, _positive), variants=({"full": True},)),
    _Loss("SmoothL1Loss", "smooth_l1_loss", variants=({"beta": 0.4},)),
    _Loss("SoftMarginLoss", "soft_margin_loss", prepare=(None, _sign)),
    _Loss("TripletMarginLoss", "triplet_margin_loss", [ROWS, ROWS, ROWS], variants=({"swap": True}, {"p": 1.0})),
    _Loss("TripletMarginWithDistanceLoss", "triplet_margin_with_distance_loss", [ROWS, ROWS, ROWS]),
)  # fmt: skip


def cases() -> list[Case]:
    found = []
    for loss in LOSSES:
        given: dict[str, Any] = {"dtype": loss.dtype, "prepare": loss.prepare}
        found += [module(loss.name, loss.shapes, **given, **v) for v in (*REDUCED, *loss.variants)]
        found += [function(loss.function, loss.shapes, **given, **v) for v in ({}, *loss.variants)]
    return [*found, *_with_weights(), *_classes(), *_sequences()]


def _with_weights() -> list[Case]:
    def made(name: str, words: str, shapes: list[Shape], prepare: list[Prepare | None], held: Any, dtype: Any) -> Case:
        def make(torch: Any) -> Any:
            loss = getattr(torch.nn, name)(**{n: torch.tensor(v) for n, v in held.items()})
            return calling(lambda m, *x: m(*(t if p is None else p(t) for t, p in zip(x, prepare, strict=True))), loss)

        return built(f"torch.nn.{name}", words, shapes, make, dtype=dtype)

    five = [0.5, 1.0, 2.0, 0.25, 1.5]
    return [
        made("BCELoss", "weight", [ROWS, ROWS], [_share, _share], {"weight": five}, "float32"),
        made("BCEWithLogitsLoss", "pos_weight", [ROWS, ROWS], [None, _share], {"pos_weight": five}, "float32"),
        made("CrossEntropyLoss", "weight", [ROWS, ("N",)], [None, index(5)], {"weight": five}, _TARGET),
        made("NLLLoss", "weight", [ROWS, ("N",)], [_logarithms, index(5)], {"weight": five}, _TARGET),
    ]


def _classes() -> list[Case]:
    image: list[Shape] = [("N", 5, 3, 4), ("N", 3, 4)]
    adaptive: dict[str, Any] = {"in_features": 6, "n_classes": 10, "cutoffs": [3, 6], "div_value": 2.0}

    def parts(method: str) -> Case:
        def make(torch: Any) -> Any:
            held = torch.nn.AdaptiveLogSoftmaxWithLoss(**adaptive)
            return calling(lambda m, x: getattr(m, method)(x), held)

        return built("torch.nn.AdaptiveLogSoftmaxWithLoss", f"cutoffs=[3, 6], div_value=2.0, {method}", ("N", 6), make)

    return [
        module("CrossEntropyLoss", [ROWS, ROWS], prepare=[None, _probabilities], words="probabilities"),
        module("CrossEntropyLoss", image, dtype=_TARGET, prepare=_CLASSES, words="images"),
        module("NLLLoss", image, dtype=_TARGET, prepare=_CLASSES, words="images"),
        module("NLLLoss2d", image, dtype=_TARGET, prepare=_CLASSES),
        module("LinearCrossEntropyLoss", [("N", 6), ("N",)], dtype=_TARGET, prepare=_CLASSES, in_features=6,
               num_classes=5),
        function("linear_cross_entropy", [("N", 6), (5, 6), ("N",)], dtype=("float32", "float32", "int64"),
                 prepare=[None, None, index(5)]),
        parts("log_prob"),
        parts("predict"),
        module("AdaptiveLogSoftmaxWithLoss", [("N", 6), ("N",)], dtype=_TARGET, prepare=[None, index(10)],
               **adaptive, words="with target"),
    ]  # fmt: skip


def _sequences() -> list[Case]:
    """Steps and labels of three sequences; their lengths are the model's."""
    shapes: list[Shape] = [(7, 3, 5), (3, 4)]

    def make(torch: Any, *, as_module: bool) -> Any:
        steps, labels = torch.tensor([7, 6, 5]), torch.tensor([4, 2, 3])
        loss = torch.nn.CTCLoss() if as_module else torch.nn.functional.ctc_loss
        return calling(lambda x, y: loss(_logarithms(x), y.clamp(1, 4), steps, labels))

    return [
        built("torch.nn.CTCLoss", "3 sequences", shapes, lambda t: make(t, as_module=True), dtype=_TARGET),
        built("torch.nn.functional.ctc_loss", "3 sequences", shapes, lambda t: make(t, as_module=False), dtype=_TARGET),
    ]
