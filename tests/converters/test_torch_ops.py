"""The project's translations of PyTorch operators: torch against the exported ONNX in onnxruntime, edges included."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from convert.errors import BadInput
from convert.spec import TensorSpec
from converters import load
from converters.base import LoadOptions
from converters.torch_translations import decomposed_traces
from converters.translations import DECOMPOSITIONS, load_shipped
from sofie_bridge.reference import OnnxReference

Array = np.ndarray[Any, Any]
special = torch.special

EDGES = [0.0, -0.0, 1, 2, 3, 5, 8, 0.5, -1, -2, -0.5, -2.5, np.inf, -np.inf, np.nan, 88, -88, 3e4, -3e4, 1e-30, 1e-40]


class Calls(nn.Module):
    """Some functions of the same inputs; what they hold are their weights."""

    def __init__(self, functions: Sequence[Callable[..., Any]], parts: Sequence[nn.Module] = ()) -> None:
        super().__init__()
        self.functions = functions
        self.parts = nn.ModuleList(parts)

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found: list[torch.Tensor] = []
        for function in self.functions:
            given = function(*inputs)
            found += given if isinstance(given, tuple | list) else [given]
        return tuple(found)


def specs(arrays: Sequence[Array], *, open_batch: bool) -> tuple[TensorSpec, ...]:
    shapes = [("N", *a.shape[1:]) if open_batch and a.ndim else a.shape for a in arrays]
    return tuple(TensorSpec(f"x{k}", str(a.dtype), s) for k, (a, s) in enumerate(zip(arrays, shapes, strict=True)))


def compared(
    functions: Sequence[Callable[..., Any]] | nn.Module,
    *arrays: Array,
    open_batch: bool = True,
    rtol: float = 2e-5,
    atol: float = 2e-6,
    exporter: str = "dynamo",
) -> set[str]:
    """The operators of the model, whose numbers are torch's."""
    module = functions if isinstance(functions, nn.Module) else Calls(functions)
    loaded = load(module.eval(), LoadOptions(inputs=specs(arrays, open_batch=open_batch)))
    assert exporter in loaded.exporter
    inputs = {f"x{k}": a for k, a in enumerate(arrays)}
    assert loaded.reference is not None
    expected = list(loaded.reference(inputs).values())
    found = list(OnnxReference(loaded.model)({v.name: inputs[v.name] for v in loaded.model.graph.input}).values())
    for k, (a, b) in enumerate(zip(found, expected, strict=True)):
        assert a.dtype == b.dtype, k
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=f"output {k}")
    return {n.op_type for n in loaded.model.graph.node}


def traced(*functions: Callable[..., Any], example: Sequence[Array]) -> Any:
    """A TorchScript archive, as the other exporter takes it: its operators are in it already."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated, and its archives are about
        trace: Callable[..., Any] = torch.jit.trace
        return trace(Calls(functions), tuple(map(torch.from_numpy, example)), check_trace=False)


def numbers(*shape: int, seed: int = 0, scale: float = 1.0) -> Array:
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(np.float32)


def whole(*shape: int, below: int, seed: int = 0, low: int = 0) -> Array:
    return np.random.default_rng(seed).integers(low, below, shape)


def reals() -> Array:
    return np.concatenate([EDGES, numbers(200, scale=5.0), numbers(50, scale=0.5, seed=1)]).astype(np.float32)


GAMMA = [torch.lgamma, torch.digamma, lambda x: torch.polygamma(1, x), special.gammaln, special.psi]
ERROR = [
    special.erfcx,
    special.log_ndtr,
    lambda x: torch.erfinv(x / 32),
    lambda x: special.ndtri(x / 8),
]
BESSEL_I = [torch.i0, special.i0e, special.i1, special.i1e, special.modified_bessel_i0, special.modified_bessel_i1]
BESSEL_K = [
    special.modified_bessel_k0,
    special.modified_bessel_k1,
    special.scaled_modified_bessel_k0,
    special.scaled_modified_bessel_k1,
]
BESSEL_J = [special.bessel_j0, special.bessel_j1, special.bessel_y0, special.bessel_y1, special.spherical_bessel_j0]
OF_ONE = [GAMMA, ERROR, BESSEL_I, BESSEL_K, BESSEL_J, [special.airy_ai]]


@pytest.mark.parametrize("functions", OF_ONE, ids=["gamma", "error", "bessel_i", "bessel_k", "bessel_j", "airy"])
def test_special_functions(functions: list[Callable[..., Any]]) -> None:
    compared(functions, reals(), rtol=1e-4, atol=1e-5)


def test_special_functions_of_float64() -> None:
    """Whose exported numbers, constants as the exporter has them, are float32's."""
    functions = [torch.lgamma, special.erfcx, special.i0e, special.bessel_j0]
    compared(functions, reals().astype(np.float64)[:100], rtol=2e-6, atol=2e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_special_functions_themselves(dtype: str) -> None:
    """Before any exporter: to the last digits but a few."""
    load_shipped("torch_ops")
    array = torch.from_numpy(reals().astype(dtype))
    rtol, atol = (1e-4, 1e-5) if dtype == "float32" else (1e-9, 1e-9)
    names = {"lgamma": torch.lgamma, "digamma": torch.digamma, "i0": torch.i0, "special_erfcx": special.erfcx}
    for family in OF_ONE:
        names |= {f.__name__: f for f in family if f.__name__.startswith("special_")}
    assert len(names) > 15
    for name, function in names.items():
        found = DECOMPOSITIONS[f"aten::{name}"](array)
        torch.testing.assert_close(found, function(array), rtol=rtol, atol=atol, equal_nan=True, msg=name)


def test_whole_numbers_and_half_floats_become_what_torch_makes_them() -> None:
    functions = [torch.lgamma, torch.digamma, special.erfcx, special.i0e, special.bessel_j1]
    compared(functions, whole(8, below=9, low=1), atol=1e-5)
    compared([lambda x: torch.lgamma(x.half()).float(), lambda x: special.i0e(x.half()).float()], reals(), atol=2e-3)


def test_polygamma_and_zeta() -> None:
    x, q = np.abs(numbers(200, scale=5.0)) + 0.1, np.abs(numbers(200, scale=5.0, seed=1)) + 0.1
    higher = [lambda x, q, n=n: torch.polygamma(n, q) for n in (0, 2, 3)]
    poles = [
        lambda x, q: special.zeta(x + 1, -q.floor()),
        lambda x, q: special.zeta(x - 2, q),
        lambda x, q: special.zeta(4.0, -q),
    ]
    compared([*higher, special.zeta, lambda x, q: special.zeta(2.5, q), *poles], x, np.minimum(q, 14), atol=1e-5)


def test_incomplete_gamma() -> None:
    edges = [0, 0.1, 1, 20, 20.5, 88.1, 3e4, np.inf, -1, np.nan]
    a, x = (g.ravel() for g in np.meshgrid(edges, edges))
    near = np.abs(numbers(50, scale=60.0)) + 0.1
    a = np.concatenate([a, near, np.abs(numbers(50))]).astype(np.float32)
    x = np.concatenate([x, near * (1 + 0.3 * numbers(50, seed=2)), np.abs(numbers(50, seed=3))]).astype(np.float32)
    compared([torch.igamma, torch.igammac], a, x, rtol=1e-5, atol=5e-6)


def test_two_numbers() -> None:
    first, second = (g.astype(np.float32).ravel() for g in np.meshgrid(EDGES, EDGES))
    functions = [torch.logaddexp, torch.logaddexp2, torch.fmax, torch.fmin, torch.hypot, torch.nextafter]
    compared([*functions, lambda x, y: functional.logsigmoid(x)], first, second)
    compared([torch.fmax, torch.fmin], whole(4, 3, below=5), whole(4, 3, below=5, seed=1))


def test_atan2_where_both_are_zero() -> None:
    some = [0.0, -0.0, 1.0, -1.0, 3e4]
    y, x = (g.astype(np.float32).ravel() for g in np.meshgrid(some, some))
    compared([torch.atan2], y, x)
    compared(traced(torch.atan2, example=[y, x]), y, x, exporter="TorchScript")


def test_mantissa_and_exponent() -> None:
    finite = np.array([v for v in EDGES if np.isfinite(v)], np.float32)
    compared([torch.frexp], finite, rtol=0, atol=0)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy(smoothing: float) -> None:
    weight = torch.rand(5, generator=torch.Generator().manual_seed(0))

    def loss(**given: Any) -> Callable[..., Any]:
        return lambda x, t: functional.cross_entropy(x, t, label_smoothing=smoothing, **given)

    losses = [loss(), loss(reduction="none"), loss(reduction="sum", weight=weight), loss(ignore_index=2, weight=weight)]
    compared(losses, numbers(4, 5), whole(4, below=5))
    compared(losses, numbers(4, 5, 3), whole(4, 3, below=5))
    compared([loss(), loss(weight=weight)], numbers(4, 5), np.abs(numbers(4, 5, seed=1)))


def test_cross_entropy_in_the_other_exporter() -> None:
    def loss(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(x, t, label_smoothing=0.2) + functional.logsigmoid(x).sum()

    arrays = [numbers(4, 5, scale=200.0), whole(4, below=5)]
    load_shipped("torch_ops")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch tells that kernels are overridden
        with decomposed_traces():
            module = traced(loss, example=arrays)
    assert "aten::cross_entropy" not in str(module.inlined_graph)
    compared(module, *arrays, exporter="TorchScript")


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_adaptive_pools(rank: int) -> None:
    image = numbers(2, 3, *(7, 6, 4)[:rank]).round()  # rounded: maxima that are equal
    mean, largest = (getattr(functional, f"adaptive_{kind}_pool{rank}d") for kind in ("avg", "max"))
    outs: list[Any] = [1, 2, 3, (4, 5, 3)[:rank]]
    compared([lambda x, o=o: mean(x, o) for o in outs], image)
    compared([lambda x, o=o: largest(x, o, return_indices=True) for o in outs], image)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_places_of_maxima(rank: int) -> None:
    pool = getattr(functional, f"max_pool{rank}d_with_indices")
    image = numbers(2, 3, *(7, 6, 5)[:rank]).round()
    given: list[dict[str, Any]] = [
        {"kernel_size": 2},
        {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
        {"kernel_size": 2, "stride": 1, "dilation": 2},
    ]
    compared([lambda x, g=g: pool(x, **g) for g in given], image)


@pytest.mark.parametrize("p", [0.0, 1.0, 2.0, 3.0, float("inf")])
def test_distances(p: float) -> None:
    compared([lambda x, y: torch.cdist(x, y, p)], numbers(2, 4, 3), numbers(2, 4, 3, seed=1))
    compared([lambda x: functional.pdist(x, p)], numbers(5, 3), open_batch=False)


def test_a_distance_between_rows_of_an_open_number_is_refused() -> None:
    with pytest.raises(BadInput, match="it has to be a number"):
        compared([functional.pdist], numbers(5, 3))


def test_histograms() -> None:
    x = np.concatenate([[-1, 1, 0.5, 0], numbers(30)]).astype(np.float32)
    edges = torch.tensor([-1.0, 0.0, 0.25, 1.5])
    compared(
        [
            lambda x: torch.histc(x, 4, -1, 1),
            lambda x: torch.histc(x, 5),
        ],
        x,
    )
    # torch cannot trace these for the dynamo exporter
    compared(
        [
            lambda x: torch.histogram(x, 4, range=(-1.0, 1.0)),
            lambda x: torch.histogram(x, 3, weight=x.abs(), density=True),
            lambda x: torch.histogram(x, edges),
        ],
        x,
        exporter="TorchScript",
    )

    def two(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        hist, found = torch.histogramdd(x, [2, 3], range=[-1.0, 1.0, -2.0, 2.0])
        return hist, *found, torch.histogramdd(x, 3)[0]

    compared([two], numbers(30, 2), exporter="TorchScript")


def test_searching() -> None:
    limits = torch.tensor([-1.0, 0.0, 0.0, 1.0])
    x = np.array([EDGES, numbers(len(EDGES))], np.float32)
    compared(
        [
            lambda x: torch.bucketize(x, limits),
            lambda x: torch.searchsorted(limits, x, right=True, out_int32=True),
            lambda x: torch.searchsorted(x.nan_to_num().sort().values, x, side="right"),
        ],
        x,
    )
    compared(
        [
            lambda i: torch.isin(i, torch.tensor([1, 3])),
            lambda i: torch.isin(i, 2, invert=True),
            lambda i: torch.nonzero_static(i, size=4),
            lambda i: torch.nonzero_static(i, size=40, fill_value=-7),
        ],
        whole(3, 4, below=4, low=-1),
    )


def test_placing() -> None:
    places, values = torch.tensor([1, 5, -1]), torch.tensor([0.5, 1.5, 2.0])
    compared([lambda x: torch.put(x, places, values), lambda x: torch.put(x, places, values, True)], numbers(3, 4))
    compared(
        [lambda x: torch.combinations(x), lambda x: torch.combinations(x, 3, with_replacement=True)],
        numbers(5),
        open_batch=False,
    )


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags(mode: str) -> None:
    def bag(**given: Any) -> nn.Module:
        return nn.EmbeddingBag(9, 4, mode=mode, **given)

    offsets = torch.tensor([0, 2, 2, 5])
    parts = [bag(), bag(padding_idx=2), bag(max_norm=0.5)]
    ids = whole(4, 6, below=9)
    compared(Calls([lambda x, p=p: p(x) for p in parts], parts), ids)
    compared(Calls([lambda x, p=p: p(x, offsets) for p in parts], parts), ids.ravel()[:8], open_batch=False)


def test_embedding_of_bounded_norm() -> None:
    table = nn.Embedding(9, 4, max_norm=0.5, norm_type=1.0)
    compared(Calls([table], [table]), whole(4, 6, below=9))


def test_ctc_loss() -> None:
    steps, labels = torch.tensor([7, 6, 2]), torch.tensor([4, 0, 3])

    def losses(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
        x = x.log_softmax(-1)
        return (
            functional.ctc_loss(x, y, steps, labels, reduction="none"),
            functional.ctc_loss(x, y, steps, labels, zero_infinity=True),
            functional.ctc_loss(x, y.flatten()[:6], [7, 6, 5], [1, 2, 3], reduction="sum"),  # type: ignore[arg-type]  # lists of lengths work too
        )

    targets = whole(3, 4, below=5, low=1)
    targets[0, 1] = targets[0, 0]
    compared([losses], numbers(7, 3, 5), targets, open_batch=False)


def test_adaptive_softmax() -> None:
    part = nn.AdaptiveLogSoftmaxWithLoss(6, 10, [3, 6], div_value=2.0)
    functions = [lambda x: part.log_prob(x), lambda x: part.predict(x), lambda x: tuple(part(x, torch.arange(5) * 2))]
    compared(Calls(functions, [part]), numbers(5, 6, scale=3.0), open_batch=False)
    compared(Calls(functions[:2], [part]), numbers(5, 6, scale=3.0))


@pytest.mark.parametrize("given", [{}, {"bidirectional": True, "num_layers": 2, "bias": False}])
def test_lstm_with_a_projection(given: dict[str, Any]) -> None:
    part = nn.LSTM(3, 4, proj_size=2, batch_first=True, **given)

    def states(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y, (h, c) = part(x)
        return y, h, c

    used = compared(Calls([states], [part]), numbers(2, 5, 3))
    assert "LSTM" not in used
    whole_state = nn.LSTM(3, 4, batch_first=True)
    assert "LSTM" in compared(Calls([lambda x: whole_state(x)[0]], [whole_state]), numbers(2, 5, 3))


def test_products_of_groups() -> None:
    offsets = torch.tensor([2, 2, 8], dtype=torch.int32)
    compared([functional.grouped_mm], numbers(2, 4, 8), numbers(2, 8, 4), open_batch=False)
    compared(
        [lambda a, b: functional.grouped_mm(a, b, offs=offsets)], numbers(8, 8), numbers(3, 8, 4), open_batch=False
    )


@pytest.mark.parametrize("size", [3, 4])
def test_local_response(size: int) -> None:
    compared(nn.CrossMapLRN2d(size, alpha=0.1, beta=0.7, k=2.0), numbers(2, 6, 3, 4))


OWN = """
from converters.translations import pytorch

@pytorch("aten::lgamma")
def lgamma(g, x):
    return g.Neg(x)
"""


def test_a_users_translation_stands_before_the_projects(tmp_path: Path) -> None:
    (tmp_path / "my_ops.py").write_text(OWN)
    array = numbers(4, 3)
    for module in (Calls([torch.lgamma]).eval(), traced(torch.lgamma, example=[array])):
        options = LoadOptions(inputs=specs([array], open_batch=True), translations=(str(tmp_path / "my_ops.py"),))
        (found,) = OnnxReference(load(module, options).model)({"x0": array}).values()
        np.testing.assert_array_equal(found, -array)
    compared([torch.lgamma], array)


def test_so_does_a_users_symbolic_function() -> None:
    from torch.onnx import utils

    array = numbers(4, 3)
    utils.register_custom_op_symbolic("aten::lgamma", lambda g, x: g.op("Neg", x), 20)
    try:
        loaded = load(Calls([torch.lgamma]).eval(), LoadOptions(inputs=specs([array], open_batch=True)))
    finally:
        utils.unregister_custom_op_symbolic("aten::lgamma", 20)
    (found,) = OnnxReference(loaded.model)({"x0": array}).values()
    np.testing.assert_array_equal(found, -array)
