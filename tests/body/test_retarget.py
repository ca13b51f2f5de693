"""A pose of one body on another: limbs keep their directions, the pelvis its place."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest

from remi_stream.body import known_bodies
from remi_stream.body.known_bodies import SMPL_PELVIS_M, Retargeter, limb_chains, limb_corrections
from remi_stream.body.smpl import Body, forward_kinematics, joint_rotations, load_default_body
from remi_stream.geometry import angle_between
from remi_stream.messages import Smpl
from remi_stream.sinks.web import figure
from remi_stream.skeletons import SMPL_PARENTS

OPEN = load_default_body()
UP = np.array([0.0, -1.0, 0.0])
TRUNK = [0, 3, 6, 9, 12, 13, 14, 15]


def other_body(seed: int = 0) -> Body:
    """A body of 24 points, one per joint, that stands with its limbs some 15 degrees elsewhere, and has another pelvis."""
    rng = np.random.default_rng(seed)
    rest = OPEN.rest_joints(np.zeros(10))
    joints = np.empty((24, 3))
    joints[0] = rest[0] + (0.01, -0.1, 0.05)
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        bone = rest[joint] - rest[parent]
        joints[joint] = joints[parent] + bone * 1.2 + rng.normal(0, 0.15, 3) * np.linalg.norm(bone)
    return Body(
        name="smpl",
        v_template=joints.astype(np.float32),
        shapedirs=rng.normal(0, 0.01, (24, 3, 10)).astype(np.float32),
        joint_regressor=np.eye(24, dtype=np.float32),
        skin_weights=np.eye(24, dtype=np.float32),
        faces=np.zeros((1, 3), np.int32),
        parents=np.array(SMPL_PARENTS, np.int32),
    )


def pose(seed: int, body: str = "smpl") -> Smpl:
    rng = np.random.default_rng(seed)
    return Smpl(
        body=body,
        global_orient=rng.normal(0, 1.5, 3).astype(np.float32),
        body_pose=rng.normal(0, 0.5, 69).astype(np.float32),
        betas=rng.normal(0, 1, 10).astype(np.float32),
        transl=rng.normal(0, 2, 3).astype(np.float32),
        joint_confidence=rng.uniform(0, 1, 24).astype(np.float32),
    )


def posed(body: Body, smpl: Smpl) -> tuple[np.ndarray, np.ndarray]:
    return forward_kinematics(body.rest_joints(smpl.betas), joint_rotations(smpl.global_orient, smpl.body_pose), smpl.transl)


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> Iterator[Body]:
    """A SMPL body that the user has imported, in a process that asks for it anew."""
    caches = (known_bodies.known_body, known_bodies.retargeter_to_known_body, figure.mean_rest_joints, figure.skin_samples)
    body = other_body()
    monkeypatch.setattr(known_bodies, "load_engine_body", lambda: body)
    for cached in caches:
        cached.cache_clear()
    yield body
    for cached in caches:
        cached.cache_clear()


def bones(joints: np.ndarray) -> np.ndarray:
    chains = [(start, end) for chain in limb_chains() for start, end in itertools.pairwise(chain)]
    starts, ends = np.array(chains).T
    return joints[ends] - joints[starts]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("onto_open", [True, False])
def test_limbs_point_where_they_did(seed: int, onto_open: bool) -> None:
    source, target = (other_body(), OPEN) if onto_open else (OPEN, other_body())
    smpl = pose(seed, source.name)
    mean = msgspec.structs.replace(smpl, betas=np.zeros(10, np.float32))
    _, before = posed(source, mean)
    _, after = posed(target, Retargeter(source, target).retarget(mean))
    assert np.degrees(angle_between(bones(before), bones(after))).max() < 0.01
    assert len(bones(before)) == 12


def test_without_corrections_limbs_would_point_elsewhere() -> None:
    smpl = pose(0)
    apart = np.degrees(angle_between(bones(posed(other_body(), smpl)[1]), bones(posed(OPEN, smpl)[1])))
    assert np.median(apart) > 5


@pytest.mark.parametrize("seed", range(3))
def test_pelvis_stays_and_trunk_keeps_its_attitude(seed: int) -> None:
    source, smpl = other_body(), pose(seed)
    turned = Retargeter(source, OPEN).retarget(smpl)
    (world, joints), (turned_world, turned_joints) = posed(source, smpl), posed(OPEN, turned)
    np.testing.assert_allclose(turned_joints[0], joints[0], atol=1e-5)
    np.testing.assert_allclose(turned_world[TRUNK], world[TRUNK], atol=1e-5)
    assert (turned.body, turned.betas.any()) == ("open", False)
    np.testing.assert_array_equal(turned.joint_confidence, smpl.joint_confidence)


def test_there_and_back_is_the_same_pose() -> None:
    source, smpl = other_body(), pose(4)
    back = Retargeter(OPEN, source).retarget(Retargeter(source, OPEN).retarget(smpl))
    (world, joints), (world_back, joints_back) = posed(source, smpl), posed(source, back)
    np.testing.assert_allclose(world_back, world, atol=1e-5)
    np.testing.assert_allclose(joints_back[0], joints[0], atol=1e-5)


def test_straight_fingers_and_toes_stay_straight() -> None:
    source, smpl = other_body(), pose(3)
    smpl.body_pose.reshape(23, 3)[[9, 10, 21, 22]] = 0
    turned = Retargeter(source, OPEN).retarget(smpl)
    np.testing.assert_allclose(turned.body_pose.reshape(23, 3)[[9, 10, 21, 22]], 0, atol=1e-6)


def test_same_body_takes_its_pose_and_betas_as_they_are() -> None:
    smpl = pose(1, "open")
    assert Retargeter(OPEN, OPEN).retarget(smpl) is smpl


def test_of_a_smpl_body_that_is_not_there_the_pelvis_is_known() -> None:
    smpl = pose(2)
    turned = Retargeter(None, OPEN).retarget(smpl)
    np.testing.assert_allclose(posed(OPEN, turned)[1][0], SMPL_PELVIS_M + smpl.transl, atol=1e-5)
    np.testing.assert_array_equal(turned.body_pose, smpl.body_pose)
    np.testing.assert_array_equal(turned.global_orient, smpl.global_orient)


def test_corrections_are_rotations_and_none_between_equal_bodies() -> None:
    rest, other = (body.rest_joints(np.zeros(10)) for body in (OPEN, other_body()))
    turns = limb_corrections(rest, other)
    np.testing.assert_allclose(turns @ turns.swapaxes(1, 2), np.broadcast_to(np.eye(3), (24, 3, 3)), atol=1e-9)
    np.testing.assert_allclose(limb_corrections(rest, rest), np.broadcast_to(np.eye(3), (24, 3, 3)), atol=1e-9)


@pytest.mark.parametrize("published", ["smpl", "open"])
def test_viewer_draws_smpl_where_it_is_imported(published: str, imported: Body) -> None:
    source, smpl = {"smpl": imported, "open": OPEN}[published], pose(5, published)
    before, drawn = posed(source, smpl)[1], figure.bone_pose(smpl, UP).positions
    np.testing.assert_allclose(drawn[0], before[0], atol=1e-5)
    # betas do not transfer to another body
    shaped = smpl if published == "smpl" else msgspec.structs.replace(smpl, betas=np.zeros(10, np.float32))
    assert np.degrees(angle_between(bones(drawn), bones(posed(source, shaped)[1]))).max() < 0.01
    bone = np.linalg.norm(bones(imported.rest_joints(shaped.betas)), axis=1)
    np.testing.assert_allclose(np.linalg.norm(bones(drawn), axis=1), bone, atol=1e-5)


def test_viewer_without_smpl_draws_the_open_body_in_smpls_place() -> None:
    smpl = pose(6)
    drawn = figure.bone_pose(smpl, UP).positions
    np.testing.assert_allclose(drawn[0], SMPL_PELVIS_M + smpl.transl, atol=1e-5)
    np.testing.assert_allclose(
        drawn - drawn[0],
        OPEN.joints(smpl.global_orient, smpl.body_pose, np.zeros(10), -OPEN.rest_joints(np.zeros(10))[0]),
        atol=1e-5,
    )


def test_viewer_draws_the_bones_of_the_published_shape() -> None:
    smpl = pose(7, "open")
    drawn = figure.bone_pose(smpl, UP).positions
    np.testing.assert_allclose(drawn, posed(OPEN, smpl)[1], atol=1e-5)
