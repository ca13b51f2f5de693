"""A clip of one person's 2D key points over a video: the input of lifting."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.errors import UsageError

MAX_FRAMES_PER_DETECTION = 20
"""Most frames that are interpolated per frame with a detection; sparser images are not accepted as one video."""


class KeypointClip(NamedTuple):
    """2D key points of one person in consecutive frames."""

    name: str
    """Name of the video or of the person."""
    keypoints_px: np.ndarray
    """(F, 17, 2) float32, px, COCO's joints."""
    frames: np.ndarray
    """(F,) int64, frame numbers without gaps."""
    size: tuple[int, int] | None = None
    """Width and height of the video, px, if known."""


def make_clip(
    name: str, frames: np.ndarray, points: np.ndarray, size: tuple[int, int] | None = None, count: int | None = None
) -> KeypointClip:
    """Make a clip of points (n, 17, 2) px in frames (n,), rising, by linear interpolation; NaN is a missing detection.

    count: frames of the whole video, if known; before the first and after the last detection the joints then stand still.
    Raises UsageError.
    """
    seen = np.isfinite(points).all((1, 2))
    if not seen.any():
        raise UsageError(f"{name} shows no person: there is nothing to lift.")
    seen_frames, known = frames[seen], points[seen].astype(float).reshape(seen.sum(), -1)
    numbers = np.arange(seen_frames[0], seen_frames[-1] + 1) if count is None else np.arange(count)
    if len(numbers) > MAX_FRAMES_PER_DETECTION * len(seen_frames) + 1000:
        raise UsageError(
            f"{name} shows a person in {len(seen_frames)} of {len(numbers)} frames; these are not images of one video."
        )
    filled = np.stack([np.interp(numbers, seen_frames, column) for column in known.T], 1)
    return KeypointClip(name, filled.reshape(len(numbers), *points.shape[1:]).astype(np.float32), numbers.astype(np.int64), size)
