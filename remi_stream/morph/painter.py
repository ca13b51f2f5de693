"""Mesh renderer on the CPU, with a per-pixel z-buffer."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.sparse import csr_matrix

from remi_stream.geometry import project
from remi_stream.morph.surface import background_image, shade_colours, vertex_normals
from remi_stream.render.camera import RenderCamera
from remi_stream.render.rasteriser import covered_pixels, interpolation_planes

SUPERSAMPLING = 2
"""Supersampling factor for anti-aliasing: images are rendered larger and then reduced."""
DEPTH_STEPS = 2.0**31
"""Quantisation steps of the depth."""
EMPTY_PIXEL = np.uint64(2**64 - 1)
"""z-buffer value of empty pixels."""
FACE_MASK = np.uint64(2**32 - 1)
"""Mask of the triangle index in a z-buffer value."""


class CpuMeshRenderer:
    """Renders one mesh in any of its shapes, in any thread. camera: of images SUPERSAMPLING times the final size."""

    own_thread = False

    def __init__(self, faces: np.ndarray, vertex_faces: csr_matrix, camera: RenderCamera) -> None:
        self._faces, self._around, self._camera = faces, vertex_faces, camera
        self._empty = background_image(camera.size)

    def render(self, vertices: np.ndarray, colours: np.ndarray, flat_shading: bool = False) -> np.ndarray:
        """Render vertices (V, 3) with colours (V, 3), RGB 0 to 255: (h, w, 3) uint8 RGB."""
        in_camera = self._camera.to_camera(vertices)
        triangles_px = project(in_camera, self._camera.intrinsics)[self._faces]
        pixels, faces = z_buffer(triangles_px, (1 / in_camera[:, 2])[self._faces], self._camera.size)
        shaded_colours = self._shade_both_sides(vertices, colours, flat_shading)
        weights = barycentric_weights(triangles_px, pixels, faces, self._camera.size[0])
        corners = self._faces[faces] + (len(vertices) * is_back_facing(triangles_px))[faces, None]
        image = self._empty.copy()
        image.reshape(-1, 3)[pixels] = sum(weights[k][:, None] * shaded_colours[corners[:, k]] for k in range(3))
        width, height = self._camera.size
        return cv2.resize(image, (width // SUPERSAMPLING, height // SUPERSAMPLING), interpolation=cv2.INTER_AREA)

    def _shade_both_sides(self, vertices: np.ndarray, colours: np.ndarray, legible: bool) -> np.ndarray:
        """Shaded vertex colours, of the outside and then of the inside: (2 V, 3)."""
        outwards = vertex_normals(vertices, self._faces, self._around) @ self._camera.rotation.T
        return np.concatenate([shade_colours(colours, side, legible) for side in (outwards, -outwards)])


def z_buffer(triangles_px: np.ndarray, inverse_depths: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Find the visible triangle of each pixel with a z-buffer: pixel indices (P,), y * width + x, and triangle indices (P,).

    triangles_px: (F, 3, 2) px; inverse_depths: (F, 3), 1 / depth of the corners, which is linear in image coordinates.
    """
    width, height = size
    pixels, faces = covered_pixels(triangles_px, size)
    y, x = np.divmod(pixels, width)
    low, high = inverse_depths.min(1), inverse_depths.max(1)
    at_pixels = np.clip(evaluate_planes(interpolation_planes(triangles_px, inverse_depths)[faces], x, y), low[faces], high[faces])
    minimum, maximum = (float(low.min()), float(high.max())) if len(low) else (0.0, 1.0)
    depths = ((maximum - at_pixels) * (DEPTH_STEPS / max(maximum - minimum, 1e-12))).astype(np.uint64)
    # Depth in the high half and triangle index in the low half of one integer: a single minimum gives both.
    buffer = np.full(width * height, EMPTY_PIXEL)
    np.minimum.at(buffer, pixels, (depths << np.uint64(32)) | faces.astype(np.uint64))
    filled = np.flatnonzero(buffer != EMPTY_PIXEL)
    return filled, (buffer[filled] & FACE_MASK).astype(np.intp)


def barycentric_weights(triangles_px: np.ndarray, pixels: np.ndarray, faces: np.ndarray, width: int) -> list[np.ndarray]:
    """Barycentric weights of the three corners at pixels (P,) of triangles (P,): (P,) float32 each, sum 1."""
    y, x = np.divmod(pixels, width)
    b, c = (
        evaluate_planes(interpolation_planes(triangles_px, np.tile(np.eye(3)[k], (len(triangles_px), 1)))[faces], x, y)
        for k in (1, 2)
    )
    return [share.astype(np.float32) for share in (1 - b - c, b, c)]


def evaluate_planes(planes: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Evaluate interpolation planes (P, 3) at x, y (P,)."""
    return planes[:, 0] * x + planes[:, 1] * y + planes[:, 2]


def is_back_facing(triangles_px: np.ndarray) -> np.ndarray:
    """Which triangles are back-facing by winding order: (F,) bool."""
    (ax, ay), (bx, by), (cx, cy) = (triangles_px[:, k].T for k in range(3))
    return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax) > 0
