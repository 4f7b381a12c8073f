"""A model and its inputs as the user names them: ``FILE.py:FACTORY``, ``FILE.root:NAME``, ``NAME:DTYPE[1,3,28,28]``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from convert.errors import UsageError

#: Tensor dtypes that an input can be given with, spelled as numpy spells them.
DTYPES = (
    "float32", "float64", "float16", "bfloat16",
    "int8", "int16", "int32", "int64",
    "uint8", "uint16", "uint32", "uint64", "bool",
)  # fmt: skip

_SPEC = re.compile(r"(?:(?P<name>.+):)?(?P<dtype>[a-z]+\d*)\[(?P<shape>[^\]]*)\]", re.DOTALL)
_SYMBOL = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Factory:
    """``package.module:factory`` or ``file.py:factory``: the user's code that makes the model."""

    spec: str

    def __str__(self) -> str:
        return self.spec


@dataclass(frozen=True)
class Inside:
    """``models.root:tagger``: one of several models in a file."""

    file: Path
    name: str

    def __str__(self) -> str:
        return f"{self.file}:{self.name}"


@dataclass(frozen=True)
class TensorSpec:
    """Name, dtype and shape of a tensor.

    :param name: the tensor's name; empty means "the next input in order".
    :param dtype: one of :data:`DTYPES`.
    :param shape: sizes; a symbolic dimension is its name; ``None`` is a dimension of unknown size without a name.
    """

    name: str
    dtype: str
    shape: tuple[int | str | None, ...]

    def __str__(self) -> str:
        return f"{self.name}:{self.dtype}[{','.join('?' if d is None else str(d) for d in self.shape)}]"

    @property
    def symbols(self) -> tuple[str, ...]:
        """Names of the symbolic dimensions, in order of appearance."""
        return tuple(dict.fromkeys(d for d in self.shape if isinstance(d, str)))

    @classmethod
    def parse(cls, text: str) -> TensorSpec:
        """Read ``NAME:DTYPE[d0,d1,…]``; the name may be left out, ``[]`` is a scalar.

        >>> TensorSpec.parse("x:float32[N,7]")
        TensorSpec(name='x', dtype='float32', shape=('N', 7))

        :raises UsageError: what is wrong with the text, and how it is written.
        """
        match = _SPEC.fullmatch(text.strip())
        advice = "write NAME:DTYPE[SIZES], as in x:float32[1,3,28,28] or x:float32[N,7]"
        if match is None:
            raise UsageError(f"cannot read the input {text!r}", advice=advice)
        if match["dtype"] not in DTYPES:
            raise UsageError(f"unknown dtype {match['dtype']!r} in {text!r}", advice="use one of " + ", ".join(DTYPES))
        shape: list[int | str | None] = []
        for part in (p.strip() for p in match["shape"].split(",") if match["shape"].strip()):
            if part.isascii() and part.isdigit():
                shape.append(int(part))
            elif _SYMBOL.fullmatch(part):
                shape.append(part)
            else:
                raise UsageError(f"{part!r} in {text!r} is neither a size nor a name", advice=advice)
        return cls(match["name"] or "", match["dtype"], tuple(shape))
