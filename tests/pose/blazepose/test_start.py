"""New people before the detector and the engine: upright, turned, waist-up, near, far, and pictures without any."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from remi_stream.capture.preprocess import render_view
from remi_stream.detect.detector import Rectangle
from remi_stream.detect.search import SearchPass, all_search_passes
from remi_stream.detect.stage import points_in_full_image
from remi_stream.geometry import default_intrinsics
from remi_stream.messages import Frame, FrameView
from remi_stream.pose.engine import load_engine
from remi_stream.tracking.crop import Crop, Pose
from tests.clip import BLAZEPOSE, SMPL, detector, engine, frames, truth

STARTS = range(0, 240, 30)


def whole(image: np.ndarray) -> Rectangle:
    return (0.0, 0.0, float(image.shape[1]), float(image.shape[0]))


def first_poses(image: np.ndarray, turn: SearchPass) -> list[Pose]:
    """The poses of whom the detector finds in an image (H, W, 3) in one pass, without state."""
    size = (image.shape[1], image.shape[0])
    frame = Frame(camera="a", epoch=1, frame_id=0, captured_at=0.0, image=image, size=size, rectangle=whole(image))
    view = render_view(frame, FrameView(turn.rectangle, detector().view.longest_side))
    found = turn.turned_back(detector().detect(turn.turned(view.image)), view.image.shape[1::-1])
    assert found.circles_px is not None
    circles = points_in_full_image(found.circles_px, view)
    boxes = points_in_full_image(found.boxes_xyxy.reshape(-1, 2, 2), view).reshape(-1, 4)
    intrinsics = default_intrinsics(*size)
    return engine().infer([Crop(image, box, 0, 0.0, intrinsics, None, circle) for box, circle in zip(boxes, circles)])


def errors_px(poses: list[Pose], joints: np.ndarray) -> list[float]:
    """Mean error of each accepted pose's limb joints against joints (24, 2) px."""
    people = [pose.person for pose in poses if pose.person is not None]
    return [float(np.linalg.norm(person.keypoints_px[BLAZEPOSE] - joints[SMPL], axis=1).mean()) for person in people]


def turned_points(points: np.ndarray, turns: int, size: tuple[int, int]) -> np.ndarray:
    """Points (N, 2) px of an image of (width, height) px after anticlockwise quarter turns of the image."""
    for turn in range(turns):
        points = np.stack([points[:, 1], size[turn % 2] - 1 - points[:, 0]], 1)
    return points


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_person_in_a_turned_picture_is_found_by_the_pass_that_turns_it_back(turns: int) -> None:
    found = 0
    for index in STARTS:
        image = np.ascontiguousarray(np.rot90(frames()[index], turns))
        joints = turned_points(truth()["joints_px"][index], turns, (1280, 720))
        errors = errors_px(first_poses(image, SearchPass(whole(image), 4 - turns)), joints)
        found += len(errors) == 1 and errors[0] < 12
    assert found >= len(STARTS) - 1


def test_upright_person_is_found_by_the_first_pass() -> None:
    for index in STARTS:
        errors = errors_px(first_poses(frames()[index], SearchPass(whole(frames()[index]))), truth()["joints_px"][index])
        assert len(errors) == 1
        assert errors[0] < 12


def test_person_seen_from_the_waist_up_starts_at_once() -> None:
    started = 0
    for index in STARTS:
        joints = truth()["joints_px"][index]
        waist = int(joints[0, 1] + 10)
        side = waist - max(0, int(joints[:, 1].min()) - 60)
        left = int(np.clip(joints[0, 0] - 0.8 * side, 0, 1280 - 1.6 * side))
        image = cv2.resize(frames()[index][waist - side : waist, left : left + int(1.6 * side)], (960, 600))
        errors = errors_px(first_poses(image, SearchPass(whole(image))), (joints - [left, waist - side]) * 600 / side)
        started += len(errors) == 1
    assert started >= len(STARTS) - 1


def test_near_and_far_people_are_found_by_the_passes_together() -> None:
    scale = 0.26
    for index in STARTS:
        image, joints = frames()[index].copy(), truth()["joints_px"][index]
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        part = small[:, int(joints[:, 0].min() * scale) - 12 : int(joints[:, 0].max() * scale) + 12]
        x, y = 1100, 120
        image[y : y + part.shape[0], x : x + part.shape[1]] = part
        far = joints * scale + [x - int(joints[:, 0].min() * scale) + 12, y]
        passes = all_search_passes("blazepose", (1280, 720), "upright")
        poses = [pose for turn in passes for pose in first_poses(image, turn)]
        assert min(errors_px(poses, joints)) < 12, index
        assert min(errors_px(poses, far)) < 12 * scale + 3, index


@pytest.mark.parametrize("posture", ["any", "upright"])
def test_empty_room_has_no_body_in_any_pass(posture: str) -> None:
    room = cv2.resize(frames()[0][:, :250], (1280, 720))
    for turn in all_search_passes("blazepose", (1280, 720), posture):  # type: ignore[arg-type]
        assert not errors_px(first_poses(room, turn), truth()["joints_px"][0])


def test_sensitivity_decides_whether_an_unclear_person_starts() -> None:
    answers = {}
    blurred = cv2.GaussianBlur(frames()[30], (0, 0), 19)
    box = np.concatenate([truth()["joints_px"][30].min(0) - 25, truth()["joints_px"][30].max(0) + 25]).astype(np.float32)
    for name in ("low", "normal", "high"):
        crop = Crop(blurred, box, 0, 0.0, default_intrinsics(1280, 720))
        answers[name] = load_engine("blazepose", sensitivity=name).infer([crop])[0].rejection_reason  # type: ignore[arg-type]
    assert answers["low"]
    assert not answers["high"]
