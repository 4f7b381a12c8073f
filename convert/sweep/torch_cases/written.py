"""Cases of functions as a call is written: the words of a case are its arguments, over tensors of fixed names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from convert.sweep.case import Case
from convert.sweep.torch_cases.build import Shape, built, calling
from convert.sweep.written import SHARED, names_in

#: Tensors that arguments may name: dtype and shape.
TENSORS: dict[str, tuple[str, Shape]] = {
    **SHARED,
    "i": ("int64", ("N", 3, 4)),
    "j": ("int64", ("N", 3, 4)),
}


def calls(module: str, table: Mapping[str, Iterable[str]], refuses: str = "") -> list[Case]:
    """Cases of ``<module>.<name>(<arguments>)``, for every name and each of its arguments.

    :param refuses: as :class:`convert.sweep.case.Case` has it.
    """
    return [_call(f"{module}.{name}", given, refuses) for name, each in table.items() for given in each]


def _call(name: str, given: str, refuses: str) -> Case:
    names = names_in(given, TENSORS)

    def make(torch: Any) -> Any:
        # The words of the case are what is called: written once, they cannot say another thing.
        return calling(eval(f"lambda {', '.join(names)}: {name}({given})", {"torch": torch}))

    specs = [TENSORS[n] for n in names]
    return built(name, given, [shape for _, shape in specs], make, dtype=[dtype for dtype, _ in specs], refuses=refuses)
