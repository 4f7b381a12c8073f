"""torch.linalg and its twins, scans, sorts and polynomials: PyTorch against the exported ONNX model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from convert.errors import ExportFailed
from convert.spec import TensorSpec
from converters import load
from converters.base import LoadOptions
from converters.torch_ops.linalg_jacobi import eigvalsh, singular_values
from converters.torch_ops.linalg_ldl import ldl_factor_ex, ldl_solve
from sofie_bridge.reference import OnnxReference

Array = np.ndarray[Any, Any]
Compute = Callable[..., Any]
BATCH = 24


class Many(torch.nn.Module):
    """All the functions on the same tensors: one export serves them all."""

    def __init__(self, computes: dict[str, Compute]) -> None:
        super().__init__()
        self.computes = computes

    def forward(self, a: torch.Tensor) -> dict[str, Any]:
        return {name: compute(a) for name, compute in self.computes.items()}


def compared(computes: dict[str, Compute], shape: str, *samples: Array) -> Iterator[tuple[str, Array, Array]]:
    """Name, torch's answer and ONNX's, for every output and sample."""
    options = LoadOptions(inputs=(TensorSpec.parse(f"a:float32[{shape}]"),))
    found = load(Many(computes).eval(), options)
    assert any("dynamo" in note for note in found.notes)
    assert found.reference is not None
    reference = OnnxReference(found.model)
    for sample in samples:
        theirs, ours = found.reference({"a": sample}), reference({"a": sample})
        assert theirs.keys() == ours.keys()
        yield from ((name, theirs[name], ours[name]) for name in theirs)


def close(expected: Array, given: Array, *, rtol: float = 1e-4) -> bool:
    """To ``rtol`` of the largest number of each matrix: rounding is of that size."""
    assert expected.dtype == given.dtype
    assert expected.shape == given.shape
    if expected.dtype.kind != "f":
        return bool((expected == given).all())
    flat = expected.reshape(len(expected), -1) if expected.ndim else expected.reshape(1, 1)
    size = np.abs(flat).max(-1, initial=0.0, where=np.isfinite(flat), keepdims=True)
    with np.errstate(invalid="ignore"):
        near = np.abs(given.reshape(flat.shape).astype(float) - flat) <= rtol * size + 1e-30
    same = (given.reshape(flat.shape) == flat) | (np.isnan(flat) & np.isnan(given.reshape(flat.shape)))
    return bool((near | same).all())


def matrices(rows: int, columns: int, seed: int = 0) -> Array:
    """With singular values between 1 and 1 / 30, of scales from 1e-3 to 1e3."""
    generator = np.random.default_rng(seed)
    u, _ = np.linalg.qr(generator.normal(size=(BATCH, rows, rows)))
    v, _ = np.linalg.qr(generator.normal(size=(BATCH, columns, columns)))
    small = min(rows, columns)
    values = np.geomspace(1, 1 / 30, small) * 10.0 ** generator.integers(-3, 4, (BATCH, 1))
    return np.asarray((u[..., :small] * values[:, None, :]) @ v[..., :small].swapaxes(-1, -2), np.float32)


def _definite(a: torch.Tensor) -> torch.Tensor:
    return a @ a.mT + 0.1 * a.square().sum((-2, -1), keepdim=True) * torch.eye(a.shape[-1])


def _symmetric(a: torch.Tensor) -> torch.Tensor:
    return a + a.mT


SQUARE: dict[str, Compute] = {
    "lu_factor_ex": torch.linalg.lu_factor_ex,
    "lu_solve": lambda a: torch.linalg.lu_solve(*torch.linalg.lu_factor(a), a[..., :1]),
    "solve": lambda a: torch.linalg.solve(a, a.mT),
    "solve_right": lambda a: torch.linalg.solve(a, a.mT, left=False),
    "det": torch.linalg.det,
    "slogdet": torch.linalg.slogdet,
    "logdet": lambda a: torch.logdet(_definite(a)),
    "negative power": lambda a: torch.linalg.matrix_power(a, -2),
    "cholesky": lambda a: torch.linalg.cholesky(_definite(a)),
    "cholesky_upper": lambda a: torch.linalg.cholesky_ex(_definite(a), upper=True),
    "cholesky_solve": lambda a: torch.cholesky_solve(a, torch.linalg.cholesky(_definite(a))),
    "solve_triangular_right": lambda a: torch.linalg.solve_triangular(_definite(a), a, upper=True, left=False),
}
REFLECTED: dict[str, Compute] = {
    "qr": torch.linalg.qr,
    "geqrf": lambda a: torch.geqrf(a),  # looked up when it is called
    "householder_product": lambda a: torch.linalg.householder_product(*torch.geqrf(a.mT if _wide(a) else a)),
    "ormqr": lambda a: torch.ormqr(*torch.geqrf(a), a, transpose=True),
}
BY_VALUES: dict[str, Compute] = {
    "pinv": torch.linalg.pinv,
    "pinv_hermitian": lambda a: torch.linalg.pinv(a @ a.mT, hermitian=True, rtol=1e-4),
    "lstsq": lambda a: torch.linalg.lstsq(a, a[..., :1] + 1)[::2],
    "lstsq_gels": lambda a: torch.linalg.lstsq(a, a[..., :1] + 1, driver="gels").solution,
    "svdvals": torch.linalg.svdvals,
    "norm_1": lambda a: torch.linalg.matrix_norm(a, 1, keepdim=True),
    "eigvalsh": lambda a: torch.linalg.eigvalsh(a @ a.mT),
}


def _wide(a: torch.Tensor) -> bool:
    return a.shape[-2] < a.shape[-1]


#: And what shares their code, for small matrices.
TWINS: dict[str, Compute] = {
    "lu": torch.linalg.lu,
    "lu_solve_right": lambda a: torch.linalg.lu_solve(*torch.linalg.lu_factor(a), a[..., :1, :], left=False),
    "inv": torch.linalg.inv,
    "solve_vectors": lambda a: torch.linalg.solve(a, a[..., 0]),
    "cholesky_inverse": lambda a: torch.cholesky_inverse(torch.linalg.cholesky(_definite(a), upper=True), upper=True),
    "triangular_solve": lambda a: torch.triangular_solve(a, _definite(a), transpose=True),
    "ormqr_right": lambda a: torch.ormqr(*torch.geqrf(a), a.mT, left=False),
}
CASES = [(SQUARE, 3, 3), (REFLECTED, 3, 2), (REFLECTED, 2, 3), (BY_VALUES, 3, 2), (TWINS, 2, 2)]


@pytest.mark.parametrize(("computes", "rows", "columns"), CASES)
def test_matrices(computes: dict[str, Compute], rows: int, columns: int) -> None:
    wrong = {n for n, expected, given in compared(computes, f"N,{rows},{columns}", matrices(rows, columns))
             if not close(expected, given, rtol=1e-3)}  # fmt: skip
    assert not wrong


def test_a_wrong_number_is_seen() -> None:
    """The comparison above can fail."""
    right = matrices(3, 3)
    wrong = right.copy()
    wrong[3, 1, 1] *= 1.01
    assert close(right, right.copy())
    assert not close(right, wrong)


def test_exponentials() -> None:
    """From rotations to what leaves float32, and matrices all of whose eigenvalues are far below zero."""
    generator = np.random.default_rng(1)
    scales = 10.0 ** np.linspace(-6, 1, BATCH)[:, None, None]
    drawn = np.asarray(generator.normal(size=(BATCH, 3, 3)) * scales, np.float32)
    decay = np.asarray(-100 * np.eye(3) - np.abs(drawn), np.float32)
    computes: dict[str, Compute] = {"exp": torch.matrix_exp, "turn": lambda a: torch.linalg.matrix_exp(a - a.mT)}
    for name, expected, given in compared(computes, "N,3,3", drawn, decay, 0 * drawn):
        assert close(expected, given), name


def test_where_there_is_no_inverse() -> None:
    """Info says so; what LAPACK leaves is not a number that counts."""
    zeros, ones = np.zeros((2, 3, 3), np.float32), np.ones((2, 3, 3), np.float32)
    computes: dict[str, Compute] = {
        "lu": torch.linalg.lu_factor_ex,
        "inv": lambda a: torch.linalg.inv_ex(a).info,
        "cholesky": lambda a: torch.linalg.cholesky_ex(a - 2).info,
        "pinv": torch.linalg.pinv,
        "rank": torch.linalg.matrix_rank,
        "qr": torch.linalg.qr,
        "slogdet": torch.linalg.slogdet,
    }
    for name, expected, given in compared(computes, "N,3,3", zeros, ones, np.eye(3, dtype=np.float32)[None]):
        assert np.allclose(expected, given, atol=1e-6), name


def test_singular_values_stay_exact() -> None:
    """Against float64, in parts of the largest; columns of very different sizes, and ranks that are not full."""
    torch.manual_seed(3)
    for size in (1, 2, 3, 6, 12):
        drawn = [torch.randn(8, size + 2, size), torch.randn(8, size + 2, size) * 10 ** (3 * torch.randn(size)),
                 torch.randn(8, size + 2, 1) @ torch.randn(8, 1, size), torch.ones(1, size + 2, size)]  # fmt: skip
        for a in drawn:
            expected = torch.linalg.svdvals(a.double())
            assert ((singular_values(a) - expected).abs() <= 4e-6 * expected[..., :1]).all()
            expected = torch.linalg.eigvalsh((a.mT @ a).double())
            assert ((eigvalsh(a.mT @ a) - expected).abs() <= 4e-6 * expected[..., -1:]).all()


def test_ldl_takes_lapacks_pivots() -> None:
    """Blocks of two too: with zeros on the diagonal nothing else is left."""
    torch.manual_seed(4)
    for size in (2, 3, 5, 7):
        for emptied in (0.0, 1.0):
            a = torch.randn(40, size, size) * (1 - emptied * torch.eye(size))
            expected, given = torch.linalg.ldl_factor_ex(a), ldl_factor_ex(a)
            assert (expected.pivots < 0).any() or not emptied
            assert torch.equal(expected.pivots, given[1])
            assert torch.equal(expected.info, given[2])
            torch.testing.assert_close(given[0], expected.LD, rtol=1e-3, atol=1e-3)
            b = torch.randn(40, size, 2)
            x = ldl_solve(expected.LD, expected.pivots, b)
            torch.testing.assert_close(x, torch.linalg.ldl_solve(expected.LD, expected.pivots, b), rtol=2e-2, atol=1e-2)


def test_ldl_is_exported() -> None:
    computes: dict[str, Compute] = {
        "factor": lambda a: torch.linalg.ldl_factor_ex(_symmetric(a)),
        "solve": lambda a: torch.linalg.ldl_solve(*torch.linalg.ldl_factor(_symmetric(a)), a),
    }
    sample = np.random.default_rng(5).normal(size=(BATCH, 3, 3)).astype(np.float32)
    for name, expected, given in compared(computes, "N,3,3", sample * (1 - np.eye(3, dtype=np.float32)), sample):
        assert close(expected, given, rtol=1e-2), name


SCANS: dict[str, Compute] = {
    "cummax": lambda x: torch.cummax(x, 1),
    "cummin": lambda x: torch.cummin(x, 2),
    "cumprod": lambda x: torch.cumprod(x, 2),
    "cumprod_of_integers": lambda x: torch.cumprod(x.sign().to(torch.int64), 1),
    "logcumsumexp": lambda x: torch.logcumsumexp(x, 2),
    "kthvalue": lambda x: torch.kthvalue(x, 2, 1).values,
    "median": lambda x: torch.median(x, 2, keepdim=True).values,
    "nanmedian": lambda x: torch.nanmedian(x, 1).values,
    "mode": lambda x: torch.mode(x, 2),
    "mode_of_integers": lambda x: torch.mode(x.sign().to(torch.int64), 1, keepdim=True),
    "msort": torch.msort,
    "argsort": lambda x: torch.argsort(x, dim=2, stable=True),
    "trapezoid": lambda x: torch.trapezoid(x, dx=0.5),
    "cumulative_trapezoid": lambda x: torch.cumulative_trapezoid(x, dim=1),
    "renorm": lambda x: torch.renorm(x, 2, 1, 0.5),
}


def test_scans_and_sorts() -> None:
    generator = np.random.default_rng(6)
    drawn = generator.normal(size=(4, 5, 7)).astype(np.float32)
    equal = np.round(2 * drawn)
    large = np.where(generator.random((4, 5, 7)) < 0.3, 0, 1e4 * drawn).astype(np.float32)
    for name, expected, given in compared(SCANS, "N,5,7", drawn, equal, large):
        assert close(expected, given), name


def test_what_is_no_number_goes_through() -> None:
    names = ("cummax", "cummin", "cumprod", "median", "nanmedian", "kthvalue")
    sample = np.random.default_rng(7).normal(size=(4, 5, 7)).astype(np.float32)
    sample[0, 2, 3], sample[1, :4, 5], sample[2, 1, 1], sample[2, 3, 1] = np.nan, np.nan, np.inf, 0
    sample[3] = np.nan
    for name, expected, given in compared({n: SCANS[n] for n in names}, "N,5,7", sample):
        assert close(expected, given), name


@pytest.mark.parametrize("degree", [1, 4, 12])
def test_polynomials(degree: int) -> None:
    chebyshev = [f"{shifted}chebyshev_polynomial_{k}" for shifted in ("", "shifted_") for k in "tuvw"]
    names = [*chebyshev, "hermite_polynomial_h", "hermite_polynomial_he", "laguerre_polynomial_l",
             "legendre_polynomial_p"]  # fmt: skip
    computes: dict[str, Compute] = {n: partial(getattr(torch.special, n), n=degree) for n in names}
    sample = np.linspace(-1.5, 1.5, 61, dtype=np.float32)
    for name, expected, given in compared(computes, "61", sample, np.array([-1, 0, 1] * 20 + [0.5], np.float32)):
        assert np.allclose(expected, given, rtol=1e-4, atol=2e-5), name


def refused(compute: Compute, shape: str) -> str:
    with pytest.raises(ExportFailed) as caught:
        load(Many({"y": compute}), LoadOptions(inputs=(TensorSpec.parse(f"a:float32[{shape}]"),)))
    return str(caught.value)


def test_refused() -> None:
    assert "vectors_of_free_sign" in refused(lambda a: torch.linalg.svd(a)[0], "3,4")
    assert "more than 6000 operators" in refused(torch.linalg.svdvals, "60,60")
    assert "open size" in refused(lambda a: torch.cummax(a, 0), "N,3")
