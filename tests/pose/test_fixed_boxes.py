"""Poses in fixed bounding boxes: the truth of the sample clip."""

from __future__ import annotations

import numpy as np

from remi_stream.config import parse_config
from remi_stream.messages import Bodies, Frame
from remi_stream.paths import sample_boxes
from remi_stream.pose.stage import FixedBoxes, PoseStage
from tests.clip import truth

IMAGE = np.zeros((720, 1280, 3), np.uint8)
INTRINSICS = (1150.0, 1150.0, 640.0, 360.0)
FULL = {"rectangle": (0.0, 0.0, 1280.0, 720.0)}


def test_boxes_hold_all_joints_and_stay_close() -> None:
    joints = truth()["joints_px"]
    boxes = sample_boxes()
    inside = (joints > boxes[:, None, :2]) & (joints < boxes[:, None, 2:])
    assert inside.all()
    assert ((boxes[:, 2:] - boxes[:, :2]).max(1) < 1.2 * np.ptp(joints, axis=1).max(1)).all()


def test_clip_that_is_played_on_has_the_same_boxes() -> None:
    first, again = (FixedBoxes().crops(frame_id, 0.0, IMAGE, INTRINSICS) for frame_id in (7, 247))
    np.testing.assert_array_equal(first[0].box_xyxy, again[0].box_xyxy)
    assert first[0].box_xyxy.dtype == np.float32


def test_true_boxes_reach_the_engine_and_what_it_finds_is_not_followed() -> None:
    camera = {"name": "sample", "source": "sample.mp4"}
    stage = PoseStage(parse_config({"cameras": [camera], "engine": "synthetic", "boxes": "truth"}))
    stage.open()
    for frame_id in (3, 100):
        frame = Frame(
            camera="sample", epoch=1, frame_id=frame_id, captured_at=frame_id / 30, size=(1280, 720), image=IMAGE, **FULL
        )
        bodies = next(message for message in stage.step(frame) if isinstance(message, Bodies))
        np.testing.assert_allclose(bodies.people[0].box_xyxy, sample_boxes()[frame_id])
