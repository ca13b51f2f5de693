"""When each moment of a recording is due, at a speed that may change, with pauses and jumps."""

from __future__ import annotations

import math

SLOWEST, FASTEST = 0.01, 100.0


class Tempo:
    """at_s: seconds of the recording; now: monotonic seconds. It stands still until somebody waits for a moment.

    So what a jump takes (a film is decoded up to the place) is not made good by hurrying.
    """

    def __init__(self, at_s: float, speed: float) -> None:
        self.speed, self.paused = speed, False
        self._at_s = at_s
        self._since: float | None = None

    def due(self, at_s: float, now: float) -> float:
        """When a moment is due, monotonic s: never, during a pause. From the first such question on, time runs."""
        if self.paused:
            return math.inf
        if self._since is None:
            self._since = now
        return self._since + (at_s - self._at_s) / self.speed

    def jump(self, at_s: float) -> None:
        """Stand at another moment."""
        self._at_s, self._since = at_s, None

    def change(self, now: float, speed: float | None, paused: bool | None) -> None:
        """Go on from where it is, otherwise; None: as before."""
        if self._since is not None:
            self.jump(self._at_s + (now - self._since) * self.speed)
        self.speed = self.speed if speed is None else speed
        self.paused = self.paused if paused is None else paused

    def again(self, end_s: float, begin_s: float) -> None:
        """Begin anew at a moment when another one, the end, is due: no time is lost between them."""
        if self._since is not None:
            self._since += (end_s - self._at_s) / self.speed
        self._at_s = begin_s
