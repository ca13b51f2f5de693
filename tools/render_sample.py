"""Renders the sample clip: the open body walks, waves and squats in a room, with the exact truth beside the picture.

    python tools/render_sample.py remi_stream/data        # writes sample.mp4 and sample_truth.npz

The motion repeats after exactly 240 frames, so the clip loops without a seam. World axes: y up, the floor at y = 0, the
camera looking along -z. The truth is stored in OpenCV camera axes (x right, y down, z forward).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import moderngl
import numpy as np
from make_open_body import COLOURS, softened
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from remi_stream.body.smpl import Body, change_axes, forward_kinematics, load_open_body
from remi_stream.skeletons import JOINTS

Array = NDArray[Any]

WIDTH, HEIGHT, FPS, FRAMES = 1280, 720, 30, 240
FOCAL_PX = 1150.0
J = {name: index for index, name in enumerate(JOINTS["smpl24"])}


# --- the motion -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Motion:
    """What SMPL needs for every frame, in world axes: poses (N, 72) axis-angle rad, betas (10,), transl (N, 3) m."""

    poses: Array
    betas: Array
    transl: Array


# Keys of each channel, (seconds, value), repeated every 8 s: metres and degrees, or shares of a gesture from 0 to 1.
CHANNELS: dict[str, list[tuple[float, float]]] = {
    "pelvis_x": [(0.0, -0.30), (0.5, -0.24), (2.3, 0.32), (2.7, 0.34), (6.0, 0.34), (6.5, 0.28), (7.6, -0.27)],
    "pelvis_z": [(0.0, -0.32), (0.5, -0.27), (2.3, 0.22), (2.7, 0.25), (6.0, 0.22), (6.5, 0.18), (7.6, -0.28)],
    "yaw": [(0.0, 22.0), (0.8, 38.0), (1.8, 34.0), (2.9, -6.0), (4.4, -10.0), (5.2, -26.0), (6.2, -30.0), (7.2, -12.0)],
    "wave": [(2.35, 0.0), (2.95, 1.0), (4.15, 1.0), (4.75, 0.0)],
    "squat": [(4.35, 0.0), (5.15, 1.0), (5.35, 1.0), (6.15, 0.0)],
    "walk": [(0.0, 1.0), (2.0, 1.0), (2.7, 0.0), (6.0, 0.0), (6.7, 0.8), (7.4, 0.8)],
}
# (foot, lifts at, lands at): the feet alternate while the pelvis travels, and rest while it does not.
STEPS = [
    ("left", 0.12, 0.52),
    ("right", 0.58, 0.98),
    ("left", 1.04, 1.44),
    ("right", 1.50, 1.90),
    ("left", 1.96, 2.36),
    ("right", 2.42, 2.82),
    ("left", 5.98, 6.38),
    ("right", 6.44, 6.84),
    ("left", 6.90, 7.30),
    ("right", 7.50, 7.90),
]
