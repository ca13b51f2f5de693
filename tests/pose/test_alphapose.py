"""The AlphaPose engine with a fake network that draws the heatmaps of known people (tests/tracking/seer.py)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from remi_stream.geometry import iou
from remi_stream.models.manifest import find_engine
from remi_stream.pose.alphapose import AlphaPoseEngine, HeatmapDecoding, keypoint_box
from remi_stream.skeletons import JOINT_NAMES
from remi_stream.tracking.crop import Pose
from tests.tracking.seer import Seer, box_around, crop_of, people, picture

JOINT_COUNTS = {"halpe136": 136, "halpe26": 26, "coco17": 17}


def engine(points: np.ndarray, skeleton: str = "halpe136", heat: float = 0.8, **options: Any) -> tuple[AlphaPoseEngine, Seer]:
    heats = options.pop("heats", np.full((max(1, len(points)), JOINT_COUNTS[skeleton]), heat))
    integral = skeleton == "halpe136"
    network = Seer(points, heats, logits=integral)
    return AlphaPoseEngine("alphapose", network, skeleton, HeatmapDecoding(integral, 0.3), **options), network


def seen(pose: Pose) -> np.ndarray:
    assert pose.person is not None, pose.rejection_reason
    return pose.person.keypoints_px


@pytest.mark.parametrize("middle", [(320, 240), (100, 300), (330.4, 250.7), (30, 240), (600, 420)])
@pytest.mark.parametrize("height", [90.0, 180.0, 420.0])
def test_key_points_are_found_within_half_a_pixel(middle: tuple[float, float], height: float) -> None:
    points = people(136, [middle], height)
    (pose,) = engine(points)[0].infer([crop_of(box_around(points[0]), picture())])
    assert np.abs(seen(pose) - points[0]).max() < 0.5


@pytest.mark.parametrize("skeleton", ["halpe26", "coco17"])
def test_peaks_are_found_within_a_third_of_a_pixel_of_the_map(skeleton: str) -> None:
    points = people(JOINT_COUNTS[skeleton], [(320, 240)], height=180)
    box = box_around(points[0])
    (pose,) = engine(points, skeleton)[0].infer([crop_of(box, picture())])
    map_px = 1.25 * (box[3] - box[1]) / 64
    assert np.abs(seen(pose) - points[0]).max() < map_px / 3


def test_people_of_an_image_are_one_batch_in_order() -> None:
    points = people(136, [(120, 240), (320, 200), (520, 280)])
    alphapose, network = engine(points)
    image = picture()
    order = [2, 0, 1]
    poses = alphapose.infer([crop_of(box_around(points[index]), image, track_id=10 + index) for index in order])
    assert network.calls == [3]
    for index, pose in zip(order, poses):
        assert pose.person is not None
        assert pose.person.track_id == 10 + index
        assert pose.person.skeleton == "halpe136"
        assert np.abs(seen(pose) - points[index]).max() < 0.5


def test_people_at_the_same_place_before_two_cameras_are_not_merged() -> None:
    points = people(136, [(320, 240)])
    box = box_around(points[0])
    alphapose, network = engine(points)
    poses = alphapose.infer([crop_of(box, picture(), 1), crop_of(box, picture(), 2)])
    assert network.calls == [2]
    np.testing.assert_array_equal(seen(poses[0]), seen(poses[1]))


def test_person_who_is_found_twice_is_one() -> None:
    points = people(136, [(320, 240), (500, 240)])
    image, box = picture(), box_around(points[0])
    alphapose, _ = engine(points)
    first, second, other = alphapose.infer(
        [crop_of(box, image, 1), crop_of(box + 4, image, 2), crop_of(box_around(points[1]), image, 3)]
    )
    left = [pose for pose in (first, second) if pose.person is not None]
    assert len(left) == 1
    assert {first.rejection_reason, second.rejection_reason} == {"", "double"}
    assert np.abs(seen(left[0]) - points[0]).max() < 0.5
    assert np.abs(seen(other) - points[1]).max() < 0.5


@pytest.mark.parametrize("skeleton", list(JOINT_COUNTS))
def test_no_pose_is_accepted_without_a_person(skeleton: str) -> None:
    box = np.array([200, 100, 300, 400], np.float32)
    (pose,) = engine(np.zeros((0, JOINT_COUNTS[skeleton], 2)), skeleton)[0].infer([crop_of(box, picture(), state="old")])
    assert pose.person is None
    assert pose.rejection_reason == "doubt"
    assert pose.state is None
    np.testing.assert_array_equal(pose.next_box_xyxy, box)


def test_person_beside_an_empty_crop_is_still_found() -> None:
    points = people(136, [(160, 240)])
    image = picture()
    boxes = [[400, 100, 500, 400], box_around(points[0]), [500, 100, 600, 400]]
    poses = engine(points)[0].infer([crop_of(box, image, index) for index, box in enumerate(boxes)])
    assert [pose.rejection_reason for pose in poses] == ["doubt", "", "doubt"]
    assert np.abs(seen(poses[1]) - points[0]).max() < 0.5


def test_half_a_body_is_enough() -> None:
    points = people(136, [(320, 240)])
    heats = np.full((1, 136), 0.001)
    heats[0, :11] = 0.8
    (pose,) = engine(points, heats=heats)[0].infer([crop_of(box_around(points[0]), picture())])
    assert pose.person is not None
    assert 0.6 < pose.person.score <= 0.8
    assert (pose.person.keypoint_scores[:11] > 0.6).all()
    assert (pose.person.keypoint_scores[11:17] < 0.1).all()


def test_unclear_joints_do_not_stretch_the_box() -> None:
    points = people(136, [(320, 240)])[0].astype(np.float32)
    scores = np.full(136, 0.8, np.float32)
    tight = keypoint_box("halpe136", points, scores)
    points[16], scores[16] = (0, 0), 0.1
    assert iou(tight, keypoint_box("halpe136", points, scores)[None])[0] > 0.8


@pytest.mark.parametrize("skeleton", ["coco17", "halpe26", "halpe136"])
def test_box_holds_every_joint_with_flesh_around(skeleton: str) -> None:
    points = people(JOINT_COUNTS[skeleton], [(320, 240)])[0].astype(np.float32)
    box = keypoint_box(skeleton, points, np.full(len(points), 0.5, np.float32))
    assert (box[:2] < points.min(0) - 4).all()
    assert (box[2:] > points.max(0) + 4).all()


def test_box_of_a_skeleton_without_a_crown_reaches_above_the_eyes() -> None:
    names = JOINT_NAMES["coco17"]
    points = np.full((17, 2), (100, 200), np.float32)
    points[[names.index("left_shoulder"), names.index("right_shoulder")]] = (80, 100), (120, 100)
    points[[index for index, name in enumerate(names) if index < 5]] = (100, 70)
    box = keypoint_box("coco17", points, np.ones(17, np.float32))
    assert 40 < box[1] < 52
    scores = np.ones(17, np.float32)
    scores[0] = 0
    assert box[1] < keypoint_box("coco17", points, scores)[1]


def test_box_that_is_followed_stays_around_the_body() -> None:
    points = people(136, [(320, 240)])
    alphapose, _ = engine(points)
    box, image = box_around(points[0]), picture()
    first = alphapose.infer([crop_of(box, image)])[0].next_box_xyxy
    for _ in range(5):
        (pose,) = alphapose.infer([crop_of(first, image)])
        assert iou(first, pose.next_box_xyxy[None])[0] > 0.98
        assert np.abs(seen(pose) - points[0]).max() < 0.5
        first = pose.next_box_xyxy


def test_next_box_is_clipped_to_the_image() -> None:
    points = people(136, [(10, 240)])
    (pose,) = engine(points)[0].infer([crop_of(box_around(points[0]), picture())])
    assert pose.person is not None
    assert pose.person.box_xyxy[0] < 0
    assert pose.next_box_xyxy[0] == 0
    np.testing.assert_array_equal(pose.next_box_xyxy[2:], pose.person.box_xyxy[2:])


def test_person_almost_outside_the_image_is_rejected() -> None:
    points = people(136, [(-30, 240)], height=100)
    box = box_around(points[0])
    (pose,) = engine(points)[0].infer([crop_of(box, picture())])
    assert (pose.person, pose.rejection_reason) == (None, "outside")
    np.testing.assert_array_equal(pose.next_box_xyxy, box)


def test_next_box_does_not_shrink_to_nothing() -> None:
    points = np.full((1, 136, 2), (320.0, 240.0)) + people(136, [(0, 0)], height=8)
    box = np.array([280, 180, 360, 300], np.float32)
    (pose,) = engine(points)[0].infer([crop_of(box, picture())])
    assert pose.person is not None
    np.testing.assert_array_equal(pose.next_box_xyxy, box)


class Answers:
    """A runtime that always gives these maps."""

    name = "answers"

    def __init__(self, maps: np.ndarray) -> None:
        self.maps = maps

    def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"heatmaps": np.repeat(self.maps[None], len(tensors["image"]), 0)}


def test_scores_are_shares_whatever_the_maps_hold() -> None:
    maps = np.zeros((17, 64, 48), np.float32)
    maps[np.arange(17), 2 + 3 * np.arange(17), 4 + 2 * np.arange(17)] = np.linspace(-1, 3, 17)
    alphapose = AlphaPoseEngine("alphapose-17", Answers(maps), "coco17", HeatmapDecoding(False, 0.3))
    (pose,) = alphapose.infer([crop_of([200, 100, 400, 400], picture())])
    assert pose.person is not None
    assert pose.person.keypoint_scores.min() == 0
    assert pose.person.keypoint_scores.max() == 1
    assert 0 <= pose.person.score <= 1


@pytest.mark.parametrize("integral", [True, False])
def test_nan_heatmaps_give_no_pose(integral: bool) -> None:
    alphapose = AlphaPoseEngine(
        "alphapose-17", Answers(np.full((17, 64, 48), np.nan, np.float32)), "coco17", HeatmapDecoding(integral, 0.0)
    )
    (pose,) = alphapose.infer([crop_of([200, 100, 400, 400], picture())])
    assert (pose.person, pose.rejection_reason) == (None, "doubt")


def test_engine_alone_knows_nothing_of_space() -> None:
    points = people(136, [(320, 240)])
    (pose,) = engine(points)[0].infer([crop_of(box_around(points[0]), picture(), state="somebody else's")])
    assert pose.person is not None
    assert pose.person.joints_m.shape == (0, 3)
    assert (pose.person.smpl, pose.state) == (None, None)


def test_no_crops_need_no_network() -> None:
    alphapose, network = engine(people(136, [(320, 240)]))
    assert alphapose.infer([]) == []
    assert network.calls == []


@pytest.mark.parametrize(
    ("name", "skeleton", "integral"),
    [("alphapose", "halpe136", 1.0), ("alphapose-26", "halpe26", 0.0), ("alphapose-17", "coco17", 0.0)],
)
def test_manifest_says_how_the_published_model_is_decoded(name: str, skeleton: str, integral: float) -> None:
    manifest = find_engine(name)
    assert manifest.skeleton == skeleton
    assert manifest.options["integral"] == integral
    assert manifest.weights[0].network == f"alphapose_{skeleton}"
    assert set(manifest.options) == {"integral", "least_score", "flip", "lift"}
