"""COCO key points of people: of one person in one frame, and as clips over a video, the input of lifting."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.body.ik.solver import LANDMARK_JOINTS, body_landmarks
from remi_stream.body.known_bodies import retargeter_to_known_body
from remi_stream.body.smpl import forward_kinematics, joint_rotations
from remi_stream.errors import UsageError
from remi_stream.geometry import Intrinsics, project
from remi_stream.messages import Person, Smpl
from remi_stream.skeletons import JOINT_NAMES, joint_indices

COCO_JOINTS = JOINT_NAMES["coco17"]
COCO_FIRST_SKELETONS = ("coco17", "halpe26", "halpe136")
"""Skeletons whose first 17 joints are COCO's; they are exported with all their joints."""
MAX_FRAMES_PER_DETECTION = 20
"""Most frames that are interpolated per frame with a detection; sparser images are not accepted as one video."""
COCO_LANDMARKS = joint_indices("blazepose33", COCO_JOINTS)
"""Indices of COCO's joints among BlazePose's 33 landmarks."""


def coco_first_keypoints(person: Person, intrinsics: Intrinsics) -> tuple[np.ndarray, np.ndarray] | None:
    """Return key points (K, 2) px and scores (K,) of 17, 26 or 136 joints, as the engine has; None if it has fewer.

    For an engine with SMPL's joints only, they are projected from its body, with the scores of the joints they are attached to.
    """
    if person.skeleton in COCO_FIRST_SKELETONS:
        return person.keypoints_px, person.keypoint_scores
    if set(COCO_JOINTS) <= set(JOINT_NAMES.get(person.skeleton, ())):
        rows = joint_indices(person.skeleton, COCO_JOINTS)
        return person.keypoints_px[rows], person.keypoint_scores[rows]
    return body_coco_keypoints(person.smpl, intrinsics) if person.smpl else None


def body_coco_keypoints(smpl: Smpl, intrinsics: Intrinsics) -> tuple[np.ndarray, np.ndarray]:
    """Project a body to COCO's key points (17, 2) px, with their scores (17,)."""
    retarget = retargeter_to_known_body(smpl.body)
    own = retarget.retarget(smpl)
    rotations = joint_rotations(own.global_orient, own.body_pose)
    points = body_landmarks(*forward_kinematics(retarget.target.rest_joints(own.betas), rotations, own.transl))[COCO_LANDMARKS]
    return project(points, intrinsics), smpl.joint_confidence[LANDMARK_JOINTS[COCO_LANDMARKS]]


def coco17_keypoints(person: Person, intrinsics: Intrinsics) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the key points and scores of COCO's 17 joints only, or None."""
    keypoints = coco_first_keypoints(person, intrinsics)
    return keypoints and (keypoints[0][: len(COCO_JOINTS)], keypoints[1][: len(COCO_JOINTS)])


class KeypointClip(NamedTuple):
    """2D key points of one person in consecutive frames."""

    name: str
    """Name of the video or of the person."""
    keypoints_px: np.ndarray
    """(F, 17, 2) float32, px, COCO's joints."""
    frames: np.ndarray
    """(F,) int64, frame numbers without gaps."""
    size: tuple[int, int] | None = None
    """Width and height of the video, px, if known."""


def make_clip(
    name: str, frames: np.ndarray, points: np.ndarray, size: tuple[int, int] | None = None, count: int | None = None
) -> KeypointClip:
    """Make a clip of points (n, 17, 2) px in frames (n,), rising, by linear interpolation; NaN is a missing detection.

    count: frames of the whole video, if known; before the first and after the last detection the joints then stand still.
    Raises UsageError.
    """
    has_person = np.isfinite(points).all((1, 2))
    if not has_person.any():
        raise UsageError(f"{name} shows no person: there is nothing to lift.")
    detected_frames = frames[has_person]
    numbers = np.arange(detected_frames[0], detected_frames[-1] + 1) if count is None else np.arange(count)
    require_one_video(name, len(detected_frames), len(numbers))
    filled = interpolate_rows(numbers, detected_frames, points[has_person])
    return KeypointClip(name, filled.astype(np.float32), numbers.astype(np.int64), size)


def require_one_video(name: str, detected: int, count: int) -> None:
    """Raise UsageError if people are in so few frames that they are not of one video."""
    # for example COCO's images, whose numbers go up to some 580,000
    if count > MAX_FRAMES_PER_DETECTION * detected + 1000:
        raise UsageError(f"{name} shows a person in {detected} of {count} frames; these are not images of one video.")


def interpolate_rows(at: np.ndarray, known_at: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Interpolate rows (n, ...) at positions known_at (n,), rising, linearly at (m,); outside, the nearest row is held."""
    if np.array_equal(at, known_at):
        return rows.astype(float)
    columns = [np.interp(at, known_at, column) for column in rows.reshape(len(rows), -1).T.astype(float)]
    return np.stack(columns, 1).reshape(len(at), *rows.shape[1:])


def interpolate_missing(rows: np.ndarray) -> np.ndarray:
    """Interpolate NaN rows of (F, ...) linearly between their neighbours; at either end the nearest row is held."""
    known = np.flatnonzero(np.isfinite(rows).all(tuple(range(1, rows.ndim))))
    return interpolate_rows(np.arange(len(rows)), known, rows[known])
