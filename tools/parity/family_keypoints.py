"""FastPose: heat maps, and the points in the picture that the product makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from parity.case import Arrays
from parity.watch import Watch
from remi_stream.networks.served import build
from remi_stream.pose.heatmaps import in_picture, means, peaks

NAMES = ("alphapose_halpe136", "alphapose_halpe26", "alphapose_coco17")
INTEGRAL = ("alphapose_halpe136",)
"""Networks whose maps are read as integrals; of the others the peak is taken."""
WATCHED = ()


def make(name: str, shapes: Any, variant: dict[str, Any]) -> nn.Module:
    """The network."""
    return build(name, shapes)


def outputs(name: str, module: nn.Module, inputs: Arrays, watch: Watch) -> Arrays:
    """Run it."""
    maps: np.ndarray = module(torch.from_numpy(inputs["img"]))[0].numpy()
    points, scores = means(maps) if name in INTEGRAL else peaks(maps)
    size = (maps.shape[-1], maps.shape[-2])
    return {
        "heatmap": maps,
        "heatmap_sub4": maps,
        "heatmap_joint_mean": maps.mean((2, 3)),
        "heatmap_joint_max": maps.max((2, 3)),
        "coords": in_picture(points, inputs["crop_box_xyxy"], size),
        "scores": scores[..., None],
    }
