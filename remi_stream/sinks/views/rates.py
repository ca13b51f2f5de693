"""Rate and latency percentiles of bodies over the last minute."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

WINDOW_S = 60.0
"""Length of the history, s."""
STEP_S = 0.5
"""Time between two samples, s."""
SMOOTH_S = 2.0
"""Each sample covers the last seconds, s."""


class Moment(NamedTuple):
    """A sample of one camera's rate and latency."""

    at: float
    """Monotonic s."""
    fps: float
    """Bodies per second."""
    p50_ms: float
    """Median latency from capture to here; NaN without bodies."""
    p95_ms: float
    """95th percentile of the latency; NaN without bodies."""


class Rates:
    """The last minute of one camera, sampled every half second. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._latencies: deque[tuple[float, float]] = deque(maxlen=1000)
        self.moments: deque[Moment] = deque(maxlen=int(WINDOW_S / STEP_S) + 1)

    def take(self, captured_at: float, now: float) -> None:
        """Add bodies that arrived now."""
        self._latencies.append((now, (now - captured_at) * 1000))

    def step(self, now: float) -> bool:
        """Take the next sample if it is due; return whether it was."""
        if self.moments and now - self.moments[-1].at < STEP_S:
            return False
        recent = np.array([latency for at, latency in self._latencies if now - at <= SMOOTH_S])
        p50, p95 = np.percentile(recent, [50, 95]) if len(recent) else (np.nan, np.nan)
        self.moments.append(Moment(now, len(recent) / SMOOTH_S, float(p50), float(p95)))
        return True

    def series(self) -> np.ndarray:
        """The history (4, N): seconds ago (negative), bodies per second, p50 and p95 latency in ms."""
        rows = np.array(self.moments).T
        rows[0] -= rows[0, -1]
        return rows
