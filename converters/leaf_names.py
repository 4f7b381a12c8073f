"""Names of the leaves of nests, from where they stand: what headers call a model's inputs and outputs."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Where a leaf stands: keys and field names are strings, places in a sequence are numbers.
Path = tuple[str | int, ...]


def label(path: Path) -> str:
    """The path as a name: ``batch_x``."""
    return re.sub(r"\W", "_", "_".join(map(str, path)))


def output_names(paths: Sequence[Path], taken: Sequence[str]) -> list[str]:
    """Names for a module's outputs: its own keys and fields; "output" for one; output_0, output_1 where there are none.

    :param paths: of the tensors. :param taken: names that are an input's: they get an underscore.

    >>> output_names([("scores",), ("mass", 0), ("mass", 1)], ["mass_0"])
    ['scores', 'mass_0_', 'mass_1']
    """
    if not any(isinstance(key, str) for path in paths for key in path):
        names = ["output"] if len(paths) == 1 else [f"output_{i}" for i in range(len(paths))]
    else:
        names = [label(path if isinstance(path[0], str) else ("output", *path)) for path in paths]
        names = [name if name[:1].isalpha() else f"output_{name}" for name in names]
    used = set(taken)
    for i, name in enumerate(names):
        while name in used:
            name += "_"
        names[i] = name
        used.add(name)
    return names
