"""Sample clip that ships with the package: a rendered person with ground truth."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from remi_stream.geometry import bounding_box
from remi_stream.resources import data_file

SAMPLE_FOCAL_PX = 1150.0
"""Focal length that the clip was rendered with, px."""
SAMPLE_BOX_MARGIN = 0.04
"""Distance from the joints to the body surface, as a fraction of the longest side of the joints' bounding box."""


def sample_clip() -> Path:
    """Path of the clip: 240 frames of 1280x720 px at 30 fps."""
    return data_file("sample.mp4")


@cache
def sample_boxes() -> np.ndarray:
    """Bounding boxes of the person, (240, 4) float32 px: around all joints, plus a margin for the body surface."""
    with np.load(data_file("sample_truth.npz")) as truth:
        boxes = np.stack([bounding_box(joints) for joints in truth["joints_px"]])
    margin = SAMPLE_BOX_MARGIN * (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True)
    return np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], axis=1)
