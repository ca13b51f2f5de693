"""YOLOv3 as POCO's and PARE's tracker uses it: padding, merging suppression, boxes of people in the picture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from parity.rows import Entries, Row, compare
from remi_stream.detect.letterbox import from_padded, padded
from remi_stream.detect.suppression import PERSON, candidates, merged

GROUP = "yolo_mk"
SIDE = 416
"""What the golden rows are px of."""
GREY = 1e-6
PX = 1e-3
RELATIVE = 1e-5


def check(entries: Entries, manifest: dict[str, Any]) -> Iterator[Row]:
    """The network's inputs of each size, then each pair of thresholds."""
    image = np.ascontiguousarray(entries["image_rgb"][..., ::-1])
    for side in numbers(entries, r"yolo_mk\.out\.input(\d+)_sub8"):
        picture = padded(image, int(side)) / np.float32(255)
        sub8 = picture.transpose(2, 0, 1)[:, ::8, ::8]
        yield compare(f"yolo_mk.out.input{side}_sub8", sub8, entries[f"yolo_mk.out.input{side}_sub8"], GREY)
        total = picture.sum(dtype=np.float64)
        yield compare(f"yolo_mk.out.input{side}_sum", total, entries[f"yolo_mk.out.input{side}_sum"], 0.0, RELATIVE)
    for name in numbers(entries, r"yolo_mk\.out\.nms_(c[\d.]+_n[\d.]+)"):
        yield from suppressed(name, image, entries)


def suppressed(name: str, image: np.ndarray, entries: Entries) -> Iterator[Row]:
    """One pair of thresholds, "c0.8_n0.4"."""
    least, overlap = name[1:].split("_n")
    found = merged(candidates(entries["yolo.in.decoded"][0], float(least)), float(overlap))
    yield compare(f"yolo_mk.out.nms_{name}", found, entries[f"yolo_mk.out.nms_{name}"], PX)
    found[:, :4] = from_padded(found[:, :4], SIDE, (image.shape[1], image.shape[0]))
    yield compare(f"yolo_mk.out.nms_{name}_rescaled", found, entries[f"yolo_mk.out.nms_{name}_rescaled"], PX)
    of_people = found[found[:, 6] == PERSON]
    boxes = np.column_stack([of_people[:, :4], of_people[:, 4] * of_people[:, 5]])
    yield compare(f"yolo_mk.out.person_boxes_c{least}", boxes, entries[f"yolo_mk.out.person_boxes_c{least}"], PX)


def numbers(entries: Entries, pattern: str) -> list[str]:
    """What stands in the parentheses of a pattern in the entries' names."""
    return sorted({match[1] for entry in entries if (match := re.fullmatch(pattern, entry))})
