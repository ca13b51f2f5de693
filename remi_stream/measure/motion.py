"""Honest numbers beside REMI's: latency from the camera to who looks, and how people move and tremble, in mm, all people."""

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
"""So many columns come before the numbers."""
ROWS_PER_S = 1000
GAP_S = 0.5
"""Frames of a track that are further apart are not compared."""


class Moment(NamedTuple):
    """One person in one frame. joints (J, 3), root (3,): m, camera frame."""

    captured_at: float
    joints: np.ndarray
    root: np.ndarray
    smpl: Smpl | None


class Moves(NamedTuple):
    """How one person has moved since the last frame.

    joint_mm: mean distance that a joint went; about_root_mm: the same after the root's way is taken off; root_mm: the root's way.
    joint_jitter_mm, root_jitter_mm: how far they were, one frame ago, from the straight and steady line between the frames before
    and after. turn_deg: mean angle that a joint turned in its parent (the root in the camera); shape: length of betas' change.
    """

    joint_mm: float = NAN
    about_root_mm: float = NAN
    root_mm: float = NAN
    joint_jitter_mm: float = NAN
    root_jitter_mm: float = NAN
    turn_deg: float = NAN
    shape: float = NAN


class Values(NamedTuple):
    """One frame's: latency_ms from capture to who looks, 100 or 0 for people or nobody, their number, and the means over them."""

    latency_ms: float
    with_people: float
    people: float
    moves: Moves


class MotionMeter:
    """Takes the bodies of one camera, as somebody sees them; measures the last seconds."""

    def __init__(self, seconds: float = WINDOW_S) -> None:
        self._window = Window(round(ROWS_PER_S * seconds), seconds)
        self._tracks: dict[int, list[Moment]] = {}

    def take(self, bodies: Bodies, now: float) -> Values:
        """Measure a frame that is looked at now, s, on the clock of captured_at."""
        moments = {person.track_id: moment_of(person, bodies.captured_at) for person in bodies.people}
        self._tracks = {track: continued(self._tracks.get(track, []), moment) for track, moment in moments.items()}
        moves = average([moves_of(track) for track in self._tracks.values()])
        people = len(bodies.people)
        values = Values((now - bodies.captured_at) * 1000, 100.0 if people else 0.0, float(people), moves)
        self._window.add(now, (now, *values[:3], *moves))
        return values

    def means(self, now: float, lag_ms: float = NAN) -> list[float]:
        """What was measured in the last seconds, in the order of COLUMNS; lag_ms: of the filter, which bodies do not tell."""
        columns = self._window.columns(now)
        if not columns:
            return [NAN] * (len(COLUMNS) - NAMES)
        times, latencies = columns[:2]
        lasted_s = times[-1] - times[0]
        rate = (len(times) - 1) / lasted_s if lasted_s > 0 else NAN
        means = [float(np.mean(column)) if column else NAN for column in columns[1:]]
        return [rate, means[0], float(np.percentile(latencies, 95)), lag_ms, *means[1:]]


def moment_of(person: Person, captured_at: float) -> Moment:
    """Where a person is."""
    return Moment(captured_at, person.joints_m, root_of(person.joints_m, JOINTS.get(person.skeleton_of_joints, ())), person.smpl)


def root_of(joints: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """The pelvis, or the middle of the hips, or of everything; (3,) m. NaN for nobody's joints."""
    for wanted in (("pelvis",), ("left_hip", "right_hip")):
        if len(joints) == len(names) and set(wanted) <= set(names):
            return joints[[names.index(name) for name in wanted]].mean(0)
    return joints.mean(0) if len(joints) else np.full(3, NAN)


def continued(track: list[Moment], moment: Moment) -> list[Moment]:
    """The last three moments of a track; from anew after a gap."""
    apart = moment.captured_at - track[-1].captured_at if track else 0.0
    same = bool(track) and 0 < apart <= GAP_S and track[-1].joints.shape == moment.joints.shape
    return [*track[-2:], moment] if same else [moment]


def moves_of(track: Sequence[Moment]) -> Moves:
    """How the person of a track's last moments moved."""
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
    """How far the middle one of three is from where a steady way from the first to the last one would have been."""
    first, middle, last = (moment.captured_at for moment in track)
    share = (middle - first) / (last - first)
    return points[1] - (points[0] + share * (points[2] - points[0]))


def turn_deg(before: Smpl, after: Smpl) -> float:
    """The mean angle between the joints' rotations of two poses."""
    a, b = (rotation_matrices(np.concatenate([smpl.global_orient, smpl.body_pose]).reshape(-1, 3)) for smpl in (before, after))
    vectors = rotation_vectors(np.swapaxes(a, 1, 2) @ b)
    return float(np.degrees(np.linalg.norm(vectors, axis=1)).mean())


def length_mm(vectors: np.ndarray) -> float:
    """The mean length of vectors (..., 3) m."""
    return float(np.linalg.norm(vectors, axis=-1).mean()) * 1000


def average(people: Sequence[Moves]) -> Moves:
    """The means over people, each without those of whom it is not known."""
    columns = ([value for value in column if value == value] for column in zip(*people))
    return Moves(*(float(np.mean(column)) if column else NAN for column in columns)) if people else Moves()
