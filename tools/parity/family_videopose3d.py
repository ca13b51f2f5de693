"""VideoPose3D: windows, and clips from pixels, also mirrored."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from parity.case import Arrays
from parity.watch import Watch
from remi_stream.networks.videopose3d import VideoPose3d, lift_clip, made, normalised

NAMES = ("videopose3d",)
WATCHED = ()


def make(name: str, shapes: Any, variant: dict[str, Any]) -> nn.Module:
    """The network of these sizes; the manifest says whether it looks ahead."""
    return made(shapes, variant["causal"]).eval()


def outputs(name: str, module: nn.Module, inputs: Arrays, watch: Watch) -> Arrays:
    """Run it."""
    assert isinstance(module, VideoPose3d)
    if "keypoints" in inputs:
        return {"joints3d": module(torch.from_numpy(inputs["keypoints"]))[0].numpy()}
    width, height = (int(size) for size in inputs["resolution_wh"])
    keypoints = normalised(torch.from_numpy(inputs["keypoints_px"]), width, height)
    found = {
        "keypoints_norm": keypoints,
        "joints3d_plain": lift_clip(module, keypoints),
        "joints3d_flip_avg": lift_clip(module, keypoints, mirror=True),
    }
    return {key: value.numpy() for key, value in found.items()}
