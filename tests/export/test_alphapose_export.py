"""AlphaPose's result files of a take, read as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from remi_stream.errors import UsageError
from remi_stream.export.alphapose import read_alphapose_clips, read_results
from remi_stream.export.registry import EXPORT_FORMATS, find_export_formats
from remi_stream.messages import Person
from remi_stream.recordings.take import Take
from remi_stream.skeletons import JOINT_NAMES, joint_indices
from tests.clip import truth
from tests.export.sample_take import flat, pictures, somebody, take_of

COCO18 = (
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee right_ankle "
    "left_hip left_knee left_ankle right_eye left_eye right_ear left_ear"
)


def made(name: str, take: Take, folder: Path) -> dict[str, Any]:
    paths = EXPORT_FORMATS[name].write(take, folder)
    assert {path for path in folder.rglob("*") if path.is_file()} == set(paths)
    return {str(path.relative_to(folder)): json.loads(path.read_text()) for path in paths}


def some(skeleton: str):
    """Two people in frame 1, none in frame 2, one in the others."""

    def people(k: int) -> list[Person]:
        return {1: [flat(k, skeleton), flat(k, skeleton, 12)], 2: []}.get(k, [flat(k, skeleton)])

    return people


@pytest.mark.parametrize(("skeleton", "count"), [("coco17", 17), ("halpe26", 26), ("halpe136", 136)])
def test_default_form_is_flat_one_object_a_person_in_the_order_of_frames(skeleton: str, count: int, tmp_path: Path) -> None:
    take = take_of(some(skeleton))
    objects = made("alphapose-coco", take, tmp_path)["alphapose-results.json"]
    assert [each["image_id"] for each in objects] == ["0.jpg", "1.jpg", "1.jpg", "3.jpg", "4.jpg"]
    assert [each["idx"] for each in objects] == [[[1.0]], [[1.0]], [[12.0]], [[1.0]], [[1.0]]]
    everybody = [person for bodies in take.frames for person in bodies.people]
    for each, person in zip(objects, everybody, strict=True):
        assert list(each) == ["image_id", "category_id", "keypoints", "score", "box", "idx"]
        assert each["category_id"] == 1
        numbers = np.array(each["keypoints"]).reshape(count, 3)
        np.testing.assert_allclose(numbers[:, :2], person.keypoints_px, rtol=1e-6)
        np.testing.assert_allclose(numbers[:, 2], person.keypoint_scores, rtol=1e-6)
        scores = person.keypoint_scores
        assert each["score"] == pytest.approx(scores.mean() + 0.625 + 1.25 * scores.max(), rel=1e-6)
        x0, y0, x1, y1 = person.native["detected_xyxy"].tolist()
        assert each["box"] == pytest.approx([x0, y0, x1 - x0, y1 - y0])


def test_box_is_the_engines_without_a_detector_s(tmp_path: Path) -> None:
    take = take_of(lambda k: [msgspec.structs.replace(flat(k, "coco17"), native={})], 1)
    [each] = made("alphapose-coco", take, tmp_path)["alphapose-results.json"]
    person = take.frames[0].people[0]
    assert each["score"] == pytest.approx(person.keypoint_scores.mean() + 0.75 + 1.25 * person.keypoint_scores.max(), rel=1e-6)
    x0, y0, x1, y1 = person.box_xyxy.tolist()
    assert each["box"] == pytest.approx([x0, y0, x1 - x0, y1 - y0])


@pytest.mark.parametrize("skeleton", ["blazepose33", "mhr70"])
def test_engine_of_other_joints_gives_cocos_by_name(skeleton: str, tmp_path: Path) -> None:
    take = take_of(some(skeleton), 1)
    [each] = made("alphapose-coco", take, tmp_path)["alphapose-results.json"]
    person, chosen = take.frames[0].people[0], joint_indices(skeleton, JOINT_NAMES["coco17"])
    numbers = np.array(each["keypoints"]).reshape(17, 3)
    np.testing.assert_allclose(numbers, np.column_stack([person.keypoints_px, person.keypoint_scores])[chosen], rtol=1e-6)


def test_engine_with_smpl_joints_has_key_points_of_its_body(tmp_path: Path) -> None:
    """Landmarks lie near the joints of the same name, the face above the neck."""
    [each] = made("alphapose-coco", take_of(lambda k: [somebody(k)], 1), tmp_path)["alphapose-results.json"]
    numbers = np.array(each["keypoints"]).reshape(17, 3)
    named = [name for name in JOINT_NAMES["coco17"] if name in JOINT_NAMES["smpl24"]]
    assert len(named) == 12
    ours, theirs = (
        numbers[joint_indices("coco17", tuple(named)), :2],
        truth()["joints_px"][0][joint_indices("smpl24", tuple(named))],
    )
    assert np.linalg.norm(ours - theirs, axis=1).max() < 20
    assert numbers[0, 1] < truth()["joints_px"][0, 12, 1]
    assert numbers[0, 2] == pytest.approx(somebody(0).smpl.joint_confidence[15])


def test_person_without_coco_s_joints_is_left_out(tmp_path: Path) -> None:
    take = take_of(lambda k: [flat(k, "point"), flat(k, "coco17", 2)], 1)
    assert [each["idx"] for each in made("alphapose-coco", take, tmp_path)["alphapose-results.json"]] == [[[2.0]]]


def test_image_keeps_its_name_and_no_one_is_tracked(tmp_path: Path) -> None:
    take = pictures(take_of(some("coco17"), 3), ["b.x.png", "a.jpg", "c.jpg"])
    objects = made("alphapose-coco", take, tmp_path)["alphapose-results.json"]
    assert [(each["image_id"], each["idx"]) for each in objects] == [("b.x.png", [[0.0]]), ("a.jpg", [[0.0]]), ("a.jpg", [[0.0]])]


@pytest.mark.parametrize(
    ("name", "people", "numbers"), [("alphapose-cmu", "bodies", "joints"), ("alphapose-open", "people", "pose_keypoints_2d")]
)
def test_other_formats_are_by_image_with_a_file_for_each(name: str, people: str, numbers: str, tmp_path: Path) -> None:
    take = take_of(some("coco17"))
    content = made(name, take, tmp_path)
    whole = content.pop("alphapose-results.json")
    assert list(whole) == ["0.jpg", "1.jpg", "3.jpg", "4.jpg"]
    assert content == {f"sep-json/{number}.json": whole[f"{number}.jpg"] for number in (0, 1, 3, 4)}
    assert list(whole["1.jpg"]) == ["version", people]
    assert whole["1.jpg"]["version"] == "AlphaPose v0.3"
    assert [list(person) for person in whole["1.jpg"][people]] == [[numbers]] * 2
    person = take.frames[1].people[1]
    triples = np.column_stack([person.keypoints_px, person.keypoint_scores]).astype(float)
    found = np.array(whole["1.jpg"][people][1][numbers]).reshape(18, 3)
    for joint, values in zip(COCO18.split(), found, strict=True):
        left, right = triples[5], triples[6]
        expected = (left + right) / 2 if joint == "neck" else triples[JOINT_NAMES["coco17"].index(joint)]
        np.testing.assert_allclose(values, expected, rtol=1e-6)


def test_what_is_written_can_be_lifted(tmp_path: Path) -> None:
    EXPORT_FORMATS["alphapose-coco"].write(take_of(some("halpe26")), tmp_path)
    assert [result.pose_ids for result in read_results(tmp_path / "alphapose-results.json")] == [
        (1.0,),
        (1.0,),
        (12.0,),
        (1.0,),
        (1.0,),
    ]
    clips = read_alphapose_clips(tmp_path / "alphapose-results.json")
    assert [clip.frames.tolist() for clip in clips] == [[0, 1, 2, 3, 4], [1]]


def test_take_without_people_is_an_empty_list(tmp_path: Path) -> None:
    assert made("alphapose-coco", take_of(lambda k: []), tmp_path) == {"alphapose-results.json": []}


@pytest.mark.parametrize("name", ["alphapose-coco", "alphapose-open", "alphapose-cmu", "videopose3d-2d"])
def test_engine_without_key_points_is_refused_at_once(name: str) -> None:
    for engine in ("blazepose", "alphapose-17", "alphapose-26", "alphapose", "poco", "pare", "instanthmr", None):
        find_export_formats([name], engine)
    with pytest.raises(UsageError, match="Engine 'synthetic' has no COCO key points"):
        find_export_formats([name], "synthetic")
