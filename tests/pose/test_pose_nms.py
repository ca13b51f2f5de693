"""Parametric pose NMS."""

from __future__ import annotations

import numpy as np
import pytest

from remi_stream.pose.alphapose import MIN_SCORE_ARGMAX, MIN_SCORE_SOFT_ARGMAX, MergedPose, pose_nms

JOINTS = [17, 26, 136]


def scene(joints: int, bodies: int = 3, copies: int = 2, apart: float = 1.5, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Poses, scores and boxes of bodies that are found several times, far from each other; copies of a body are neighbours."""
    random = np.random.default_rng(seed)
    places = random.uniform(0, 1, (bodies, joints, 2)) * (120, 240) + np.arange(bodies)[:, None, None] * (300, 0)
    points = np.repeat(places, copies, 0) + random.normal(0, apart / 2, (bodies * copies, joints, 2))
    scores = random.uniform(0.2, 0.9, (bodies * copies, joints))
    boxes = np.concatenate([points.min(1), points.max(1)], 1)
    return points.astype(np.float32), scores.astype(np.float32), boxes.astype(np.float32)


def kept(found: tuple[np.ndarray, ...], least: float = MIN_SCORE_ARGMAX) -> list[MergedPose]:
    return pose_nms(found[0], found[1], found[2], least)


@pytest.mark.parametrize("joints", JOINTS)
def test_copies_of_a_body_become_one(joints: int) -> None:
    found = kept(scene(joints))
    assert sorted(one.merged for one in found) == [(0, 1), (2, 3), (4, 5)]


@pytest.mark.parametrize("joints", JOINTS)
def test_surest_pose_of_each_body_comes_first_and_is_the_pick(joints: int) -> None:
    points, scores, boxes = scene(joints)
    found = pose_nms(points, scores, boxes, MIN_SCORE_ARGMAX)
    sureness = [scores[one.best].mean() for one in found]
    assert sureness == sorted(sureness, reverse=True)
    assert all(scores[one.best].mean() == max(scores[list(one.merged)].mean(1)) for one in found)


@pytest.mark.parametrize("joints", JOINTS)
def test_order_of_the_poses_changes_nothing(joints: int) -> None:
    points, scores, boxes = scene(joints, copies=3)
    order = np.random.default_rng(5).permutation(len(points))
    first = pose_nms(points, scores, boxes, MIN_SCORE_ARGMAX)
    second = pose_nms(points[order], scores[order], boxes[order], MIN_SCORE_ARGMAX)
    for one, other in zip(first, second, strict=True):
        assert one.best == order[other.best]
        assert set(one.merged) == {order[index] for index in other.merged}
        np.testing.assert_allclose(one.points, other.points, atol=1e-4)


@pytest.mark.parametrize("joints", JOINTS)
def test_what_is_kept_is_not_suppressed_again(joints: int) -> None:
    points, scores, boxes = scene(joints)
    once = pose_nms(points, scores, boxes, MIN_SCORE_ARGMAX)
    again = pose_nms(
        np.array([one.points for one in once]),
        np.array([one.scores for one in once]),
        boxes[[one.best for one in once]],
        MIN_SCORE_ARGMAX,
    )
    assert [one.merged for one in again] == [(index,) for index in [one.best for one in again]]


def test_joints_are_averaged_by_score() -> None:
    points, scores, boxes = scene(17, bodies=1)
    (one,) = pose_nms(points, scores, boxes, MIN_SCORE_ARGMAX)
    weights = scores / scores.sum(0)
    np.testing.assert_allclose(one.points, (weights[..., None] * points).sum(0), atol=1e-4)
    np.testing.assert_allclose(one.scores, (weights * scores).sum(0), atol=1e-6)


def test_joint_that_two_poses_see_elsewhere_is_the_picks() -> None:
    points, scores, boxes = scene(17, bodies=1)
    pick = int(scores.mean(1).argmax())
    points[1 - pick, 4] += 100
    (one,) = pose_nms(points, scores, boxes, MIN_SCORE_ARGMAX)
    assert one.merged == (0, 1)
    np.testing.assert_allclose(one.points[4], points[pick, 4], atol=1e-4)
    np.testing.assert_allclose(one.scores[4], scores[pick, 4], atol=1e-6)


@pytest.mark.parametrize("joints", JOINTS)
def test_people_side_by_side_stay_two(joints: int) -> None:
    random = np.random.default_rng(6)
    person = random.uniform(0, 1, (joints, 2)) * (120, 240)
    points = np.stack([person, person + (60, 0)]).astype(np.float32)
    boxes = np.concatenate([points.min(1), points.max(1)], 1)
    assert len(pose_nms(points, np.full((2, joints), 0.8, np.float32), boxes, MIN_SCORE_ARGMAX)) == 2


def test_hands_at_the_same_place_do_not_merge_two_people() -> None:
    points, scores, boxes = scene(136, bodies=2, copies=1)
    points[1, 94:115] = points[0, 94:115]
    assert len(pose_nms(points, scores, boxes, MIN_SCORE_ARGMAX)) == 2


@pytest.mark.parametrize(("shared", "bodies"), [(4, 2), (5, 1)])
def test_five_joints_at_the_same_place_are_the_same_body(shared: int, bodies: int) -> None:
    points, scores, boxes = scene(17, bodies=2, copies=1)
    points[1, :shared] = points[0, :shared] + (4, 4)
    assert len(pose_nms(points, scores, boxes, MIN_SCORE_ARGMAX)) == bodies


@pytest.mark.parametrize(
    ("best", "least", "stays"),
    [(0.25, MIN_SCORE_ARGMAX, False), (0.25, MIN_SCORE_SOFT_ARGMAX, True), (0.35, MIN_SCORE_ARGMAX, True)],
)
def test_pose_without_any_sure_joint_is_dropped(best: float, least: float, stays: bool) -> None:
    points, scores, boxes = scene(17, bodies=1, copies=1)
    scores = scores / scores.max() * best
    assert bool(pose_nms(points, scores.astype(np.float32), boxes, least)) == stays


def test_no_poses_stay_no_poses() -> None:
    assert pose_nms(np.zeros((0, 17, 2)), np.zeros((0, 17)), np.zeros((0, 4)), MIN_SCORE_ARGMAX) == []


def test_joints_without_any_score_are_averaged_alike() -> None:
    points, scores, boxes = scene(17, bodies=1)
    scores[:, 3] = 0
    (one,) = pose_nms(points, scores, boxes, MIN_SCORE_ARGMAX)
    np.testing.assert_allclose(one.points[3], points[:, 3].mean(0), atol=1e-4)
    assert one.scores[3] == 0
