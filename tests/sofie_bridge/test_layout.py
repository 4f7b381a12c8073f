"""Which columns feed which input, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convert.errors import BadSamples, UsageError
from convert.spec import TensorSpec
from sofie_bridge.columns import Column, Layout
from sofie_bridge.interface import Interface
from sofie_bridge.layout import Wishes, default, lay_out
from sofie_bridge.padding import Lists, counts, pack, sizes
from sofie_bridge.signature import Signature

NET = ("points:float32[N,2,P]", "features:float32[N,7,P]", "mask:float32[N,1,P]")
FIXED = ("points:float32[1,2,20]", "features:float32[1,7,20]", "mask:float32[1,1,20]")


def interface(*inputs: str, outputs: tuple[str, ...] = ("y:float32[N,1]",), least: int = 1) -> Interface:
    specs = tuple(map(TensorSpec.parse, inputs))
    sizes = tuple(dict.fromkeys(d for s in specs for d in s.shape if isinstance(d, str)))
    names = Signature("SOFIE_m", True, (*sizes, *(s.name for s in specs)), sizes, "m.dat", ())
    return Interface(names, specs, tuple(map(TensorSpec.parse, outputs)), {"P": least})


def numbers(*names: str, dtype: str = "float32") -> list[Column]:
    return [Column(n, dtype, dtype, False) for n in names]


def lists(*names: str, dtype: str = "float32") -> list[Column]:
    return [Column(n, f"RVec<{dtype}>", dtype, True) for n in names]


def ways(layout: Layout) -> list[tuple[Any, ...]]:
    return [(f.tensor.name, f.way, len(f.columns), f.feature, f.long) for f in layout.feeds]


@pytest.mark.parametrize(
    ("inputs", "expected", "batch"),
    [
        (["x:float32[N,4]"], [("x", "scalars", 4, None, None)], "N"),
        (["x:float32[1,4]"], [("x", "scalars", 4, None, None)], None),
        (["x:float32[N]"], [("x", "scalars", 1, None, None)], "N"),
        (["x:float32[N,1,28,28]"], [("x", "values", 1, None, None)], "N"),
        (["x:float32[N,100]"], [("x", "values", 1, None, None)], "N"),
        (["x:float32[N,15,9]"], [("x", "values", 1, None, None)], "N"),
        (["x:float32[N,P,6]"], [("x", "rows", 6, 2, 1)], "N"),
        (["x:float32[N,P]"], [("x", "rows", 1, None, 1)], "N"),
        (NET, [("points", "rows", 2, 1, 2), ("features", "rows", 7, 1, 2), ("mask", "mask", 0, None, 2)], "N"),
        (FIXED, [("points", "rows", 2, 1, 2), ("features", "rows", 7, 1, 2), ("mask", "mask", 0, None, 2)], None),
        (["jet:float32[N,3]", "track:float32[N,8,P]"], [("jet", "scalars", 3, None, None), ("track", "rows", 8, 1, 2)], "N"),
    ],
)  # fmt: skip
def test_the_shapes_suggest(inputs: list[str], expected: list[tuple[Any, ...]], batch: str | None) -> None:
    layout = default(interface(*inputs))
    assert ways(layout) == expected
    assert layout.batch == batch


@pytest.mark.parametrize(
    ("inputs", "columns", "wishes", "expected"),
    [
        (["x:float32[N,7]"], lists(*"abcdefg"), Wishes(), ("x", "rows", 7, 1, 0)),  # a call for each particle
        (["x:float32[N,7,20]"], lists(*"abcdefg"), Wishes(), ("x", "rows", 7, 1, 2)),
        (["x:float32[N,20,7]"], lists(*"abcdefg"), Wishes(), ("x", "rows", 7, 2, 1)),
        (["x:float32[N,7,7]"], lists(*"abcdefg"), Wishes(axes={"x": 1}), ("x", "rows", 7, 2, 1)),
        (["x:float32[N,20]"], lists("a"), Wishes(), ("x", "values", 1, None, None)),
        (["x:float32[N,20]"], lists("a"), Wishes(padded=["x"]), ("x", "rows", 1, None, 1)),
    ],
)
def test_columns_tell(inputs: list[str], columns: list[Column], wishes: Wishes, expected: tuple[Any, ...]) -> None:
    assert ways(lay_out(interface(*inputs), columns, wishes)) == [expected]


@pytest.mark.parametrize(
    ("inputs", "columns", "wishes", "why"),
    [
        (["x:float32[N,4]"], numbers(*"abc"), Wishes(), ["3 columns of one number", "an event has 4"]),
        (["x:float32[N,4]"], [*numbers("a"), *lists("b", "c", "d")], Wishes(), ["mix lists and single numbers"]),
        (["x:int64[N,2]"], numbers("a", "b"), Wishes(), ["takes whole numbers", "a is float32"]),
        (["x:float32[N,4,P]"], numbers(*"abcd"), Wishes(), ["takes lists"]),
        (["x:float32[N,7,7]"], lists(*"abcdefg"), Wishes(), ["more than one way", "axes="]),
        (["x:float32[N,7,20]"], lists(*"abc"), Wishes(), ["no axis of that size"]),
        (["x:float32[1,7]"], lists(*"abcdefg"), Wishes(), ["no axis of that size"]),
        (["x:float32[N,P,Q]"], lists("a"), Wishes(), ["does not tell the open sizes"]),
        (["x:float32[N,2]", "z:float32[M,2]"], numbers(*"abcd"), Wishes(), ["two open dimensions count events"]),
        (["x:float32[N,2]", "z:float32[N,2]"], numbers(*"abc"), Wishes(), ["3 columns for 2 inputs"]),
        (["x:float32[N,4]"], {"z": numbers("a")}, Wishes(), ["z is no input", "there are no columns for x"]),
        (["x:float32[N,4,P]", "padding_mask:float32[N,P]"], {"x": lists(*"abcd")}, Wishes(), ["is it a mask?"]),
        (["x:float32[N,4,P]", "mask:float32[N,Q]"], lists(*"abcd"), Wishes(), ["cannot be made"]),
        (["x:float32[N,4,20]", "z:float32[N,4,20]", "a_mask:float32[N,20]", "b_mask:float32[N,20]"],
         {"x": lists(*"abcd"), "z": lists(*"abcd")}, Wishes(), ["cannot be told which input"]),
    ],
)  # fmt: skip
def test_what_does_not_fit(inputs: list[str], columns: Any, wishes: Wishes, why: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        lay_out(interface(*inputs), columns, wishes)
    for words in why:
        assert words in str(caught.value)


def table() -> dict[str, np.ndarray[Any, Any] | Lists]:
    content = np.arange(1, 8, dtype=np.float32)
    return {n: Lists(content * k, np.array([3, 0, 4])) for k, n in enumerate("abcdefghi", 1)}


def test_packed_with_padding_and_mask() -> None:
    layout = lay_out(interface("x:float32[N,2,3]", "mask:float32[N,1,3]"), lists("a", "b"))
    lengths = counts(layout, table())
    size = sizes(layout, lengths, 3)
    inputs = pack(layout, table(), lengths, np.arange(3), size[0])
    assert inputs["x"].tolist() == [[[1, 2, 3], [2, 4, 6]], [[0, 0, 0], [0, 0, 0]], [[4, 5, 6], [8, 10, 12]]]
    assert inputs["mask"].tolist() == [[[1, 1, 1]], [[0, 0, 0]], [[1, 1, 1]]]  # the fourth particle is cut


def test_packed_along_an_open_axis() -> None:
    layout = lay_out(
        interface("x:float32[N,P,2]", "is_padding:uint8[N,P]"), lists("a", "b"), Wishes({"is_padding": False})
    )
    lengths = counts(layout, table())
    size = sizes(layout, lengths, 3)
    assert size.tolist() == [[3], [1], [4]]  # with a mask nothing is padded to one
    inputs = pack(layout, table(), lengths, np.array([1]), size[1])
    assert inputs["x"].tolist() == [[[0, 0]]]
    assert inputs["is_padding"].tolist() == [[1]]
    assert pack(layout, table(), lengths, np.array([0]), size[0])["x"].tolist() == [[[1, 2], [2, 4], [3, 6]]]


def test_padded_to_what_the_model_runs_with() -> None:
    layout = lay_out(interface(*NET, least=8), lists(*"abcdefghi"))
    assert sizes(layout, counts(layout, table()), 3).tolist() == [[8], [8], [8]]


def test_lists_that_differ() -> None:
    layout = lay_out(interface("x:float32[N,2,P]"), lists("a", "b"))
    events = {**table(), "b": Lists(np.zeros(7, np.float32), np.array([3, 1, 3]))}
    with pytest.raises(BadSamples, match=r"a and b differ in length, at event 1\n.*0 and 1"):
        counts(layout, events)


def test_values_have_to_be_as_many() -> None:
    layout = lay_out(interface("x:float32[N,3]"), lists("a"))
    with pytest.raises(BadSamples, match="a has 0 values, not 3, at event 1"):
        counts(layout, table())
