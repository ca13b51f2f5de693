"""AlphaPose's result files, `alphapose-results.json`: exports of a take, and the input of lifting.

They are written in the formats coco, cmu and open, the last two with one more file per image, and read in the format coco.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from remi_stream.atomic_files import atomic_file
from remi_stream.detect.detector import ScoredBoxes
from remi_stream.errors import UsageError
from remi_stream.export.clip import KeypointClip, coco_first_keypoints, make_clip, require_one_video
from remi_stream.geometry import bounding_box
from remi_stream.messages import Bodies, Person
from remi_stream.recordings.results import DETECTED_BOX_KEY, DETECTED_SCORE_KEY
from remi_stream.recordings.take import Take, numbered_frames
from remi_stream.text_files import read_json
from remi_stream.tracking.offline import OfflineTracker

AlphaPoseFormat = Literal["coco", "cmu", "open"]
ALPHAPOSE_VERSION = "AlphaPose v0.3"
"""Value of "version" in the formats cmu and open."""
RESULTS_FILE = "alphapose-results.json"
OPENPOSE18_SOURCES = (0, 17, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""Indices of OpenPose's 18 joints in a model's joint order with the neck appended. A model of more than 17 joints has another
joint at index 17, which AlphaPose then writes as the neck; for compatibility so does this writer."""
SHOULDERS = [5, 6]
"""Indices of the left and right shoulder in COCO's order."""
FORMAT_KEYS = {"cmu": ("bodies", "joints"), "open": ("people", "pose_keypoints_2d")}
"""The JSON keys of each format: the list of people of an image, and the numbers of one person."""
COCO_JOINT_COUNT = 17
"""The first joints of every model, in COCO's order; only these are lifted."""
KEYPOINT_COUNTS = (17, 26, 136)
"""Key-point counts of AlphaPose's models whose first 17 are COCO's: COCO, Halpe 26, Halpe 136."""
BEST_KEYPOINT_WEIGHT = 1.25
"""Weight of the best key point in AlphaPose's person score: mean + box score + 1.25 * best."""
ASSUMED_FPS = 30.0
"""Frame rate at which people without track ids are tracked: the file has none."""
UNTRACKED_IDS = (0.0,)
"""The ids of people in an image folder, where there is no tracking."""


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


def write_alphapose_coco(take: Take, folder: Path) -> list[Path]:
    """Write `alphapose-results.json` in COCO's format: a list of people."""
    return write_results(folder, alphapose_results(take), "coco")


def write_alphapose_cmu(take: Take, folder: Path) -> list[Path]:
    """Write `alphapose-results.json` by image, with 18 joints as "bodies", and one file per image."""
    return write_results(folder, alphapose_results(take), "cmu")


def write_alphapose_open(take: Take, folder: Path) -> list[Path]:
    """Write `alphapose-results.json` by image, with 18 joints as "people", and one file per image."""
    return write_results(folder, alphapose_results(take), "open")


def alphapose_results(take: Take) -> Iterator[AlphaPoseResult]:
    """Yield the results of all people, frame by frame."""
    for number, bodies in numbered_frames(take):
        name = image_id_of_name(take.images[number]) if take.images else frame_image_id(number)
        for person in bodies.people:
            if (result := make_result(name, bodies, person, is_tracked=not take.images)) is not None:
                yield result


def make_result(name: str | int, bodies: Bodies, person: Person, is_tracked: bool) -> AlphaPoseResult | None:
    """Convert one person; None without COCO's joints. The box and its score are the detector's, or else the engine's."""
    keypoints = coco_first_keypoints(person, bodies.intrinsics)
    if keypoints is None:
        return None
    points, scores = keypoints
    x0, y0, x1, y1 = (float(edge) for edge in person.native.get(DETECTED_BOX_KEY, person.box_xyxy))
    box_score = float(person.native.get(DETECTED_SCORE_KEY, np.array([person.score]))[0])
    ids = (float(person.track_id),) if is_tracked else UNTRACKED_IDS
    return AlphaPoseResult(name, points, scores, pose_score(scores, box_score), (x0, y0, x1 - x0, y1 - y0), ids)


def pose_score(scores: np.ndarray, box_score: float) -> float:
    """Return AlphaPose's person score from the key points' scores (K,) and the box score; it can exceed 1."""
    return float(scores.mean() + box_score + BEST_KEYPOINT_WEIGHT * scores.max())


def read_alphapose_clips(path: Path) -> list[KeypointClip]:
    """Read one clip per track; people without track ids are tracked here, by their boxes. Raises UsageError."""
    results = read_results(path)
    for result in results:
        if len(result.keypoints_px) not in KEYPOINT_COUNTS:
            known = ", ".join(map(str, KEYPOINT_COUNTS))
            raise UsageError(f"{path} has people of {len(result.keypoints_px)} key points; known are {known}.")
    if not results:
        raise UsageError(f"{path} shows no person: there is nothing to lift.")
    frames = frame_numbers([result.image_id for result in results])
    # a pose that pose NMS merged has several ids; the first is that of the pose that was kept
    tracks = [result.pose_ids[0] for result in results]
    if len(set(tracks)) == 1 and len(set(frames)) < len(frames):
        require_one_video(path.stem, len(set(frames)), max(frames) - min(frames) + 1)
        tracks = track_people(results, frames)
    rows_by_track: dict[float, list[int]] = {}
    for row, track in enumerate(tracks):
        rows_by_track.setdefault(track, []).append(row)
    is_alone = len(rows_by_track) == 1
    return [
        _clip(path.stem if is_alone else f"{path.stem}-{_id_text(track)}", [(frames[row], results[row]) for row in rows])
        for track, rows in rows_by_track.items()
    ]


def _id_text(track: float) -> str:
    """Ids are whole numbers in files of numbers with a point; `:g` would round them above 999,999."""
    return repr(float(track)).removesuffix(".0")


def track_people(results: Sequence[AlphaPoseResult], frames: Sequence[int]) -> list[float]:
    """Return the track of each result, from 1, by the motion of its box; frames: (n,) the frame number of each result."""
    tracker, tracks = OfflineTracker(), np.zeros(len(results))
    numbers, starts = np.unique(np.sort(frames), return_index=True)
    rows_by_frame = np.split(np.argsort(frames, kind="stable"), starts[1:])
    for frame, rows in zip(numbers.tolist(), rows_by_frame):
        boxes = np.array([_box_xyxy(results[row]) for row in rows.tolist()], np.float32)
        for track, index in tracker.assign(None, ScoredBoxes(boxes, np.ones(len(rows), np.float32)), frame / ASSUMED_FPS):
            tracks[int(rows[index])] = tracker.assign_track_id(track)
    return tracks.tolist()


def _box_xyxy(result: AlphaPoseResult) -> np.ndarray:
    """The detection's box (4,) px; without one, the key points' bounding box."""
    x, y, width, height = result.box_xywh
    box = np.array([x, y, x + width, y + height]) if width > 0 and height > 0 else bounding_box(result.keypoints_px)
    return np.concatenate([box[:2], np.maximum(box[2:], box[:2] + 1)])


def _clip(name: str, poses: Iterable[tuple[int, AlphaPoseResult]]) -> KeypointClip:
    """The clip of one track from its frame numbers and poses: of each frame the best."""
    best: dict[int, AlphaPoseResult] = {}
    for frame, result in poses:
        if frame not in best or result.score > best[frame].score:
            best[frame] = result
    numbers = sorted(best)
    return make_clip(name, np.array(numbers), np.array([best[frame].keypoints_px[:COCO_JOINT_COUNT] for frame in numbers]))


def frame_numbers(images: Sequence[str | int]) -> list[int]:
    """Return the frame number of each image: the number at the end of its name if all names share one prefix, else its index."""
    matches = [re.fullmatch(r"(.*?)(\d+)", Path(str(image)).stem) for image in images]
    if all(matches) and len({match[1] for match in matches if match}) == 1:
        return [int(match[2]) for match in matches if match]
    indices = {image: index for index, image in enumerate(dict.fromkeys(images))}
    return [indices[image] for image in images]


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
        return [_result(each) for each in read_json(path)]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError) as error:
        kind = type(error).__name__
        raise UsageError(
            f"{path} cannot be used: it must be a list of AlphaPose results with image_id, keypoints, score ({kind}: {error})."
        ) from None


def _object(result: AlphaPoseResult) -> dict[str, Any]:
    return {
        "image_id": result.image_id,
        "category_id": 1,  # COCO's number of the class person
        "keypoints": keypoint_triples(result).ravel().tolist(),
        "score": float(result.score),
        "box": [float(each) for each in result.box_xywh],
        # nested as in AlphaPose's files
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
