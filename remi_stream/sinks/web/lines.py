"""Lines with a colour at each end, in the scene."""

from __future__ import annotations

import numpy as np
import viser

NOTHING = np.zeros((1, 2, 3), np.float32)


class Lines:
    """Browsers take a colour for each end only if there was one for each from the beginning. name: a node of the scene."""

    def __init__(self, scene: viser.SceneApi, name: str, thickness_m: float) -> None:
        self._lines = scene.add_line_segments(name, NOTHING, NOTHING.astype(np.uint8), thickness=thickness_m, visible=False)

    @property
    def visible(self) -> bool:
        """Whether they are to be seen."""
        return bool(self._lines.visible)

    def show(self, visible: bool) -> None:
        """Let them be seen, or not."""
        self._lines.visible = visible

    def draw(self, points: np.ndarray, colours: np.ndarray) -> None:
        """Draw from end to end: points (N, 2, 3), m; colours (N, 2, 3) uint8 sRGB."""
        self._lines.points = points if len(points) else NOTHING
        self._lines.colors = linear(colours) if len(points) else NOTHING.astype(np.uint8)


def linear(colours: np.ndarray) -> np.ndarray:
    """sRGB as linear light, both uint8: viser 1.1 shows the colours of lines' ends (only those) as if they were linear."""
    shares = colours / 255
    lit = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return (lit * 255).round().astype(np.uint8)
