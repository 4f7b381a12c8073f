"""Calls to LAPACK, as which JAX writes factorisations for the CPU.

The last result of a factorisation tells whether it went well, upon which JAX puts in NaN: what ``jax.lax.linalg`` gives
has these in it already, and so all always goes well here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convert.errors import ExportFailed
from converters.stablehlo.registry import called
from converters.stablehlo.values import spread


@called("lapack_spotrf_ffi")
def potrf(op: Any, x: Any, *sizes: Any) -> Any:
    """Cholesky's lower triangle"""
    del sizes  # of the results, where some are open
    from jax import lax

    if _letter(op, "uplo") != "L":
        raise ExportFailed("the upper triangle is asked for", advice="use jax.numpy.linalg.cholesky")
    return [lax.linalg.cholesky(x, symmetrize_input=False), _well(x)]


@called("lapack_sgetrf_ffi")
def getrf(op: Any, x: Any, *sizes: Any) -> Any:
    """Both triangles, and the rows that were exchanged, counted from 1"""
    del op, sizes
    from jax import lax

    found, pivots, _ = lax.linalg.lu(x)
    return [found, lax.add(pivots, np.int32(1)), _well(x)]


@called("lapack_strsm_ffi")
def trsm(op: Any, triangle: Any, x: Any, *sizes: Any) -> Any:
    """The solution of triangular equations"""
    del sizes
    from jax import lax

    return lax.linalg.triangular_solve(
        triangle,
        x,
        left_side=_letter(op, "side") == "L",
        lower=_letter(op, "uplo") == "L",
        transpose_a=_letter(op, "trans_x") != "N",
        unit_diagonal=_letter(op, "diag") == "U",
    )


def _letter(op: Any, name: str) -> str:
    """LAPACK's, which the program has as a number."""
    return chr(op["mhlo.backend_config"][name])


def _well(x: Any) -> Any:
    return spread(np.array(0, np.int32), x.shape[:-2])
