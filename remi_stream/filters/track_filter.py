"""The quantities of a person that filters smooth: rotations as quaternions, positions, betas."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import msgspec
import numpy as np

from remi_stream import geometry
from remi_stream.messages import Person

NO_SMPL = np.empty((0, 4)), np.empty((0, 10))
"""Rotations and betas of a person without SMPL."""
MAX_POSITION_M = 1e6
"""Smoothed positions beyond this norm are rejected as diverged."""


class BodyMotion(NamedTuple):
    """One person's pose, positions and shape, float64. Without SMPL: no rotations, no betas, and no transl in the positions."""

    rotations: np.ndarray
    """(24, 4) quaternions x y z w, each joint's in its parent."""
    positions: np.ndarray
    """(J + 1, 3) m, camera frame: joints_m, then transl."""
    betas: np.ndarray
    """(1, 10) betas."""

    def has_same_shape(self, other: BodyMotion) -> bool:
        """Whether both have the same numbers of rotations and positions."""
        return len(self.rotations) == len(other.rotations) and self.positions.shape == other.positions.shape

    def is_finite(self) -> bool:
        """Whether all values are finite."""
        return math.isfinite(sum(np.vdot(part, part) for part in self))

    def is_plausible(self) -> bool:
        """Whether all values are finite and the positions within MAX_POSITION_M."""
        return self.is_finite() and bool(np.vdot(self.positions, self.positions) < MAX_POSITION_M**2)


def motion_from_person(person: Person) -> BodyMotion:
    """Convert a person to the quantities that filters smooth."""
    joints, smpl = person.joints_m, person.smpl
    if smpl is None:
        return BodyMotion(NO_SMPL[0], joints.astype(np.float64), NO_SMPL[1])
    vectors = np.concatenate([smpl.global_orient, smpl.body_pose]).reshape(-1, 3).astype(np.float64)
    places = np.concatenate([joints, smpl.transl[None]]).astype(np.float64)
    return BodyMotion(geometry.quaternions_from_rotation_vectors(vectors), places, smpl.betas[None].astype(np.float64))


def person_with_motion(person: Person, motion: BodyMotion) -> Person:
    """Replace a person's joints and SMPL parameters; box, key points, scores and `native` stay."""
    places = motion.positions.astype(np.float32)
    if person.smpl is None:
        return msgspec.structs.replace(person, joints_m=places)
    vectors = geometry.rotation_vectors_from_quaternions(motion.rotations).astype(np.float32).reshape(-1)
    smpl = msgspec.structs.replace(
        person.smpl, global_orient=vectors[:3], body_pose=vectors[3:], betas=motion.betas[0].astype(np.float32), transl=places[-1]
    )
    return msgspec.structs.replace(person, joints_m=places[:-1], smpl=smpl)


# Per-track filtering: a Filter that keeps one smoother per track.


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
