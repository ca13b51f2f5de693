"""Rate and latency percentiles of bodies over the last minute."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

RATE_WINDOW_S = 60.0
"""Length of the history, s."""
RATE_INTERVAL_S = 0.5
"""Time between two samples, s."""
RATE_AVERAGING_S = 2.0
"""Each sample covers the last seconds, s."""


class RateSample(NamedTuple):
    """A sample of one camera's rate and latency."""

    at: float
    """Monotonic s."""
    fps: float
    """Bodies per second."""
    p50_ms: float
    """Median latency from capture to here; NaN without bodies."""
    p95_ms: float
    """95th percentile of the latency; NaN without bodies."""


class RateHistory:
    """The last minute of one camera, sampled every half second. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._latencies: deque[tuple[float, float]] = deque(maxlen=1000)
        self.samples: deque[RateSample] = deque(maxlen=int(RATE_WINDOW_S / RATE_INTERVAL_S) + 1)

    def add(self, captured_at: float, now: float) -> None:
        """Add bodies that arrived now."""
        self._latencies.append((now, (now - captured_at) * 1000))

    def sample_if_due(self, now: float) -> bool:
        """Take the next sample if it is due; return whether it was."""
        if self.samples and now - self.samples[-1].at < RATE_INTERVAL_S:
            return False
        recent = np.array([latency for at, latency in self._latencies if now - at <= RATE_AVERAGING_S])
        p50, p95 = np.percentile(recent, [50, 95]) if len(recent) else (np.nan, np.nan)
        self.samples.append(RateSample(now, len(recent) / RATE_AVERAGING_S, float(p50), float(p95)))
        return True

    def series(self) -> np.ndarray:
        """The history (4, N): seconds ago (negative), bodies per second, p50 and p95 latency in ms."""
        rows = np.array(self.samples).T
        rows[0] -= rows[0, -1]
        return rows
