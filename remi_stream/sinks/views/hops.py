"""Where the time between the camera and the viewer goes."""

from __future__ import annotations

from collections import deque

import numpy as np

from remi_stream.messages import Bodies

WINDOW_S = 3.0
HERE = "viewer"
"""The last hop: from the last stamp to whoever looks."""

Medians = list[tuple[str, float]]


class Hops:
    """The ways of one camera's last bodies. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._came: deque[tuple[float, Bodies]] = deque(maxlen=256)

    def take(self, bodies: Bodies, now: float) -> None:
        """Note bodies that came now."""
        self._came.append((now, bodies))

    def medians(self, now: float) -> Medians:
        """Each hop in its order and what it took, ms, median of the last seconds; of bodies that went the newest's way."""
        recent = [steps(bodies, at) for at, bodies in self._came if now - at <= WINDOW_S]
        if not recent:
            return []
        way = list(recent[-1])
        alike = [[took[hop] for hop in way] for took in recent if list(took) == way]
        return list(zip(way, (np.median(alike, axis=0) * 1000).tolist()))


def steps(bodies: Bodies, now: float) -> dict[str, float]:
    """Seconds that each hop took of bodies that came here now; a stamp from before the last one took none."""
    took, last = {}, bodies.captured_at
    for hop, at in sorted(bodies.stamps.items(), key=lambda stamp: stamp[1]):
        took[hop], last = max(0.0, at - last), max(last, at)
    return {**took, HERE: max(0.0, now - last)}
