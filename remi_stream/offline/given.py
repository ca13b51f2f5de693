"""People's boxes that were found before, by another program: a COCO results file, as AlphaPose takes with --detfile."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import msgspec
import numpy as np

from remi_stream.detect.detector import Found
from remi_stream.errors import UsageError
from remi_stream.messages import Frame

PERSON = 1
"""COCO's number for people; boxes of other kinds are passed over."""
LEAST_PX = 1.0
LAYOUT = '[{"image_id": "a.jpg", "bbox": [x, y, width, height], "score": 0.9}, ...]'
TOLD = 3


class Row(msgspec.Struct):
    """One box. image_id: a picture's file name, or a number. bbox: x, y, width, height, px. The rest is passed over."""

    image_id: str | int
    bbox: tuple[float, float, float, float]
    score: float
    category_id: int = PERSON


class GivenBoxes:
    """Takes the detector's place: who is in a frame is looked up. words: others when the file is another one.

    fits: whether there was a box for any frame; None while none was looked at.

    rows: by what `of` says of a frame; where there are none, nobody is there.
    """

    def __init__(self, words: str, rows: Mapping[Any, list[Row]], of: Callable[[Frame], str | int]) -> None:
        self.words = words
        self.fits: bool | None = None
        self._rows, self._of = rows, of

    def search(self, frames: Sequence[Frame]) -> list[Found]:
        """Everybody in each frame: boxes (N, 4) float32 px, best first, and their scores."""
        found = [self._rows.get(self._of(frame), []) for frame in frames]
        self.fits = bool(self.fits) or any(found)
        return [_found(rows, frame.size) for rows, frame in zip(found, frames)]


def boxes_of_film(path: Path) -> GivenBoxes:
    """Boxes by the number of their frame, from 0. Raises UsageError."""
    words, images = _read(path)
    numbers = {image: image if isinstance(image, int) else _frame(image) for image in images}
    if strange := [str(image) for image, number in numbers.items() if number is None]:
        raise UsageError(f"{path} is not of a film: {_some(strange)} is no frame. Name them 0.jpg, 1.jpg, ... or 0, 1, ...")
    return GivenBoxes(words, _joined(images, numbers), lambda frame: frame.frame_id)


def boxes_of_pictures(path: Path, files: Sequence[str], names: Sequence[str]) -> tuple[GivenBoxes, str]:
    """Boxes by the name of their picture, with or without a folder, or by COCO's number, the last in a name.

    files: all that are there; names: those that were read, by frame_id, once they are. Gives what people should know of pictures
    without boxes, and boxes without pictures, too. Raises UsageError if nothing fits.
    """
    words, images = _read(path)
    numbered = {number: file for file in files if (number := number_of(file)) is not None}
    known = {image: numbered.get(image) if isinstance(image, int) else PurePath(image).name for image in images}
    strange = [str(image) for image, name in known.items() if name not in files]
    if images and len(strange) == len(images):
        raise UsageError(f"{path} has no box for any picture: it names {_some(strange)}, the folder has {_some(files)}")
    rows = _joined(images, known)
    without = [file for file in files if file not in rows]
    told = [f"{path} has no box for {len(without)} of {len(files)} pictures ({_some(without)})"] if without else []
    told += [f"{len(strange)} of the {len(images)} images in {path} are not there ({_some(strange)})"] if strange else []
    return GivenBoxes(words, rows, lambda frame: names[frame.frame_id]), "; ".join(told)


def number_of(name: str) -> int | None:
    """The number that COCO has for a picture of this name: COCO_val2014_000000000042.jpg is 42."""
    found = re.search(r"(?:^|_)(\d+)$", PurePath(name).stem)
    return int(found[1]) if found else None


def _frame(image: str) -> int | None:
    stem = PurePath(image).stem
    return int(stem) if stem.isascii() and stem.isdigit() else None


def _joined(images: Mapping[str | int, list[Row]], keys: Mapping[str | int, Any]) -> dict[Any, list[Row]]:
    """The boxes of images under other keys, some of which may be the same."""
    rows: dict[Any, list[Row]] = {}
    for image, own in images.items():
        rows.setdefault(keys[image], []).extend(own)
    return rows


def _read(path: Path) -> tuple[str, dict[str | int, list[Row]]]:
    """What the file is, in words, and its boxes of people by image. Raises UsageError."""
    data = _bytes(path)
    images: dict[str | int, list[Row]] = {}
    for number, row in enumerate(_rows(path, data)):
        _check(path, number, row)
        if row.category_id == PERSON:
            images.setdefault(row.image_id, []).append(row)
    return hashlib.sha256(data).hexdigest(), images


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror}. Give a file of detections: {LAYOUT}") from None


def _rows(path: Path, data: bytes) -> list[Row]:
    try:
        return msgspec.json.decode(data, type=list[Row])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no list of detections: {error}. Wanted: {LAYOUT}") from None


def _check(path: Path, number: int, row: Row) -> None:
    if not (row.bbox[2] > 0 and row.bbox[3] > 0):
        raise UsageError(f"{path}, entry {number}: bbox {list(row.bbox)} has no area. It is x, y, width, height, px")
    if not 0 <= row.score <= 1:
        raise UsageError(f"{path}, entry {number}: a score is from 0 to 1, got {row.score:g}")


def _found(rows: Sequence[Row], size: tuple[int, int]) -> Found:
    """The boxes as far as they are in a picture of (width, height) px."""
    boxes = np.array([(x, y, x + width, y + height) for x, y, width, height in (row.bbox for row in rows)]).reshape(-1, 4)
    boxes = np.clip(boxes, 0, [*size, *size])
    scores = np.array([row.score for row in rows])
    order = np.argsort(-scores, kind="stable")
    kept = order[(boxes[order, 2:] - boxes[order, :2] >= LEAST_PX).all(1)]
    return Found(boxes[kept].astype(np.float32), scores[kept].astype(np.float32))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:TOLD]) + (", ..." if len(names) > TOLD else "")
