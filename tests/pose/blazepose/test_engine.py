"""The BlazePose engine on the sample clip."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from remi_stream.geometry import angle_between, axis_angle_from_matrices, iou, matrices_from_axis_angle
from remi_stream.messages import Person
from remi_stream.tracking.crop import Crop
from tests.clip import BLAZEPOSE, FPS, SMPL, crop, engine, frames, intrinsics, poses, procrustes_mm, smpl_joints, truth

MIDDLE_BOX = np.array([440, 100, 840, 680], np.float32)


def people() -> list[tuple[int, Person]]:
    return [(k, pose.person) for k, pose in enumerate(poses()) if pose.person is not None]


def true_box(k: int) -> np.ndarray:
    joints = truth()["joints_px"][k]
    return np.concatenate([joints.min(0) - 25, joints.max(0) + 25]).astype(np.float32)


def test_person_of_the_clip_has_a_pose_in_every_frame() -> None:
    assert len(people()) >= 0.99 * len(frames())


def test_key_points_are_within_six_pixels_on_average() -> None:
    away = [np.linalg.norm(person.keypoints_px[BLAZEPOSE] - truth()["joints_px"][k][SMPL], axis=1) for k, person in people()]
    assert np.mean(away) <= 6


def test_joints_in_space_are_within_60_mm_on_average() -> None:
    away = [procrustes_mm(person.joints_m[BLAZEPOSE], truth()["joints_m"][k][SMPL]) for k, person in people()]
    assert np.mean(away) <= 60


def test_published_smpl_pose_is_within_60_mm_on_average() -> None:
    away = [procrustes_mm(smpl_joints(person.smpl)[SMPL], truth()["joints_m"][k][SMPL]) for k, person in people()]
    assert np.mean(away) <= 60


def test_person_stands_where_it_stands() -> None:
    away = np.array([smpl_joints(person.smpl)[0] - truth()["joints_m"][k][0] for k, person in people()])
    distance = truth()["joints_m"][:, 0, 2].mean()
    assert np.abs(away[:, :2]).mean() < 0.03
    assert np.abs(away[:, 2]).mean() < 0.1 * distance


def test_no_joint_turns_by_90_degrees_between_frames() -> None:
    vectors = np.array([np.r_[p.smpl.global_orient, p.smpl.body_pose].reshape(24, 3) for _, p in people()], float)
    turns = matrices_from_axis_angle(vectors)
    steps = np.linalg.norm(axis_angle_from_matrices(turns[1:] @ turns[:-1].swapaxes(2, 3)), axis=2)
    assert np.degrees(steps.max()) < 75


def test_body_faces_where_the_person_faces() -> None:
    forward = [matrices_from_axis_angle(p.smpl.global_orient.astype(float)) @ [0, 0, 1] for _, p in people()]
    true = [matrices_from_axis_angle(truth()["poses"][k][:3].astype(float)) @ [0, 0, 1] for k, _ in people()]
    assert np.degrees(angle_between(np.array(forward), np.array(true)).mean()) < 25


def test_joints_project_to_the_key_points() -> None:
    fx, fy, cx, cy = intrinsics()
    for _, person in people()[::20]:
        projected = person.joints_m[:, :2] / person.joints_m[:, 2:] * [fx, fy] + [cx, cy]
        np.testing.assert_allclose(projected, person.keypoints_px, atol=0.1)


def test_box_holds_the_whole_person() -> None:
    for k, person in people()[::10]:
        low, high = truth()["joints_px"][k].min(0), truth()["joints_px"][k].max(0)
        assert (person.box_xyxy[:2] < low + 15).all()
        assert (person.box_xyxy[2:] > high - 15).all()


def test_engine_remembers_nothing_itself() -> None:
    before = poses()[40]
    again = crop(41, before.next_box_xyxy, before.state)
    first, second = engine().infer([again, again])
    np.testing.assert_array_equal(first.person.keypoints_px, second.person.keypoints_px)
    np.testing.assert_array_equal(first.person.smpl.body_pose, second.person.smpl.body_pose)
    np.testing.assert_array_equal(first.person.smpl.body_pose, poses()[41].person.smpl.body_pose)


def test_box_is_enough_to_begin_anywhere_in_the_clip() -> None:
    for k in range(0, len(frames()), 24):
        pose = engine().infer([crop(k, true_box(k))])[0]
        assert pose.person is not None, pose.rejection_reason
        assert np.linalg.norm(pose.person.keypoints_px[BLAZEPOSE] - truth()["joints_px"][k][SMPL], axis=1).mean() < 12


def test_state_of_a_person_elsewhere_is_dropped_for_the_box() -> None:
    image = cv2.warpAffine(frames()[10], np.array([[0.5, 0, 640], [0, 0.5, 0]]), (1280, 720), borderValue=(180, 180, 180))
    box = true_box(10) * 0.5 + np.array([640, 0, 640, 0], np.float32)
    stale = engine().infer([crop(9, true_box(9))])[0].state
    pose = engine().infer([Crop(image, box, 1, 10 / FPS, intrinsics(), stale)])[0]
    assert pose.person is not None, pose.rejection_reason
    assert iou(box, pose.person.box_xyxy[None])[0] > 0.6


def test_person_who_has_left_gives_no_pose() -> None:
    before = poses()[40]
    gone = Crop(room(), before.next_box_xyxy, 1, 41 / FPS, intrinsics(), before.state)
    pose = engine().infer([gone])[0]
    assert pose.person is None
    assert pose.rejection_reason
    np.testing.assert_array_equal(pose.next_box_xyxy, before.next_box_xyxy)


def room() -> np.ndarray:
    return cv2.resize(frames()[0][:, :250], (1280, 720))


def noise(random: np.random.Generator) -> np.ndarray:
    return random.integers(0, 255, (720, 1280, 3), dtype=np.uint8)


def blobs(random: np.random.Generator) -> np.ndarray:
    return cv2.resize(random.integers(0, 255, (24, 43, 3), dtype=np.uint8), (1280, 720), interpolation=cv2.INTER_CUBIC)


def furniture(random: np.random.Generator) -> np.ndarray:
    image = room()
    for _ in range(25):
        x, y, width, height = (int(n) for n in random.integers([300, 50, 15, 15], [900, 600, 200, 250]))
        colour = [int(n) for n in random.integers(0, 255, 3)]
        cv2.rectangle(image, (x, y), (x + width, y + height), colour, -1)
    return image


def scrambled(random: np.random.Generator) -> np.ndarray:
    """The person cut into 48 px squares, which are shuffled."""
    image = frames()[0].copy()
    x0, y0, x1, y1 = np.clip(true_box(0), 0, [1280, 720, 1280, 720]).astype(int)
    places = [(y, x) for y in range(y0, y1 - 47, 48) for x in range(x0, x1 - 47, 48)]
    squares = [image[y : y + 48, x : x + 48].copy() for y, x in places]
    for (y, x), square in zip(places, random.permutation(np.array(squares)), strict=True):
        image[y : y + 48, x : x + 48] = square
    return image


@pytest.mark.parametrize("picture", [lambda _: room(), noise, blobs, furniture, scrambled])
def test_no_pose_is_accepted_without_a_person(picture: Callable[[np.random.Generator], np.ndarray]) -> None:
    random = np.random.default_rng(7)
    answers = [engine().infer([Crop(picture(random), MIDDLE_BOX, 1, 0.0, intrinsics())])[0] for _ in range(15)]
    assert sum(answer.person is not None for answer in answers) == 0
    assert all(answer.rejection_reason for answer in answers)
