"""The sample clip that ships with the package: a rendered person, and the truth about them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from remi_stream.geometry import box_of
from remi_stream.resources import data_file

FOCAL_PX = 1150.0
MARGIN = 0.04
"""How far the skin reaches around the joints, in longest sides of their box."""


def sample_clip() -> Path:
    """The clip: 240 frames of 1280x720 at 30 fps."""
    return data_file("sample.mp4")


@cache
def sample_boxes() -> np.ndarray:
    """The person's boxes, (240, 4) float32 px, around all joints and some flesh."""
    with np.load(data_file("sample_truth.npz")) as truth:
        boxes = np.stack([box_of(joints) for joints in truth["joints_px"]])
    flesh = MARGIN * (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True)
    return np.concatenate([boxes[:, :2] - flesh, boxes[:, 2:] + flesh], axis=1)
