"""Latency of each hop between the camera and the viewer, from the bodies' stamps."""

from __future__ import annotations

from collections import deque

import numpy as np

from remi_stream.messages import Bodies

HOP_WINDOW_S = 3.0
"""The medians are over the last seconds, s."""
VIEWER_HOP = "viewer"
"""The last hop: from the last stamp to the viewer's reception."""

HopMedians = list[tuple[str, float]]
"""Hops in order of time, each with its median duration, ms."""


class HopLatencies:
    """Hop latencies of one camera's last bodies. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, Bodies]] = deque(maxlen=256)

    def add(self, bodies: Bodies, now: float) -> None:
        """Add bodies that arrived now."""
        self._recent.append((now, bodies))

    def medians(self, now: float) -> HopMedians:
        """The median duration of each hop, ms, over the bodies that took the same hops as the newest."""
        recent = [hop_durations(bodies, at) for at, bodies in self._recent if now - at <= HOP_WINDOW_S]
        if not recent:
            return []
        hops = list(recent[-1])
        same_hops = [[seconds[hop] for hop in hops] for seconds in recent if list(seconds) == hops]
        return list(zip(hops, (np.median(same_hops, axis=0) * 1000).tolist()))


def hop_durations(bodies: Bodies, now: float) -> dict[str, float]:
    """The duration of each hop, s, of bodies that arrived now. A stamp before `captured_at` gives 0."""
    durations, last = {}, bodies.captured_at
    for hop, at in sorted(bodies.stamps.items(), key=lambda stamp: stamp[1]):
        durations[hop], last = max(0.0, at - last), max(last, at)
    return {**durations, VIEWER_HOP: max(0.0, now - last)}
