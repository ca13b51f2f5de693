"""Reads COCO key point files: the labelled people of pictures, with their masks.

Lin et al., "Microsoft COCO: Common Objects in Context" (2014). The names of the key points are taken from the file's
`categories`, so the files of other data sets in that format (AI Challenger, CrowdPose, PoseTrack, ...) can be read, too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from remi_stream.errors import UsageError
from remi_stream.skeletons import JOINT_NAMES

Segmentation = list[list[float]] | dict[str, Any]
"""Polygons x0 y0 x1 y1 ..., px, or run lengths by column ("counts") of an image of `size` (height, width)."""


class LabelledPerson(NamedTuple):
    """A person in a picture, as the file has it."""

    names: tuple[str, ...]
    """Names of the key points, BlazePose's where it has them."""
    keypoints_px: np.ndarray
    """(K, 2) px."""
    is_labelled: np.ndarray
    """(K,) bool."""
    box_xyxy: np.ndarray
    """(4,) px."""
    segmentation: Segmentation

    @property
    def size_px(self) -> float:
        """Square root of the box's area, px."""
        return float(np.sqrt(np.prod(self.box_xyxy[2:] - self.box_xyxy[:2])))

    def mask(self, size: tuple[int, int]) -> np.ndarray | None:
        """Return the mask (H, W) bool of an image of (width, height) px; None without a segmentation."""
        if not self.segmentation:
            return None
        if isinstance(self.segmentation, dict):
            return decode_run_lengths(self.segmentation)
        mask = np.zeros((size[1], size[0]), np.uint8)
        for polygon in self.segmentation:
            cv2.fillPoly(mask, [np.round(np.reshape(polygon, (-1, 2))).astype(np.int32)], 1)
        return mask.astype(bool)


class LabelledPicture(NamedTuple):
    """A picture with its labelled people."""

    path: Path
    people: list[LabelledPerson]
    """Also those without a labelled key point, of whom only the box is known."""


def read_pictures(path: Path) -> list[LabelledPicture]:
    """Read a COCO key point file; `file_name` is relative to its folder. Raises UsageError if it is none."""
    try:
        content = json.loads(path.read_text())
        names = {category["id"]: key_point_names(category.get("keypoints", ())) for category in content["categories"]}
        people: dict[int, list[LabelledPerson]] = {image["id"]: [] for image in content["images"]}
        for annotation in content["annotations"]:
            people[annotation["image_id"]].append(_person(annotation, names[annotation["category_id"]]))
        return [LabelledPicture(path.parent / image["file_name"], people[image["id"]]) for image in content["images"]]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UsageError(f"{path} is no COCO key point file ({type(error).__name__}: {error})") from None


def key_point_names(names: list[str]) -> tuple[str, ...]:
    """Write names of key points as skeletons.py does: "Right Shoulder" is "right_shoulder"."""
    return tuple(name.strip().lower().replace(" ", "_").replace("-", "_") for name in names)


def _person(annotation: dict[str, Any], names: tuple[str, ...]) -> LabelledPerson:
    values = np.array(annotation["keypoints"], float).reshape(len(names), 3)
    x, y, width, height = annotation["bbox"]
    box = np.array([x, y, x + width, y + height], float)
    return LabelledPerson(names, values[:, :2], values[:, 2] > 0, box, annotation.get("segmentation") or [])


def common_key_points(person: LabelledPerson, skeleton: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the labelled key points that a skeleton has, too: (N,) of the person, (N,) of the skeleton."""
    other = JOINT_NAMES[skeleton]
    own = [index for index, name in enumerate(person.names) if person.is_labelled[index] and name in other]
    return np.array(own, int), np.array([other.index(person.names[index]) for index in own], int)


def decode_run_lengths(segmentation: dict[str, Any]) -> np.ndarray:
    """Decode COCO's run lengths, as numbers or compressed to text, to a mask (H, W) bool."""
    height, width = segmentation["size"]
    counts = segmentation["counts"]
    runs = np.array(_runs_of_text(counts) if isinstance(counts, str) else counts, int)
    values = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return values.reshape(width, height).T


def _runs_of_text(text: str) -> list[int]:
    """Decode COCO's text: five bits a character, a flag that more follow; from the fourth on, changes of the last but one."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    return runs
