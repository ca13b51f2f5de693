"""FastPose: heatmaps, and the key points decoded from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from parity.activations import ActivationRecorder
from parity.case import Arrays
from remi_stream.networks.served import build_network
from remi_stream.pose.heatmaps import decode_argmax, decode_soft_argmax, heatmap_to_image

NAMES = ("alphapose_halpe136", "alphapose_halpe26", "alphapose_coco17")
INTEGRAL = ("alphapose_halpe136",)
"""Networks with integral (soft-argmax) decoding; the others use the peak."""
RECORDED = ()
DOUBT = 2e-4
"""Heatmaps of different machines differ by less than this; closer values leave the peak undecided."""


def make(name: str, shapes: Any, variant: dict[str, Any]) -> nn.Module:
    """Build the network."""
    return build_network(name, shapes)


def outputs(name: str, module: nn.Module, inputs: Arrays, recorder: ActivationRecorder) -> Arrays:
    """Run the network."""
    maps: np.ndarray = module(torch.from_numpy(inputs["img"]))[0].numpy()
    points, scores = decode_soft_argmax(maps) if name in INTEGRAL else decode_argmax(maps)
    size = (maps.shape[-1], maps.shape[-2])
    decoded = heatmap_to_image(points, inputs["crop_box_xyxy"], size)
    if name not in INTEGRAL:
        decoded = np.ma.masked_array(decoded, np.repeat(undecided(maps)[..., None], 2, -1))
    return {
        "heatmap": maps,
        "heatmap_sub4": maps,
        "heatmap_joint_mean": maps.mean((2, 3)),
        "heatmap_joint_max": maps.max((2, 3)),
        "coords": decoded,
        "scores": scores[..., None],
    }


def undecided(maps: np.ndarray) -> np.ndarray:
    """Heatmaps (B, J, H, W) whose peak is ambiguous (a second peak or equal neighbours) across machines: (B, J) bool."""
    best = np.partition(maps.reshape(*maps.shape[:2], -1), -2, axis=-1)[..., -2:]
    flat = maps.reshape(-1, *maps.shape[2:])
    y, x = np.divmod(flat.reshape(len(flat), -1).argmax(1), maps.shape[-1])
    each, framed = np.arange(len(flat)), np.pad(flat, ((0, 0), (1, 1), (1, 1)), constant_values=np.inf)
    across = framed[each, y + 1, x + 2] - framed[each, y + 1, x]
    down = framed[each, y + 2, x + 1] - framed[each, y, x + 1]
    level = np.minimum(np.abs(across), np.abs(down)).reshape(maps.shape[:2])
    return (best[..., 1] - best[..., 0] < DOUBT) | (level < DOUBT)
