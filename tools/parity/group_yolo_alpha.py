"""YOLOv3 as in AlphaPose: letterbox, NMS, boxes in the image."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from parity.rows import Entries, Row, compare
from remi_stream.detect.yolov3 import (
    PERSON_CLASS,
    alphapose_nms,
    boxes_from_letterbox_bicubic,
    candidates_from_rows,
    letterbox_bicubic,
)

GROUP = "yolo_alpha"
SIDE, INPUT_SIDE = 416, 608
"""Image sides of the golden rows and of the golden input, px."""
GREY = 2 / 255
"""Versions of OpenCV differ by this much in cubic interpolation."""
PX = 1e-3
RELATIVE = 1e-4


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """Check the network's input, then NMS of its rows."""
    image = np.ascontiguousarray(entries["image_rgb"][..., ::-1])
    letterbox = letterbox_bicubic(image, INPUT_SIDE) / np.float32(255)
    sub8 = letterbox.transpose(2, 0, 1)[:, ::8, ::8]
    yield compare("yolo_alpha.out.input608_sub8", sub8, entries["yolo_alpha.out.input608_sub8"], GREY)
    total = letterbox.sum(dtype=np.float64)
    yield compare("yolo_alpha.out.input608_sum", total, entries["yolo_alpha.out.input608_sum"], 0.0, RELATIVE)
    for entry in entries:
        if match := re.fullmatch(r"yolo_alpha\.out\.nms_c([\d.]+)_n([\d.]+)", entry):
            rows = candidates_from_rows(entries["yolo.in.decoded"][0], float(match[1]))
            rows = alphapose_nms(rows[rows[:, 6] == PERSON_CLASS], float(match[2]))
            yield compare(entry, in_batch(rows), entries[entry], PX)
            rows[:, :4] = boxes_from_letterbox_bicubic(rows[:, :4], SIDE, (image.shape[1], image.shape[0]))
            yield compare("yolo_alpha.out.full_image_dets", in_batch(rows), entries["yolo_alpha.out.full_image_dets"], PX)


def in_batch(rows: np.ndarray) -> np.ndarray:
    """Prepend the image's index in the batch to each row, as AlphaPose does."""
    return np.column_stack([np.zeros(len(rows)), rows])
