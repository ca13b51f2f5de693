"""BlazePose landmarks: crop a region of interest, run the network, decode landmarks in the image and in 3D."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from remi_stream.geometry import box_of, picture_from_crop
from remi_stream.pose.region import Region
from remi_stream.runtimes.runtime import Runtime

SIDE, CELLS = 256, 64
"""Sides of the network's input, px, and of its heatmaps, cells."""
COUNT = 33
NEEDED = COUNT + 2
"""The landmarks, and the two points that give the next ROI; the network's other four are not used."""
INPUT, POINTS, FLAG, HEATMAPS, WORLD = "input_1", "Identity", "Identity_1", "Identity_3", "Identity_4"
"""Tensor names of pose_landmark_full.tflite."""
OUTPUTS = (POINTS, FLAG, HEATMAPS, WORLD)
"""Without the segmentation (Identity_2): pruning it takes the network from 12.5 to 8.3 CPU ms (measured)."""
REACH = np.arange(-4, 5)
"""Offsets of the refinement window, 9 x 9 cells: the size that reproduces MediaPipe (measured)."""
LEAST_HEAT = 0.5
"""Least heatmap peak for a refinement."""
CROWN = 1.6
"""Height of the top of the head above the eyes, in distances from eyes to mouth."""
FLESH = 0.02
"""Margin of the body around its landmarks, in longest sides of their box."""


class Landmarks(NamedTuple):
    """Decoded outputs of BlazePose for one ROI."""

    pixels: np.ndarray
    """(33, 2) px, full image."""
    circle: np.ndarray
    """(2, 2) px: hip centre, and a point above it on the circle around the body; they give the next ROI."""
    visibility: np.ndarray
    """(33,) in [0, 1]: not occluded."""
    presence: np.ndarray
    """(33,) in [0, 1]: inside the crop."""
    clarity: np.ndarray
    """(33,) in [0, 1]: peak of each landmark's heatmap."""
    world: np.ndarray
    """(33, 3) m, from the hip centre, axes of a camera that points at the ROI's centre."""
    flag: float
    """[0, 1]: presence of a person; not a measure of quality."""


def look(network: Runtime, image: np.ndarray, region: Region) -> Landmarks:
    """Run the network on an ROI of image (H, W, 3) uint8 BGR."""
    return read(network.run({INPUT: sample(image, region)[None]}), region)


def sample(image: np.ndarray, region: Region) -> np.ndarray:
    """Crop an ROI, upright, as (256, 256, 3) uint8 RGB; the border is replicated outside the image."""
    warp = picture_from_crop(region.center, region.size, region.angle, SIDE)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    crop = cv2.warpAffine(image, warp, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cv2.cvtColor(crop, cv2.COLOR_BGR2RGB)


def read(out: dict[str, np.ndarray], region: Region) -> Landmarks:
    """Decode the network's outputs, by tensor name, into landmarks in the full image."""
    points = out[POINTS].reshape(-1, 5)[:NEEDED]
    inside, clarity = refine(points[:, :2] / SIDE, out[HEATMAPS][0, :, :, :NEEDED])
    pixels = region.to_picture(inside)
    scores = sigmoid(points[:COUNT, 3:])
    return Landmarks(
        pixels=pixels[:COUNT],
        circle=pixels[COUNT:],
        visibility=scores[:, 0],
        presence=scores[:, 1],
        clarity=clarity[:COUNT],
        world=turn(out[WORLD].reshape(-1, 3)[:COUNT].astype(float), region.angle),
        flag=float(out[FLAG].flat[0]),
    )


def refine(points: np.ndarray, heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Refine points (N, 2), in [0, 1], to the heatmap's local centroid; also give its peak (N,). heatmaps: (64, 64, N) logits."""
    cell = (points * CELLS).astype(int)
    columns, rows = cell[:, :1] + REACH, cell[:, 1:] + REACH
    valid = within(rows)[:, :, None] & within(columns)[:, None, :]
    number = np.arange(len(points))[:, None, None]
    clipped = np.clip(rows, 0, CELLS - 1)[:, :, None], np.clip(columns, 0, CELLS - 1)[:, None, :]
    heat = sigmoid(heatmaps[(*clipped, number)]) * valid
    total = np.maximum(heat.sum((1, 2)), 1e-9)
    x, y = (heat.sum(1) * columns).sum(1) / total, (heat.sum(2) * rows).sum(1) / total
    peak = heat.max((1, 2))
    found = (peak >= LEAST_HEAT) & within(cell).all(1)
    return np.where(found[:, None], np.stack([x, y], 1) / CELLS, points), peak


def within(cells: np.ndarray) -> np.ndarray:
    """Return which cells lie in the heatmap."""
    return (cells >= 0) & (cells < CELLS)


def turn(world: np.ndarray, angle: float) -> np.ndarray:
    """Rotate points (N, 3) from the crop's axes to the camera's, about the viewing axis."""
    cos, sin = math.cos(angle), math.sin(angle)
    return world @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Logistic function."""
    return 1 / (1 + np.exp(-np.clip(logits, -80, 80)))  # exp overflows float32 above 88


def body_box(pixels: np.ndarray) -> np.ndarray:
    """Return the bounding box (4,) float32 px of a whole body: landmarks (33, 2) px, top of the head, and a margin."""
    eyes, mouth = pixels[[2, 5]].mean(0), pixels[[9, 10]].mean(0)
    box = box_of(np.vstack([pixels, eyes + CROWN * (eyes - mouth)]))
    margin = FLESH * (box[2:] - box[:2]).max()
    return box + np.array([-margin, -margin, margin, margin], np.float32)
