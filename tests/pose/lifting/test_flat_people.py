"""People without 3D joints are tracked all the same."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from remi_stream.messages import Detections
from remi_stream.pose.alphapose import AlphaPoseEngine, HeatmapDecoding
from remi_stream.tracking.tracker import Tracker
from tests.tracking.seer import SIZE, Seer, box_around, people, picture


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("subject", ["largest", "nearest"])
def test_people_without_3d_joints_keep_their_ids_beside_each_other(subject: str) -> None:
    start = people(136, [(200, 240), (400, 250), (320, 400)], height=160)
    tracks, image, ids = Tracker(2, itertools.count(1), subject), picture(), []
    for frame in range(40):
        points = start + frame * np.array([[[1, 0]], [[-1, 0]], [[0, 0]]])
        engine = AlphaPoseEngine("alphapose", Seer(points, np.full((3, 136), 0.8), True), "halpe136", HeatmapDecoding(True, 0.3))
        crops = tracks.crops(frame, frame / 30, image, (800.0, 800.0, 320.0, 240.0))
        poses = tracks.update_poses(frame, frame / 30, image, engine.infer(crops))
        ids.append([pose.person.track_id for pose in poses if pose.person is not None])
        if frame % 5 == 0:
            tracks.update_detections(detections(frame, points))
    assert ids[1:] == [ids[1]] * 39
    assert len(ids[1]) == 2


def detections(frame: int, points: np.ndarray) -> Detections:
    return Detections(
        camera="front",
        epoch=1,
        frame_id=frame,
        captured_at=frame / 30,
        boxes_xyxy=np.array([box_around(each) for each in points]),
        scores=np.ones(len(points), np.float32),
        searched_xyxy=np.array([[0, 0, *SIZE]], np.float32),
    )
