"""The columns of a dataframe: are they there, and what is in them?"""

from __future__ import annotations

import difflib
import re
from typing import Any

from convert.errors import Finding
from sofie_bridge.columns import Column

_LIST = re.compile(
    r"(?:ROOT::VecOps::|ROOT::)?RVec<(.+)>|(?:std::)?(?:vector|span)<(.+?)(?:,\s*(?:std::)?allocator<.+>\s*)?>"
)

#: As RDataFrame spells them: C++'s own, ROOT's, and those of RNTuple.
_DTYPES = {
    **dict.fromkeys(("float", "Float_t", "Float16_t"), "float32"),
    **dict.fromkeys(("double", "Double_t", "Double32_t"), "float64"),
    **dict.fromkeys(("bool", "Bool_t"), "bool"),
    **dict.fromkeys(("char", "signed char", "Char_t", "std::int8_t", "int8_t"), "int8"),
    **dict.fromkeys(("unsigned char", "UChar_t", "std::uint8_t", "uint8_t"), "uint8"),
    **dict.fromkeys(("short", "Short_t", "std::int16_t", "int16_t"), "int16"),
    **dict.fromkeys(("unsigned short", "UShort_t", "std::uint16_t", "uint16_t"), "uint16"),
    **dict.fromkeys(("int", "Int_t", "std::int32_t", "int32_t"), "int32"),
    **dict.fromkeys(("unsigned int", "unsigned", "UInt_t", "std::uint32_t", "uint32_t"), "uint32"),
    **dict.fromkeys(("long", "Long_t", "long long", "Long64_t", "std::int64_t", "int64_t"), "int64"),
    **dict.fromkeys(("unsigned long", "ULong_t", "unsigned long long", "ULong64_t"), "uint64"),
    **dict.fromkeys(("std::uint64_t", "uint64_t"), "uint64"),
}  # fmt: skip


def dtype_of(cpp: str) -> tuple[str, bool] | None:
    """The numbers' dtype, and whether a column holds a list of them; None for what is neither.

    >>> dtype_of("ROOT::VecOps::RVec<Float_t>"), dtype_of("double"), dtype_of("TLorentzVector")
    (('float32', True), ('float64', False), None)
    """
    match = _LIST.fullmatch(cpp.strip())
    inner = (match[1] or match[2]).strip() if match else cpp.strip()
    dtype = _DTYPES.get(inner)
    return None if dtype is None else (dtype, match is not None)


def column(df: Any, name: str) -> Column | Finding:
    """One column of a dataframe, or what is wrong with it."""
    if not df.HasColumn(name) and name not in ("rdfentry_", "rdfslot_"):
        names = [str(n) for n in df.GetColumnNames()]
        near = difflib.get_close_matches(name, names, 3) or names[:12]
        return Finding(f"there is no column {name}", advice=f"nearest are {', '.join(near)}" if near else "")
    cpp = str(df.GetColumnType(name))
    found = dtype_of(cpp)
    if found is None:
        return Finding(f"column {name} is {cpp}", why="it is neither a number nor a list of numbers")
    return Column(name, cpp, *found)
