"""Filters of people over time: each track gets a smoother, such as One-Euro, for its rotations, positions and betas.

Parameters are in seconds and hertz, not in frames, so that the frame rate may vary.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

import msgspec
import numpy as np

from remi_stream import geometry
from remi_stream.messages import Person

NO_SMPL = np.empty((0, 4)), np.empty((0, 10))
"""Rotations and betas of a person without SMPL."""
MAX_POSITION_M = 1e6
"""Smoothed positions beyond this norm are rejected as diverged."""
MAX_GAP_S = 0.5
"""A longer gap resets the smoother of a track, s."""
MIN_STEP_S = 1e-9
"""Frames that are closer in time count as the same moment, s."""

Number = TypeVar("Number", float, np.ndarray)


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
    positions = np.concatenate([joints, smpl.transl[None]]).astype(np.float64)
    return BodyMotion(geometry.quaternions_from_rotation_vectors(vectors), positions, smpl.betas[None].astype(np.float64))


def person_with_motion(person: Person, motion: BodyMotion) -> Person:
    """Replace a person's joints and SMPL parameters; box, key points, scores and `native` stay."""
    positions = motion.positions.astype(np.float32)
    if person.smpl is None:
        return msgspec.structs.replace(person, joints_m=positions)
    vectors = geometry.rotation_vectors_from_quaternions(motion.rotations).astype(np.float32).reshape(-1)
    smpl = msgspec.structs.replace(
        person.smpl,
        global_orient=vectors[:3],
        body_pose=vectors[3:],
        betas=motion.betas[0].astype(np.float32),
        transl=positions[-1],
    )
    return msgspec.structs.replace(person, joints_m=positions[:-1], smpl=smpl)


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


def low_pass_gain(dt: float, cutoff: Number) -> Number:
    """Weight of the new value in a first-order low pass, in [0, 1). dt: s since the last value; cutoff: Hz, scalar or array."""
    r = 2 * math.pi * dt * cutoff
    return r / (r + 1)


class OneEuroParameters(NamedTuple):
    """Parameters of the One-Euro filter."""

    min_cutoff: float
    """Cutoff at rest, Hz."""
    beta_turn: float
    """Growth of the cutoff with angular speed, Hz per rad/s."""
    beta_move: float
    """Growth of the cutoff with speed, Hz per m/s."""
    d_cutoff: float
    """Cutoff of the velocities, Hz."""
    shape_cutoff: float
    """Cutoff of the betas, Hz, independent of speed."""
    lead: float
    """Share of the velocity by which the last result is extrapolated; 0: the published filter."""


class OneEuroSmoother:
    """A TrackSmoother: One-Euro, a low-pass filter whose cutoff grows with speed (Casiez et al., "1 Euro Filter", 2012).

    Each joint rotation has its own filtered angular velocity and is interpolated by slerp; each position has its own velocity.
    In addition the last result is extrapolated by a share (`lead`) of that velocity before the new value is mixed in: without
    it no parameters reduced the acceleration error by 60 % with at most half a frame of lag
    (tests/filters/test_one_euro_tuning.py).
    """

    def __init__(self, first: BodyMotion, tuning: OneEuroParameters) -> None:
        self._last, self._parameters = first, tuning
        self._angular_velocity = np.zeros((len(first.rotations), 3))
        self._velocity = np.zeros_like(first.positions)

    def step(self, motion: BodyMotion, dt: float) -> BodyMotion:
        """Smooth one motion, dt seconds after the last one."""
        last, d_gain = self._last, low_pass_gain(dt, self._parameters.d_cutoff)
        betas = last.betas + low_pass_gain(dt, self._parameters.shape_cutoff) * (motion.betas - last.betas)
        self._last = BodyMotion(
            self._rotations(motion.rotations, dt, d_gain), self._positions(motion.positions, dt, d_gain), betas
        )
        return self._last

    def _rotations(self, rotations: np.ndarray, dt: float, d_gain: float) -> np.ndarray:
        if not len(rotations):
            return rotations
        predicted = geometry.rotate_quaternions(self._last.rotations, self._angular_velocity * (self._parameters.lead * dt))
        self._angular_velocity += d_gain * (
            geometry.quaternion_difference(self._last.rotations, rotations) / dt - self._angular_velocity
        )
        gains = self._gain(self._angular_velocity, self._parameters.beta_turn, dt)
        return geometry.slerp(predicted, rotations, gains)

    def _positions(self, positions: np.ndarray, dt: float, d_gain: float) -> np.ndarray:
        predicted = self._last.positions + self._velocity * (self._parameters.lead * dt)
        # velocity first, then the gain from it, as published: a fast motion raises the cutoff in the same frame
        self._velocity += d_gain * ((positions - self._last.positions) / dt - self._velocity)
        return predicted + self._gain(self._velocity, self._parameters.beta_move, dt) * (positions - predicted)

    def _gain(self, velocities: np.ndarray, beta: float, dt: float) -> np.ndarray:
        """Low-pass gains (N, 1) for velocities (N, 3)."""
        return low_pass_gain(dt, self._parameters.min_cutoff + beta * np.sqrt((velocities * velocities).sum(-1, keepdims=True)))


def make_one_euro_filter(**options: float) -> TrackFilter:
    """Make a One-Euro filter; options: the fields of OneEuroParameters."""
    return TrackFilter("one_euro", partial(OneEuroSmoother, tuning=OneEuroParameters(**options)), None)


class MovingAverageSmoother:
    """A TrackSmoother: mean of a time window. window_s: its length, s; the newest frame is always in it."""

    def __init__(self, first: BodyMotion, window_s: float) -> None:
        self._now, self._window_s = 0.0, window_s
        self._window: deque[tuple[float, BodyMotion]] = deque([(0.0, first)])

    def step(self, motion: BodyMotion, dt: float) -> BodyMotion:
        """Return the mean motion of the window, dt seconds after the last one."""
        self._now += dt
        self._window.append((self._now, motion))
        while self._now - self._window[0][0] >= self._window_s and len(self._window) > 1:
            self._window.popleft()
        rotations, positions, betas = (np.stack(parts) for parts in zip(*(motion for _, motion in self._window)))
        return BodyMotion(geometry.mean_quaternions(rotations), positions.mean(0), betas.mean(0))


def make_moving_average_filter(window_s: float) -> TrackFilter:
    """Make a moving average filter; window_s: length of the window, s."""
    # behind a uniform motion, the mean of a window lags by half of it
    return TrackFilter("moving_avg", partial(MovingAverageSmoother, window_s=window_s), window_s / 2)


class SingleExponentialSmoother:
    """A TrackSmoother: exponential smoothing. time_s: time constant, s; REMI's alpha is 1 - exp(-dt / time_s)."""

    def __init__(self, first: BodyMotion, time_s: float) -> None:
        self._last, self._time_s = first, time_s

    def step(self, motion: BodyMotion, dt: float) -> BodyMotion:
        """Smooth one motion, dt seconds after the last one."""
        last, alpha = self._last, smoothing_factor(dt, self._time_s)
        self._last = BodyMotion(
            geometry.slerp(last.rotations, motion.rotations, alpha),
            last.positions + alpha * (motion.positions - last.positions),
            last.betas + alpha * (motion.betas - last.betas),
        )
        return self._last


def smoothing_factor(dt: float, time_s: float) -> float:
    """Smoothing factor alpha for a time step dt, s, in (0, 1]."""
    return 1 - math.exp(-dt / time_s) if time_s else 1.0


def make_single_exponential_filter(time_s: float) -> TrackFilter:
    """Make an exponential filter; time_s: time constant, s."""
    # behind a uniform motion, a first-order low pass lags by its time constant
    return TrackFilter("single_exp", partial(SingleExponentialSmoother, time_s=time_s), time_s)


class DoubleExponentialSmoother:
    """A TrackSmoother: double exponential smoothing (Holt), a level and a trend (velocity and angular velocity).

    time_s, trend_time_s: time constants of level and trend, s. The betas have no trend.
    """

    def __init__(self, first: BodyMotion, time_s: float, trend_time_s: float) -> None:
        self._level = first
        self._angular_velocity, self._velocity = np.zeros((len(first.rotations), 3)), np.zeros_like(first.positions)
        self._time_s, self._trend_time_s = time_s, trend_time_s

    def step(self, motion: BodyMotion, dt: float) -> BodyMotion:
        """Smooth one motion, dt seconds after the last one."""
        before, alpha, beta = self._level, smoothing_factor(dt, self._time_s), smoothing_factor(dt, self._trend_time_s)
        predicted = geometry.rotate_quaternions(before.rotations, self._angular_velocity * dt)
        rotations = geometry.slerp(predicted, motion.rotations, alpha)
        positions = before.positions + self._velocity * dt
        positions = positions + alpha * (motion.positions - positions)
        self._angular_velocity += beta * (
            geometry.quaternion_difference(before.rotations, rotations) / dt - self._angular_velocity
        )
        self._velocity += beta * ((positions - before.positions) / dt - self._velocity)
        self._level = BodyMotion(rotations, positions, before.betas + alpha * (motion.betas - before.betas))
        return self._level


def make_double_exponential_filter(time_s: float, trend_time_s: float) -> TrackFilter:
    """Make a double exponential filter. Uniform motion has no lag once the trend has converged, so no lag is stated."""
    return TrackFilter("double_exp", partial(DoubleExponentialSmoother, time_s=time_s, trend_time_s=trend_time_s), None)


class IdentityFilter:
    """A Filter that returns its input."""

    name = "none"
    lag_s = 0.0

    def filter(self, person: Person, captured_at: float) -> Person:
        """Return the person unchanged."""
        return person

    def forget(self, track_id: int) -> None:
        """Do nothing: there is no state."""
