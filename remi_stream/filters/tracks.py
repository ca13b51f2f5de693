"""A filter of people, made of one smoother for each of their tracks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from remi_stream.filters.motion import Motion, motion_of, moved
from remi_stream.messages import Person

GAP_S = 0.5
"""A track that was away for longer than this starts anew."""
SHORTEST_S = 1e-9


class Smoother(Protocol):
    """Smooths one track; it is made from the track's first motion, which comes out as it is."""

    def step(self, motion: Motion, dt: float) -> Motion:
        """The smoothed motion of a frame that was captured dt > 0 seconds after the last one."""
        ...


@dataclass
class Track:
    """smoother, the motion that it gave last, and when that was captured, s."""

    smoother: Smoother
    motion: Motion
    captured_at: float


class TrackFilter:
    """A Filter; start: makes a track's smoother from its first motion. What is not finite passes, and is not remembered;
    so does a person whose smoothed motion would be nonsense."""

    def __init__(self, name: str, start: Callable[[Motion], Smoother], lag_s: float | None) -> None:
        self.name, self.lag_s = name, lag_s
        self._start = start
        self._tracks: dict[int, Track] = {}

    def filter(self, person: Person, captured_at: float) -> Person:
        """The person, smoothed."""
        seen = motion_of(person)
        if not seen.finite():
            self.forget(person.track_id)
            return person
        track = self._tracks.get(person.track_id)
        dt = captured_at - track.captured_at if track else 0.0
        if track is None or not -SHORTEST_S <= dt <= GAP_S or not seen.alike(track.motion):
            self._begin(person.track_id, seen, captured_at)
            return person
        if dt > SHORTEST_S:
            track.motion, track.captured_at = track.smoother.step(seen, dt), captured_at
        if not track.motion.believable():
            self.forget(person.track_id)
            return person
        return moved(person, track.motion)

    def forget(self, track_id: int) -> None:
        """Drop a track."""
        self._tracks.pop(track_id, None)

    def _begin(self, track_id: int, seen: Motion, captured_at: float) -> None:
        """Start a track; those that would have to start anew anyway go."""
        old = [known for known, track in self._tracks.items() if abs(captured_at - track.captured_at) > GAP_S]
        for known in old:
            del self._tracks[known]
        self._tracks[track_id] = Track(self._start(seen), seen, captured_at)
