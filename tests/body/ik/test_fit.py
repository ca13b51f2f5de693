"""Translation of a fitted body."""

from __future__ import annotations

import numpy as np

from remi_stream.body.ik.solver import LandmarkFitter, body_landmarks
from remi_stream.body.smpl import forward_kinematics, load_default_body
from remi_stream.geometry import default_intrinsics, matrices_from_axis_angle, project, shortest_rotation

CAMERA = default_intrinsics(1280, 720)
BODY = load_default_body()


def test_published_transl_brings_the_pelvis_to_where_it_is() -> None:
    turns = np.zeros((24, 3))
    turns[0], turns[18], turns[19] = (np.pi, 0, 0), (0, -1, 0), (0, 1, 0)
    rest = BODY.rest_joints(np.zeros(10))
    rotations, joints = forward_kinematics(rest, matrices_from_axis_angle(turns), np.array([-0.7, 0.3, 3.5]))
    points = body_landmarks(rotations, joints)
    straight = points @ shortest_rotation(np.array([0, 0, 1.0]), points[[11, 12, 23, 24]].mean(0))
    fit = LandmarkFitter(BODY).fit(straight, project(points, CAMERA), np.ones(33), CAMERA)
    found = BODY.joints(fit.smpl.global_orient, fit.smpl.body_pose, fit.smpl.betas, fit.smpl.transl)
    assert fit.smpl.body == "open"
    assert np.linalg.norm(found - joints, axis=1).max() < 0.06
    assert np.linalg.norm(fit.landmarks_m - points, axis=1).max() < 0.06
