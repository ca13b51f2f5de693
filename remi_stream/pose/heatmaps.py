"""Heat maps of joints to points, in the two ways of AlphaPose's models.

Arg-max with a quarter of a pixel towards the larger neighbour: Xiao et al., "Simple baselines for human pose estimation"
(2018). Integral: Sun et al., "Integral human pose regression" (2018), with AlphaPose's sigmoid norm (Fang et al., 2022).
Points are in px of the maps, (..., K, 2) float32, x y; maps are (..., K, height, width) float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

Norm = Literal["sigmoid", "softmax", "divide_sum"]
SHIFT = np.float32(0.25)


def peaks(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each map is largest, moved a quarter px towards its larger neighbour, and how large it is there, (..., K).

    A map that is nowhere positive gives the point (0, 0); no point within one px of the edge is moved.
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
    points[inside] += SHIFT * np.sign(slopes)
    return points.reshape(*stack, 2), scores.reshape(stack)


def means(maps: np.ndarray, norm: Norm = "sigmoid") -> tuple[np.ndarray, np.ndarray]:
    """Where each map's mass has its middle, and how sure that is, (..., K): the largest sigmoid, or 1 for the other norms."""
    *stack, height, width = maps.shape
    weights = _weights(maps.reshape(-1, height * width), norm)
    coordinates = np.stack([np.tile(np.arange(width), height), np.repeat(np.arange(height), width), np.ones(height * width)], 1)
    sums = weights @ coordinates.astype(np.float32)
    points = (sums[:, :2] / sums[:, 2:]).astype(np.float32)
    scores = weights.max(1) if norm == "sigmoid" else np.ones(len(weights), np.float32)
    return points.reshape(*stack, 2), scores.reshape(stack)


def _weights(flat: np.ndarray, norm: Norm) -> np.ndarray:
    """Maps (N, pixels) as weights that need not sum to 1."""
    if norm == "divide_sum":
        return np.abs(flat)
    if norm == "softmax":
        return np.exp(flat - flat.max(1, keepdims=True))
    weights = np.exp(-np.clip(flat, -80, 80))
    weights += 1
    return np.reciprocal(weights, out=weights)


def unflipped(maps: np.ndarray, pairs: Sequence[tuple[int, int]], shift: bool) -> np.ndarray:
    """Maps of a mirrored picture as those of the picture: left and right change places.

    shift: move the columns by one, as the published models need it; the first column stays.
    """
    order = np.arange(maps.shape[-3])
    for left, right in pairs:
        order[[left, right]] = right, left
    mirrored = maps[..., order, :, ::-1].copy()
    if shift:
        mirrored[..., 1:] = mirrored[..., :-1].copy()
    return mirrored


def in_picture(points: np.ndarray, boxes_xyxy: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Points (..., K, 2) of maps of (width, height) px, cut from boxes (..., 4) px of the picture, in px of the picture."""
    low, high = boxes_xyxy[..., None, :2], boxes_xyxy[..., None, 2:]
    scale = (high - low)[..., :1] / size[0]
    found: np.ndarray = (points - np.array(size) / 2) * scale + (low + high) / 2
    return found.astype(np.float32)
