"""BlazePose's landmarks: from a region of the picture to points in the picture and in space."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from remi_stream.geometry import box_of, picture_from_crop
from remi_stream.pose.region import Region
from remi_stream.runtimes.runtime import Runtime

SIDE, CELLS = 256, 64
COUNT = 33
NEEDED = COUNT + 2
"""The landmarks, and two points of the body's circle."""
INPUT, POINTS, FLAG, HEATMAPS, WORLD = "input_1", "Identity", "Identity_1", "Identity_3", "Identity_4"
OUTPUTS = (POINTS, FLAG, HEATMAPS, WORLD)
REACH = np.arange(-4, 5)
"""Cells around a landmark that refine it: a window of 9 x 9."""
LEAST_HEAT = 0.5
CROWN = 1.6
"""How far the top of the head is above the eyes, in distances from eyes to mouth."""
FLESH = 0.02
"""How far the body reaches around its landmarks, in longest sides of their box."""


class Landmarks(NamedTuple):
    """What BlazePose sees in a region.

    pixels: (33, 2) px. circle: (2, 2) px, hip centre and a point above it on the body's circle. visibility, presence:
    (33,) in [0, 1]. clarity: (33,) in [0, 1], the peak of each landmark's heat. world: (33, 3) m, axes of a camera that looks
    at the region's middle, from the hips' middle. flag: [0, 1], somebody is there; it says nothing about quality.
    """

    pixels: np.ndarray
    circle: np.ndarray
    visibility: np.ndarray
    presence: np.ndarray
    clarity: np.ndarray
    world: np.ndarray
    flag: float


def look(network: Runtime, image: np.ndarray, region: Region) -> Landmarks:
    """Run the network on a region of image (H, W, 3) uint8 BGR."""
    return read(network.run({INPUT: sample(image, region)[None]}), region)


def sample(image: np.ndarray, region: Region) -> np.ndarray:
    """Cut out a region, upright, as (256, 256, 3) uint8 RGB; the picture's edge goes on outside of it."""
    warp = picture_from_crop(region.center, region.size, region.angle, SIDE)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    crop = cv2.warpAffine(image, warp, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cv2.cvtColor(crop, cv2.COLOR_BGR2RGB)


def read(out: dict[str, np.ndarray], region: Region) -> Landmarks:
    """Turn the network's outputs into landmarks in the picture."""
    points = out[POINTS].reshape(-1, 5)[:NEEDED]
    inside, clarity = refine(points[:, :2] / SIDE, out[HEATMAPS][0, :, :, :NEEDED])
    pixels = region.to_picture(inside)
    seen = sigmoid(points[:COUNT, 3:])
    return Landmarks(
        pixels=pixels[:COUNT],
        circle=pixels[COUNT:],
        visibility=seen[:, 0],
        presence=seen[:, 1],
        clarity=clarity[:COUNT],
        world=turn(out[WORLD].reshape(-1, 3)[:COUNT].astype(float), region.angle),
        flag=float(out[FLAG].flat[0]),
    )


def refine(points: np.ndarray, heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move points (N, 2), in [0, 1], to the centre of their heat nearby, and give its peak (N,); heatmaps: (64, 64, N) logits."""
    cell = (points * CELLS).astype(int)
    columns, rows = cell[:, :1] + REACH, cell[:, 1:] + REACH
    there = within(rows)[:, :, None] & within(columns)[:, None, :]
    number = np.arange(len(points))[:, None, None]
    clipped = np.clip(rows, 0, CELLS - 1)[:, :, None], np.clip(columns, 0, CELLS - 1)[:, None, :]
    heat = sigmoid(heatmaps[(*clipped, number)]) * there
    total = np.maximum(heat.sum((1, 2)), 1e-9)
    x, y = (heat.sum(1) * columns).sum(1) / total, (heat.sum(2) * rows).sum(1) / total
    peak = heat.max((1, 2))
    found = (peak >= LEAST_HEAT) & within(cell).all(1)
    return np.where(found[:, None], np.stack([x, y], 1) / CELLS, points), peak


def within(cells: np.ndarray) -> np.ndarray:
    """Which cells lie in the heatmap."""
    return (cells >= 0) & (cells < CELLS)


def turn(world: np.ndarray, angle: float) -> np.ndarray:
    """Turn points (N, 3) from the crop's axes to the camera's."""
    cos, sin = math.cos(angle), math.sin(angle)
    return world @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """The logistic function."""
    return 1 / (1 + np.exp(-np.clip(logits, -80, 80)))


def body_box(pixels: np.ndarray) -> np.ndarray:
    """The box (4,) float32 px around the whole body: landmarks (33, 2) px, the crown above them, and some flesh."""
    eyes, mouth = pixels[[2, 5]].mean(0), pixels[[9, 10]].mean(0)
    box = box_of(np.vstack([pixels, eyes + CROWN * (eyes - mouth)]))
    flesh = FLESH * (box[2:] - box[:2]).max()
    return box + np.array([-flesh, -flesh, flesh, flesh], np.float32)
