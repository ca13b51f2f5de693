"""Mixed precision: FP16 backbone with an FP32 head, written into the graph as strongly typed TensorRT networks need it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from remi_stream.convert.plan import Precision
from remi_stream.errors import UsageError
from remi_stream.models.checkpoint import read_checkpoint
from remi_stream.networks.darknet import YoloLayer
from remi_stream.networks.served import ServedNetwork, load_network

FULL_PRECISION_MODULES = ("head", "uncert_head", "conv_out")
"""Submodules that stay float32, by name; so does the `YoloLayer` of every scale."""


class HalfPrecisionInput(nn.Module):
    """Wraps a network and casts its image to half precision; other inputs stay float32."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, image: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        """image: (B, 3, H, W) float32, normalised."""
        return self.module(image.half(), *others)


def load_with_precision(precision: Precision, network: str, checkpoint: Path) -> ServedNetwork:
    """Load a checkpoint as a module of this precision."""
    served = load_network(network, read_checkpoint(checkpoint, network))
    return convert_to_half(served) if precision == "fp16" else served


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
