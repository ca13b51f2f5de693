"""YOLOv3 as in POCO's and PARE's tracker: padding, weighted NMS, boxes of people in the image."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from parity.rows import Entries, Row, compare
from remi_stream.detect.yolov3 import (
    PERSON_CLASS,
    boxes_from_letterbox_nearest,
    candidates_from_rows,
    letterbox_nearest,
    tracker_nms,
)

GROUP = "yolo_mk"
SIDE = 416
"""Image side of the golden rows, px."""
GREY = 1e-6
PX = 1e-3
RELATIVE = 1e-5


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """Check the network's inputs of each size, then NMS with each pair of thresholds."""
    image = np.ascontiguousarray(entries["image_rgb"][..., ::-1])
    for side in numbers(entries, r"yolo_mk\.out\.input(\d+)_sub8"):
        square = letterbox_nearest(image, int(side)) / np.float32(255)
        sub8 = square.transpose(2, 0, 1)[:, ::8, ::8]
        yield compare(f"yolo_mk.out.input{side}_sub8", sub8, entries[f"yolo_mk.out.input{side}_sub8"], GREY)
        total = square.sum(dtype=np.float64)
        yield compare(f"yolo_mk.out.input{side}_sum", total, entries[f"yolo_mk.out.input{side}_sum"], 0.0, RELATIVE)
    for name in numbers(entries, r"yolo_mk\.out\.nms_(c[\d.]+_n[\d.]+)"):
        yield from nms_rows(name, image, entries)


def nms_rows(name: str, image: np.ndarray, entries: Entries) -> Iterator[Row]:
    """Check one pair of thresholds, "c0.8_n0.4"."""
    confidence, overlap = name[1:].split("_n")
    rows = tracker_nms(candidates_from_rows(entries["yolo.in.decoded"][0], float(confidence)), float(overlap))
    yield compare(f"yolo_mk.out.nms_{name}", rows, entries[f"yolo_mk.out.nms_{name}"], PX)
    rows[:, :4] = boxes_from_letterbox_nearest(rows[:, :4], SIDE, (image.shape[1], image.shape[0]))
    yield compare(f"yolo_mk.out.nms_{name}_rescaled", rows, entries[f"yolo_mk.out.nms_{name}_rescaled"], PX)
    of_people = rows[rows[:, 6] == PERSON_CLASS]
    boxes = np.column_stack([of_people[:, :4], of_people[:, 4] * of_people[:, 5]])
    yield compare(f"yolo_mk.out.person_boxes_c{confidence}", boxes, entries[f"yolo_mk.out.person_boxes_c{confidence}"], PX)


def numbers(entries: Entries, pattern: str) -> list[str]:
    """First group of a pattern in all matching entry names, sorted."""
    return sorted({match[1] for entry in entries if (match := re.fullmatch(pattern, entry))})
