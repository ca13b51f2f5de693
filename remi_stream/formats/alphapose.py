"""AlphaPose's result files: `alphapose-results.json` in its three forms, and one file per image beside it for two of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from remi_stream.errors import UsageError
from remi_stream.sinks.recording.files import written_whole

Form = Literal["coco", "cmu", "open"]
VERSION = "AlphaPose v0.3"
RESULTS = "alphapose-results.json"
SOURCES = (0, 17, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""Where the 18 joints of OpenPose stand in a model's order with the neck appended. A model of more than 17 joints has another
joint at 17, which AlphaPose then writes as the neck; so do we."""
SHOULDERS = [5, 6]
NAMES = {"cmu": ("bodies", "joints"), "open": ("people", "pose_keypoints_2d")}
"""What each form calls the people of an image, and the numbers of one."""


class Result(NamedTuple):
    """One person in one image.

    image_id: see `image_id`. keypoints_px (J, 2), scores (J,): in the model's order. score: AlphaPose's, can exceed 1.
    box_xywh: x, y, width, height px, the detection's. ids: of the poses that were averaged into this one.
    """

    image_id: str | int
    keypoints_px: np.ndarray
    scores: np.ndarray
    score: float
    box_xywh: tuple[float, float, float, float]
    ids: tuple[float, ...] = (0.0,)


def image_id(name: str, evaluation: bool = False) -> str | int:
    """What an image's file name becomes: its last part; for COCO's evaluation the number behind the last underscore."""
    base = Path(name).name
    if not evaluation:
        return base
    number = Path(base).stem.rpartition("_")[2]
    if not number.isdigit():
        raise UsageError(f"Image '{base}' has no COCO number; its name must end like _000000000139.jpg.")
    return int(number)


def frame_image_id(frame: int) -> str:
    """What the frame of a video becomes."""
    return f"{frame}.jpg"


def documents(results: Iterable[Result], form: Form = "coco") -> dict[str, Any]:
    """What is to be written, by path inside the output folder; images without people do not appear."""
    if form == "coco":
        return {RESULTS: [_object(result) for result in results]}
    images = _images(results, form)
    return {RESULTS: images, **{f"sep-json/{str(name).split('.')[0]}.json": image for name, image in images.items()}}


def write(folder: Path, results: Iterable[Result], form: Form = "coco") -> list[Path]:
    """Write the files of this form into a folder, each whole or not at all; give their paths. Raises OSError."""
    if form == "coco":
        return [_written(folder / RESULTS, listed(_object(result) for result in results))]
    return [_written(folder / name, [json.dumps(document)]) for name, document in documents(results, form).items()]


def listed(objects: Iterable[Any]) -> Iterator[str]:
    """A list in JSON, piece by piece: a long film's people are never all in memory."""
    yield "["
    for number, each in enumerate(objects):
        yield (", " if number else "") + json.dumps(each)
    yield "]"


def _written(path: Path, text: Iterable[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as file:
        file.writelines(piece.encode() for piece in text)
    return path


def read(path: Path) -> list[Result]:
    """The people of an `alphapose-results.json` in the default form, in its order."""
    try:
        objects = json.loads(path.read_text())
        return [_result(each) for each in objects]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        kind = type(error).__name__
        raise UsageError(
            f"{path} cannot be used: it must be a list of AlphaPose results with image_id, keypoints, score ({kind}: {error})."
        ) from None


def _object(result: Result) -> dict[str, Any]:
    return {
        "image_id": result.image_id,
        "category_id": 1,
        "keypoints": triples(result).ravel().tolist(),
        "score": float(result.score),
        "box": [float(each) for each in result.box_xywh],
        "idx": [[float(each)] for each in result.ids],
    }


def _result(found: dict[str, Any]) -> Result:
    numbers = np.array(found["keypoints"], np.float32).reshape(-1, 3)
    x, y, width, height = (float(each) for each in found.get("box", (0, 0, 0, 0)))
    ids = tuple(flat(found.get("idx", 0.0))) or (0.0,)
    return Result(found["image_id"], numbers[:, :2], numbers[:, 2], float(found["score"]), (x, y, width, height), ids)


def flat(numbers: Any) -> Iterator[float]:
    """The numbers of nested lists, or of one."""
    if isinstance(numbers, list):
        for each in numbers:
            yield from flat(each)
    else:
        yield float(numbers)


def _images(results: Iterable[Result], form: Literal["cmu", "open"]) -> dict[str, Any]:
    """The people by image, as the 18 joints of OpenPose."""
    people, numbers = NAMES[form]
    images: dict[str, Any] = {}
    for result in results:
        image = images.setdefault(str(result.image_id), {"version": VERSION, people: []})
        image[people].append({numbers: openpose(triples(result)).ravel().tolist()})
    return images


def triples(result: Result) -> np.ndarray:
    """x, y, score of each joint, (J, 3) float64."""
    return np.column_stack([result.keypoints_px, result.scores]).astype(float)


def openpose(joints: np.ndarray) -> np.ndarray:
    """The 18 joints of OpenPose, (18, 3), of a model's joints (J, 3) that begin with COCO's 17."""
    neck = (joints[SHOULDERS[0]] + joints[SHOULDERS[1]]) / 2
    return np.vstack([joints, neck])[list(SOURCES)]
