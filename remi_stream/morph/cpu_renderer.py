"""Mesh renderer on the CPU: z-buffer, colours interpolated between the vertices, both sides of a face lit."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.sparse import csr_matrix

from remi_stream.geometry import project
from remi_stream.render.camera import RenderCamera, Size
from remi_stream.render.colours import shade_colours
from remi_stream.render.rasteriser import barycentric_weights, signed_areas, z_buffer
from remi_stream.render.surface import vertex_normals

SUPERSAMPLING = 2
"""Supersampling factor for anti-aliasing: images are rendered larger and then reduced."""
BACKGROUND_TOP, BACKGROUND_BOTTOM = (248, 249, 250), (222, 226, 230)
"""The background, RGB, at the top and at the bottom."""


class CpuMeshRenderer:
    """Renders one mesh in any of its shapes, in any thread. camera: of images SUPERSAMPLING times the final size."""

    own_thread = False

    def __init__(self, faces: np.ndarray, vertex_faces: csr_matrix, camera: RenderCamera) -> None:
        self._faces, self._around, self._camera = faces, vertex_faces, camera
        self._empty = background_image(camera.size)

    def render(self, vertices: np.ndarray, colours: np.ndarray, flat_shading: bool = False) -> np.ndarray:
        """Render vertices (V, 3) with colours (V, 3), RGB 0 to 255: (h, w, 3) uint8 RGB."""
        in_camera = self._camera.to_camera(vertices)
        points_px = project(in_camera, self._camera.intrinsics)
        triangles_px = points_px[self._faces]
        # a z-buffer, not the painter's algorithm: meshes of users may have large triangles that cross
        pixels, faces = z_buffer(triangles_px, (1 / in_camera[:, 2])[self._faces], self._camera.size)
        shaded_colours = self._shade_both_sides(vertices, colours, flat_shading)
        weights = barycentric_weights(triangles_px, pixels, faces, self._camera.size[0])
        # back faces use the second half of the colours, those of the inside: + V on their vertex indices
        corners = self._faces[faces] + (len(vertices) * (signed_areas(points_px, self._faces) > 0))[faces, None]
        image = self._empty.copy()
        image.reshape(-1, 3)[pixels] = sum(weights[k][:, None] * shaded_colours[corners[:, k]] for k in range(3))
        width, height = self._camera.size
        return cv2.resize(image, (width // SUPERSAMPLING, height // SUPERSAMPLING), interpolation=cv2.INTER_AREA)

    def _shade_both_sides(self, vertices: np.ndarray, colours: np.ndarray, flat_shading: bool) -> np.ndarray:
        """Shaded vertex colours, of the outside and then of the inside: (2 V, 3)."""
        outwards = vertex_normals(vertices, self._faces, self._around) @ self._camera.rotation.T
        return np.concatenate([shade_colours(colours, side, flat_shading) for side in (outwards, -outwards)])


def background_image(size: Size) -> np.ndarray:
    """Make the background, a vertical gradient, (h, w, 3) uint8 RGB."""
    width, height = size
    down = np.linspace(0, 1, height)[:, None, None]
    rows = np.array(BACKGROUND_TOP) + (np.array(BACKGROUND_BOTTOM) - np.array(BACKGROUND_TOP)) * down
    return np.broadcast_to(rows.round().astype(np.uint8), (height, width, 3)).copy()
