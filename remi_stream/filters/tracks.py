"""Per-track filtering: a Filter that keeps one smoother per track."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from remi_stream.filters.motion import BodyMotion, motion_from_person, person_with_motion
from remi_stream.messages import Person

MAX_GAP_S = 0.5
"""A longer gap resets the smoother of a track, s."""
MIN_STEP_S = 1e-9
"""Frames that are closer in time count as the same moment, s."""


class TrackSmoother(Protocol):
    """Smooths one track; made from the track's first motion, which stays unchanged."""

    def step(self, motion: BodyMotion, dt: float) -> BodyMotion:
        """Smooth the motion of a frame that was captured dt > 0 seconds after the last one."""
        ...


@dataclass
class SmoothedTrack:
    """Filter state of one track."""

    smoother: TrackSmoother
    motion: BodyMotion
    """Last result of the smoother."""
    captured_at: float
    """Capture time of that result, s."""


class TrackFilter:
    """A Filter with a smoother per track. make_smoother: makes a track's smoother from its first motion.

    A person with values that are not finite, or whose smoothed motion diverges, passes unfiltered and its track is reset.
    """

    def __init__(self, name: str, make_smoother: Callable[[BodyMotion], TrackSmoother], lag_s: float | None) -> None:
        self.name, self.lag_s = name, lag_s
        self._start = make_smoother
        self._tracks: dict[int, SmoothedTrack] = {}

    def filter(self, person: Person, captured_at: float) -> Person:
        """Smooth a person with the history of its track."""
        motion = motion_from_person(person)
        if not motion.is_finite():
            self.forget(person.track_id)
            return person
        track = self._tracks.get(person.track_id)
        dt = captured_at - track.captured_at if track else 0.0
        if track is None or not -MIN_STEP_S <= dt <= MAX_GAP_S or not motion.has_same_shape(track.motion):
            self._start_track(person.track_id, motion, captured_at)
            return person
        if dt > MIN_STEP_S:
            track.motion, track.captured_at = track.smoother.step(motion, dt), captured_at
        if not track.motion.is_plausible():
            self.forget(person.track_id)
            return person
        return person_with_motion(person, track.motion)

    def forget(self, track_id: int) -> None:
        """Drop the state of a track."""
        self._tracks.pop(track_id, None)

    def _start_track(self, track_id: int, motion: BodyMotion, captured_at: float) -> None:
        """Start a track, and drop those that a gap has made stale."""
        stale = [known for known, track in self._tracks.items() if abs(captured_at - track.captured_at) > MAX_GAP_S]
        for known in stale:
            del self._tracks[known]
        self._tracks[track_id] = SmoothedTrack(self._start(motion), motion, captured_at)
