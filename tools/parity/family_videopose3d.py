"""VideoPose3D: windows, and clips from pixels, with and without test-time flipping."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from parity.activations import ActivationRecorder
from parity.case import Arrays
from remi_stream.networks.videopose3d import VideoPose3d, build_videopose3d
from remi_stream.pose.videopose3d import lift_clip, normalise_keypoints

NAMES = ("videopose3d",)
RECORDED = ()


def make(name: str, shapes: Any, variant: dict[str, Any]) -> nn.Module:
    """Build the network; the manifest says whether it is causal."""
    return build_videopose3d(shapes, variant["causal"]).eval()


def outputs(name: str, module: nn.Module, inputs: Arrays, recorder: ActivationRecorder) -> Arrays:
    """Run the network."""
    assert isinstance(module, VideoPose3d)
    if "keypoints" in inputs:
        return {"joints3d": module(torch.from_numpy(inputs["keypoints"]))[0].numpy()}
    width, height = (int(size) for size in inputs["resolution_wh"])
    keypoints = normalise_keypoints(inputs["keypoints_px"], (width, height))
    plain, both = (lift(module, keypoints, flip) for flip in (False, True))
    return {"keypoints_norm": keypoints, "joints3d_plain": plain, "joints3d_flip_avg": both}


def lift(module: VideoPose3d, keypoints: np.ndarray, flip: bool) -> np.ndarray:
    """Lift a clip as `lift` does for files."""

    def run(clips: np.ndarray) -> np.ndarray:
        return module(torch.from_numpy(clips))[0].numpy()

    return lift_clip(run, keypoints, is_causal=module.causal, receptive_field=module.receptive_field, flip=flip)
