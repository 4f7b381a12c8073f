"""Fourier transforms of fixed length: DFT, and STFT over frames."""

from __future__ import annotations

import numpy as np

from rewrite.graph import Array, Tensor
from rewrite.rule import NodeView, Op, Refusal, Result, case, refuse, rule
from rewrite.rules._shapes import integers, reshaped, take

#: Elements of the largest matrix: beyond it, a fast transform is what one wants.
LARGEST = 1 << 23

_REAL = "(float[2,5,1] x) => (float[2,5,2] y) "
_COMPLEX = "(float[2,4,3,2] x) => (float[2,4,3,2] y) "


@rule("DFT", cases=[
    case(_REAL + "{ y = DFT(x) }", atol=0.05),
    case(_REAL + "<int64 a = {0}> { y = DFT(x, , a) }", atol=0.05),
    case(_COMPLEX + "<int64 a = {-3}> { y = DFT(x, , a) }", atol=0.05),
    case(_COMPLEX + "<int64 a = {1}> { y = DFT<inverse=1>(x, , a) }", atol=0.05),
    case("(float[N,6,1] x) => (float[N,4,2] y) { y = DFT<onesided=1>(x) }", atol=0.05),
    case("(float[2,5,1] x) => (float[2,8,2] y) <int64 l = {8}> { y = DFT(x, l) }", atol=0.05),
    case("(float[2,5,2] x) => (float[2,3,2] y) <int64 l = {3}> { y = DFT(x, l) }", atol=0.05),
    case("(float[2,4,2] x) => (float[2,6,1] y) { y = DFT<inverse=1, onesided=1>(x) }", atol=0.05),
    case("(float[2,3,2] x) => (float[2,5,1] y) <int64 l = {5}> { y = DFT<inverse=1, onesided=1>(x, l) }", atol=0.05),
    case("(float[2,6,2] x) => (float[2,5,1] y) <int64 l = {5}> { y = DFT<inverse=1, onesided=1>(x, l) }",
         refuses="onnxruntime and ONNX"),
    case("(float[2,N,1] x) => (float[2,N,2] y) { y = DFT(x) }", refuses="no fixed length"),
    case("(float[2,5,1] x, int64 a) => (float[A,B,2] y) { y = DFT(x, , a) }", refuses="run time"),
    case("(float[1,3000,1] x) => (float[1,3000,2] y) { y = DFT(x) }", refuses="too large"),
])  # fmt: skip
def dft_to_matmul(op: Op, node: NodeView) -> Result:
    """DFT(x)_k = sum_n exp(-2 pi i k n / N) x_n, as a real matrix; its inverse with +i and 1/N"""
    shape, given, along = op.shape(node.x), integers(op, node.input(1)), integers(op, node.input(2))
    if shape is None:
        return refuse("the rank is unknown")
    if (node.input(1) is not None and given is None) or (node.input(2) is not None and along is None):
        return refuse("its axis or its length is known only at run time")
    axis, rank = (along[0] if along else -2) % len(shape), len(shape)
    size, parts = shape[axis], shape[-1]
    if isinstance(size, str) or isinstance(parts, str):
        return refuse(f"axis {axis} has no fixed length")
    inverse, onesided = bool(node.attr("inverse", 0)), bool(node.attr("onesided", 0))
    if onesided and parts != (2 if inverse else 1):
        return refuse("one side stands for the whole only of a real signal")
    length = given[0] if given else 2 * (size - 1) if inverse and onesided else size
    if inverse and onesided and size != length // 2 + 1:
        return refuse(f"of {size} frequencies onnxruntime and ONNX make unlike signals of {length}")
    used = min(size, length)
    if 2 * parts * used * length > LARGEST:
        return refuse(f"its length of {length} is too large for a matrix")
    basis = _basis(used, parts)
    if inverse and onesided:
        matrix = np.fft.irfft(basis, length, axis=1)[..., None]
    else:
        found = (np.fft.ifft if inverse else np.fft.fft)(basis, length, axis=1)
        matrix = _parted(found[:, : length // 2 + 1] if onesided else found)
    x = node.x if used == size else take(op, node.x, np.arange(used), axis)
    perm = [i for i in range(rank - 1) if i != axis] + [axis, rank - 1]
    moved = x if axis == rank - 2 else op.Transpose(x, perm=perm)
    result = _times(op, moved, matrix)
    if isinstance(result, Refusal) or axis == rank - 2:
        return result
    return op.Transpose(result, perm=[perm.index(i) for i in range(rank)])


@rule("STFT", cases=[
    case("(float[2,20,1] x) => (float[2,4,5,2] y) <int64 s = {4}, int64 l = {8}> { y = STFT<onesided=1>(x, s, , l) }",
         atol=0.05),
    case("(float[1,9,1] x) => (float[1,3,5,2] y) <int64 s = {2}, float[5] w = {0.1, 0.5, 1, 0.5, 0.1}>"
         " { y = STFT<onesided=0>(x, s, w) }", atol=0.05),
    case("(float[N,9,2] x) => (float[N,2,4,2] y) <int64 s = {3}, float[4] w = {0.5, 1, 1, 0.5}, int64 l = {4}>"
         " { y = STFT<onesided=0>(x, s, w, l) }", atol=0.05),
    case("(float[2,9,1] x, float[5] w) => (float[2,3,3,2] y) <int64 s = {2}> { y = STFT<onesided=1>(x, s, w) }",
         rtol=1e-4, atol=2000.0),
    case("(float[2,T,1] x) => (float[2,F,3,2] y) <int64 s = {2}, int64 l = {4}> { y = STFT<onesided=1>(x, s, , l) }",
         refuses="no fixed length"),
    case("(float[2,9,1] x, int64 s) => (float[2,F,3,2] y) <int64 l = {4}> { y = STFT<onesided=1>(x, s, , l) }",
         refuses="run time"),
])  # fmt: skip
def stft_to_matmul(op: Op, node: NodeView) -> Result:
    """STFT(x)_fk = sum_n exp(-2 pi i k n / L) w_n x[f step + n]"""
    shape, step = op.shape(node.x), integers(op, node.input(1))
    window, given = node.input(2), integers(op, node.input(3))
    if shape is None or isinstance(shape[1], str) or isinstance(shape[2], str):
        return refuse("its signal has no fixed length")
    size, parts = shape[1], shape[2]
    if step is None or (node.input(3) is not None and given is None):
        return refuse("its step or the length of its frames is known only at run time")
    wide = None if window is None else op.static_shape(window)
    length = given[0] if given else wide[0] if wide else size
    if 2 * parts * length * length > LARGEST:
        return refuse(f"frames of {length} are too large for a matrix")
    onesided = bool(node.attr("onesided", 1))
    if onesided and parts == 2:
        return refuse("one side stands for the whole only of a real signal")
    found = np.fft.fft(_basis(length, parts), axis=1)
    matrix = _parted(found[:, : length // 2 + 1] if onesided else found)
    places = np.arange(0, size - length + 1, step[0])[:, None] + np.arange(length)
    frames = op.Gather(node.x, op.const(places, np.int64), axis=1)
    weights = op.value(window)
    if weights is not None:
        matrix = matrix * np.repeat(weights.astype(np.float64), parts)[:, None, None]
    elif window is not None:
        frames = op.Mul(frames, op.Reshape(window, op.ints(length, 1), allowzero=0))
    return _times(op, frames, matrix)


def _basis(length: int, parts: int) -> Array:
    """Complex [length * parts, length]: what each real number of a signal stands for."""
    unit = np.eye(length * parts).reshape(length * parts, length, parts)
    basis: Array = unit[..., 0] + 1j * unit[..., 1] if parts == 2 else unit[..., 0] + 0j
    return basis


def _parted(values: Array) -> Array:
    return np.stack([values.real, values.imag], axis=-1)


def _times(op: Op, x: Tensor, matrix: Array) -> Result:
    """The last two axes of ``x``, as one, times ``matrix`` [numbers, bins, parts]."""
    shape = op.shape(x) or ()
    rows, bins, parts = matrix.shape
    flat = reshaped(op, x, (*shape[:-2], rows))
    if flat is None:
        return refuse("its axes have no fixed sizes")
    made = op.MatMul(flat, op.const(matrix.reshape(rows, bins * parts), op.dtype(x)))
    result = reshaped(op, made, (*shape[:-2], bins, parts))
    return refuse("its axes have no fixed sizes") if result is None else result
