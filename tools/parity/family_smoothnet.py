"""SmoothNet: single windows, and whole clips."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from parity.case import Arrays
from parity.watch import Watch
from remi_stream.networks.smoothnet import SmoothNet, smooth_clip, smoothnet

NAMES = ("smoothnet",)
WATCHED = ()


def make(name: str, shapes: Any, variant: dict[str, Any]) -> nn.Module:
    """The network, of the window that its first layer reads."""
    return smoothnet(shapes["encoder.0.weight"][1], shapes).eval()


def outputs(name: str, module: nn.Module, inputs: Arrays, watch: Watch) -> Arrays:
    """Run it."""
    assert isinstance(module, SmoothNet)
    if "frames" in inputs:
        return {"frames": smooth_clip(module, torch.from_numpy(inputs["frames"])).numpy()}
    return {"y": module(torch.from_numpy(inputs["x"]))[0].numpy()}
