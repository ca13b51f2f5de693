"""Motion metrics of all people beside REMI's: latency from capture to the viewer, joint change, jitter, rotation change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from remi_stream.geometry import rotation_matrices, rotation_vectors
from remi_stream.measure.window import NAN, WINDOW_S, Window
from remi_stream.messages import Bodies, Person, Smpl
from remi_stream.skeletons import JOINTS

COLUMNS = (
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
FILE = "remi_stream_metrics.csv"
NAMES = COLUMNS.index("Frames per Second")
"""Number of text columns before the numbers."""
ROWS_PER_S = 1000
"""Upper limit of the frame rate, for the window's buffer."""
GAP_S = 0.5
"""Frames of a track with a longer gap between them are not compared."""


class Moment(NamedTuple):
    """One person in one frame."""

    captured_at: float
    joints: np.ndarray
    """(J, 3) m, camera frame."""
    root: np.ndarray
    """(3,) m, camera frame."""
    smpl: Smpl | None


class Moves(NamedTuple):
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
    turn_deg: float = NAN
    """Mean rotation of the joints in their parents, the root in the camera."""
    shape: float = NAN
    """Norm of the change of the betas."""


class Values(NamedTuple):
    """Values of one frame."""

    latency_ms: float
    """From capture to the viewer."""
    with_people: float
    """100 with people, else 0."""
    people: float
    """Number of people."""
    moves: Moves
    """Means over the people."""


class MotionMeter:
    """Measures the bodies of one camera, as received by a viewer, over the last seconds."""

    def __init__(self, seconds: float = WINDOW_S) -> None:
        self._window = Window(round(ROWS_PER_S * seconds), seconds)
        self._tracks: dict[int, list[Moment]] = {}

    def take(self, bodies: Bodies, now: float) -> Values:
        """Measure a frame received now, s, on the clock of captured_at."""
        moments = {person.track_id: moment_of(person, bodies.captured_at) for person in bodies.people}
        self._tracks = {track: continued(self._tracks.get(track, []), moment) for track, moment in moments.items()}
        moves = average([moves_of(track) for track in self._tracks.values()])
        people = len(bodies.people)
        values = Values((now - bodies.captured_at) * 1000, 100.0 if people else 0.0, float(people), moves)
        self._window.add(now, (now, *values[:3], *moves))
        return values

    def means(self, now: float, lag_ms: float = NAN) -> list[float]:
        """Return the means over the last seconds in column order; lag_ms: the filter's lag, which bodies do not contain."""
        columns = self._window.columns(now)
        if not columns:
            return [NAN] * (len(COLUMNS) - NAMES)
        times, latencies = columns[:2]
        duration_s = times[-1] - times[0]
        rate = (len(times) - 1) / duration_s if duration_s > 0 else NAN
        means = [float(np.mean(column)) if column else NAN for column in columns[1:]]
        return [rate, means[0], float(np.percentile(latencies, 95)), lag_ms, *means[1:]]


def moment_of(person: Person, captured_at: float) -> Moment:
    """Return the sample of a person."""
    return Moment(captured_at, person.joints_m, root_of(person.joints_m, JOINTS.get(person.skeleton_of_joints, ())), person.smpl)


def root_of(joints: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return the root, (3,) m: the pelvis, else the mean of the hips, else of all joints; NaN without joints."""
    for roots in (("pelvis",), ("left_hip", "right_hip")):
        if len(joints) == len(names) and set(roots) <= set(names):
            return joints[[names.index(name) for name in roots]].mean(0)
    return joints.mean(0) if len(joints) else np.full(3, NAN)


def continued(track: list[Moment], moment: Moment) -> list[Moment]:
    """Return the last three samples of a track; it restarts after a gap or a change of skeleton."""
    gap_s = moment.captured_at - track[-1].captured_at if track else 0.0
    continues = bool(track) and 0 < gap_s <= GAP_S and track[-1].joints.shape == moment.joints.shape
    return [*track[-2:], moment] if continues else [moment]


def moves_of(track: Sequence[Moment]) -> Moves:
    """Return the change of a person over the last samples of a track."""
    if len(track) < 2 or not len(track[-1].joints):
        return Moves()
    before, after = track[-2:]
    steps, root = after.joints - before.joints, after.root - before.root
    moves = Moves(length_mm(steps), length_mm(steps - root), length_mm(root))
    if before.smpl and after.smpl:
        moves = moves._replace(
            turn_deg=turn_deg(before.smpl, after.smpl), shape=float(np.linalg.norm(after.smpl.betas - before.smpl.betas))
        )
    if len(track) < 3:
        return moves
    return moves._replace(
        joint_jitter_mm=length_mm(off_line(track, [moment.joints for moment in track])),
        root_jitter_mm=length_mm(off_line(track, [moment.root for moment in track])),
    )


def off_line(track: Sequence[Moment], points: Sequence[np.ndarray]) -> np.ndarray:
    """Return the deviation of the middle of three points from linear motion between the first and the last."""
    first, middle, last = (moment.captured_at for moment in track)
    share = (middle - first) / (last - first)
    return points[1] - (points[0] + share * (points[2] - points[0]))


def turn_deg(before: Smpl, after: Smpl) -> float:
    """Return the mean angle between the joints' rotations of two poses, degrees."""
    a, b = (rotation_matrices(np.concatenate([smpl.global_orient, smpl.body_pose]).reshape(-1, 3)) for smpl in (before, after))
    vectors = rotation_vectors(np.swapaxes(a, 1, 2) @ b)
    return float(np.degrees(np.linalg.norm(vectors, axis=1)).mean())


def length_mm(vectors: np.ndarray) -> float:
    """Return the mean length of vectors (..., 3) m, in mm."""
    return float(np.linalg.norm(vectors, axis=-1).mean()) * 1000


def average(people: Sequence[Moves]) -> Moves:
    """Return the means over people, each without unknown values."""
    columns = ([value for value in column if value == value] for column in zip(*people))
    return Moves(*(float(np.mean(column)) if column else NAN for column in columns)) if people else Moves()
