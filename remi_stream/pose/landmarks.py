"""BlazePose's region of interest and its landmark network's outputs, decoded."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from remi_stream.geometry import image_from_crop, sigmoid
from remi_stream.inference.runtime import Runtime

# Region of interest (ROI): a rotated square around a person, smoothed over time by a One-Euro filter.

ROI_SCALE = 1.25
"""Side of the ROI, in diameters of the circle around the body (MediaPipe's value)."""
MIN_CUTOFF_HZ, SPEED_COEFFICIENT, SPEED_CUTOFF_HZ = 0.01, 10.0, 1.0
"""The One-Euro filter's minimum cut-off (Hz), speed coefficient and cut-off of the speed (Hz): MediaPipe's values."""
MAX_GAP_S = 0.5
"""After a longer gap the ROI is estimated anew."""
FIRST_ROI_SCALE = 1.3
"""Side of the first ROI, in longest sides of the bounding box; generous, since the body's circle is centred on the hips."""


class Roi(NamedTuple):
    """A rotated square in the full image."""

    center: np.ndarray
    """(2,) px."""
    size: float
    """Side, px."""
    angle: float
    """Rotation, rad, clockwise in the image; 0 for an upright person."""

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """Map points (N, 2) in [0, 1] of the ROI to px of the full image."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return (points - 0.5) @ np.array([[cos, sin], [-sin, cos]]) * self.size + self.center

    def box(self) -> np.ndarray:
        """Return the box (4,) px of the square without margin and rotation."""
        half = self.size / ROI_SCALE / 2
        return np.concatenate([self.center - half, self.center + half])


class RoiFilter(NamedTuple):
    """State of the One-Euro filter on the two points that define an ROI (Casiez et al., 2012)."""

    filtered: np.ndarray
    """(2, 2) px, filtered: hip centre, and a point on the circle around the body."""
    raw: np.ndarray
    """(2, 2) px, as measured in the last frame."""
    speed: np.ndarray
    """(2, 2) body sizes per second, filtered."""
    seen_at: float
    """Capture time of the last frame, s."""

    def roi(self) -> Roi:
        """Return the ROI of the filtered points."""
        return roi_from_points(self.filtered)


def roi_from_points(points: np.ndarray) -> Roi:
    """Return the ROI of the hip centre and a point above it on the circle around the body, (2, 2) px."""
    up = points[1] - points[0]
    return Roi(points[0], 2 * ROI_SCALE * math.hypot(*up), math.atan2(up[0], -up[1]))


def roi_from_box(box: np.ndarray) -> Roi:
    """Return the upright ROI of a new person's bounding box (4,) px."""
    return Roi((box[:2] + box[2:]) / 2, FIRST_ROI_SCALE * float((box[2:] - box[:2]).max()), 0.0)


def update_roi_filter(previous: RoiFilter | None, points: np.ndarray, seen_at: float) -> RoiFilter:
    """Update the One-Euro filter with the points (2, 2) px of a new frame; restart it after a gap."""
    if previous is None or not 0 < seen_at - previous.seen_at < MAX_GAP_S:
        return RoiFilter(points, points, np.zeros((2, 2)), seen_at)
    elapsed = seen_at - previous.seen_at
    size = 2 * math.hypot(*(points[1] - points[0]))
    # speed in body sizes, as in MediaPipe: near and far people are smoothed alike
    speed = low_pass(previous.speed, (points - previous.raw) / max(size, 1e-6) / elapsed, SPEED_CUTOFF_HZ, elapsed)
    smooth = low_pass(previous.filtered, points, MIN_CUTOFF_HZ + SPEED_COEFFICIENT * np.abs(speed), elapsed)
    return RoiFilter(smooth, points, speed, seen_at)


def low_pass(old: np.ndarray, new: np.ndarray, cutoff: float | np.ndarray, elapsed: float) -> np.ndarray:
    """Apply one step of a first-order low-pass filter (exponential smoothing); cutoff in Hz."""
    alpha = 1 / (1 + 1 / (2 * math.pi * cutoff * elapsed))
    return alpha * new + (1 - alpha) * old


# Landmarks: crop the ROI, run the network, decode landmarks in the image and in 3D.

INPUT_SIDE_PX, HEATMAP_CELLS = 256, 64
"""Sides of the network's input, px, and of its heatmaps, cells."""
LANDMARK_COUNT = 33
POINT_COUNT = LANDMARK_COUNT + 2
"""The landmarks, and the two points that give the next ROI; the network's other four are not used."""
INPUT_TENSOR, POINTS_TENSOR, PRESENCE_TENSOR, HEATMAPS_TENSOR, WORLD_TENSOR = (
    "input_1",
    "Identity",
    "Identity_1",
    "Identity_3",
    "Identity_4",
)
"""Tensor names of pose_landmark_full.tflite."""
OUTPUT_TENSORS = (POINTS_TENSOR, PRESENCE_TENSOR, HEATMAPS_TENSOR, WORLD_TENSOR)
"""Without the segmentation (Identity_2): pruning it takes the network from 12.5 to 8.3 CPU ms (measured)."""
WINDOW_OFFSETS = np.arange(-4, 5)
"""Offsets of the refinement window, 9 x 9 cells: the size that reproduces MediaPipe (measured)."""
MIN_HEATMAP_PEAK = 0.5
"""Least heatmap peak for a refinement."""


class Landmarks(NamedTuple):
    """Decoded outputs of BlazePose for one ROI."""

    pixels: np.ndarray
    """(33, 2) px, full image."""
    roi_points: np.ndarray
    """(2, 2) px: hip centre, and a point above it on the circle around the body; they give the next ROI."""
    visibility: np.ndarray
    """(33,) in [0, 1]: not occluded."""
    presence: np.ndarray
    """(33,) in [0, 1]: inside the crop."""
    heatmap_peaks: np.ndarray
    """(33,) in [0, 1]: peak of each landmark's heatmap."""
    world: np.ndarray
    """(33, 3) m, from the hip centre, axes of a camera that points at the ROI's centre."""
    person_presence: float
    """[0, 1]: presence of a person; not a measure of quality."""


def estimate_landmarks(network: Runtime, image: np.ndarray, roi: Roi) -> Landmarks:
    """Run the network on an ROI of image (H, W, 3) uint8 BGR."""
    return decode_landmarks(network.run({INPUT_TENSOR: crop_roi(image, roi)[None]}), roi)


def crop_roi(image: np.ndarray, roi: Roi) -> np.ndarray:
    """Crop an ROI, upright, as (256, 256, 3) uint8 RGB; the border is replicated outside the image."""
    warp = image_from_crop(roi.center, roi.size, roi.angle, INPUT_SIDE_PX)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    crop = cv2.warpAffine(image, warp, (INPUT_SIDE_PX, INPUT_SIDE_PX), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cv2.cvtColor(crop, cv2.COLOR_BGR2RGB)


def decode_landmarks(outputs: dict[str, np.ndarray], roi: Roi) -> Landmarks:
    """Decode the network's outputs, by tensor name, into landmarks in the full image."""
    # columns: x, y, z, and logits of visibility and presence
    points = outputs[POINTS_TENSOR].reshape(-1, 5)[:POINT_COUNT]
    inside, clarity = refine_by_heatmap(points[:, :2] / INPUT_SIDE_PX, outputs[HEATMAPS_TENSOR][0, :, :, :POINT_COUNT])
    pixels = roi.to_image(inside)
    scores = sigmoid(points[:LANDMARK_COUNT, 3:])
    return Landmarks(
        pixels=pixels[:LANDMARK_COUNT],
        roi_points=pixels[LANDMARK_COUNT:],
        visibility=scores[:, 0],
        presence=scores[:, 1],
        heatmap_peaks=clarity[:LANDMARK_COUNT],
        world=rotate_to_camera(outputs[WORLD_TENSOR].reshape(-1, 3)[:LANDMARK_COUNT].astype(float), roi.angle),
        person_presence=float(outputs[PRESENCE_TENSOR].flat[0]),
    )


def refine_by_heatmap(points: np.ndarray, heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Refine points (N, 2), in [0, 1], to the heatmaps' local centroids; return them with the peaks (N,).

    heatmaps: (64, 64, N) logits.
    """
    cell = (points * HEATMAP_CELLS).astype(int)
    columns, rows = cell[:, :1] + WINDOW_OFFSETS, cell[:, 1:] + WINDOW_OFFSETS
    valid = is_in_heatmap(rows)[:, :, None] & is_in_heatmap(columns)[:, None, :]
    number = np.arange(len(points))[:, None, None]
    clipped = np.clip(rows, 0, HEATMAP_CELLS - 1)[:, :, None], np.clip(columns, 0, HEATMAP_CELLS - 1)[:, None, :]
    heat = sigmoid(heatmaps[(*clipped, number)]) * valid
    total = np.maximum(heat.sum((1, 2)), 1e-9)
    x, y = (heat.sum(1) * columns).sum(1) / total, (heat.sum(2) * rows).sum(1) / total
    peak = heat.max((1, 2))
    found = (peak >= MIN_HEATMAP_PEAK) & is_in_heatmap(cell).all(1)
    return np.where(found[:, None], np.stack([x, y], 1) / HEATMAP_CELLS, points), peak


def is_in_heatmap(cells: np.ndarray) -> np.ndarray:
    """Return which cells lie in the heatmap."""
    return (cells >= 0) & (cells < HEATMAP_CELLS)


def rotate_to_camera(points: np.ndarray, angle: float) -> np.ndarray:
    """Rotate points (N, 3) from the crop's axes to the camera's, about the viewing axis."""
    cos, sin = math.cos(angle), math.sin(angle)
    return points @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
