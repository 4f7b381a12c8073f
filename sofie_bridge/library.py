"""The C interface of templates/binding.cxx, seen from Python."""

from __future__ import annotations

import _ctypes
import ctypes
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convert.errors import RunFailed

Array = np.ndarray[Any, Any]

_ROOM = 4096


class _Buffer(ctypes.Structure):
    _fields_ = [("dtype", ctypes.c_char_p), ("data", ctypes.c_void_p), ("count", ctypes.c_size_t)]


@dataclass(frozen=True)
class Description:
    """What the compiler knows of a header.

    :param arguments: for each argument of infer its dtype and whether it may be written to; None for a size.
    :param output_dtypes: one for each output, or a single one for all.
    :param input_dims: sizes of each input, a symbolic one as text; None in older headers.
    :param output_dims: likewise; texts may be expressions.
    """

    arguments: tuple[tuple[str, bool] | None, ...]
    output_dtypes: tuple[str, ...]
    input_dims: tuple[tuple[int | str, ...], ...] | None
    output_dims: tuple[tuple[int | str, ...], ...] | None


class Library:
    """A compiled header. Not safe to use from two threads at once."""

    def __init__(self, path: Path) -> None:
        # RTLD_LOCAL (the default): two headers of one name must not see each other
        self._dll = ctypes.CDLL(str(path))
        pointer, size = ctypes.c_void_p, ctypes.c_size_t
        signatures: dict[str, tuple[Any, list[Any]]] = {
            "describe": (ctypes.c_char_p, []),
            "open": (pointer, [ctypes.c_char_p, ctypes.POINTER(size), ctypes.c_char_p, size]),
            "close": (None, [pointer]),
            "run": (pointer, [pointer, ctypes.POINTER(size), ctypes.POINTER(pointer), ctypes.c_char_p, size]),
            "count": (size, [pointer]),
            "output": (None, [pointer, size, ctypes.POINTER(_Buffer)]),
            "free": (None, [pointer]),
        }
        for name, (result, arguments) in signatures.items():
            function = self._dll[f"sofie_bridge_{name}"]
            function.restype, function.argtypes = result, arguments
            setattr(self, f"_{name}", function)
        self._session: int | None = None

    _describe: Any
    _open: Any
    _close: Any
    _run: Any
    _count: Any
    _output: Any
    _free: Any

    def describe(self) -> Description:
        """Types and dimensions."""
        told = json.loads(self._describe())
        arguments = tuple(None if a is None else (a["dtype"], a["writable"]) for a in told["arguments"])
        ins, outs = (told[k] and tuple(map(tuple, told[k])) for k in ("input_dims", "output_dims"))
        return Description(arguments, tuple(told["output_dtypes"]), ins, outs)

    def open(self, weights: str, sizes: Sequence[int]) -> None:
        """Make a new session in place of the old one, for sizes up to those given.

        :raises RunFailed: what the constructor threw.
        """
        self.close()
        error = ctypes.create_string_buffer(_ROOM)
        self._session = self._open(weights.encode(), (ctypes.c_size_t * len(sizes))(*sizes), error, _ROOM)
        if self._session is None:
            advice = f"the weight file was taken to be {weights}" if weights else ""
            raise RunFailed("the header's Session cannot be made", why=_text(error), advice=advice)

    def run(self, arguments: Sequence[int | Array]) -> list[Array]:
        """Call infer with sizes and contiguous arrays; flat arrays come back.

        :raises RunFailed: what infer threw.
        """
        count = len(arguments)
        sizes = (ctypes.c_size_t * count)(*(a if isinstance(a, int) else 0 for a in arguments))
        tensors = (ctypes.c_void_p * count)(*(None if isinstance(a, int) else a.ctypes.data for a in arguments))
        error = ctypes.create_string_buffer(_ROOM)
        outputs = self._run(self._session, sizes, tensors, error, _ROOM)
        if outputs is None:
            raise RunFailed("the header threw an exception", why=_text(error))
        try:
            return [self._take(outputs, index) for index in range(self._count(outputs))]
        finally:
            self._free(outputs)

    def _take(self, outputs: int, index: int) -> Array:
        buffer = _Buffer()
        self._output(outputs, index, ctypes.byref(buffer))
        dtype = np.dtype(buffer.dtype.decode())
        if not buffer.count:
            return np.empty(0, dtype)
        data = (ctypes.c_char * (buffer.count * dtype.itemsize)).from_address(buffer.data)
        return np.frombuffer(data, dtype).copy()

    def close(self) -> None:
        """Delete the session, if there is one."""
        if self._session is not None:
            session, self._session = self._session, None
            self._close(session)

    def unload(self) -> None:
        """Delete the session and let go of the library; nothing may be called afterwards."""
        self.close()
        _ctypes.dlclose(self._dll._handle)


def _text(error: ctypes.Array[ctypes.c_char]) -> str:
    return error.value.decode(errors="replace")
