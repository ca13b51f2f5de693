"""Visible share and silhouette of each actor, from depth buffers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from sample.camera import Camera
from sample.figure import Figure, compile_shaders, set_matrix
from sample.furniture import Block, block_triangles

Array = NDArray[Any]

WIDE_PX = (640, 360)
"""Twice the image's field of view, at a low resolution: includes people outside the image."""
IMAGE_PX = (160, 90, 320, 180)
SILHOUETTE_SCALE = 2
"""The silhouettes' pixels are this many times as large as the image's."""


class Visibility:
    """Counts pixels of silhouettes, alone and occluded by the others and by furniture."""

    def __init__(self, gl: moderngl.Context, camera: Camera, furniture: Sequence[Block] = ()) -> None:
        self.gl = gl
        self.target = gl.framebuffer(depth_attachment=gl.depth_renderbuffer(WIDE_PX))
        self.image_from_world = camera.clip_from_world()
        self.clip_from_world = np.diag([0.5, 0.5, 1, 1]) @ self.image_from_world
        self.size = (camera.size[0] // SILHOUETTE_SCALE, camera.size[1] // SILHOUETTE_SCALE)
        self.depth = gl.depth_texture(self.size)
        self.alone = gl.framebuffer(depth_attachment=self.depth)
        self.program = compile_shaders(gl, "depth", "depth")
        # a degenerate triangle, so that the array is never empty
        corners = np.concatenate([np.zeros((3, 3)), *(block_triangles(block)[:, :3] for block in furniture)])
        self.furniture = gl.vertex_array(self.program, [(gl.buffer(corners.astype("f4").tobytes()), "3f", "position")])

    def shares(self, figures: Sequence[Figure]) -> Array:
        """Share of each figure that neither others nor furniture nor the image border hide: (P,) in [0, 1]."""
        self.target.use()
        return np.array([self._count_visible(figure, figures) / max(1, self._count(figure)) for figure in figures])

    def silhouettes(self, figures: Sequence[Figure]) -> Array:
        """Silhouette of each figure as if it were alone: (P, H / 2, W / 2) bool."""
        self.alone.use()
        drawn = []
        for figure in figures:
            self.alone.clear(depth=1.0)
            figure.outline(self.image_from_world)
            drawn.append(np.frombuffer(self.depth.read(), np.float32).reshape(self.size[::-1])[::-1] < 1)
        return np.array(drawn)

    def _count_visible(self, figure: Figure, figures: Sequence[Figure]) -> int:
        self.target.clear(depth=1.0)
        for other in figures:
            if other is not figure:
                other.outline(self.clip_from_world)
        set_matrix(self.program, "clip_from_world", self.clip_from_world)
        self.furniture.render()
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
