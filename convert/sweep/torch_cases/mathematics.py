"""Functions of ``torch.special`` and ``torch.linalg``."""

from __future__ import annotations

import inspect
from typing import Any

from convert.sweep.case import Case
from convert.sweep.torch_cases.written import calls
from convert.sweep.written import many

_POSITIVE, _PROBABILITY = "x.abs() + 0.1", "x.tanh() * 0.4 + 0.5"
#: Matrices that have an inverse, and that have a Cholesky decomposition.
_REGULAR, _DEFINITE = "a + 3 * torch.eye(4)", "a @ a.mT + torch.eye(4)"

SPECIAL: dict[str, tuple[str, ...]] = {
    **many("erf erfc erfcx exp2 expit expm1 i0 i0e i1 i1e log_ndtr ndtr sinc round airy_ai bessel_j0 bessel_j1 "
           "modified_bessel_i0 modified_bessel_i1 spherical_bessel_j0", "x"),
    **many("entr digamma psi gammaln log1p bessel_y0 bessel_y1 modified_bessel_k0 modified_bessel_k1 "
           "scaled_modified_bessel_k0 scaled_modified_bessel_k1", _POSITIVE),
    **many("logit ndtri", _PROBABILITY),
    "erfinv": ("x.tanh() * 0.9",),
    **many("logsumexp softmax log_softmax", "x, 1"),
    "polygamma": (f"1, {_POSITIVE}",),
    "multigammaln": ("x.abs() + 2, 2",),
    **many("xlog1py xlogy", "x, y.abs() + 0.1"),
    **many("gammainc gammaincc", "x.abs() + 0.1, y.abs() + 0.1"),
    "zeta": ("x.abs() + 1.5, y.abs() + 0.1",),
    **many("chebyshev_polynomial_t chebyshev_polynomial_u chebyshev_polynomial_v chebyshev_polynomial_w "
           "hermite_polynomial_h hermite_polynomial_he laguerre_polynomial_l legendre_polynomial_p "
           "shifted_chebyshev_polynomial_t shifted_chebyshev_polynomial_u shifted_chebyshev_polynomial_v "
           "shifted_chebyshev_polynomial_w", "x.sigmoid(), 3"),
}  # fmt: skip

LINALG: dict[str, tuple[str, ...]] = {
    **many("cholesky cholesky_ex eigvalsh", _DEFINITE),
    **many("inv inv_ex det slogdet svdvals cond matrix_rank pinv matrix_exp lu_factor lu_factor_ex lu qr ldl_factor "
           "ldl_factor_ex", _REGULAR),
    **many("solve solve_ex", f"{_REGULAR}, b"),
    "cross": ("x, y, dim=1",),
    "diagonal": ("a",),
    "lstsq": (f"{_REGULAR}, b",),
    "lu_solve": (f"*torch.linalg.lu_factor({_REGULAR}), b",),
    "ldl_solve": (f"*torch.linalg.ldl_factor({_DEFINITE}), b",),
    "matmul": ("a, b",),
    "matrix_norm": ("x", "x, 1", "x, 'nuc'"),
    "matrix_power": ("a, 3",),
    "multi_dot": ("[m, n, n.mT]",),
    "norm": ("x", "x, 1, 2"),
    "solve_triangular": (f"({_REGULAR}).triu(), b, upper=True",),
    "tensorinv": ("torch.eye(4) * 2 + u, ind=1",),
    "tensorsolve": ("torch.eye(4) * 2 + u, v",),
    "vander": ("u, N=3",),
    "vecdot": ("x, y",),
    "vector_norm": ("x", "x, 1, 2", "x, float('inf'), 1"),
    "householder_product": ("a, x[:, 0]",),
}  # fmt: skip

EXCLUDED = {
    "torch.linalg.eig": "gives complex numbers",
    "torch.linalg.eigvals": "gives complex numbers",
    "torch.linalg.eigh": "gives vectors whose signs are the library's choice",
    "torch.linalg.svd": "gives vectors whose signs are the library's choice",
}


def cases() -> list[Case]:
    return [*calls("torch.special", SPECIAL), *calls("torch.linalg", LINALG)]


def names(torch: Any) -> list[str]:
    """All that can be called."""
    return [
        f"torch.{home}.{n}"
        for home in ("special", "linalg")
        for n, v in vars(getattr(torch, home)).items()
        if not n.startswith("_") and callable(v) and not inspect.isclass(v)
    ]
