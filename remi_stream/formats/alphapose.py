"""AlphaPose's result files: `alphapose-results.json` in the formats coco, cmu and open; the last two add one file per image."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from remi_stream.errors import UsageError
from remi_stream.sinks.recording.files import atomic_file

AlphaPoseFormat = Literal["coco", "cmu", "open"]
ALPHAPOSE_VERSION = "AlphaPose v0.3"
RESULTS_FILE = "alphapose-results.json"
OPENPOSE18_SOURCES = (0, 17, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""Indices of OpenPose's 18 joints in a model's joint order with the neck appended. A model of more than 17 joints has another
joint at index 17, which AlphaPose then writes as the neck; for compatibility so does this writer."""
SHOULDERS = [5, 6]
"""Indices of the left and right shoulder in COCO's order."""
FORMAT_KEYS = {"cmu": ("bodies", "joints"), "open": ("people", "pose_keypoints_2d")}
"""The JSON keys of each format: the list of people of an image, and the numbers of one person."""


class AlphaPoseResult(NamedTuple):
    """One person in one image."""

    image_id: str | int
    """File name of the image, or its COCO number."""
    keypoints_px: np.ndarray
    """(J, 2) px, in the model's joint order."""
    scores: np.ndarray
    """(J,) confidence of each key point."""
    score: float
    """AlphaPose's score of the person; it can exceed 1."""
    box_xywh: tuple[float, float, float, float]
    """The detection: x, y, width, height, px."""
    pose_ids: tuple[float, ...] = (0.0,)
    """The track id, or the ids of the poses that AlphaPose's pose NMS merged into this one."""


def image_id_of_name(name: str, is_coco_evaluation: bool = False) -> str | int:
    """Return the image id of a file name: its last part; for COCO's evaluation the number after the last underscore."""
    base = Path(name).name
    if not is_coco_evaluation:
        return base
    number = Path(base).stem.rpartition("_")[2]
    if not number.isdigit():
        raise UsageError(f"Image '{base}' has no COCO number; its name must end like _000000000139.jpg.")
    return int(number)


def frame_image_id(frame: int) -> str:
    """Return the image id of a video frame, as AlphaPose numbers them."""
    return f"{frame}.jpg"


def result_documents(results: Iterable[AlphaPoseResult], format_name: AlphaPoseFormat = "coco") -> dict[str, Any]:
    """Return the JSON documents by path inside the output folder; images without people are left out."""
    if format_name == "coco":
        return {RESULTS_FILE: [_object(result) for result in results]}
    images = _images(results, format_name)
    return {RESULTS_FILE: images, **{f"sep-json/{str(name).split('.')[0]}.json": image for name, image in images.items()}}


def write_results(folder: Path, results: Iterable[AlphaPoseResult], format_name: AlphaPoseFormat = "coco") -> list[Path]:
    """Write the files of a format into a folder, each atomically; return their paths. Raises OSError."""
    if format_name == "coco":
        return [_write_chunks(folder / RESULTS_FILE, json_list_chunks(_object(result) for result in results))]
    return [
        _write_chunks(folder / name, [json.dumps(document)]) for name, document in result_documents(results, format_name).items()
    ]


def json_list_chunks(objects: Iterable[Any]) -> Iterator[str]:
    """Yield a JSON list in chunks, so that the people of a long video are never all in memory."""
    yield "["
    for number, each in enumerate(objects):
        yield (", " if number else "") + json.dumps(each)
    yield "]"


def _write_chunks(path: Path, chunks: Iterable[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        file.writelines(chunk.encode() for chunk in chunks)
    return path


def read_results(path: Path) -> list[AlphaPoseResult]:
    """Read the people of an `alphapose-results.json` in the default format, in file order. Raises UsageError."""
    try:
        objects = json.loads(path.read_text())
        return [_result(each) for each in objects]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        kind = type(error).__name__
        raise UsageError(
            f"{path} cannot be used: it must be a list of AlphaPose results with image_id, keypoints, score ({kind}: {error})."
        ) from None


def _object(result: AlphaPoseResult) -> dict[str, Any]:
    return {
        "image_id": result.image_id,
        "category_id": 1,
        "keypoints": keypoint_triples(result).ravel().tolist(),
        "score": float(result.score),
        "box": [float(each) for each in result.box_xywh],
        "idx": [[float(each)] for each in result.pose_ids],
    }


def _result(entry: dict[str, Any]) -> AlphaPoseResult:
    numbers = np.array(entry["keypoints"], np.float32).reshape(-1, 3)
    x, y, width, height = (float(each) for each in entry.get("box", (0, 0, 0, 0)))
    ids = tuple(flatten_numbers(entry.get("idx", 0.0))) or (0.0,)
    return AlphaPoseResult(entry["image_id"], numbers[:, :2], numbers[:, 2], float(entry["score"]), (x, y, width, height), ids)


def flatten_numbers(numbers: Any) -> Iterator[float]:
    """Flatten nested lists of numbers; a single number is yielded as it is."""
    if isinstance(numbers, list):
        for each in numbers:
            yield from flatten_numbers(each)
    else:
        yield float(numbers)


def _images(results: Iterable[AlphaPoseResult], form: Literal["cmu", "open"]) -> dict[str, Any]:
    """Group the people by image, with OpenPose's 18 joints."""
    people, numbers = FORMAT_KEYS[form]
    images: dict[str, Any] = {}
    for result in results:
        image = images.setdefault(str(result.image_id), {"version": ALPHAPOSE_VERSION, people: []})
        image[people].append({numbers: to_openpose18(keypoint_triples(result)).ravel().tolist()})
    return images


def keypoint_triples(result: AlphaPoseResult) -> np.ndarray:
    """Return x, y (px) and score of each key point, (J, 3) float64."""
    return np.column_stack([result.keypoints_px, result.scores]).astype(float)


def to_openpose18(joints: np.ndarray) -> np.ndarray:
    """Convert key points (J, 3) that begin with COCO's 17 to OpenPose's 18, (18, 3)."""
    # COCO has no neck; as in AlphaPose it is the middle of the shoulders.
    neck = (joints[SHOULDERS[0]] + joints[SHOULDERS[1]]) / 2
    return np.vstack([joints, neck])[list(OPENPOSE18_SOURCES)]
