"""Where a person's key points were in the last seconds, at even steps in time although frames are not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

LONGEST_GAP_S = 1.0
"""Who was not seen for longer begins anew."""


class History(NamedTuple):
    """times: (n,) float64 s, rising. points: (n, K, 2) float32."""

    times: np.ndarray
    points: np.ndarray

    def continues(self, at: float) -> bool:
        """Whether a frame captured then can be the next one."""
        return 0 < at - self.times[-1] <= LONGEST_GAP_S


def begun(points: np.ndarray, at: float) -> History:
    """The history of somebody who is seen for the first time, points (K, 2)."""
    return History(np.array([at]), points[None])


def extended(history: History, points: np.ndarray, at: float, length_s: float) -> History:
    """The history with one more frame, and nothing that is not needed to know the last length_s seconds."""
    first = max(0, int(np.searchsorted(history.times, at - length_s, side="right")) - 1)
    return History(np.append(history.times[first:], at), np.concatenate([history.points[first:], points[None]]))


def resampled(history: History, count: int, step_s: float) -> np.ndarray:
    """Points (count, K, 2) float32, step_s apart, the last ones those of the last frame.

    Between two frames they move evenly; before the first frame they are where they were in it.
    """
    if len(history.times) == 1:
        return history.points.repeat(count, 0)
    wanted = history.times[-1] - step_s * np.arange(count - 1, -1, -1)
    after = np.clip(np.searchsorted(history.times, wanted), 1, len(history.times) - 1)
    start, end = history.times[after - 1], history.times[after]
    share = np.clip((wanted - start) / (end - start), 0, 1).astype(np.float32)[:, None, None]
    found: np.ndarray = history.points[after - 1] * (1 - share) + history.points[after] * share
    return found
