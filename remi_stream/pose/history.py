"""Key-point history of a track, resampled to a fixed frame rate by linear interpolation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

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
