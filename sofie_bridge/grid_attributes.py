"""The part of the survey's grid that goes through attributes: convolutions, pools, products, axes and directions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod


def texts() -> Iterator[str]:
    """One-node graphs in ONNX's text; output shapes are left to inference."""
    yield from _convolutions()
    yield from _pools()
    yield from _products()
    yield from _axes()
    yield from _selections()
    yield from _recurrent()
    yield from _casts()


def _constant(kind: str, shape: tuple[int, ...], name: str) -> str:
    """A tensor of small numbers, none zero, signs mixed."""
    values = ((k * 7 % 5 - 2 or 3) for k in range(prod(shape)))
    written = ", ".join(str(v / 4) if kind == "float" else str(v) for v in values)
    return f"{kind}[{','.join(map(str, shape))}] {name} = {{{written}}}"


def _convolutions() -> Iterator[str]:
    for rank, group, step, pad, wide, bias in product((1, 2, 3), (1, 2, 4), (1, 2), (0, 1), (1, 2), (0, 1)):
        if rank == 3 and (group > 2 or wide > 1):
            continue
        spatial = ",".join("6" for _ in range(rank))
        attributes = (
            f"kernel_shape={[3] * rank}, strides={[step] * rank}, pads={[pad] * 2 * rank}, "
            f"dilations={[wide] * rank}, group={group}"
        )
        weights = [_constant("float", (4, 4 // group, *[3] * rank), "w"), *([_constant("float", (4,), "b")] * bias)]
        free = ",".join(f"Y{k}" for k in range(rank))
        yield (
            f"(float[2,4,{spatial}] x) => (float[2,4,{free}] y) <{', '.join(weights)}> "
            f"{{ y = Conv<{attributes}>(x, w{', b' * bias}) }}"
        )
        back = [_constant("float", (4, 4 // group, *[3] * rank), "w"), *weights[1:]]
        yield (
            f"(float[2,4,{spatial}] x) => (float[2,4,{free}] y) <{', '.join(back)}> "
            f"{{ y = ConvTranspose<{attributes}>(x, w{', b' * bias}) }}"
        )


def _pools() -> Iterator[str]:
    for op, rank, kernel, step, pad, ceil in product(
        ("MaxPool", "AveragePool"), (1, 2, 3), (2, 3), (1, 2), (0, 1), (0, 1)
    ):
        spatial, free = ",".join("7" for _ in range(rank)), ",".join(f"Y{k}" for k in range(rank))
        attributes = (
            f"kernel_shape={[kernel] * rank}, strides={[step] * rank}, pads={[pad] * 2 * rank}, ceil_mode={ceil}"
        )
        for counted in (0, 1) if op == "AveragePool" and pad else (0,):
            extra = f", count_include_pad={counted}" if op == "AveragePool" else ""
            yield f"(float[2,3,{spatial}] x) => (float[2,3,{free}] y) {{ y = {op}<{attributes}{extra}>(x) }}"
    for op, rank in product(("GlobalAveragePool", "GlobalMaxPool"), (3, 4, 5)):
        shape, kept = ",".join("4" for _ in range(rank)), ",".join(["4", "4", *["1"] * (rank - 2)])
        yield f"(float[{shape}] x) => (float[{kept}] y) {{ y = {op}(x) }}"


def _products() -> Iterator[str]:
    for first, second, alpha, beta, bias in product(
        (0, 1), (0, 1), (1.0, 0.5), (1.0, 2.0), ("", "5", "1,5", "3,5", "3,1")
    ):
        a, b = "4,3" if first else "3,4", (5, 4) if second else (4, 5)
        attributes = f"alpha={alpha}, beta={beta}, transA={first}, transB={second}"
        held = [_constant("float", b, "w")]
        held += [_constant("float", tuple(int(d) for d in bias.split(",")), "c")] if bias else []
        yield (
            f"(float[{a}] x) => (float[3,5] y) <{', '.join(held)}> "
            f"{{ y = Gemm<{attributes}>(x, w{', c' if bias else ''}) }}"
        )


def _axes() -> Iterator[str]:
    for op, rank in product(("Softmax", "LogSoftmax", "Hardmax", "LayerNormalization", "CumSum"), (1, 2, 3, 4)):
        sizes = [str(k + 2) for k in range(rank)]
        shape = ",".join(sizes)
        for axis in (*range(rank), -1):
            if op == "CumSum":
                for exclusive, reverse in product((0, 1), (0, 1)):
                    yield (
                        f"(float[{shape}] x) => (float[{shape}] y) <int64 a = {{{axis}}}> "
                        f"{{ y = CumSum<exclusive={exclusive}, reverse={reverse}>(x, a) }}"
                    )
            elif op == "LayerNormalization":
                part = tuple(int(d) for d in sizes[axis if axis >= 0 else rank - 1 :])
                held = f"{_constant('float', part, 's')}, {_constant('float', part, 'b')}"
                yield f"(float[{shape}] x) => (float[{shape}] y) <{held}> {{ y = {op}<axis={axis}>(x, s, b) }}"
            else:
                yield f"(float[{shape}] x) => (float[{shape}] y) {{ y = {op}<axis={axis}>(x) }}"
    for rank in (2, 3, 4, 5):
        shape = ",".join(["2", "3", *["4"] * (rank - 2)])
        held = ", ".join(_constant("float", (3,), n) for n in "sb")
        yield f"(float[{shape}] x) => (float[{shape}] y) <{held}> {{ y = InstanceNormalization(x, s, b) }}"
        held = f"{held}, float[3] m = {{0.5, 0, -1}}, float[3] v = {{1, 2, 0.5}}"
        yield f"(float[{shape}] x) => (float[{shape}] y) <{held}> {{ y = BatchNormalization(x, s, b, m, v) }}"


def _selections() -> Iterator[str]:
    for kind, axis in product(("float", "int64", "int32", "bool", "double"), (0, 1, 2, -1)):
        yield f"({kind}[3,4,5] x) => ({kind}[A,B,C] y) <int64[2] i = {{2, 0}}> {{ y = Gather<axis={axis}>(x, i) }}"
        for step in (1, 2, -1):
            start, end = (0, 3) if step > 0 else (-1, -9)
            held = f"int64[1] s={{{start}}}, int64[1] e={{{end}}}, int64[1] a={{{axis}}}, int64[1] t={{{step}}}"
            yield f"({kind}[3,4,5] x) => ({kind}[A,B,C] y) <{held}> {{ y = Slice(x, s, e, a, t) }}"
    for axis, largest, ordered in product((0, 1, -1), (0, 1), (0, 1)):
        yield (
            f"(float[4,5] x) => (float[A,B] y, int64[A,B] j) <int64[1] k = {{2}}> "
            f"{{ y, j = TopK<axis={axis}, largest={largest}, sorted={ordered}>(x, k) }}"
        )
    for mode, kind in product(("constant", "reflect", "edge", "wrap"), ("float", "int64")):
        held = "int64[4] p = {1, 0, 1, 2}"
        yield f'({kind}[3,4] x) => ({kind}[5,6] y) <{held}> {{ y = Pad<mode="{mode}">(x, p) }}'
    for op, axis in product(("GatherElements", "ScatterElements"), (0, 1, -1)):
        more, extra = ("", "") if op == "GatherElements" else (", float[2,3] u", ", u")
        shape = "2,3" if op == "GatherElements" else "3,3"
        yield (
            f"(float[3,3] x{more}) => (float[{shape}] y) <int64[2,3] i = {{0,1,2,2,0,1}}> "
            f"{{ y = {op}<axis={axis}>(x, i{extra}) }}"
        )
    for kind, axis in product(("float", "int64"), (0, 1)):
        sizes = "2,4" if axis == 0 else "4,2"
        yield (
            f"({kind}[4,4] x) => ({kind}[{sizes}] y, {kind}[{sizes}] z) <int64[2] s = {{2, 2}}> "
            f"{{ y, z = Split<axis={axis}>(x, s) }}"
        )
    for kind in ("float", "int64", "int32", "double", "uint8", "bool"):
        yield f"(bool[3,4] c, {kind}[3,4] x, {kind}[3,4] z) => ({kind}[3,4] y) {{ y = Where(c, x, z) }}"
        yield f"({kind}[3,4] x) => ({kind}[A,B] y) <int64[2] r = {{2, 1}}> {{ y = Tile(x, r) }}"
        yield f"({kind}[1,4] x) => ({kind}[3,4] y) <int64[2] s = {{3, 4}}> {{ y = Expand(x, s) }}"


def _recurrent() -> Iterator[str]:
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}
    for op, direction, bias in product(gates, ("forward", "reverse", "bidirectional"), (0, 1)):
        ways, rows = (2 if direction == "bidirectional" else 1), gates[op] * 3
        held = [_constant("float", (ways, rows, 2), "w"), _constant("float", (ways, rows, 3), "r")]
        held += [_constant("float", (ways, 2 * rows), "b")] * bias
        yield (
            f"(float[4,2,2] x) => (float[4,{ways},2,3] y) <{', '.join(held)}> "
            f'{{ y = {op}<hidden_size=3, direction="{direction}">(x, w, r{", b" * bias}) }}'
        )


def _casts() -> Iterator[str]:
    kinds = {"float": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7, "bool": 9, "double": 11}
    for (source, _), (target, number) in product(kinds.items(), kinds.items()):
        if source != target:
            yield f"({source}[2,3] x) => ({target}[2,3] y) {{ y = Cast<to={number}>(x) }}"
