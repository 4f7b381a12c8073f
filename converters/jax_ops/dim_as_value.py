"""dim_as_value"""

from __future__ import annotations

from typing import Any

from converters.jax_cases import case
from converters.jax_decompositions import primitive
from converters.jax_lowering import lowering

CASES = (
    case(lambda jax, x: x.mean(axis=0), "float32[N,3]"),
    case(lambda jax, x: x + x.shape[0], "float32[N,3]"),
    case(lambda jax, x: x * (2 * x.shape[0] + x.shape[1]), "int32[N,M]"),
    case(lambda jax, x: x + ((x.shape[0] + 3) // 2 - 1), "int32[N]"),
    case(lambda jax, x: x[:, -1], "float32[N,M,2]"),
)  # fmt: skip


@primitive("dim_as_value")
def calculated(*, dim: Any) -> Any:
    """The same sums and products of sizes that have a name each"""
    from jax.export import symbolic_shape

    names = dim.get_vars()
    if str(dim) in names:
        return NotImplemented
    sizes = {n: symbolic_shape(n, scope=dim.scope)[0].dimension_as_value() for n in names}
    return dim._evaluate(sizes)


@lowering("dim_as_value")
def dim_as_value(g: Any, *_: Any, dim: Any) -> Any:
    """ReduceSum(Expand(1, [dim])): a size counted, as SOFIE computes with no scalar that comes from Shape

    In float32, which counts to 2^24.
    """
    import onnx_ir as ir

    ones = g.Expand(g.constant(1.0, "float32"), g.sizes([dim]))
    counted = g.ReduceSum(ones, g.constant([0]), keepdims=0)
    whole = g.Cast(counted, to=int(ir.DataType[str(g.outputs[0].dtype).upper()].value))
    whole.meta[DIMENSION] = str(dim)
    return whole


#: Where a value says which open size it is.
DIMENSION = "sofie_convert.dimension"
