"""Programs of jax.export of the fixtures' networks to verified headers; and of JAX's functions, traced anew, in JAX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exported_programs import network, program_of

from convert import convert
from convert.errors import LoadError
from convert.sweep import jax_cases
from convert.sweep.case import BATCH, Case
from converters import LoadOptions

jax = pytest.importorskip("jax", reason="the extra jax is not installed")

#: What the header and the program may differ by, relative to numbers of the order of 1.
CLOSE = 1e-4
#: Those that always run (docs/jax.md has another); the rest are for tox -e sweep.
OFTEN = (("mlp", True),)
NAMES = ("mlp", "cnn", "attention", "recurrent", "flow", "interaction")
EACH = [(name + kind, fixed) for name in NAMES for kind in ("", "_nnx") for fixed in (False, True)]


@pytest.mark.parametrize(
    ("name", "fixed"), [pytest.param(*c, marks=[] if c in OFTEN else pytest.mark.sweep) for c in EACH]
)
def test_network(name: str, fixed: bool, tmp_path: Path) -> None:  # noqa: FBT001
    function, inputs = network(name, steps=3)
    file = tmp_path / f"{name}.jaxexport"
    file.write_bytes(program_of(function, *inputs, fixed=fixed).serialize())
    report = convert(file, output=tmp_path)
    assert report.verified
    assert report.verification is not None
    against = [m for m in report.verification.measured if m.edge == "header vs framework"]
    assert against
    assert max(m.absolute for m in against) < CLOSE
    assert isinstance(report.inputs[0].shape[0], int) == fixed
    assert [p.name for p in report.files] == [f"{name}.hxx", f"{name}.dat"]


#: Cases of the sweep that are refused, and the reason; functions that jax.export itself does not write.
REFUSED = {
    "jax.numpy.polyfit(jnp.arange(4.0), u, 2)": "lapack_sgesdd_ffi has no translation",
    "jax.lax.mulhi(i, j)": "comes out as int32",
    "jax.numpy.roll(x, 1, axis=0)": "which of two sizes is larger",
}
NOT_WRITTEN = ("jax.numpy.unique_all", "jax.numpy.unique_counts", "jax.numpy.unique_inverse", "jax.lax.composite")
FUNCTIONS = [c for c in jax_cases.cases() if c.name.startswith("jax.") and not c.refuses]


@pytest.mark.sweep
@pytest.mark.parametrize("case", [c for c in FUNCTIONS if c.name not in NOT_WRITTEN], ids=str)
def test_function(case: Case) -> None:
    """Exported, read, traced anew and made plain, it gives the program's own numbers; or it is refused by its name."""
    from converters.jax_exported import carried
    from converters.jax_tracing import precise

    made = case.make()
    with precise():
        program = program_of(made.model, *(str(spec).partition(":")[2] for spec in made.inputs))
    if str(case) in REFUSED:
        with pytest.raises(LoadError, match=REFUSED[str(case)]):
            carried(program, LoadOptions(), where=case.name)
        return
    jaxpr = carried(program, LoadOptions(), where=case.name).traced.jaxpr
    arrays = [_drawn(spec.dtype, [BATCH if size == "N" else size for size in spec.shape]) for spec in made.inputs]
    with precise():
        again = jax.export.export(jax.jit(jax.extend.core.jaxpr_as_fun(jaxpr)))(*jaxpr.in_avals)
        expected, found = jax.tree.leaves(program.call(*arrays)), again.call(*arrays)
    for wanted, array in zip(expected, found, strict=True):
        assert (array.dtype, array.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_allclose(array, wanted, rtol=CLOSE, atol=1e-5)


def _drawn(dtype: str, shape: list[Any]) -> Any:
    draw = np.random.default_rng(3)
    if dtype == "bool":
        return draw.integers(0, 2, shape).astype(bool)
    return (2 * draw.normal(size=shape) if dtype == "float32" else draw.integers(-3, 4, shape)).astype(dtype)
