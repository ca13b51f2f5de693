"""Line segments in the viser scene with a colour at each end."""

from __future__ import annotations

import numpy as np
import viser

NO_LINES = np.zeros((1, 2, 3), np.float32)
"""A segment without length in place of an empty array."""


class ColouredLines:
    """Line segments of one scene node. viser's client takes a colour per end only if the node was created with one per end."""

    def __init__(self, scene: viser.SceneApi, name: str, thickness_m: float) -> None:
        self._lines = scene.add_line_segments(name, NO_LINES, NO_LINES.astype(np.uint8), thickness=thickness_m, visible=False)

    @property
    def is_visible(self) -> bool:
        """Whether the lines are shown."""
        return bool(self._lines.visible)

    def set_visible(self, visible: bool) -> None:
        """Show or hide the lines."""
        self._lines.visible = visible

    def draw(self, points: np.ndarray, colours: np.ndarray) -> None:
        """Set the segments: points (N, 2, 3), m; colours (N, 2, 3) uint8 sRGB."""
        self._lines.points = points if len(points) else NO_LINES
        self._lines.colors = linear_from_srgb(colours) if len(points) else NO_LINES.astype(np.uint8)


def linear_from_srgb(colours: np.ndarray) -> np.ndarray:
    """Convert sRGB to linear light, both uint8: viser 1.1 takes the colours of line ends, and only those, as linear."""
    shares = colours / 255
    lit = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return (lit * 255).round().astype(np.uint8)
