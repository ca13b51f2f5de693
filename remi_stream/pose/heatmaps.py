"""Heatmap decoding: argmax and soft-argmax (integral), as AlphaPose's models need them; flip augmentation and its joint pairs.

Argmax with a shift of a quarter px towards the larger neighbour: Xiao et al., "Simple baselines for human pose estimation and
tracking" (2018). Soft-argmax: Sun et al., "Integral human pose regression" (2018), with AlphaPose's sigmoid norm (Fang et al.,
2022). Points are in heatmap px, (..., K, 2) float32, x y; maps are (..., K, height, width) float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from remi_stream.skeletons import JOINT_NAMES, left_right_pairs

HeatmapNorm = Literal["sigmoid", "softmax", "divide_sum"]
"""How `decode_soft_argmax` turns a heatmap into weights; AlphaPose's names."""
PEAK_SHIFT_PX = np.float32(0.25)
"""Shift towards the larger neighbour, px (Xiao et al.)."""


def decode_argmax(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Decode heatmaps by argmax: points, shifted a quarter px towards the larger neighbour, and scores (..., K), the peaks.

    A map without a positive value is decoded to the point (0, 0); points within one px of the edge are not shifted.
    """
    *stack, height, width = maps.shape
    flat = maps.reshape(-1, height, width)
    best = flat.reshape(-1, height * width).argmax(1)
    y, x = np.divmod(best, width)
    each = np.arange(len(flat))
    scores = flat[each, y, x]
    points = np.stack([x, y], 1).astype(np.float32) * (scores > 0)[:, None]
    x, y = points.astype(int).T
    inside = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
    each, x, y = each[inside], x[inside], y[inside]
    slopes = np.stack([flat[each, y, x + 1] - flat[each, y, x - 1], flat[each, y + 1, x] - flat[each, y - 1, x]], 1)
    points[inside] += PEAK_SHIFT_PX * np.sign(slopes)
    return points.reshape(*stack, 2), scores.reshape(stack)


def decode_soft_argmax(maps: np.ndarray, norm: HeatmapNorm = "sigmoid") -> tuple[np.ndarray, np.ndarray]:
    """Decode heatmaps by soft-argmax: centroids, and scores (..., K): the largest sigmoid, or 1 for the other norms."""
    *stack, height, width = maps.shape
    weights = _weights(maps.reshape(-1, height * width), norm)
    coordinates = np.stack([np.tile(np.arange(width), height), np.repeat(np.arange(height), width), np.ones(height * width)], 1)
    sums = weights @ coordinates.astype(np.float32)
    points = (sums[:, :2] / sums[:, 2:]).astype(np.float32)
    scores = weights.max(1) if norm == "sigmoid" else np.ones(len(weights), np.float32)
    return points.reshape(*stack, 2), scores.reshape(stack)


def _weights(flat: np.ndarray, norm: HeatmapNorm) -> np.ndarray:
    """Turn maps (N, pixels) into weights, which need not sum to 1."""
    if norm == "divide_sum":
        return np.abs(flat)
    if norm == "softmax":
        return np.exp(flat - flat.max(1, keepdims=True))
    # the sigmoid, in place: no second array of this size; exp(80) is finite in float32
    weights = np.exp(-np.clip(flat, -80, 80))
    weights += 1
    return np.reciprocal(weights, out=weights)


def unflip_heatmaps(maps: np.ndarray, pairs: Sequence[tuple[int, int]], shift: bool) -> np.ndarray:
    """Mirror the heatmaps of a mirrored crop back, and swap left and right joints (test-time flip augmentation).

    shift: move the columns by one px, as the published models need it; the first column stays.
    """
    order = np.arange(maps.shape[-3])
    for left, right in pairs:
        order[[left, right]] = right, left
    mirrored = maps[..., order, :, ::-1].copy()
    if shift:  # flipped maps are not aligned (HRNet's SHIFT_HEATMAP)
        mirrored[..., 1:] = mirrored[..., :-1].copy()
    return mirrored


def heatmap_to_image(points: np.ndarray, boxes_xyxy: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Map points (..., K, 2) from heatmaps of size (width, height) px to image px; boxes (..., 4) px: the crops in the image."""
    low, high = boxes_xyxy[..., None, :2], boxes_xyxy[..., None, 2:]
    scale = (high - low)[..., :1] / size[0]
    found: np.ndarray = (points - np.array(size) / 2) * scale + (low + high) / 2
    return found.astype(np.float32)


# Left-right joint pairs of a skeleton for mirroring, including the 68 face points, whose names do not show the side.

JAW_PAIRS, BROW_PAIRS = [(at, 16 - at) for at in range(8)], [(17 + at, 26 - at) for at in range(5)]
NOSE_PAIRS = [(31, 35), (32, 34)]
EYE_PAIRS = [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
LIP_PAIRS = [(48, 54), (49, 53), (50, 52), (55, 59), (56, 58), (60, 64), (61, 63), (65, 67)]
FACE_PAIRS = [*JAW_PAIRS, *BROW_PAIRS, *NOSE_PAIRS, *EYE_PAIRS, *LIP_PAIRS]
"""Pairs in the 68-point face markup (iBUG 300-W)."""


def mirror_joint_pairs(skeleton: str) -> list[tuple[int, int]]:
    """Return the left-right pairs of a skeleton's joints, as indices."""
    names = JOINT_NAMES[skeleton]
    face = names.index("face_0") if "face_0" in names else None
    return left_right_pairs(names) + ([] if face is None else [(face + one, face + other) for one, other in FACE_PAIRS])
