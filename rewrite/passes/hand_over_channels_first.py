"""Inputs and outputs as the convolutions have them: channels first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rewrite.graph import Graph, Node, Shape, Tensor, shape_of
from rewrite.passes._moved import Perm, channels_first, held, inverse, is_transpose, keeps_order, perm_of

#: Ranks of batches of sequences, images and volumes.
_RANKS = (3, 4, 5)


@dataclass(frozen=True)
class Layout:
    """Inputs and outputs that the rewritten model has in another layout than the exported one.

    :param perms: by name; axis k of the rewritten model's tensor is axis perm[k] of the exported one's.
    :param shapes: by name, before and after.
    :param kept: inputs and outputs of rank 3 to 5 that stay as they are, and why.
    """

    perms: Mapping[str, Perm] = field(default_factory=dict)
    shapes: Mapping[str, tuple[Shape, Shape]] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """A sentence for each."""
        changed = [f"{n} is channels first: {_text(new)}, not {_text(old)}" for n, (old, new) in self.shapes.items()]
        return [*changed, *(f"{n} stays as it is: {why}" for n, why in self.kept.items())]


def hand_over_channels_first(graph: Graph) -> Layout:
    """x' = Transpose(x) for each input that is only read like that, and so for outputs; in place.

    Input: all that reads it is a Transpose of its last axis to axis 1. Output: such a Transpose's inverse makes it.
    """
    perms: dict[str, Perm] = {}
    shapes: dict[str, tuple[Shape, Shape]] = {}
    kept: dict[str, str] = {}
    stay = held(graph)
    for tensor in [*graph.inputs, *graph.outputs]:
        shape = shape_of(tensor)
        if shape is None or len(shape) not in _RANKS:
            continue
        perm = channels_first(len(shape))
        entering = any(tensor is i for i in graph.inputs)
        why = _enter(graph, tensor, perm, stay) if entering else _leave(graph, tensor, perm, stay)
        name = f"{'input' if entering else 'output'} {tensor.name}"
        if why:
            kept[name] = why
        else:
            perms[tensor.name] = perm
            shapes[name] = shape, tuple(shape[k] for k in perm)
    graph.drop_dead()
    return Layout(perms, shapes, kept)


def _enter(graph: Graph, tensor: Tensor, perm: Perm, stay: set[int]) -> str:
    """Let readers of the transposed input read the input; or why not."""
    readers = list({id(r): r for r in tensor.outputs}.values())
    if not any(_transposes(r, perm) for r in readers):
        return "nothing transposes it where it comes in"
    if id(tensor) in stay or not all(_transposes(r, perm) for r in readers):
        return "it is read in the layout that it has"
    tensor.shape = tuple((shape_of(tensor) or ())[k] for k in perm)
    _without(graph, readers)
    return ""


def _leave(graph: Graph, tensor: Tensor, perm: Perm, stay: set[int]) -> str:
    """Let what the transposed output is made of be the output; or why not."""
    node = tensor.inputs[0] if tensor.inputs else None
    if node is None or not _transposes(node, inverse(perm)):
        return "nothing transposes it where it goes out"
    source = node.inputs[0]
    if tensor.outputs or id(source) in stay or not source.inputs:
        return "it is read in the layout that it has"
    tensor.shape = shape_of(source)
    _without(graph, [node])
    return ""


def _without(graph: Graph, nodes: list[Node]) -> None:
    """Let what each of the nodes is made from take its place."""
    gone = {id(n) for n in nodes}
    kept: list[Node] = []
    for node in graph.nodes:
        kept += graph.substitute(node, [node.inputs[0]]) if id(node) in gone else [node]
    graph.nodes = kept


def _transposes(node: Node, perm: Perm) -> bool:
    """Does the node transpose by that perm, or reshape to the same end, where only axes of size 1 move?"""
    if is_transpose(node):
        return perm_of(node) == perm
    before, after = (shape_of(t) for t in (node.inputs[0], node.outputs[0])) if node.op == "Reshape" else (None, None)
    if before is None or after is None or node.domain or len(before) != len(perm):
        return False
    return after == tuple(before[k] for k in perm) and keeps_order(before, perm)


def _text(shape: Shape) -> str:
    return f"[{','.join(map(str, shape))}]"
