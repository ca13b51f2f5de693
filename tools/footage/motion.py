"""Scores of videos: how many frames have a body, from when on, under how many ids, how steady it is; with truth, the errors."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from remi_stream.body.smpl import joint_rotations, load_default_body
from remi_stream.evaluate.scores import JOINT_SETS, joint_set_positions
from remi_stream.measure.kinematics import (
    NAN,
    acceleration_errors_mm,
    angles_deg,
    centre_on_root,
    distances_mm,
    nan_mean,
    procrustes_align,
)
from remi_stream.messages import Bodies, Person
from remi_stream.skeletons import LIMB_JOINTS, joint_indices

LIMBS = JOINT_SETS["limbs12"]
MAX_TURN_DEG = 60.0
"""A joint that turns by more from one frame to the next is counted as a jump."""
FOUND_SHARE = 0.15
"""A true person is found where the mean distance of the limbs' key points is below this share of the size in the image. Measured:
at most 0.1 on the right person, from 0.2 on a neighbour or half on each."""


class VideoScores(NamedTuple):
    """Scores of a video without truth; NaN if there is no body."""

    frames: int
    with_body: int
    """Frames with at least one body."""
    bodies: int
    first_body_s: float
    """Time of the first body, s from the first frame."""
    ids: int
    """Number of track ids."""
    acceleration_mm: float
    """Mean acceleration of the limbs' joints about the mid-hips, mm per frame squared: motion and jitter together."""
    pixel_acceleration: float
    """The same of the limbs' key points, px per frame squared."""
    jumps: int
    """Turns of a joint by more than `MAX_TURN_DEG` in one frame."""
    largest_turn_deg: float


def score_video(frames: Sequence[Bodies]) -> VideoScores:
    """Score the bodies of all frames of a video, in order."""
    tracks = people_by_track(frames)
    turns = [turns_deg(track) for track in tracks.values()]
    largest = np.concatenate([*turns, np.zeros(0)])
    first = next((bodies.captured_at for bodies in frames if bodies.people), NAN)
    return VideoScores(
        frames=len(frames),
        with_body=sum(bool(bodies.people) for bodies in frames),
        bodies=sum(len(bodies.people) for bodies in frames),
        first_body_s=first - frames[0].captured_at if frames else NAN,
        ids=len(tracks),
        acceleration_mm=_mean([accelerations(track, limb_positions) for track in tracks.values()]) * 1000,
        pixel_acceleration=_mean([accelerations(track, limb_pixels) for track in tracks.values()]),
        jumps=int((largest > MAX_TURN_DEG).sum()),
        largest_turn_deg=float(largest.max()) if len(largest) else NAN,
    )


Track = dict[int, Person]
"""A person, by number of the frame."""


def people_by_track(frames: Sequence[Bodies]) -> dict[int, Track]:
    """Return the people of all frames by their track id."""
    tracks: dict[int, Track] = defaultdict(dict)
    for number, bodies in enumerate(frames):
        for person in bodies.people:
            tracks[person.track_id][number] = person
    return dict(tracks)


def turns_deg(track: Track) -> np.ndarray:
    """Return the turn of each of the 24 joints between neighbouring frames: (N,) degrees."""
    poses = {number: person.smpl for number, person in track.items() if person.smpl is not None}
    rotations = {number: joint_rotations(smpl.global_orient, smpl.body_pose) for number, smpl in poses.items()}
    turns = [angles_deg(rotations[number], rotations[number - 1]) for number in rotations if number - 1 in rotations]
    return np.concatenate([*turns, np.zeros(0)])


def accelerations(track: Track, positions: Callable[[Person], np.ndarray]) -> np.ndarray:
    """Return the second differences of a person's positions (J, d) at frames with both neighbours: (M,) lengths."""
    at = {number: positions(person) for number, person in track.items()}
    inner = [number for number in at if number - 1 in at and number + 1 in at]
    return np.concatenate([*(np.linalg.norm(at[n - 1] - 2 * at[n] + at[n + 1], axis=-1) for n in inner), np.zeros(0)])


def limb_positions(person: Person) -> np.ndarray:
    """Return the limbs' joints about the mid-hips, as published: (12, 3) m."""
    joints = joint_set_positions(person, LIMBS, None)
    return np.full((12, 3), NAN) if joints is None else joints - LIMBS.root_positions(joints)


def limb_pixels(person: Person) -> np.ndarray:
    """Return the limbs' key points: (12, 2) px."""
    return person.keypoints_px[joint_indices(person.skeleton, LIMB_JOINTS)].astype(float)


def _mean(arrays: list[np.ndarray]) -> float:
    return float(nan_mean(np.concatenate([*arrays, np.zeros(0)])))


class TruthScores(NamedTuple):
    """Scores of one true person in a video; NaN if never found."""

    frames: int
    """Frames with a known truth."""
    found: int
    first_body_s: float
    """Time of the first frame in which the person is found, s from the first frame."""
    ids: int
    """Number of track ids that the person had."""
    pa_mpjpe_mm: float
    """Of the limbs' joints as published."""
    mesh_pa_mpjpe_mm: float
    """Of the limbs' joints of the SMPL body."""
    mpjpe_mm: float
    """About the mid-hips, as published."""
    acceleration_mm: float
    """Acceleration error about the mid-hips, mm per frame squared."""
    true_acceleration_mm: float
    """The truth's own acceleration."""


def score_against_truth(frames: Sequence[Bodies], truth_m: np.ndarray, truth_px: np.ndarray) -> TruthScores:
    """Score the bodies of all frames against a true person.

    truth_m: (frames, 12, 3) m, camera frame, NaN where not known; truth_px: (frames, 12, 2) px.
    """
    known = np.flatnonzero(np.isfinite(truth_m[: len(frames)]).all((1, 2)))
    matches = {n: person for n in known.tolist() if (person := match_person(frames[n], truth_px[n])) is not None}
    rows = np.array(sorted(matches), int)
    joints, truth = stacked([limb_positions(matches[n]) for n in rows]), truth_m[rows]
    truth = centre_on_root(truth, LIMBS.root_positions(truth))
    mesh = stacked([mesh_limb_positions(matches[n]) for n in rows])
    whole = centre_on_root(truth_m, LIMBS.root_positions(truth_m))
    own = acceleration_errors_mm(whole[known], np.zeros_like(whole[known]), known, 1)
    return TruthScores(
        frames=len(known),
        found=len(rows),
        first_body_s=frames[rows[0]].captured_at - frames[0].captured_at if len(rows) else NAN,
        ids=len(Counter(person.track_id for person in matches.values())),
        pa_mpjpe_mm=pa_mpjpe_mm(joints, truth),
        mesh_pa_mpjpe_mm=pa_mpjpe_mm(mesh, truth),
        mpjpe_mm=float(nan_mean(distances_mm(joints, truth))),
        acceleration_mm=float(nan_mean(acceleration_errors_mm(joints, truth, rows, 1))),
        true_acceleration_mm=float(nan_mean(own)),
    )


def match_person(bodies: Bodies, truth_px: np.ndarray) -> Person | None:
    """Return the body that is on a true person with limbs at truth_px (12, 2); None if there is none."""
    size = float(np.ptp(truth_px, axis=0).max())
    apart = [float(np.linalg.norm(limb_pixels(person) - truth_px, axis=1).mean()) for person in bodies.people]
    best = min(range(len(apart)), key=lambda index: apart[index], default=None)
    return None if best is None or apart[best] > FOUND_SHARE * size else bodies.people[best]


def mesh_limb_positions(person: Person) -> np.ndarray:
    """Return the limbs' joints of the SMPL body: (12, 3) m, NaN without one."""
    smpl = person.smpl
    if smpl is None:
        return np.full((12, 3), NAN)
    joints = load_default_body().joints(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl)
    return joints[joint_indices("smpl24", LIMB_JOINTS)]


def pa_mpjpe_mm(joints: np.ndarray, truth: np.ndarray) -> float:
    """Mean error of joints (N, J, 3) m after Procrustes alignment of each frame, mm; NaN without frames."""
    known = np.isfinite(joints).all((1, 2))
    return float(nan_mean(distances_mm(procrustes_align(joints[known], truth[known]), truth[known]))) if known.any() else NAN


def stacked(positions: list[np.ndarray]) -> np.ndarray:
    """Stack positions (12, 3) to (N, 12, 3), also if there are none."""
    return np.array(positions, float).reshape(-1, len(LIMB_JOINTS), 3)
