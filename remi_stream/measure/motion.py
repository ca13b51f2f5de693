"""Metrics with exact definitions, of all people: latency from capture to the viewer, joint change, jitter, rotation change."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np

from remi_stream.body.smpl import joint_rotations
from remi_stream.measure.kinematics import NAN, angles_deg, lengths_mm, line_deviation, nan_mean
from remi_stream.messages import Bodies, Person, Smpl
from remi_stream.skeletons import JOINT_NAMES

WINDOW_S = 5.0
"""Default length of the window; REMI's."""


class SlidingWindow:
    """The last `rows` rows of values with their times; every row has the same number of values."""

    def __init__(self, rows: int, seconds: float = WINDOW_S) -> None:
        self._rows: deque[tuple[float, Sequence[float]]] = deque(maxlen=rows)
        self._seconds = seconds

    def add(self, at: float, values: Sequence[float]) -> None:
        """Add a row measured at this time, s."""
        self._rows.append((at, values))

    def columns(self, now: float) -> list[list[float]]:
        """Return the values of the last seconds before now by column, without NaN."""
        rows = [values for at, values in self._rows if at >= now - self._seconds]
        return [[value for value in column if not math.isnan(value)] for column in zip(*rows)]

    def means(self, now: float) -> list[float]:
        """Return the mean of each column, in its values' dtype (float32 stays float32); NaN without values."""
        return [cast(float, np.mean(column)) if column else NAN for column in self.columns(now)]


MOTION_COLUMNS = (
    "Timestamp",
    "Condition",
    "Camera",
    "Engine",
    "Filter",
    "Frames per Second",
    "Latency (ms)",
    "Latency, 95th Percentile (ms)",
    "Filter Lag (ms)",
    "Frames with People (%)",
    "People",
    "Joint Change (mm)",
    "Joint Change about Root (mm)",
    "Root Change (mm)",
    "Joint Jitter (mm)",
    "Root Jitter (mm)",
    "Rotation Change (deg)",
    "Shape Change",
)
MOTION_FILE = "remi_stream_metrics.csv"
TEXT_COLUMN_COUNT = MOTION_COLUMNS.index("Frames per Second")
"""Number of text columns before the numbers."""
MAX_ROWS_PER_S = 1000
"""Upper limit of the frame rate, for the window's buffer."""
MAX_GAP_S = 0.5
"""Frames of a track with a longer gap between them are not compared."""


class MotionSample(NamedTuple):
    """One person in one frame."""

    captured_at: float
    joints: np.ndarray
    """(J, 3) m, camera frame."""
    root: np.ndarray
    """(3,) m, camera frame."""
    smpl: Smpl | None


class MotionChange(NamedTuple):
    """Change of one person since the last frame; NaN if unknown."""

    joint_mm: float = NAN
    """Mean displacement of the joints."""
    about_root_mm: float = NAN
    """Mean displacement of the joints relative to the root."""
    root_mm: float = NAN
    """Displacement of the root."""
    joint_jitter_mm: float = NAN
    """Mean distance of the joints, one frame ago, from linear motion between the frames before and after."""
    root_jitter_mm: float = NAN
    """The same of the root."""
    rotation_deg: float = NAN
    """Mean rotation of the joints in their parents, the root in the camera."""
    shape: float = NAN
    """Norm of the change of the betas."""


class MotionValues(NamedTuple):
    """Values of one frame."""

    latency_ms: float
    """From capture to the viewer."""
    with_people: float
    """100 with people, else 0."""
    people: float
    """Number of people."""
    change: MotionChange
    """Means over the people."""


class MotionMeter:
    """Measures the bodies of one camera, as received by a viewer, over the last seconds."""

    def __init__(self, seconds: float = WINDOW_S) -> None:
        self._window = SlidingWindow(round(MAX_ROWS_PER_S * seconds), seconds)
        self._tracks: dict[int, list[MotionSample]] = {}

    def add(self, bodies: Bodies, now: float) -> MotionValues:
        """Measure a frame received now, s, on the clock of captured_at."""
        samples = {person.track_id: motion_sample(person, bodies.captured_at) for person in bodies.people}
        # tracks without a sample in this frame are dropped: changes are only between consecutive frames
        self._tracks = {track: extend_track(self._tracks.get(track, []), sample) for track, sample in samples.items()}
        change = mean_motion_change([motion_change(track) for track in self._tracks.values()])
        people = len(bodies.people)
        values = MotionValues((now - bodies.captured_at) * 1000, 100.0 if people else 0.0, float(people), change)
        self._window.add(now, (now, *values[:3], *change))
        return values

    def means(self, now: float, lag_ms: float = NAN) -> list[float]:
        """Return the means over the last seconds in column order; lag_ms: the filter's lag, which bodies do not contain."""
        columns = self._window.columns(now)
        if not columns:
            return [NAN] * (len(MOTION_COLUMNS) - TEXT_COLUMN_COUNT)
        # the rate from the times of arrival: a mean of 1 / interval would favour short intervals
        times, latencies = columns[:2]
        duration_s = times[-1] - times[0]
        rate = (len(times) - 1) / duration_s if duration_s > 0 else NAN
        means = [float(np.mean(column)) if column else NAN for column in columns[1:]]
        return [rate, means[0], float(np.percentile(latencies, 95)), lag_ms, *means[1:]]


def motion_sample(person: Person, captured_at: float) -> MotionSample:
    """Return the sample of a person."""
    return MotionSample(
        captured_at,
        person.joints_m,
        root_position(person.joints_m, JOINT_NAMES.get(person.effective_joints_skeleton, ())),
        person.smpl,
    )


def root_position(joints: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return the root, (3,) m: the pelvis, else the mean of the hips, else of all joints; NaN without joints."""
    for roots in (("pelvis",), ("left_hip", "right_hip")):
        if len(joints) == len(names) and set(roots) <= set(names):
            return joints[[names.index(name) for name in roots]].mean(0)
    return joints.mean(0) if len(joints) else np.full(3, NAN)


def extend_track(track: list[MotionSample], sample: MotionSample) -> list[MotionSample]:
    """Return the last three samples of a track; it restarts after a gap or a change of skeleton."""
    # three samples: jitter compares a frame with the one before and the one after it
    gap_s = sample.captured_at - track[-1].captured_at if track else 0.0
    continues = bool(track) and 0 < gap_s <= MAX_GAP_S and track[-1].joints.shape == sample.joints.shape
    return [*track[-2:], sample] if continues else [sample]


def motion_change(track: Sequence[MotionSample]) -> MotionChange:
    """Return the change of a person over the last samples of a track."""
    if len(track) < 2 or not len(track[-1].joints):
        return MotionChange()
    before, after = track[-2:]
    steps, root = after.joints - before.joints, after.root - before.root
    change = MotionChange(*(float(lengths_mm(vectors).mean()) for vectors in (steps, steps - root, root)))
    if before.smpl and after.smpl:
        change = change._replace(
            rotation_deg=mean_rotation_change_deg(before.smpl, after.smpl),
            shape=float(np.linalg.norm(after.smpl.betas - before.smpl.betas)),
        )
    if len(track) < 3:
        return change
    times = [sample.captured_at for sample in track]
    return change._replace(
        joint_jitter_mm=float(lengths_mm(line_deviation([sample.joints for sample in track], times)).mean()),
        root_jitter_mm=float(lengths_mm(line_deviation([sample.root for sample in track], times))),
    )


def mean_rotation_change_deg(before: Smpl, after: Smpl) -> float:
    """Return the mean angle between the joints' rotations of two poses, degrees."""
    a, b = (joint_rotations(smpl.global_orient, smpl.body_pose) for smpl in (before, after))
    return float(angles_deg(a, b).mean())


def mean_motion_change(people: Sequence[MotionChange]) -> MotionChange:
    """Return the means over people, each without unknown values."""
    return MotionChange(*map(float, nan_mean(np.array(people), 0))) if people else MotionChange()
