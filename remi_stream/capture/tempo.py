"""Playback clock: when each moment of a recording is due, with speed, pause and seek."""

from __future__ import annotations

import math

MIN_SPEED, MAX_SPEED = 0.01, 100.0
"""Allowed playback speeds; 1 is real time."""


class PlaybackClock:
    """Maps times of the recording, at_s, to monotonic time. It runs from the first call of `due_at` after a seek on.

    So the time a seek takes (the video is decoded up to that frame) is not made up by playing faster.
    """

    def __init__(self, at_s: float, speed: float) -> None:
        self.speed, self.paused = speed, False
        self._at_s = at_s
        self._started_at: float | None = None

    def due_at(self, at_s: float, now: float) -> float:
        """When a moment is due, monotonic s; infinity during a pause. Starts the clock."""
        if self.paused:
            return math.inf
        if self._started_at is None:
            self._started_at = now
        return self._started_at + (at_s - self._at_s) / self.speed

    def seek(self, at_s: float) -> None:
        """Seek: stop the clock at another moment."""
        self._at_s, self._started_at = at_s, None

    def set_speed(self, now: float, speed: float | None, paused: bool | None) -> None:
        """Change speed and pause from now (monotonic s) on; None: unchanged."""
        if self._started_at is not None:
            self.seek(self._at_s + (now - self._started_at) * self.speed)
        self.speed = self.speed if speed is None else speed
        self.paused = self.paused if paused is None else paused

    def restart_at(self, end_s: float, begin_s: float) -> None:
        """Start again at begin_s at the moment when end_s is due, so that a loop has no gap."""
        if self._started_at is not None:
            self._started_at += (end_s - self._at_s) / self.speed
        self._at_s = begin_s
