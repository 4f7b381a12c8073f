"""A user's custom operators, for one conversion: ``--custom-operators`` names the files that declare them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from convert.custom import CustomOperator, all_declared, declared_for
from converters.torch_custom import as_node
from converters.translations import PYTORCH
from converters.translations import of_the_users as translations_of


@contextmanager
def of_the_users(given: Sequence[str | CustomOperator]) -> Iterator[None]:
    """Context in which the declarations of these Python files, and these declarations, are known.

    Such a file may hold translations too, say of a framework's operator to a node that it declares.

    :raises BadModel: a file that is not there, or what it raised.
    :raises BadOperator: two declarations of one operator.
    """
    files = [g for g in given if isinstance(g, str)]
    with (
        declared_for(o for o in given if isinstance(o, CustomOperator)),
        translations_of(files, option="--custom-operators"),
        _translated(),
    ):
        yield


@contextmanager
def _translated() -> Iterator[None]:
    """An operator of PyTorch's of that name becomes the declared node, unless the user translates it otherwise."""
    names = [o.full_name for o in all_declared() if re.fullmatch(r"\w+::\w+", o.full_name)]
    ours = {n: as_node(n) for n in names if n not in PYTORCH}
    PYTORCH.update(ours)
    try:
        yield
    finally:
        for name in ours:
            PYTORCH.pop(name, None)
