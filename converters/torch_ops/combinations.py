"""Combinations of the elements of a vector of known size."""

from __future__ import annotations

import itertools
from typing import Any

from converters.torch_ops.sizes import fixed
from converters.translations import stand_in


@stand_in("torch.combinations")
def combinations(input: Any, r: int = 2, with_replacement: bool = False) -> Any:
    """torch traces it as a selection by a mask, of a size that is not known."""
    import torch

    chosen = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    places = [list(c) for c in chosen(range(fixed(input, 0)), r)]
    if not places or not r:
        return input.new_zeros(0 if not r else len(places), *([r] if r else []))
    return input[torch.tensor(places)]
