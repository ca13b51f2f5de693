"""Served networks: torch modules with uint8 image input, normalised inside the graph, as exported to all runtimes.

In half precision the backbone is FP16 and the head FP32, written into the graph as strongly typed TensorRT networks need it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from remi_stream.errors import RemiError, UsageError
from remi_stream.networks.darknet import YoloLayer
from remi_stream.networks.network import Network, TensorShapes, find_network
from remi_stream.networks.state_dict_diff import diff_state_dicts, tensor_shapes, top_level_parts

FULL_PRECISION_MODULES = ("head", "uncert_head", "conv_out")
"""Submodules that stay float32 in half precision, by name; so does the `YoloLayer` of every scale."""


class ServedNetwork(nn.Module):
    """Wraps a network: takes the inputs of networks/network.py in order and returns the outputs as a tuple.

    The image is (B, H, W, 3) uint8 RGB; everything else is float32.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: Network, module: nn.Module) -> None:
        super().__init__()
        self.network, self.module = network, module
        mean, std = (network.image.mean, network.image.std) if network.image else ((0.0,), (1.0,))
        self.register_buffer("mean", torch.tensor(mean, device="cpu")[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std, device="cpu")[:, None, None], persistent=False)
        self._has_mean, self._has_std = any(mean), set(std) != {1.0}

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Normalise the image, if there is one, and run the network."""
        if self.network.image is None:
            return self.module(*tensors)
        image, *others = tensors
        return self.module(self._normalise(image), *others)

    def _normalise(self, image: Tensor) -> Tensor:
        """Return (B, 3, H, W) float32, normalised; unneeded steps are left out of the graph."""
        # float() first: TensorRT's parser refuses to permute uint8
        x = image.float().permute(0, 3, 1, 2) / 255
        x = x - self.mean if self._has_mean else x
        return x / self.std if self._has_std else x


def build_network(name: str, shapes: TensorShapes | None = None) -> nn.Module:
    """Build the network of this name with untrained weights. shapes: of its checkpoint, if known.

    Under `torch.device("meta")` it takes no memory, and its state_dict() has the keys and shapes.
    """
    module, _, function = find_network(name).factory.partition(":")
    make: Callable[[TensorShapes | None], nn.Module] = getattr(importlib.import_module(module), function)
    return make(shapes).eval()


def load_network(name: str, state: Mapping[str, Tensor]) -> ServedNetwork:
    """Load the network of this name with these weights, float32, for inference.

    Raises RemiError if keys are missing, unexpected or of another shape.
    """
    with torch.device("meta"):
        module = build_network(name, tensor_shapes(state))
    require_matching_weights(name, tensor_shapes(state), tensor_shapes(module.state_dict()))
    whole = {key: state.get(key, torch.tensor(0)) for key in module.state_dict()}  # early checkpoints lack num_batches_tracked
    module.load_state_dict({key: w.float() if w.is_floating_point() else w for key, w in whole.items()}, assign=True)
    return ServedNetwork(find_network(name), module.requires_grad_(False)).eval()


def require_matching_weights(name: str, got: TensorShapes, expected: TensorShapes) -> None:
    """Raise RemiError unless keys and shapes are exactly those of the network."""
    # all parts of the checkpoint count, so that nothing unexpected is ignored
    diff = diff_state_dicts(got, expected, top_level_parts(got))
    if diff.fault_count:
        raise RemiError(f"These weights do not fit {name}: {diff.summary()}.")


class HalfPrecisionInput(nn.Module):
    """Wraps a network and casts its image to half precision; other inputs stay float32."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, image: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        """image: (B, 3, H, W) float32, normalised."""
        return self.module(image.half(), *others)


def convert_to_half(served: ServedNetwork) -> ServedNetwork:
    """Convert the backbone of a served network to FP16, in place; the head and the normalisation stay FP32.

    Raises UsageError for a network without an image input: it has no backbone to convert.
    """
    if served.network.image is None:
        raise UsageError("A network without an image input has no backbone that could run in FP16. Use --precision fp32")
    halve_module(served.module)
    served.module = HalfPrecisionInput(served.module)
    return served


def halve_module(module: nn.Module) -> None:
    """Convert parameters and buffers to half recursively, except the heads, whose inputs are cast to float32."""
    for name, weight in list(module.named_parameters(recurse=False)):
        setattr(module, name, nn.Parameter(weight.half(), requires_grad=False))
    for name, buffer in list(module.named_buffers(recurse=False)):
        setattr(module, name, buffer.half() if buffer.is_floating_point() else buffer)
    for name, part in module.named_children():
        if name in FULL_PRECISION_MODULES or isinstance(part, YoloLayer):
            part.register_forward_pre_hook(cast_to_float32)
        else:
            halve_module(part)


def cast_to_float32(_part: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Forward pre-hook: cast half-precision inputs to float32."""
    return tuple(each.float() if isinstance(each, Tensor) and each.dtype == torch.float16 else each for each in inputs)
