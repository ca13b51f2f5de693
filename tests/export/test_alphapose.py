"""AlphaPose's result files: formats, round trip, invalid files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from remi_stream.errors import UsageError
from remi_stream.export.alphapose import (
    RESULTS_FILE,
    AlphaPoseFormat,
    AlphaPoseResult,
    frame_image_id,
    image_id_of_name,
    keypoint_triples,
    read_results,
    result_documents,
    to_openpose18,
    write_results,
)
from remi_stream.skeletons import JOINT_NAMES

BOX = (1.5, 2.5, 100.25, 200.75)
COCO18 = (
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee right_ankle "
    "left_hip left_knee left_ankle right_eye left_eye right_ear left_ear"
)


def result(image: str | int = "a.b.jpg", joints: int = 17, seed: int = 0, ids: tuple[float, ...] = (0.0,)) -> AlphaPoseResult:
    random = np.random.default_rng(seed)
    return AlphaPoseResult(image, random.uniform(0, 600, (joints, 2)), random.uniform(0, 1, joints), 2.5, BOX, ids)


PEOPLE = [result(seed=1), result(seed=2, ids=(1.0, 3.0)), result("0.jpg", seed=3)]


def test_default_form_is_a_list_of_people() -> None:
    document = result_documents(PEOPLE)
    assert list(document) == [RESULTS_FILE]
    first, second, third = document[RESULTS_FILE]
    assert list(first) == ["image_id", "category_id", "keypoints", "score", "box", "idx"]
    assert (first["category_id"], first["score"], first["box"]) == (1, 2.5, list(BOX))
    assert (first["idx"], second["idx"]) == ([[0.0]], [[1.0], [3.0]])
    assert [each["image_id"] for each in (first, second, third)] == ["a.b.jpg", "a.b.jpg", "0.jpg"]
    assert first["keypoints"][3:6] == [*PEOPLE[0].keypoints_px[1], PEOPLE[0].scores[1]]


@pytest.mark.parametrize(("form", "group", "numbers"), [("cmu", "bodies", "joints"), ("open", "people", "pose_keypoints_2d")])
def test_other_forms_hold_images_with_eighteen_joints(form: AlphaPoseFormat, group: str, numbers: str) -> None:
    document = result_documents(PEOPLE, form)
    assert list(document) == [RESULTS_FILE, "sep-json/a.json", "sep-json/0.json"]
    assert list(document[RESULTS_FILE]) == ["a.b.jpg", "0.jpg"]
    image = document[RESULTS_FILE]["a.b.jpg"]
    assert document["sep-json/a.json"] == image
    assert image["version"] == "AlphaPose v0.3"
    assert [len(person[numbers]) for person in image[group]] == [54, 54]
    assert all(list(person) == [numbers] for person in image[group])


def test_openpose_joints_are_the_named_ones() -> None:
    joints = np.arange(17 * 3, dtype=float).reshape(17, 3)
    found = to_openpose18(joints)
    for name, values in zip(COCO18.split(), found, strict=True):
        if name != "neck":
            np.testing.assert_array_equal(values, joints[JOINT_NAMES["coco17"].index(name)])
    np.testing.assert_array_equal(found[1], (joints[5] + joints[6]) / 2)


@pytest.mark.parametrize("joints", [26, 136])
def test_neck_of_a_larger_model_is_its_joint_seventeen(joints: int) -> None:
    found = to_openpose18(keypoint_triples(result(joints=joints)))
    np.testing.assert_array_equal(found[1], keypoint_triples(result(joints=joints))[17])


@pytest.mark.parametrize("form", ["coco", "cmu", "open"])
def test_files_hold_the_documents(form: AlphaPoseFormat, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    paths = write_results(folder, PEOPLE, form)
    expected = result_documents(PEOPLE, form)
    assert {str(path.relative_to(folder)): json.loads(path.read_text()) for path in paths} == expected
    assert sum(path.is_file() for path in folder.rglob("*")) == len(expected)


def test_numbers_of_any_type_can_be_written(tmp_path: Path) -> None:
    one = result()._replace(score=np.float32(1.5), keypoints_px=np.ones((17, 2), np.float32), scores=np.ones(17, np.float32))
    write_results(tmp_path, [one])
    assert json.loads((tmp_path / RESULTS_FILE).read_text())[0]["score"] == 1.5


def test_no_people_is_an_empty_file(tmp_path: Path) -> None:
    write_results(tmp_path, [])
    assert json.loads((tmp_path / RESULTS_FILE).read_text()) == []
    assert result_documents([], "open") == {RESULTS_FILE: {}}


@pytest.mark.parametrize("joints", [17, 26, 136])
def test_people_are_read_as_they_were_written(joints: int, tmp_path: Path) -> None:
    people = [result(joints=joints, seed=seed) for seed in range(3)]
    write_results(tmp_path, people)
    for one, other in zip(people, read_results(tmp_path / RESULTS_FILE), strict=True):
        assert (one.image_id, one.score, one.box_xywh) == (other.image_id, other.score, other.box_xywh)
        np.testing.assert_allclose(one.keypoints_px, other.keypoints_px, rtol=1e-6)
        np.testing.assert_allclose(one.scores, other.scores, rtol=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[1]", '{"a.jpg": {}}', '[{"image_id": "a"}]', '[{"image_id": 1, "keypoints": [1, 2], "score": 1}]'),
        "[" * 100_000,
        f'[{{"image_id": "a", "keypoints": [], "score": 1, "box": [1{"0" * 400}, 1, 1, 1]}}]',
        f'[{{"image_id": "a", "keypoints": [1{"0" * 5000}], "score": 1}}]',
    ],
    ids=range(9),
)
def test_file_of_another_kind_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / RESULTS_FILE
    path.write_text(text)
    with pytest.raises(UsageError, match=r"alphapose-results\.json cannot be used: it must be a list of AlphaPose results"):
        read_results(path)


@pytest.mark.parametrize(
    ("name", "evaluation", "expected"),
    [("in/sub.dir.png", False, "sub.dir.png"), ("x/COCO_val_000000000139.jpg", True, 139), ("000139.jpg", True, 139)],
)
def test_image_is_named_by_its_file(name: str, evaluation: bool, expected: str | int) -> None:
    assert image_id_of_name(name, evaluation) == expected


def test_image_without_a_number_cannot_be_evaluated() -> None:
    with pytest.raises(UsageError, match=r"Image 'a_b\.jpg' has no COCO number"):
        image_id_of_name("a_b.jpg", is_coco_evaluation=True)


def test_frame_of_a_video_is_named_by_its_number() -> None:
    assert frame_image_id(0) == "0.jpg"
