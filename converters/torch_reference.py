"""PyTorch's own answers, by the names of the exported model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from convert.errors import BadSamples
from converters.quiet import Attempt, quietly, reason
from converters.torch_calls import Call, evaluating
from converters.torch_fake_quantize import observers_off
from converters.torch_trees import Tree, flatten

if TYPE_CHECKING:
    import numpy as np
    import torch

    from converters.base import Arrays


@dataclass(frozen=True)
class Runner:
    """Calls the module with a flat list of tensors and gives its output tensors as a flat list.

    :param module: called as it is; put into evaluation mode for the time.
    :param call: how to make its arguments.
    """

    module: torch.nn.Module
    call: Call

    def __call__(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        return [leaf for leaf in self.tree(tensors).leaves if _is_tensor(leaf)]

    def answers(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """The same outside of an exporter: nothing of the module changes by it."""
        with observers_off(self.module):
            return self(tensors)

    def tree(self, tensors: Sequence[torch.Tensor]) -> Tree:
        """All of the output, also what is no tensor."""
        args, kwargs = self.call.rebuild(tensors)
        modes = evaluating(self.module) if self.module.training else contextlib.nullcontext()
        with modes:
            return flatten(self.module(*args, **kwargs))


@dataclass(eq=False)
class TorchReference:
    """The module's forward pass in evaluation mode, without gradients.

    :param name: "torch 2.13.0".
    :param run: tensors in the order of the call → output tensors.
    :param defaults: the call's example tensors; those that the exporter dropped are filled from here.
    :param inputs: ONNX input name → place in the call.
    :param outputs: ONNX output names, in order.
    """

    name: str
    run: Callable[[Sequence[torch.Tensor]], list[torch.Tensor]]
    defaults: tuple[torch.Tensor, ...]
    inputs: Mapping[str, int]
    outputs: tuple[str, ...]

    def __call__(self, inputs: Arrays) -> dict[str, np.ndarray[Any, Any]]:
        """Arrays by ONNX input name → arrays by ONNX output name. The given arrays are not changed.

        :raises BadSamples: names that are missing or unknown, or inputs that the module does not take.
        """
        import torch

        if inputs.keys() != self.inputs.keys():
            what = f"the model's inputs are {', '.join(self.inputs)}; given are {', '.join(inputs)}"
            raise BadSamples(what)
        tensors = [tensor.clone() for tensor in self.defaults]
        for name, place in self.inputs.items():
            tensors[place] = to_tensor(inputs[name]).to(tensors[place].device)
        with quietly(), Attempt() as attempt, torch.inference_mode():
            outputs = self.run(tensors)
            return {name: to_array(t) for name, t in zip(self.outputs, outputs, strict=True)}
        raise BadSamples("torch cannot run these inputs", why=reason(attempt.error)) from attempt.error


def to_tensor(array: np.ndarray[Any, Any]) -> torch.Tensor:
    """A tensor with its own memory, bfloat16 included."""
    import numpy as np
    import torch

    array = np.array(array, order="C")  # copies
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def to_array(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """An array with its own memory, bfloat16 (of ml_dtypes) included."""
    import numpy as np
    import torch

    tensor = tensor.detach().cpu().contiguous().resolve_conj().resolve_neg()
    if tensor.dtype == torch.bfloat16:
        import ml_dtypes

        return np.array(tensor.view(torch.int16).numpy()).view(ml_dtypes.bfloat16)
    return np.array(tensor.numpy())


def _is_tensor(leaf: object) -> bool:
    import torch

    return isinstance(leaf, torch.Tensor)
