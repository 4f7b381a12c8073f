"""Loops of JAX: which are kept, and that the headers of those that are compute what JAX does."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from convert import convert
from convert.errors import ExportFailed
from convert.spec import TensorSpec
from converters import LoadOptions, load

jax = pytest.importorskip("jax", reason="the extra jax is not installed")
linen = pytest.importorskip("flax.linen", reason="the extra jax is not installed")
jnp, lax = jax.numpy, jax.lax


def exported(model: object, *inputs: str) -> Any:
    return load(model, LoadOptions(inputs=tuple(map(TensorSpec.parse, inputs)))).model.graph


def operators(model: object, *inputs: str) -> Counter[str]:
    return Counter(node.op_type for node in exported(model, *inputs).node)


def with_variables(module: Any, *shapes: tuple[int, ...]) -> tuple[Any, Any]:
    """The module, and parameters drawn for it."""
    return module, module.init(jax.random.key(3), *(jnp.ones(s, "int32" if len(s) == 1 else "float32") for s in shapes))


class Tagger(linen.Module):  # type: ignore[misc, name-defined]
    """Two recurrent layers, the second against the order, over tracks of which each event has its own number."""

    @linen.compact  # type: ignore[untyped-decorator]
    def __call__(self, tracks: Any, count: Any) -> Any:
        lengths = jnp.clip(count, 1, tracks.shape[1])
        x = linen.RNN(linen.LSTMCell(4))(tracks, seq_lengths=lengths)
        last, x = linen.RNN(linen.GRUCell(3), return_carry=True, reverse=True, keep_order=True)(x, seq_lengths=lengths)
        return {"last": last, "end": linen.Dense(1)(x[:, -1])}


def test_a_recurrent_layer_does_not_grow_with_its_steps() -> None:
    model = with_variables(linen.RNN(linen.LSTMCell(4)), (1, 5, 3))
    sizes = {steps: operators(model, f"inputs:float32[N,{steps},3]") for steps in (24, 400, "T")}
    assert sizes[24] == sizes[400] == sizes["T"]
    assert sizes["T"]["Scan"] == 1
    assert "Scan" not in operators(model, "inputs:float32[N,3,3]")


def test_what_a_step_does_with_its_own_slice_is_done_for_all_at_once() -> None:
    """The products with the features are ahead of the Scan, those with the state in it."""
    graph = exported(with_variables(linen.RNN(linen.GRUCell(4)), (1, 5, 3)), "inputs:float32[N,T,3]")
    (scan,) = (n for n in graph.node if n.op_type == "Scan")
    body = next(a.g for a in scan.attribute if a.name == "body")
    assert [Counter(n.op_type for n in g.node)["MatMul"] for g in (graph, body)] == [3, 3]


def test_stacked_layers_are_written_out() -> None:
    """Their parameters are constants then, which is worth more than a short header."""
    weights = jnp.ones((9, 3, 3))
    found = operators(lambda x: lax.scan(lambda y, w: (jnp.tanh(y @ w) + y, None), x, weights)[0], "x:float32[N,3]")
    assert (found["MatMul"], found["Scan"]) == (9, 0)


def test_a_loop_whose_end_is_known_is_written_out_where_it_is_short() -> None:
    def halved(steps: int) -> Counter[str]:
        def model(x: Any) -> Any:
            return lax.while_loop(lambda v: v[0] < steps, lambda v: (v[0] + 1, v[1] * 0.5 + 1), (0, x))[1]

        return operators(model, "x:float32[N,3]")

    assert (halved(9)["Mul"], halved(9)["Loop"]) == (9, 0)
    assert (halved(900)["Mul"], halved(900)["Loop"]) == (0, 1)


def test_a_branch_that_might_never_end_is_kept_apart() -> None:
    def doubled(x: Any) -> Any:
        return lax.while_loop(lambda v: v.sum() < 10, lambda v: 2 * v, x)

    assert operators(lambda x: lax.cond(x[0] > 0, doubled, jnp.sin, x), "x:float32[4]")["If"] == 1
    assert operators(lambda x: lax.cond(x[0] > 0, jnp.cos, jnp.sin, x), "x:float32[4]")["If"] == 0


def test_what_cannot_be_translated_in_a_body_is_named_with_its_line() -> None:
    def step(carry: Any, x: Any) -> Any:
        return carry + jax.pure_callback(abs, jax.ShapeDtypeStruct(x.shape, x.dtype), x), None

    with pytest.raises(ExportFailed) as caught:
        exported(lambda x: lax.scan(step, x[0] * 0, x)[0], "x:float32[N,3]")
    assert "pure_callback" in str(caught.value)
    assert "test_jax_loops.py:" in str(caught.value)


def test_a_header_for_any_number_of_steps(tmp_path: Path) -> None:
    def model(x: Any, h: Any) -> Any:
        return lax.scan(lambda s, e: (jnp.tanh(s * 0.5 + e), s), h, x.swapaxes(0, 1), reverse=True)

    report = convert(model, inputs=["x:float32[N,K,3]", "h:float32[N,3]"], output=tmp_path)
    assert report.verified
    assert [tuple(p.shape) for p in report.outputs] == [("N", 3), ("K", "N", 3)]


@pytest.mark.sweep
def test_a_header_of_layers_over_tracks_of_any_number(tmp_path: Path) -> None:
    model = with_variables(Tagger(), (1, 5, 3), (1,))
    report = convert(model, inputs=["tracks:float32[N,K,3]", "count:int32[N]"], output=tmp_path)
    assert report.verified
    assert [tuple(p.shape) for p in report.inputs] == [("N", "K", 3), ("N",)]


def test_a_header_whose_steps_depend_on_the_inputs(tmp_path: Path) -> None:
    """Newton's root of each number, all of them as long as the slowest needs."""

    def root(x: Any) -> Any:
        return lax.while_loop(lambda y: jnp.abs(y * y - x) > 1e-4 * x, lambda y: (y + x / y) / 2, x)

    report = convert(lambda x: jax.vmap(root)(jnp.abs(x) + 1), inputs=["x:float32[N]"], output=tmp_path)
    assert report.verified
