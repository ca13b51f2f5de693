"""One person's 2D key points through a video: what is lifted, whatever file it comes from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.errors import UsageError

SPARSEST = 20
"""So many frames are filled for one with somebody in it; pictures with wider gaps are not believed to be one video."""


class Clip(NamedTuple):
    """name: of the video, or of the person. keypoints_px: (F, 17, 2) float32, COCO. frames: (F,) int64, without gaps.

    size: width, height px, if it is known.
    """

    name: str
    keypoints_px: np.ndarray
    frames: np.ndarray
    size: tuple[int, int] | None = None


def clip_of(
    name: str, frames: np.ndarray, points: np.ndarray, size: tuple[int, int] | None = None, count: int | None = None
) -> Clip:
    """The clip of somebody who was seen in some frames (n,), rising, at points (n, 17, 2); NaN is not seen either.

    Between these the joints move evenly. count: of all frames of the video, if it is known: outside of those seen they stand
    still. Raises UsageError.
    """
    seen = np.isfinite(points).all((1, 2))
    if not seen.any():
        raise UsageError(f"{name} shows nobody: there is nothing to lift.")
    at, known = frames[seen], points[seen].astype(float).reshape(seen.sum(), -1)
    wanted = np.arange(at[0], at[-1] + 1) if count is None else np.arange(count)
    if len(wanted) > SPARSEST * len(at) + 1000:
        raise UsageError(f"{name} shows somebody in {len(at)} of {len(wanted)} frames; these are not pictures of one video.")
    filled = np.stack([np.interp(wanted, at, column) for column in known.T], 1)
    return Clip(name, filled.reshape(len(wanted), *points.shape[1:]).astype(np.float32), wanted.astype(np.int64), size)
