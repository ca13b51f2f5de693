"""A body fitted to H36M joints; what these do not show is at rest, with confidence 0."""

from __future__ import annotations

import numpy as np
import pytest

from remi_stream.body.ik.joints import H36mFit, H36mFitter, h36m_scores_from_coco
from remi_stream.body.smpl import forward_kinematics, joint_rotations, load_default_body
from remi_stream.geometry import angle_between, axis_angle_from_matrices, matrices_from_axis_angle
from remi_stream.messages import Smpl
from remi_stream.skeletons import JOINT_NAMES
from tests.clip import truth

BODY = load_default_body()
REST = BODY.rest_joints(np.zeros(10))
FITTER = H36mFitter(BODY)
SURE = np.ones(17)
SMPL = JOINT_NAMES["smpl24"]
LIMBS = [(f"{s}_{a}", f"{s}_{b}") for s in ("left", "right") for a, b in (("shoulder", "elbow"), ("elbow", "wrist"))]
LIMBS += [(f"{s}_{a}", f"{s}_{b}") for s in ("left", "right") for a, b in (("hip", "knee"), ("knee", "ankle"))]
UNSEEN = [SMPL.index(f"{side}_{part}") for side in ("left", "right") for part in ("wrist", "hand", "ankle", "foot", "collar")]
HEAD, NECK = SMPL.index("head"), SMPL.index("neck")
CALLED = {"hip": "pelvis", "spine": "spine2", "thorax": "neck"}


def head_top_m() -> np.ndarray:
    """The top of the resting body's head, (3,) m."""
    return BODY.v_template[BODY.v_template[:, 1].argmax()]


def h36m_joints(rotations: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """About where H36M has its joints, (17, 3), on a body with world rotations (24, 3, 3) and joints (24, 3)."""
    top = joints[HEAD] + rotations[HEAD] @ (head_top_m() - REST[HEAD])
    face = joints[HEAD] + rotations[HEAD] @ np.array([0, 0.02, 0.08])
    others = {"head": top, "neck_nose": face}
    return np.array([others[n] if n in others else joints[SMPL.index(CALLED.get(n, n))] for n in JOINT_NAMES["h36m17"]])


def sample(k: int) -> tuple[np.ndarray, np.ndarray]:
    """World rotations and joints of a frame of the sample."""
    pose = truth()["poses"][k].astype(float)
    rest = BODY.rest_joints(truth()["betas"])
    return forward_kinematics(rest, joint_rotations(pose[:3], pose[3:]), truth()["transl"][k])


def posed(smpl: Smpl) -> tuple[np.ndarray, np.ndarray]:
    return forward_kinematics(REST, joint_rotations(smpl.global_orient, smpl.body_pose), smpl.transl)


def directions(joints: np.ndarray) -> np.ndarray:
    return np.array([joints[SMPL.index(b)] - joints[SMPL.index(a)] for a, b in LIMBS])


def fits() -> list[tuple[np.ndarray, np.ndarray, H36mFit]]:
    """The sample, every fourth frame, with what each leaves to the next."""
    found, memory = [], None
    for k in range(0, 240, 4):
        rotations, joints = sample(k)
        fit = FITTER.fit(h36m_joints(rotations, joints), SURE, memory, 4 / 30)
        memory = fit.ik_state
        found.append((rotations, joints, fit))
    return found


def posed_person(**degrees: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """World rotations and joints of a person upright before the camera; rotation vectors in degrees by joint."""
    turns = np.zeros((24, 3))
    for name, vector in ({"pelvis": (180, 0, 0)} | degrees).items():
        turns[SMPL.index(name)] = np.radians(vector)
    return forward_kinematics(REST, matrices_from_axis_angle(turns), np.array([0.2, 0.1, 3.0]))


def fit_of(body: tuple[np.ndarray, np.ndarray], scores: np.ndarray = SURE) -> H36mFit:
    return FITTER.fit(h36m_joints(*body), scores)


def pose_of(fit: H36mFit) -> np.ndarray:
    """Rotation vectors (24, 3), degrees."""
    return np.degrees(np.concatenate([fit.smpl.global_orient, fit.smpl.body_pose]).reshape(24, 3))


def between(a: np.ndarray, b: np.ndarray) -> float:
    """The angle, degrees, between two rotations."""
    return float(np.degrees(np.linalg.norm(axis_angle_from_matrices(a.T @ b))))


def test_limbs_of_the_sample_point_where_they_do() -> None:
    angles = [np.degrees(angle_between(directions(posed(fit.smpl)[1]), directions(joints))) for _, joints, fit in fits()]
    assert np.median(angles) < 2.5
    assert np.max(angles) < 6


def test_trunk_and_head_of_the_sample_are_held_as_they_are() -> None:
    found = [(posed(fit.smpl)[0], rotations) for rotations, _, fit in fits()]
    for joint, most in ((0, 12), (SMPL.index("spine3"), 12)):
        assert np.median([between(ours[joint], true[joint]) for ours, true in found]) < most
    leans = [np.degrees(angle_between(ours[NECK] @ head_up(), true[HEAD] @ head_up())) for ours, true in found]
    assert np.median(leans) < 12


def head_up() -> np.ndarray:
    return head_top_m() - REST[NECK]


def test_body_stands_where_the_joints_are() -> None:
    off = [posed(fit.smpl)[1] - joints for _, joints, fit in fits()]
    assert np.median(np.linalg.norm(off, axis=-1)) < 0.03


def test_person_in_the_rest_pose_has_no_rotations() -> None:
    fit = fit_of(posed_person())
    assert between(posed(fit.smpl)[0][0], posed_person()[0][0]) < 3
    assert np.linalg.norm(pose_of(fit)[1:], axis=1).max() < 5
    np.testing.assert_allclose(posed(fit.smpl)[1], posed_person()[1], atol=0.03)


@pytest.mark.parametrize("lean", [(35, 0, 0), (-30, 0, 0), (0, 0, 25)])
def test_lean_of_the_head_is_the_necks(lean: tuple[float, float, float]) -> None:
    found = pose_of(fit_of(posed_person(neck=lean)))
    assert np.abs(found[NECK] - lean).max() < 6
    assert not found[HEAD].any()


def test_yaw_of_the_head_is_not_invented() -> None:
    fit = fit_of(posed_person(neck=(0, 40, 0), head=(0, 30, 0)))
    assert np.abs(pose_of(fit)[NECK][1]) < 3
    assert fit.smpl.joint_confidence[HEAD] == 0


def test_hands_feet_and_collars_stay_at_rest_with_confidence_0() -> None:
    bends = {"left_wrist": (0, 50, 0), "right_ankle": (40, 0, 0), "left_elbow": (0, -70, 0), "right_knee": (60, 0, 0)}
    fit = fit_of(posed_person(**bends))
    assert not pose_of(fit)[UNSEEN].any()
    assert not fit.smpl.joint_confidence[UNSEEN].any()
    believed = [joint for joint in range(24) if joint not in (*UNSEEN, HEAD)]
    assert fit.smpl.joint_confidence[believed].min() >= 0.5


def test_bent_limbs_are_found_with_their_twist() -> None:
    bends = {"left_shoulder": (30, 20, -50), "left_elbow": (0, -70, 0), "right_hip": (-50, 10, 0), "right_knee": (60, 0, 0)}
    rotations, joints = posed_person(**bends)
    found = posed(fit_of((rotations, joints)).smpl)[0]
    for name in bends:
        assert between(found[SMPL.index(name)], rotations[SMPL.index(name)]) < 12, name


def test_turn_of_the_whole_person_turns_nothing_but_the_root() -> None:
    turn = matrices_from_axis_angle(np.array([0.4, 1.1, -0.3]))
    joints = h36m_joints(*posed_person(left_elbow=(0, -70, 0), neck=(20, 0, 0)))
    before, after = FITTER.fit(joints, SURE), FITTER.fit(joints @ turn.T + [1, 2, 3], SURE)
    np.testing.assert_allclose(after.smpl.body_pose, before.smpl.body_pose, atol=1e-4)
    found = matrices_from_axis_angle(after.smpl.global_orient.astype(float))
    assert between(found, turn @ matrices_from_axis_angle(before.smpl.global_orient.astype(float))) < 0.1


def test_invisible_limb_has_confidence_0_and_does_not_move_the_body() -> None:
    scores = h36m_scores_from_coco(
        np.where(np.array([name in ("left_wrist", "left_elbow") for name in JOINT_NAMES["coco17"]]), 0, 1.0)
    )
    joints = h36m_joints(*posed_person())
    off = joints.copy()
    off[[JOINT_NAMES["h36m17"].index(name) for name in ("left_wrist", "left_elbow")]] += [0.3, 0.2, -0.4]
    smpl = FITTER.fit(off, scores).smpl
    arm = [SMPL.index("left_shoulder"), SMPL.index("left_elbow")]
    assert not smpl.joint_confidence[arm].any()
    np.testing.assert_allclose(smpl.transl, FITTER.fit(joints, SURE).smpl.transl, atol=2e-3)


def test_scores_are_those_of_the_same_joints_and_the_least_of_those_around() -> None:
    names = JOINT_NAMES["coco17"]
    coco = np.linspace(0.2, 1, 17)
    found = dict(zip(JOINT_NAMES["h36m17"], h36m_scores_from_coco(coco)))
    by_name = dict(zip(names, coco))
    assert all(found[name] == by_name[name] for name in found if name in by_name)
    assert found["hip"] == by_name["left_hip"]
    assert found["thorax"] == found["spine"] == by_name["left_shoulder"]
    assert found["head"] == found["neck_nose"] == pytest.approx(coco[:5].mean())
