"""A module's outputs: names for the tensors, and what is no tensor."""

from __future__ import annotations

from convert.errors import BadModel, Finding
from convert.spec import DTYPES
from converters.leaf_names import label, output_names
from converters.torch_calls import Call
from converters.torch_trees import Tree


def names_of_outputs(call: Call, tree: Tree, where: str) -> list[str]:
    """Names for the output tensors, none of them an input's.

    :raises BadModel: no tensors, or dtypes that are not ours (the exporter splits complex ones silently).
    """
    import torch

    pairs = [(path, leaf) for path, leaf in zip(tree.paths, tree.leaves, strict=True) if isinstance(leaf, torch.Tensor)]
    if not pairs:
        held = ", ".join(sorted({type(leaf).__name__ for leaf in tree.leaves})) or "nothing"
        raise BadModel(f"forward returns no tensor but {held}", where=where)
    names = output_names([path for path, _ in pairs], call.names)
    dtypes = [(n, str(t.dtype).removeprefix("torch.")) for n, t in zip(
        (*call.names, *names), (*call.tensors, *(leaf for _, leaf in pairs)), strict=True)]  # fmt: skip
    findings = tuple(Finding(f"{name} has the dtype {dtype}") for name, dtype in dtypes if dtype not in DTYPES)
    if findings:
        advice = "split complex numbers into real and imaginary part; use one of " + ", ".join(DTYPES)
        what = "the model's inputs or outputs cannot be used"
        raise BadModel(what, where=where, advice=advice, findings=findings)
    return names


def left_out(tree: Tree) -> list[str]:
    """Outputs that are no tensors; None is nothing that is missed."""
    import torch

    held = {label(path): leaf for path, leaf in zip(tree.paths, tree.leaves, strict=True)}
    lost = [f"{name}={v!r}" for name, v in held.items() if v is not None and not isinstance(v, torch.Tensor)]
    return [f"outputs that are no tensors are left out: {', '.join(lost)}"] if lost else []
