"""Refit of the default body to a smoothed track: the window fit gives the bodies back their place in the image.

A filter takes bodies off the pixels (overlap with the true silhouette 0.850 to 0.817, measured); between the neighbours of each
frame they return to them, and stay smooth.
"""

from __future__ import annotations

from functools import cache

import msgspec
import numpy as np

from remi_stream.body.fit.gauss_newton import FitPose, Observation
from remi_stream.body.fit.landmark_model import LandmarkModel
from remi_stream.body.fit.window import fit_window
from remi_stream.body.smpl import joint_rotations, load_default_body
from remi_stream.geometry import Intrinsics, axis_angle_from_matrices
from remi_stream.messages import Person, Smpl
from remi_stream.tracking.track_linking import INTERPOLATED_KEY, LinkedTrack

SKELETON = "blazepose33"
MIN_FRAMES = 3


@cache
def landmark_model() -> LandmarkModel:
    """Return the default body's landmarks."""
    return LandmarkModel(load_default_body())


def refit_run(run: LinkedTrack, intrinsics: Intrinsics) -> LinkedTrack:
    """Refit consecutive frames of one person; people of other engines, and bodies with NaN, stay unchanged."""
    if len(run) < MIN_FRAMES or not all(can_refit(point.person) for point in run):
        return run
    seen = [observation(point.person, intrinsics) for point in run]
    poses = fit_window(landmark_model(), seen, [fit_pose_of(point.person) for point in run], np.array([p.at for p in run]))
    return [point._replace(person=with_pose(point.person, pose)) for point, pose in zip(run, poses)]


def can_refit(person: Person) -> bool:
    """Whether a person has the default engine's landmarks and body."""
    smpl = person.smpl
    if person.skeleton != SKELETON or person.joints_skeleton or smpl is None or smpl.body != "open":
        return False
    arrays = (person.keypoints_px, person.keypoint_scores, person.joints_m, smpl.global_orient, smpl.body_pose, smpl.transl)
    return len(person.joints_m) == len(person.keypoints_px) and all(np.isfinite(array).all() for array in arrays)


def observation(person: Person, intrinsics: Intrinsics) -> Observation:
    """Return what a person's frame shows; interpolated people show nothing."""
    weights = person.keypoint_scores.astype(float) ** 2
    weights = weights * (INTERPOLATED_KEY not in person.native)
    return Observation(person.keypoints_px.astype(float), person.joints_m[:, 2].astype(float), weights, intrinsics)


def fit_pose_of(person: Person) -> FitPose:
    """Return a person's pose as a fit's unknowns."""
    smpl = person.smpl
    assert smpl is not None
    rotations = joint_rotations(smpl.global_orient, smpl.body_pose)
    return FitPose(rotations, smpl.transl.astype(float), smpl.betas.astype(float))


def with_pose(person: Person, pose: FitPose) -> Person:
    """Return the person with another pose."""
    smpl = person.smpl
    assert isinstance(smpl, Smpl)
    vectors = axis_angle_from_matrices(pose.rotations).astype(np.float32)
    refitted = msgspec.structs.replace(
        smpl, global_orient=vectors[0], body_pose=vectors[1:].ravel(), transl=pose.transl.astype(np.float32)
    )
    return msgspec.structs.replace(person, smpl=refitted)
