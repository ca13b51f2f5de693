"""Detection file: boxes that another program found, in COCO's results format, as for AlphaPose's --detfile."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import msgspec
import numpy as np

from remi_stream.detect.detector import ScoredBoxes
from remi_stream.errors import UsageError
from remi_stream.messages import Frame
from remi_stream.text_files import MAX_JSON_BYTES, decode_json, read_limited

PERSON_CATEGORY = 1
"""COCO's category id of people; other categories are ignored."""
MIN_BOX_PX = 1.0
"""Least width and height of a box inside the image."""
EXPECTED_FORMAT = '[{"image_id": "a.jpg", "bbox": [x, y, width, height], "score": 0.9}, ...]'
MAX_DIGITS = 18
"""Of a frame number."""
MAX_LISTED_NAMES = 3
"""Names listed in a message."""


class DetectionRow(msgspec.Struct):
    """An entry of the file; other keys are ignored."""

    image_id: str | int
    """File name of the image, or a number."""
    bbox: tuple[float, float, float, float]
    """x, y, width, height, px."""
    score: float
    """In [0, 1]."""
    category_id: int = PERSON_CATEGORY


class DetectionFile:
    """Replaces the detector by look-up in a detection file. rows: by the key that `key_of_frame` returns for a frame."""

    def __init__(self, sha256: str, rows: Mapping[Any, list[DetectionRow]], key_of_frame: Callable[[Frame], str | int]) -> None:
        self.sha256 = sha256
        """SHA-256 of the file."""
        self.has_matches: bool | None = None
        """Whether any frame had a box; None before the first frame."""
        self._rows, self._key_of_frame = rows, key_of_frame

    def detect_frames(self, frames: Sequence[Frame]) -> list[ScoredBoxes]:
        """Return the detections of each frame: boxes (N, 4) float32 px, best first, with scores."""
        rows_of_frames = [self._rows.get(self._key_of_frame(frame), []) for frame in frames]
        self.has_matches = bool(self.has_matches) or any(rows_of_frames)
        return [_clipped_detections(rows, frame.size) for rows, frame in zip(rows_of_frames, frames)]


def read_video_detections(path: Path) -> DetectionFile:
    """Read the detections of a video, by frame number from 0. Raises UsageError."""
    sha256, images = _read(path)
    numbers = {image: image if isinstance(image, int) else _frame_number(image) for image in images}
    if unknown := [str(image) for image, number in numbers.items() if number is None]:
        named = _list_names(unknown)
        raise UsageError(f"{path} is not for a video: {named} is not a frame number. Name them 0.jpg, 1.jpg, ... or 0, 1, ...")
    return DetectionFile(sha256, _regroup(images, numbers), lambda frame: frame.frame_id)


def read_image_detections(path: Path, files: Sequence[str], names: Sequence[str]) -> tuple[DetectionFile, str]:
    """Read the detections of an image folder, by file name with or without its folder, or by COCO's image id.

    files: all image files; names: those read so far, by frame_id. Returns a warning too, about images without boxes and boxes
    without images, or "". Raises UsageError if no image matches.
    """
    sha256, images = _read(path)
    numbered = {number: file for file in files if (number := coco_image_id(file)) is not None}
    known = {image: numbered.get(image) if isinstance(image, int) else PurePath(image).name for image in images}
    existing = set(files)
    unknown = [str(image) for image, name in known.items() if name not in existing]
    if images and len(unknown) == len(images):
        raise UsageError(f"{path} has no box for any image: it names {_list_names(unknown)}, the folder has {_list_names(files)}")
    rows = _regroup(images, known)
    without = [file for file in files if file not in rows]
    warnings = [f"{path} has no box for {len(without)} of {len(files)} images ({_list_names(without)})"] if without else []
    warnings += [f"{len(unknown)} of the {len(images)} images in {path} do not exist ({_list_names(unknown)})"] if unknown else []
    return DetectionFile(sha256, rows, lambda frame: names[frame.frame_id]), "; ".join(warnings)


def coco_image_id(name: str) -> int | None:
    """Return COCO's image id from a file name: COCO_val2014_000000000042.jpg is 42."""
    found = re.search(r"(?:^|_)(\d+)$", PurePath(name).stem)
    return int(found[1]) if found else None


def _frame_number(image: str) -> int | None:
    stem = PurePath(image).stem
    # isdigit alone is true for superscripts, which int() refuses, as it does thousands of digits
    return int(stem) if stem.isascii() and stem.isdigit() and len(stem) <= MAX_DIGITS else None


def _regroup(images: Mapping[str | int, list[DetectionRow]], keys: Mapping[str | int, Any]) -> dict[Any, list[DetectionRow]]:
    """Group the rows by new keys, of which several may be equal."""
    rows: dict[Any, list[DetectionRow]] = {}
    for image, own in images.items():
        rows.setdefault(keys[image], []).extend(own)
    return rows


def _read(path: Path) -> tuple[str, dict[str | int, list[DetectionRow]]]:
    """Return the file's SHA-256, and its rows of people by image. Raises UsageError."""
    data = _read_bytes(path)
    images: dict[str | int, list[DetectionRow]] = {}
    for number, row in enumerate(_rows(path, data)):
        _check_row(path, number, row)
        if row.category_id == PERSON_CATEGORY:
            images.setdefault(row.image_id, []).append(row)
    return hashlib.sha256(data).hexdigest(), images


def _read_bytes(path: Path) -> bytearray:
    try:
        return read_limited(path, MAX_JSON_BYTES)
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror}. Give a detection file: {EXPECTED_FORMAT}") from None
    except ValueError as error:
        raise UsageError(f"{path} cannot be used: {error}") from None


def _rows(path: Path, data: bytearray) -> list[DetectionRow]:
    try:
        return decode_json(data, list[DetectionRow])
    except ValueError as error:
        raise UsageError(f"{path} is not a list of detections: {error}. Expected: {EXPECTED_FORMAT}") from None


def _check_row(path: Path, number: int, row: DetectionRow) -> None:
    if not (row.bbox[2] > 0 and row.bbox[3] > 0):
        raise UsageError(f"{path}, entry {number}: bbox {list(row.bbox)} has no area. It is x, y, width, height, px")
    if not 0 <= row.score <= 1:
        raise UsageError(f"{path}, entry {number}: the score must be from 0 to 1, got {row.score:g}")


def _clipped_detections(rows: Sequence[DetectionRow], size: tuple[int, int]) -> ScoredBoxes:
    """Return the boxes clipped to an image of (width, height) px, best first."""
    boxes = np.array([(x, y, x + width, y + height) for x, y, width, height in (row.bbox for row in rows)]).reshape(-1, 4)
    boxes = np.clip(boxes, 0, [*size, *size])
    scores = np.array([row.score for row in rows])
    order = np.argsort(-scores, kind="stable")  # equal scores stay in the order of the file
    kept = order[(boxes[order, 2:] - boxes[order, :2] >= MIN_BOX_PX).all(1)]
    return ScoredBoxes(boxes[kept].astype(np.float32), scores[kept].astype(np.float32))


def _list_names(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_LISTED_NAMES]) + (", ..." if len(names) > MAX_LISTED_NAMES else "")
