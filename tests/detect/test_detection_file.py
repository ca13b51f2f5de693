"""Boxes from another program's file, instead of a detector's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remi_stream.capture.footage import make_frame
from remi_stream.detect.detection_file import DetectionFile, coco_image_id, read_image_detections, read_video_detections
from remi_stream.errors import UsageError


def detections(path: Path, *rows: tuple[str | int, tuple[float, ...], float], **more: Any) -> Path:
    entries = [{"image_id": image, "bbox": list(bbox), "score": score, **more} for image, bbox, score in rows]
    path.write_text(json.dumps(entries))
    return path


def found(boxes: DetectionFile, *frame_ids: int) -> list[list[list[float]]]:
    """x0, y0, x1, y1, score of everyone in each of these frames of 640 x 480 px."""
    frames = [make_frame("film", number, number / 30, np.zeros((480, 640, 3), np.uint8), None) for number in frame_ids]
    return [np.c_[each.boxes_xyxy, each.scores].round(4).tolist() for each in boxes.detect_frames(frames)]


def test_boxes_are_those_of_their_frame_best_first_and_clipped_to_the_image(tmp_path: Path) -> None:
    rows = [("0.jpg", (10, 20, 30, 40), 0.25), ("7.jpg", (-5, 400, 50, 100), 0.5), ("0.jpg", (100, 0, 10, 480), 0.75)]
    rows += [("7.jpg", (700, 0, 20, 20), 1), ("7.jpg", (639.5, 0, 20, 20), 1)]
    boxes = read_video_detections(detections(tmp_path / "d.json", *rows, idx=1.0))
    assert found(boxes, 0, 1, 7) == [
        [[100, 0, 110, 480, 0.75], [10, 20, 40, 60, 0.25]],
        [],
        [[0, 400, 45, 480, 0.5]],
    ]


@pytest.mark.parametrize("image", [12, "12", "12.jpg", "000012.png", "frames/000012.jpg"])
def test_frame_is_matched_by_its_number_in_any_form(image: str | int, tmp_path: Path) -> None:
    boxes = read_video_detections(detections(tmp_path / "d.json", (image, (1, 2, 3, 4), 1)))
    assert found(boxes, 11, 12) == [[], [[1, 2, 4, 6, 1]]]


@pytest.mark.parametrize("image", ["a_000042.jpg", "some/folder/a_000042.jpg", 42])
def test_image_is_matched_by_its_name_or_its_id(image: str | int, tmp_path: Path) -> None:
    path, read = detections(tmp_path / "d.json", (image, (1, 2, 3, 4), 1)), ["7.jpg", "a_000042.jpg"]
    boxes, told = read_image_detections(path, ["7.jpg", "broken.jpg", "a_000042.jpg"], read)
    assert found(boxes, 0, 1) == [[], [[1, 2, 4, 6, 1]]]
    assert told == f"{path} has no box for 2 of 3 images (7.jpg, broken.jpg)"


def test_boxes_of_missing_images_are_reported(tmp_path: Path) -> None:
    path = detections(tmp_path / "d.json", *[(name, (1, 2, 3, 4), 1) for name in ("a.jpg", "b.jpg", 5)])
    boxes, told = read_image_detections(path, ["a.jpg"], ["a.jpg"])
    assert told == f"2 of the 3 images in {path} do not exist (b.jpg, 5)"
    assert found(boxes, 0) == [[[1, 2, 4, 6, 1]]]


def test_boxes_of_other_things_than_people_are_passed_over(tmp_path: Path) -> None:
    assert found(read_video_detections(detections(tmp_path / "d.json", (0, (1, 2, 3, 4), 1), category_id=17)), 0) == [[]]
    assert found(read_video_detections(detections(tmp_path / "e.json", (0, (1, 2, 3, 4), 1), category_id=1)), 0) != [[]]


@pytest.mark.parametrize(
    ("name", "number"),
    [("COCO_val2014_000000000042.jpg", 42), ("0042.png", 42), ("a.b_7.jpg", 7), ("a7.jpg", None)],
)
def test_image_id_is_the_last_part_of_its_name(name: str, number: int | None) -> None:
    assert coco_image_id(name) == number


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "Cannot read .*d.json: No such file"),
        ("", "is not a list of detections: .*Expected: .{.image_id.: .a.jpg., .bbox.: .x, y, width, height., .score.: 0.9}"),
        ('{"images": [], "annotations": []}', "is not a list of detections: Expected `array`, got `object`"),
        ('[{"image_id": "0.jpg", "box": [1, 2, 3, 4], "score": 1}]', r"missing required field `bbox` - at `\$\[0\]`"),
        ('[{"image_id": "0.jpg", "bbox": [1, 2, 3], "score": 1}]', "length 4"),
        ('[{"image_id": 0, "bbox": [1, 2, 3, 4], "score": "high"}]', "Expected `float`, got `str`"),
        ("[" * 100_000, "is not a list of detections"),
        ('[{"image_id": "0.jpg", "bbox": [1, 2, 3, 4], "score": 1, "b": ' + "[" * 100_000, "nested too deeply"),
        (f'[{{"image_id": "{"1" * 5000}.jpg", "bbox": [1, 2, 3, 4], "score": 1}}]', "is not a frame number"),
        (f'[{{"image_id": 1{"0" * 5000}, "bbox": [1, 2, 3, 4], "score": 1}}]', "is not"),
        (b"\xff\xfe[", "is not a list of detections"),
        ('[{"image_id": 0, "bbox": [9, 9, 3, 0], "score": 1}]', r"entry 0: bbox \[9.0, 9.0, 3.0, 0.0\] has no area"),
        ('[{"image_id": 0, "bbox": [1, 2, 3, 4], "score": 1.5}]', "entry 0: the score must be from 0 to 1, got 1.5"),
        ('[{"image_id": "front.jpg", "bbox": [1, 2, 3, 4], "score": 1}]', "is not for a video: front.jpg is not a frame number"),
    ],
)
def test_invalid_file_is_reported_in_one_line(content: str | bytes | None, words: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "d.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match=words) as caught:
        read_video_detections(tmp_path / "d.json")
    assert "\n" not in str(caught.value)


def test_file_of_other_images_is_refused(tmp_path: Path) -> None:
    path = detections(tmp_path / "d.json", *[(f"x{number}.jpg", (1, 2, 3, 4), 1) for number in range(5)])
    with pytest.raises(UsageError, match=r"no box for any image: it names x0.jpg, x1.jpg, x2.jpg, ..., the folder has a.jpg"):
        read_image_detections(path, ["a.jpg"], [])


def test_empty_list_gives_no_detections(tmp_path: Path) -> None:
    boxes, told = read_image_detections(detections(tmp_path / "d.json"), ["a.jpg"], ["a.jpg"])
    assert (found(boxes, 0), told) == ([[]], f"{tmp_path / 'd.json'} has no box for 1 of 1 images (a.jpg)")
