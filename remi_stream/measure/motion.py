"""Motion metrics of all people beside REMI's: latency from capture to the viewer, joint change, jitter, rotation change."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np

from remi_stream.geometry import axis_angle_from_matrices, matrices_from_axis_angle
from remi_stream.messages import Bodies, Person, Smpl
from remi_stream.skeletons import JOINT_NAMES

# A sliding window of measured values, and their means.


WINDOW_S = 5.0
"""Default length of the window; REMI's."""
NAN = math.nan
"""A value that could not be measured; means ignore it."""


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


# Pose errors: joint distances, Procrustes alignment, acceleration and rotation errors.
#
# Joints are (N, J, 3) m, NaN where not known; results are mm or degrees.
# Procrustes: Umeyama, "Least-squares estimation of transformation parameters between two point patterns" (1991).


MM_PER_M = 1000.0


def centre_on_root(joints: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Return joints (N, J, 3) relative to their roots (N, 3)."""
    return joints - root[:, None]


def distances_mm(joints: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return distances between points (..., J, 3) m, (..., J) mm."""
    return np.linalg.norm(joints - truth, axis=-1) * MM_PER_M


def procrustes_align(joints: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Align joints (N, J, 3) of each frame to the truth by the best similarity transform, without reflection."""
    mean, true_mean = joints.mean(1, keepdims=True), truth.mean(1, keepdims=True)
    centred_joints, centred_truth = joints - mean, truth - true_mean
    u, singular, vt = np.linalg.svd(centred_truth.swapaxes(1, 2) @ centred_joints)
    # The sign of the last axis makes it a rotation: the best orthogonal matrix may be a reflection.
    signs = np.ones_like(singular)
    signs[:, -1] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * signs[:, None]) @ vt
    variance = np.maximum((centred_joints**2).sum((1, 2)), np.finfo(float).tiny)
    scale = (singular * signs).sum(1) / variance
    return scale[:, None, None] * (centred_joints @ rotation.swapaxes(1, 2)) + true_mean


def acceleration_errors_mm(joints: np.ndarray, truth: np.ndarray, frames: np.ndarray, step: int) -> np.ndarray:
    """Return differences of accelerations, (M, J) mm per step squared, at frames with neighbours one step before and after.

    frames: (N,) rising numbers of the rows' frames.
    """
    row_of = {int(frame): row for row, frame in enumerate(frames)}
    triples = [(row_of.get(frame - step), row, row_of.get(frame + step)) for frame, row in row_of.items()]
    complete = [triple for triple in triples if None not in triple]
    rows = np.array(complete, int).reshape(-1, 3).T
    return np.linalg.norm(second_difference(joints, rows) - second_difference(truth, rows), axis=-1) * MM_PER_M


def second_difference(points: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return before - 2 * middle + after of the rows (3, M)."""
    before, middle, after = points[rows]
    return before - 2 * middle + after


def rotation_errors_deg(rotations: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return geodesic angles between rotations (..., 3, 3), degrees."""
    return np.degrees(np.linalg.norm(axis_angle_from_matrices(truth.swapaxes(-1, -2) @ rotations), axis=-1))


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
    moves: MotionChange
    """Means over the people."""


class MotionMeter:
    """Measures the bodies of one camera, as received by a viewer, over the last seconds."""

    def __init__(self, seconds: float = WINDOW_S) -> None:
        self._window = SlidingWindow(round(MAX_ROWS_PER_S * seconds), seconds)
        self._tracks: dict[int, list[MotionSample]] = {}

    def add(self, bodies: Bodies, now: float) -> MotionValues:
        """Measure a frame received now, s, on the clock of captured_at."""
        moments = {person.track_id: motion_sample(person, bodies.captured_at) for person in bodies.people}
        self._tracks = {track: extend_track(self._tracks.get(track, []), moment) for track, moment in moments.items()}
        moves = mean_motion_change([motion_change(track) for track in self._tracks.values()])
        people = len(bodies.people)
        values = MotionValues((now - bodies.captured_at) * 1000, 100.0 if people else 0.0, float(people), moves)
        self._window.add(now, (now, *values[:3], *moves))
        return values

    def means(self, now: float, lag_ms: float = NAN) -> list[float]:
        """Return the means over the last seconds in column order; lag_ms: the filter's lag, which bodies do not contain."""
        columns = self._window.columns(now)
        if not columns:
            return [NAN] * (len(MOTION_COLUMNS) - TEXT_COLUMN_COUNT)
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


def extend_track(track: list[MotionSample], moment: MotionSample) -> list[MotionSample]:
    """Return the last three samples of a track; it restarts after a gap or a change of skeleton."""
    gap_s = moment.captured_at - track[-1].captured_at if track else 0.0
    continues = bool(track) and 0 < gap_s <= MAX_GAP_S and track[-1].joints.shape == moment.joints.shape
    return [*track[-2:], moment] if continues else [moment]


def motion_change(track: Sequence[MotionSample]) -> MotionChange:
    """Return the change of a person over the last samples of a track."""
    if len(track) < 2 or not len(track[-1].joints):
        return MotionChange()
    before, after = track[-2:]
    steps, root = after.joints - before.joints, after.root - before.root
    moves = MotionChange(mean_length_mm(steps), mean_length_mm(steps - root), mean_length_mm(root))
    if before.smpl and after.smpl:
        moves = moves._replace(
            rotation_deg=mean_rotation_change_deg(before.smpl, after.smpl),
            shape=float(np.linalg.norm(after.smpl.betas - before.smpl.betas)),
        )
    if len(track) < 3:
        return moves
    return moves._replace(
        joint_jitter_mm=mean_length_mm(line_deviation(track, [moment.joints for moment in track])),
        root_jitter_mm=mean_length_mm(line_deviation(track, [moment.root for moment in track])),
    )


def line_deviation(track: Sequence[MotionSample], points: Sequence[np.ndarray]) -> np.ndarray:
    """Return the deviation of the middle of three points from linear motion between the first and the last."""
    first, middle, last = (moment.captured_at for moment in track)
    share = (middle - first) / (last - first)
    return points[1] - (points[0] + share * (points[2] - points[0]))


def mean_rotation_change_deg(before: Smpl, after: Smpl) -> float:
    """Return the mean angle between the joints' rotations of two poses, degrees."""
    a, b = (
        matrices_from_axis_angle(np.concatenate([smpl.global_orient, smpl.body_pose]).reshape(-1, 3)) for smpl in (before, after)
    )
    vectors = axis_angle_from_matrices(np.swapaxes(a, 1, 2) @ b)
    return float(np.degrees(np.linalg.norm(vectors, axis=1)).mean())


def mean_length_mm(vectors: np.ndarray) -> float:
    """Return the mean length of vectors (..., 3) m, in mm."""
    return float(np.linalg.norm(vectors, axis=-1).mean()) * 1000


def mean_motion_change(people: Sequence[MotionChange]) -> MotionChange:
    """Return the means over people, each without unknown values."""
    columns = ([value for value in column if value == value] for column in zip(*people))
    return MotionChange(*(float(np.mean(column)) if column else NAN for column in columns)) if people else MotionChange()
