"""Lifting of 2D key-point clips to 3D joints, as VideoPose3D does it: normalisation, padding, flip augmentation, chunks.

Pavllo et al., "3D human pose estimation in video with temporal convolutions and semi-supervised training" (2019).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from remi_stream.skeletons import JOINT_NAMES, left_right_pairs

INPUT_SKELETON, OUTPUT_SKELETON = "coco17", "h36m17"
"""Skeletons of the network's input and output."""

LiftNetwork = Callable[[np.ndarray], np.ndarray]
"""The network: normalised key points (B, F, 17, 2) float32 -> joints (B, F - receptive field + 1, 17, 3) float32, m."""


def normalise_keypoints(keypoints_px: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Normalise key points (..., 2) px, float32: x to -1..1, y on the same scale; size: (width, height) px of the image."""
    width, height = size
    return (keypoints_px / width * 2 - np.array([1, height / width])).astype(np.float32)


def lift_clip(run: LiftNetwork, keypoints: np.ndarray, *, is_causal: bool, receptive_field: int, flip: bool) -> np.ndarray:
    """Lift a normalised clip (F, 17, 2) to joints (F, 17, 3) float32, m, camera axes, relative to the hip.

    The first and the last frame are repeated. flip: average with the mirrored clip's joints (test-time augmentation).
    """
    clip = pad_clip(keypoints, *clip_padding(receptive_field, is_causal))
    if not flip:
        return run(clip[None])[0]
    plain, turned = run(np.stack([clip, mirror_points(clip, INPUT_SKELETON)]))
    joints: np.ndarray = (plain + mirror_points(turned, OUTPUT_SKELETON)) / 2
    return joints


def clip_padding(receptive_field: int, is_causal: bool) -> tuple[int, int]:
    """Return the frames to pad before and behind a clip. is_causal: outputs belong to the window's last frame, not its middle."""
    around = receptive_field - 1
    return (around, 0) if is_causal else (around // 2, around - around // 2)


def pad_clip(clip: np.ndarray, before: int, behind: int) -> np.ndarray:
    """Pad a clip (F, ...) by repeating its first and its last frame."""
    return np.concatenate([clip[:1].repeat(before, 0), clip, clip[-1:].repeat(behind, 0)])


def mirror_points(points: np.ndarray, skeleton: str) -> np.ndarray:
    """Mirror points (..., J, 2 or 3): negate x, swap left and right joints."""
    order = np.arange(points.shape[-2])
    for left, right in left_right_pairs(JOINT_NAMES[skeleton]):
        order[[left, right]] = right, left
    turned = points[..., order, :]
    turned[..., 0] *= -1
    return turned


def run_in_chunks(
    run: LiftNetwork, receptive_field: int, frames: int, on_progress: Callable[[int], object] = lambda done: None
) -> LiftNetwork:
    """Wrap a network with a fixed clip length to take any clip, in chunks; also for clips that do not fit into memory.

    on_progress: called with the number of outputs done.
    """
    step = frames - receptive_field + 1

    def run_all(clips: np.ndarray) -> np.ndarray:
        count = clips.shape[1] - receptive_field + 1
        parts = []
        for piece in split_into_chunks(clips, frames, step, count):
            parts.append(run(piece).copy())  # the next run may overwrite the outputs
            on_progress(min(step * len(parts), count))
        return np.concatenate(parts, axis=1)[:, :count]

    return run_all


def split_into_chunks(clips: np.ndarray, frames: int, step: int, count: int) -> Iterator[np.ndarray]:
    """Split clips (B, F, ...) into overlapping chunks of so many frames, a step apart; the last frame pads the last chunk."""
    missing = -count % step
    extended = np.concatenate([clips, clips[:, -1:].repeat(missing, 1)], axis=1)
    for start in range(0, count, step):
        yield np.ascontiguousarray(extended[:, start : start + frames])


# Key-point history of a track, resampled to a fixed frame rate by linear interpolation.


MAX_GAP_S = 1.0
"""After a longer gap the history restarts."""


class KeypointHistory(NamedTuple):
    """The key points of one track in its last frames."""

    times: np.ndarray
    """(n,) float64 s, rising: capture times."""
    points: np.ndarray
    """(n, K, 2) float32."""

    def is_continued_at(self, at: float) -> bool:
        """Return whether a frame captured at this time, s, continues the history."""
        return 0 < at - self.times[-1] <= MAX_GAP_S


def start_history(points: np.ndarray, at: float) -> KeypointHistory:
    """Start a history with the points (K, 2) of one frame."""
    return KeypointHistory(np.array([at]), points[None])


def extend_history(history: KeypointHistory, points: np.ndarray, at: float, length_s: float) -> KeypointHistory:
    """Append a frame, and drop frames that the last length_s seconds do not need."""
    first = max(0, int(np.searchsorted(history.times, at - length_s, side="right")) - 1)
    return KeypointHistory(np.append(history.times[first:], at), np.concatenate([history.points[first:], points[None]]))


def resample_history(history: KeypointHistory, count: int, step_s: float) -> np.ndarray:
    """Resample to points (count, K, 2) float32, step_s apart, ending at the last frame.

    Linear interpolation between frames; before the first frame its points are repeated.
    """
    if len(history.times) == 1:
        return history.points.repeat(count, 0)
    times = history.times[-1] - step_s * np.arange(count - 1, -1, -1)
    after = np.clip(np.searchsorted(history.times, times), 1, len(history.times) - 1)
    start, end = history.times[after - 1], history.times[after]
    share = np.clip((times - start) / (end - start), 0, 1).astype(np.float32)[:, None, None]
    found: np.ndarray = history.points[after - 1] * (1 - share) + history.points[after] * share
    return found
