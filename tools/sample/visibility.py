"""Visible share of each actor, by occlusion queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from sample.figure import Figure

Array = NDArray[Any]

WIDE_PX = (640, 360)
"""Twice the image's field of view, at a quarter of its resolution: includes people outside the image."""
IMAGE_PX = (160, 90, 320, 180)


class Visibility:
    """Counts pixels of silhouettes, alone and occluded by the others."""

    def __init__(self, gl: moderngl.Context, clip_from_world: Array) -> None:
        self.gl = gl
        self.target = gl.framebuffer(depth_attachment=gl.depth_renderbuffer(WIDE_PX))
        self.clip_from_world = np.diag([0.5, 0.5, 1, 1]) @ clip_from_world

    def shares(self, figures: Sequence[Figure]) -> Array:
        """Visible share of each figure in its current pose, not hidden by others or the image border: (P,) in [0, 1]."""
        self.target.use()
        return np.array([self._count_visible(figure, figures) / max(1, self._count(figure)) for figure in figures])

    def _count_visible(self, figure: Figure, figures: Sequence[Figure]) -> int:
        self.target.clear(depth=1.0)
        for other in figures:
            if other is not figure:
                other.outline(self.clip_from_world)
        self.target.scissor = IMAGE_PX
        visible = self._query(figure)
        self.target.scissor = (0, 0, *WIDE_PX)
        return visible

    def _count(self, figure: Figure) -> int:
        self.target.clear(depth=1.0)
        return self._query(figure)

    def _query(self, figure: Figure) -> int:
        query = self.gl.query(samples=True)
        with query:
            figure.outline(self.clip_from_world)
        return int(query.samples)
