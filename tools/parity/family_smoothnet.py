"""SmoothNet: single windows, and whole clips."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from parity.activations import ActivationRecorder
from parity.case import Arrays
from remi_stream.filters.smoothnet import smooth_sequence
from remi_stream.networks.smoothnet import SmoothNetModule, smoothnet

NAMES = ("smoothnet",)
RECORDED = ()


def make(name: str, shapes: Any, variant: dict[str, Any]) -> nn.Module:
    """Build the network; the window is the input size of its first layer."""
    return smoothnet(shapes["encoder.0.weight"][1], shapes).eval()


def outputs(name: str, module: nn.Module, inputs: Arrays, recorder: ActivationRecorder) -> Arrays:
    """Run the network."""
    assert isinstance(module, SmoothNetModule)
    if "frames" in inputs:
        return {"frames": smooth_sequence(lambda x: module(torch.from_numpy(x))[0].numpy(), inputs["frames"], module.window)}
    return {"y": module(torch.from_numpy(inputs["x"]))[0].numpy()}
