"""Export the people of a take as AlphaPose results (formats coco, cmu, open)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from remi_stream.formats.alphapose import AlphaPoseFormat, AlphaPoseResult, frame_image_id, image_id_of_name, write_results
from remi_stream.formats.coco_people import coco_first_keypoints
from remi_stream.formats.frame_numbers import numbered_frames
from remi_stream.formats.take import Take
from remi_stream.messages import Bodies, Person
from remi_stream.offline.results import DETECTED_BOX_KEY, DETECTED_SCORE_KEY

BEST_KEYPOINT_WEIGHT = 1.25
"""Weight of the best key point in AlphaPose's person score: mean + box score + 1.25 * best."""
UNTRACKED_IDS = (0.0,)
"""The ids of people in an image folder, where there is no tracking."""


def write_alphapose_coco(take: Take, folder: Path) -> list[Path]:
    """Write `alphapose-results.json` in COCO's format: a list of people."""
    return _write(take, folder, "coco")


def write_alphapose_cmu(take: Take, folder: Path) -> list[Path]:
    """Write `alphapose-results.json` by image, with 18 joints as "bodies", and one file per image."""
    return _write(take, folder, "cmu")


def write_alphapose_open(take: Take, folder: Path) -> list[Path]:
    """Write `alphapose-results.json` by image, with 18 joints as "people", and one file per image."""
    return _write(take, folder, "open")


def _write(take: Take, folder: Path, form: AlphaPoseFormat) -> list[Path]:
    return write_results(folder, alphapose_results(take), form)


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
