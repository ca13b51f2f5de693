"""From clips of 2D key points to joints in space, as VideoPose3D does it; the network is a function.

Pavllo et al., "3D human pose estimation in video with temporal convolutions and semi-supervised training" (2019).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from remi_stream.skeletons import JOINTS, mirror_pairs

KEYPOINTS, LIFTED = "coco17", "h36m17"
"""What the network reads, and what it gives."""

Run = Callable[[np.ndarray], np.ndarray]
"""Key points (B, F, 17, 2) float32, normalised, to joints (B, F - receptive field + 1, 17, 3) float32, m."""


def normalise(keypoints_px: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Key points (..., 2) px as the network reads them, float32: x from -1 to 1, y on the same scale.

    size: width, height px of the picture.
    """
    width, height = size
    return (keypoints_px / width * 2 - np.array([1, height / width])).astype(np.float32)


def lift_clip(run: Run, keypoints: np.ndarray, *, causal: bool, receptive_field: int, flip: bool) -> np.ndarray:
    """Joints (F, 17, 3) float32, m, camera axes, around the hip, of every frame of a clip (F, 17, 2), normalised.

    The first and the last frame are repeated. flip: also lift the mirrored clip, and give the mean of both.
    """
    clip = padded(keypoints, *padding(receptive_field, causal))
    if not flip:
        return run(clip[None])[0]
    plain, turned = run(np.stack([clip, mirrored(clip, KEYPOINTS)]))
    joints: np.ndarray = (plain + mirrored(turned, LIFTED)) / 2
    return joints


def padding(receptive_field: int, causal: bool) -> tuple[int, int]:
    """How many frames to put before and behind a clip. causal: an output belongs to its window's last frame, not the middle."""
    around = receptive_field - 1
    return (around, 0) if causal else (around // 2, around - around // 2)


def padded(clip: np.ndarray, before: int, behind: int) -> np.ndarray:
    """A clip (F, ...) with its first and its last frame repeated."""
    return np.concatenate([clip[:1].repeat(before, 0), clip, clip[-1:].repeat(behind, 0)])


def mirrored(points: np.ndarray, skeleton: str) -> np.ndarray:
    """Points (..., J, 2 or 3) with x negated, left and right exchanged."""
    order = np.arange(points.shape[-2])
    for left, right in mirror_pairs(JOINTS[skeleton]):
        order[[left, right]] = right, left
    turned = points[..., order, :]
    turned[..., 0] *= -1
    return turned


def in_pieces(run: Run, receptive_field: int, frames: int, tell: Callable[[int], object] = lambda done: None) -> Run:
    """The same function for a network that takes clips of just so many frames, or for clips that are too long for the memory.

    tell: hears how many outputs are done.
    """
    step = frames - receptive_field + 1

    def run_all(clips: np.ndarray) -> np.ndarray:
        count = clips.shape[1] - receptive_field + 1
        parts = []
        for piece in pieces(clips, frames, step, count):
            parts.append(run(piece).copy())
            tell(min(step * len(parts), count))
        return np.concatenate(parts, axis=1)[:, :count]

    return run_all


def pieces(clips: np.ndarray, frames: int, step: int, count: int) -> Iterator[np.ndarray]:
    """Clips (B, F, ...) in pieces of so many frames, a step apart; the last frame is repeated where the last piece is longer."""
    missing = -count % step
    whole = np.concatenate([clips, clips[:, -1:].repeat(missing, 1)], axis=1)
    for start in range(0, count, step):
        yield np.ascontiguousarray(whole[:, start : start + frames])
