"""Inverse kinematics from MHR joints."""

from __future__ import annotations

import numpy as np
import pytest

from remi_stream.body.ik.joints import FOSSA, OLECRANON, MhrFitter, landmark_scores_from_mhr, landmarks_from_mhr
from remi_stream.body.ik.solver import FACE, IkSolver, head_rotation
from remi_stream.body.smpl import forward_kinematics, joint_rotations
from remi_stream.geometry import axis_angle_from_matrices, matrices_from_axis_angle
from remi_stream.messages import Smpl
from remi_stream.skeletons import JOINT_NAMES
from tests.body.ik.mhr import BODY, REST, mhr_joints, pose

FITTER = MhrFitter(BODY)
SEEN = np.ones(70)
HERE = np.array([-0.6, 0.2, 3.4])
BEND_DEGREES = {"left_elbow": (0, -70, 0), "right_elbow": (0, 70, 0), "left_knee": (60, 0, 0), "right_knee": (60, 0, 0)}
UPRIGHT = {"pelvis": (180, 0, 0)}


def random_pose(seed: int) -> np.ndarray:
    """A person upright before the camera, elbows and knees bent, in a random pose within reach."""
    spread = {"left_shoulder": 40, "right_shoulder": 40, "left_hip": 35, "right_hip": 35, "head": 20}
    random = np.random.default_rng(seed)
    turns = {name: tuple(random.uniform(-1, 1, 3) * most / 1.7) for name, most in spread.items()}
    return pose(**UPRIGHT, **turns, **BEND_DEGREES)


def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The angles, degrees, between rotations."""
    return np.degrees(np.linalg.norm(axis_angle_from_matrices(a.swapaxes(-1, -2) @ b), axis=-1))


def world(smpl: Smpl) -> np.ndarray:
    return forward_kinematics(REST, joint_rotations(smpl.global_orient, smpl.body_pose), np.zeros(3))[0]


def truth(rotations: np.ndarray) -> np.ndarray:
    return forward_kinematics(REST, rotations, np.zeros(3))[0]


def joints(smpl: Smpl) -> np.ndarray:
    return BODY.joints(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl)


@pytest.mark.parametrize("seed", range(6))
def test_known_body_is_recovered_where_it_stands(seed: int) -> None:
    true = random_pose(seed)
    smpl = FITTER.fit(mhr_joints(true, HERE), SEEN).smpl
    assert smpl.body == "open"
    assert between(world(smpl)[:22], truth(true)[:22]).max() < 15
    assert np.linalg.norm(joints(smpl) - forward_kinematics(REST, true, HERE)[1], axis=1).max() < 0.04


@pytest.mark.parametrize("scale", [0.7, 1.15])
def test_depth_is_kept_for_a_person_of_another_height(scale: float) -> None:
    seen = mhr_joints(random_pose(1), HERE, scale)
    fit = FITTER.fit(seen, SEEN)
    hips = seen[[JOINT_NAMES["mhr70"].index("left_hip"), JOINT_NAMES["mhr70"].index("right_hip")]].mean(0)
    assert abs(joints(fit.smpl)[0, 2] - hips[2]) < 0.05
    np.testing.assert_allclose(fit.landmarks_m[23:25].mean(0), hips, atol=1e-9)


@pytest.mark.parametrize("twist", [-60, -20, 30, 75])
@pytest.mark.parametrize(("joint", "side", "sign"), [(16, "left", 1), (17, "right", -1)])
def test_twist_of_a_straight_arm_is_that_of_its_elbow(joint: int, side: str, sign: int, twist: int) -> None:
    true = pose(**UPRIGHT, **{f"{side}_shoulder": (sign * twist, 0, 0), f"{side}_elbow": (0, -3 * sign, 0)})
    points = mhr_joints(true, HERE)
    fit = FITTER.fit(points, SEEN)
    found = world(fit.smpl)
    assert between(found[joint], truth(true)[joint]) < 6
    assert between(found[[joint + 2, joint + 4]], truth(true)[[joint + 2, joint + 4]]).max() < 12
    assert fit.smpl.joint_confidence[joint] == 1
    hidden = SEEN.copy()
    hidden[OLECRANON + FOSSA] = 0
    blind = FITTER.fit(points, hidden)
    assert between(world(blind.smpl)[joint], truth(true)[joint]) > 0.7 * abs(twist)
    assert blind.smpl.joint_confidence[joint] == pytest.approx(0.5)


def test_axis_of_a_bent_arm_comes_from_its_bend_not_from_the_elbows() -> None:
    points = mhr_joints(random_pose(2), HERE)
    before = FITTER.fit(points, SEEN)
    points[FOSSA] = points[OLECRANON] + matrices_from_axis_angle(np.array([0.0, 0, 1.5])) @ np.array([0, 0.07, 0])
    after = FITTER.fit(points, SEEN)
    np.testing.assert_allclose(after.smpl.body_pose, before.smpl.body_pose, atol=1e-6)


def test_elbows_without_thickness_are_ignored() -> None:
    points = mhr_joints(pose(**UPRIGHT), HERE)
    points[FOSSA] = points[OLECRANON] + 0.001
    smpl = FITTER.fit(points, SEEN).smpl
    assert between(world(smpl)[[16, 17]], truth(pose(**UPRIGHT))[[16, 17]]).max() < 5


def test_head_rotation_comes_from_nose_eyes_and_ears() -> None:
    true = pose(**UPRIGHT, head=(10, 40, -15))
    seen = landmarks_from_mhr(mhr_joints(true, HERE))
    found = IkSolver(REST).solve(seen, np.ones(33)).rotations
    assert between(forward_kinematics(REST, found, np.zeros(3))[0][15], truth(true)[15]) < 3
    whole = seen[FACE] - seen[FACE].mean(0)
    assert np.linalg.norm(whole[[9, 10]].mean(0) - whole[[2, 5]].mean(0)) == pytest.approx(0.07, abs=0.01)


def test_noise_on_the_face_is_not_compensated_by_missing_landmarks() -> None:
    points = mhr_joints(pose(**UPRIGHT), HERE)
    points[:5] += np.random.default_rng(0).normal(0, 0.01, (5, 3))
    seen = landmarks_from_mhr(points)
    np.testing.assert_array_equal(seen[[0, 2, 5, 7, 8]], points[:5])
    alone = IkSolver(REST).rest_face[[0, 2, 5, 7, 8]]
    whole = head_rotation(IkSolver(REST).rest_face, seen[FACE])
    assert between(whole, head_rotation(alone - alone.mean(0), points[:5])) < 1e-3


def test_landmark_is_as_sure_as_its_joint_and_the_mouth_as_the_face() -> None:
    visibility = np.ones(70)
    visibility[[0, 1, 2, 3, 4]] = 0.5
    visibility[JOINT_NAMES["mhr70"].index("left_big_toe")] = 0.25
    scores = landmark_scores_from_mhr(visibility)
    assert scores[9] == scores[1] == scores[0] == 0.5
    assert scores[JOINT_NAMES["blazepose33"].index("left_foot_index")] == 0.25
    assert scores[12] == 1


def test_hands_are_smoothed_by_what_the_last_frame_left() -> None:
    before, now = (mhr_joints(pose(**UPRIGHT, **BEND_DEGREES, left_wrist=(turn, 0, 0)), HERE) for turn in (0, 60))
    memory = FITTER.fit(before, SEEN).ik_state
    smooth, fresh = FITTER.fit(now, SEEN, memory, 1 / 30).smpl, FITTER.fit(now, SEEN).smpl
    turned = between(world(fresh)[20], truth(pose(**UPRIGHT, **BEND_DEGREES))[20])
    assert 0.3 * turned < between(world(smooth)[20], truth(pose(**UPRIGHT, **BEND_DEGREES))[20]) < 0.7 * turned
