"""A fake detector network: its rows are the coloured rectangles of its input."""

from __future__ import annotations

import numpy as np

from remi_stream.detect.yolov3 import PERSON_CLASS, Yolov3Detector, tracker_convention

DOG = 16
RED, BLUE = 0, 2


def row(box_xyxy: tuple[float, ...], objectness: float, score: float = 0.95, kind: int = PERSON_CLASS) -> np.ndarray:
    """One row (85,) of the network."""
    x0, y0, x1, y1 = box_xyxy
    classes = np.full(80, 0.01)
    classes[kind] = score
    return np.array([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0, objectness, *classes], np.float32)


class Draws:
    """A network whose rows are the red and the blue rectangle of its input square, and nothing else."""

    name = "draws"

    def __init__(self, objectness: float = 0.95, score: float = 0.95, kind: int = PERSON_CLASS) -> None:
        self.told = (objectness, score, kind)
        self.shown: list[tuple[int, ...]] = []

    def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        image = tensors["image"]
        assert image.dtype == np.uint8
        self.shown.append(image.shape)
        rows = [row((0, 0, 10, 10), 0.01)] * 50
        for colour, other in ((RED, BLUE), (BLUE, RED)):
            y, x = np.nonzero((image[0, :, :, colour] > 150) & (image[0, :, :, other] < 100))
            if len(x):
                rows.append(row((x.min(), y.min(), x.max() + 1, y.max() + 1), *self.told))
        return {"rows": np.array(rows)[None]}


def open_drawn(threads: int) -> Yolov3Detector:
    return Yolov3Detector("drawn", Draws(), tracker_convention(0.8, 0.7), 416)


def scene(size: tuple[int, int] = (640, 480)) -> tuple[np.ndarray, np.ndarray]:
    """An image (H, W, 3) uint8 BGR with a red and a blue rectangle, and where they are (2, 4)."""
    width, height = size
    boxes = np.array([[0.1, 0.2, 0.3, 0.9], [0.6, 0.1, 0.8, 0.7]]) * (width, height, width, height)
    image = np.full((height, width, 3), 40, np.uint8)
    for colour, (x0, y0, x1, y1) in zip(((40, 40, 250), (250, 40, 40)), boxes.astype(int)):
        image[y0:y1, x0:x1] = colour
    return image, boxes
