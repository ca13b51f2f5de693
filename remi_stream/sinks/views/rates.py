"""How fast bodies come, and how old they are, over the last minute."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

WINDOW_S = 60.0
STEP_S = 0.5
SMOOTH_S = 2.0


class Moment(NamedTuple):
    """One camera at one time. latencies in ms: from the camera to here; nan when no bodies came."""

    at: float
    fps: float
    p50_ms: float
    p95_ms: float


class Rates:
    """The last minute of one camera, a Moment every half second. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._came: deque[tuple[float, float]] = deque(maxlen=1000)
        self.moments: deque[Moment] = deque(maxlen=int(WINDOW_S / STEP_S) + 1)

    def take(self, captured_at: float, now: float) -> None:
        """Note bodies that came now."""
        self._came.append((now, (now - captured_at) * 1000))

    def step(self, now: float) -> bool:
        """Make the next Moment if it is time for one."""
        if self.moments and now - self.moments[-1].at < STEP_S:
            return False
        recent = np.array([latency for at, latency in self._came if now - at <= SMOOTH_S])
        p50, p95 = np.percentile(recent, [50, 95]) if len(recent) else (np.nan, np.nan)
        self.moments.append(Moment(now, len(recent) / SMOOTH_S, float(p50), float(p95)))
        return True

    def series(self) -> np.ndarray:
        """The minute as rows: seconds ago (negative), bodies a second, p50 and p95 latency, ms: (4, N)."""
        rows = np.array(self.moments).T
        rows[0] -= rows[0, -1]
        return rows
