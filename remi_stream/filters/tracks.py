"""Per-track filtering: a Filter that keeps one smoother per track."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from remi_stream.filters.motion import Motion, motion_of, moved
from remi_stream.messages import Person

GAP_S = 0.5
"""A longer gap resets the smoother of a track, s."""
SHORTEST_S = 1e-9
"""Frames that are closer in time count as the same moment, s."""


class Smoother(Protocol):
    """Smooths one track; made from the track's first motion, which stays unchanged."""

    def step(self, motion: Motion, dt: float) -> Motion:
        """Smooth the motion of a frame that was captured dt > 0 seconds after the last one."""
        ...


@dataclass
class Track:
    """Filter state of one track."""

    smoother: Smoother
    motion: Motion
    """Last result of the smoother."""
    captured_at: float
    """Capture time of that result, s."""


class TrackFilter:
    """A Filter with a smoother per track. start: makes a track's smoother from its first motion.

    A person with values that are not finite, or whose smoothed motion diverges, passes unfiltered and its track is reset.
    """

    def __init__(self, name: str, start: Callable[[Motion], Smoother], lag_s: float | None) -> None:
        self.name, self.lag_s = name, lag_s
        self._start = start
        self._tracks: dict[int, Track] = {}

    def filter(self, person: Person, captured_at: float) -> Person:
        """Smooth a person with the history of its track."""
        motion = motion_of(person)
        if not motion.finite():
            self.forget(person.track_id)
            return person
        track = self._tracks.get(person.track_id)
        dt = captured_at - track.captured_at if track else 0.0
        if track is None or not -SHORTEST_S <= dt <= GAP_S or not motion.alike(track.motion):
            self._start_track(person.track_id, motion, captured_at)
            return person
        if dt > SHORTEST_S:
            track.motion, track.captured_at = track.smoother.step(motion, dt), captured_at
        if not track.motion.believable():
            self.forget(person.track_id)
            return person
        return moved(person, track.motion)

    def forget(self, track_id: int) -> None:
        """Drop the state of a track."""
        self._tracks.pop(track_id, None)

    def _start_track(self, track_id: int, motion: Motion, captured_at: float) -> None:
        """Start a track, and drop those that a gap has made stale."""
        stale = [known for known, track in self._tracks.items() if abs(captured_at - track.captured_at) > GAP_S]
        for known in stale:
            del self._tracks[known]
        self._tracks[track_id] = Track(self._start(motion), motion, captured_at)
