"""YOLOv3 as AlphaPose uses it: letterbox, plain suppression, boxes in the picture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from parity.rows import Entries, Row, compare
from remi_stream.detect.letterbox import from_letterboxed, letterboxed
from remi_stream.detect.suppression import PERSON, candidates, thinned

GROUP = "yolo_alpha"
SIDE, INPUT_SIDE = 416, 608
"""What the golden rows are px of, and the golden picture's side."""
GREY = 2 / 255
"""Cubic splines differ by this much between versions of OpenCV."""
PX = 1e-3
RELATIVE = 1e-4


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """The network's input, then what is made of its rows."""
    image = np.ascontiguousarray(entries["image_rgb"][..., ::-1])
    picture = letterboxed(image, INPUT_SIDE) / np.float32(255)
    sub8 = picture.transpose(2, 0, 1)[:, ::8, ::8]
    yield compare("yolo_alpha.out.input608_sub8", sub8, entries["yolo_alpha.out.input608_sub8"], GREY)
    total = picture.sum(dtype=np.float64)
    yield compare("yolo_alpha.out.input608_sum", total, entries["yolo_alpha.out.input608_sum"], 0.0, RELATIVE)
    for entry in entries:
        if match := re.fullmatch(r"yolo_alpha\.out\.nms_c([\d.]+)_n([\d.]+)", entry):
            found = candidates(entries["yolo.in.decoded"][0], float(match[1]))
            found = thinned(found[found[:, 6] == PERSON], float(match[2]))
            yield compare(entry, in_batch(found), entries[entry], PX)
            found[:, :4] = from_letterboxed(found[:, :4], SIDE, (image.shape[1], image.shape[0]))
            yield compare("yolo_alpha.out.full_image_dets", in_batch(found), entries["yolo_alpha.out.full_image_dets"], PX)


def in_batch(found: np.ndarray) -> np.ndarray:
    """With the number of the picture in its batch before each row, as AlphaPose has it."""
    return np.column_stack([np.zeros(len(found)), found])
