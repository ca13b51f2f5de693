"""A network in half precision whose head stays in full: the precision is in the graph, as strongly typed runtimes want it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from remi_stream.convert.plan import Precision
from remi_stream.errors import UsageError
from remi_stream.models.checkpoint import read_checkpoint
from remi_stream.networks.darknet import Detection
from remi_stream.networks.served import Served, load

HEADS = ("head", "uncert_head", "conv_out")
"""What stays float32, by its name in the module; so does the `Detection` of every scale."""


class HalfInside(nn.Module):
    """Gives a network its picture in half precision; what else it reads stays as it is."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, image: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        """image: (B, 3, H, W) float32, normalised."""
        return self.module(image.half(), *others)


def load_in(precision: Precision, network: str, checkpoint: Path) -> Served:
    """A checkpoint as a module of this precision."""
    served = load(network, read_checkpoint(checkpoint, network))
    return halved(served) if precision == "fp16" else served


def halved(served: Served) -> Served:
    """Turn the backbone of a served network into FP16, in place; the head and the normalisation stay FP32.

    Raises UsageError for a network that reads no picture: it has no backbone, and nothing to gain.
    """
    if served.network.picture is None:
        raise UsageError("A network that reads no picture has no backbone that could run in FP16. Use --precision fp32")
    halve(served.module)
    served.module = HalfInside(served.module)
    return served


def halve(module: nn.Module) -> None:
    """Make the numbers of a module and of what is in it half, up to the heads, which want what they are given in full."""
    for name, weight in list(module.named_parameters(recurse=False)):
        setattr(module, name, nn.Parameter(weight.half(), requires_grad=False))
    for name, buffer in list(module.named_buffers(recurse=False)):
        setattr(module, name, buffer.half() if buffer.is_floating_point() else buffer)
    for name, part in module.named_children():
        if name in HEADS or isinstance(part, Detection):
            part.register_forward_pre_hook(in_full)
        else:
            halve(part)


def in_full(_part: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a head is given, in float32."""
    return tuple(each.float() if isinstance(each, Tensor) and each.dtype == torch.float16 else each for each in inputs)
