"""Synthetic detector for tests and benchmarks: always one person in the middle of the image."""

from __future__ import annotations

import numpy as np

from remi_stream.detect.detector import ScoredBoxes
from remi_stream.messages import FrameView


def open_synthetic_detector(threads: int) -> SyntheticDetector:
    """Make the detector; it needs no threads."""
    return SyntheticDetector()


class SyntheticDetector:
    """Detects the middle half of every image."""

    name = "synthetic"
    view = FrameView(longest_side=64)

    def detect(self, image: np.ndarray) -> ScoredBoxes:
        """One box for a whole image, none for its square tiles, or there would be several people."""
        height, width = image.shape[:2]
        if width == height:
            return ScoredBoxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
        box = np.array([[width / 4, height / 4, width * 3 / 4, height * 3 / 4]], np.float32)
        return ScoredBoxes(box, np.ones(1, np.float32))
