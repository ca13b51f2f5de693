"""Independent images: an engine with gates chooses among all detections of all passes, and each person is there once."""

from __future__ import annotations

import cv2
import numpy as np

from remi_stream.geometry import default_intrinsics
from remi_stream.messages import Bodies, Frame
from remi_stream.offline.chain import OfflineChain
from remi_stream.tracking.offline import OfflineTracker
from tests.clip import BLAZEPOSE, SMPL, detector, engine, frames, truth


def bodies_of(image: np.ndarray, max_people: int | None = None) -> Bodies:
    height, width = image.shape[:2]
    frame = Frame(
        camera="a",
        epoch=1,
        frame_id=0,
        captured_at=0.0,
        image=image,
        size=(width, height),
        rectangle=(0.0, 0.0, float(width), float(height)),
        intrinsics=default_intrinsics(width, height),
    )
    chain = OfflineChain(engine(), [detector()], 16, 1)
    try:
        return next(iter(chain.run([frame], OfflineTracker(max_people), independent=True)))
    finally:
        chain.close()


def scene(index: int, scale: float = 0.26, corner: tuple[int, int] = (1100, 120)) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An image with a person and a small copy at the upper right; joints (24, 2) px of both."""
    image, joints = frames()[index].copy(), truth()["joints_px"][index]
    left, right = (int(x * scale) for x in (joints[:, 0].min(), joints[:, 0].max()))
    part = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:, left - 12 : right + 12]
    x, y = corner
    image[y : y + part.shape[0], x : x + part.shape[1]] = part
    return image, joints, joints * scale + [x - left + 12, y]


def test_each_of_two_people_of_very_different_size_is_there_once_and_best_first() -> None:
    image, near, far = scene(30)
    people = bodies_of(image).people
    assert [person.track_id for person in people] == [1, 2]
    assert people[0].score >= people[1].score
    errors = [
        min(float(np.linalg.norm(person.keypoints_px[BLAZEPOSE] - joints[SMPL], axis=1).mean()) for person in people)
        for joints in (near, far)
    ]
    assert errors[0] < 12
    assert errors[1] < 6


def test_limit_keeps_the_largest() -> None:
    image, near, _ = scene(30)
    (person,) = bodies_of(image, max_people=1).people
    assert np.linalg.norm(person.keypoints_px[BLAZEPOSE] - near[SMPL], axis=1).mean() < 12


def test_turned_picture_has_its_person_once() -> None:
    for turns in (1, 2, 3):
        image = np.ascontiguousarray(np.rot90(frames()[60], turns))
        assert len(bodies_of(image).people) == 1
