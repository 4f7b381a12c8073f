"""Names from a model on their way into C++. They go through here and nowhere else.

SOFIE strips what is no identifier from tensor names, which can make two of them equal; it leaves the names of
symbolic dimensions and of the file as they are, so that ``N; int x=1;`` becomes code. Here every name becomes an
identifier, distinct from all others, before SOFIE sees it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

#: Longer names are cut, and told apart by a digest of the whole.
LONGEST = 60

_WORDS = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class compl
    concept const consteval constexpr constinit const_cast continue co_await co_return co_yield decltype default
    delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline int long
    mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
    reinterpret_cast requires return short signed sizeof static static_assert static_cast struct switch template this
    thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor
    xor_eq final override import module main std Session infer doInfer session size_t int64_t uint8_t int32_t NAN
    INFINITY NULL EOF BLAS BUFSIZ RAND_MAX assert errno stdin stdout stderr linux unix
"""
_KEYWORDS = frozenset(_WORDS.split())


def identifier(text: str) -> str:
    """A C++ identifier that resembles ``text``: ASCII letters, digits and single underscores, no keyword, no end ``_``.

    >>> identifier("a.b/c:0"), identifier("class"), identifier("0.weight")
    ('a_b_c_0', 'class_x', 'x_0_weight')
    """
    name = re.sub(r"[^0-9A-Za-z]+", "_", text).strip("_") or "x"
    if name[0].isdigit():
        name = "x_" + name
    if len(name) > LONGEST:
        name = (
            f"{name[: LONGEST - 9].rstrip('_')}_{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:8]}"
        )
    return name + "_x" if name in _KEYWORDS else name


def distinct(texts: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """An identifier for each text, no two equal, none of ``taken``; the earlier text keeps the plainer name."""
    used = set(taken)
    names: dict[str, str] = {}
    for text in texts:
        if text in names:
            continue
        stem = name = identifier(text)
        serial = 1
        while name in used:
            serial += 1
            name = f"{stem}_{serial}"
        used.add(name)
        names[text] = name
    return names


def symbols(texts: Iterable[str]) -> dict[str, str]:
    """Identifiers for symbolic dimensions: parameters, which generated locals (``i``, ``id``) must not hide.

    >>> symbols(["N", "n", "batch size"])
    {'N': 'N', 'n': 'dim_n', 'batch size': 'dim_batch_size'}
    """
    plain = distinct(texts)
    taken = ("F", "T")
    return {t: n if re.fullmatch(r"[A-Z][A-Z0-9]*", n) and n not in taken else f"dim_{n}" for t, n in plain.items()}


def comment(text: str) -> str:
    """``text`` as one line, safe inside a C++ ``//`` comment: no line break, no trigraph, no backslash at its end.

    >>> comment("a */ b\\n#include <x>")
    'a */ b #include <x>'
    """
    line = "".join(c if c.isprintable() else " " for c in text).replace("??/", "?? /")
    return line[:400].rstrip("\\ ")
