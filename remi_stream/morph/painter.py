"""A surface as a picture, on the CPU, with the depth of each pixel its own."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.sparse import csr_matrix

from remi_stream.geometry import project
from remi_stream.morph.shading import background, shaded
from remi_stream.morph.surface import normals
from remi_stream.render.camera import Camera
from remi_stream.render.raster import covered, planes

FINE = 2
"""Everything is drawn so many times larger, and made smaller then, which softens the edges."""
DEPTHS = 2.0**31
NOTHING = np.uint64(2**64 - 1)
FACE = np.uint64(2**32 - 1)


class Painter:
    """Draws one surface again and again, in any of its shapes, in any thread. camera: of pictures FINE times as large."""

    own_thread = False

    def __init__(self, faces: np.ndarray, around: csr_matrix, camera: Camera) -> None:
        self._faces, self._around, self._camera = faces, around, camera
        self._empty = background(camera.size)

    def draw(self, vertices: np.ndarray, colours: np.ndarray, legible: bool = False) -> np.ndarray:
        """A picture (h, w, 3) uint8 RGB of vertices (V, 3) in colours (V, 3), RGB 0 to 255."""
        seen = self._camera.seen(vertices)
        triangles_px = project(seen, self._camera.intrinsics)[self._faces]
        pixels, faces = nearest(triangles_px, (1 / seen[:, 2])[self._faces], self._camera.size)
        paint = self._paint(vertices, colours, legible)
        shares = corner_shares(triangles_px, pixels, faces, self._camera.size[0])
        corners = self._faces[faces] + (len(vertices) * turned_away(triangles_px))[faces, None]
        image = self._empty.copy()
        image.reshape(-1, 3)[pixels] = sum(shares[k][:, None] * paint[corners[:, k]] for k in range(3))
        width, height = self._camera.size
        return cv2.resize(image, (width // FINE, height // FINE), interpolation=cv2.INTER_AREA)

    def _paint(self, vertices: np.ndarray, colours: np.ndarray, legible: bool) -> np.ndarray:
        """The colours of the vertices in the light, seen from outside, then seen from inside: (2 V, 3)."""
        outwards = normals(vertices, self._faces, self._around) @ self._camera.rotation.T
        return np.concatenate([shaded(colours, side, legible) for side in (outwards, -outwards)])


def nearest(triangles_px: np.ndarray, inverse: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Which triangle is to be seen where: pixel numbers (P,), y * width + x, each once, and triangle numbers (P,).

    triangles_px: (F, 3, 2) px; inverse: (F, 3), 1 / depth of their corners, which is even over a triangle's picture.
    """
    width, height = size
    pixels, faces = covered(triangles_px, size)
    y, x = np.divmod(pixels, width)
    low, high = inverse.min(1), inverse.max(1)
    found = np.clip(evenly(planes(triangles_px, inverse)[faces], x, y), low[faces], high[faces])
    least, most = (float(low.min()), float(high.max())) if len(low) else (0.0, 1.0)
    steps = ((most - found) * (DEPTHS / max(most - least, 1e-12))).astype(np.uint64)
    front = np.full(width * height, NOTHING)
    np.minimum.at(front, pixels, (steps << np.uint64(32)) | faces.astype(np.uint64))
    seen = np.flatnonzero(front != NOTHING)
    return seen, (front[seen] & FACE).astype(np.intp)


def corner_shares(triangles_px: np.ndarray, pixels: np.ndarray, faces: np.ndarray, width: int) -> list[np.ndarray]:
    """How much of each of the three corners there is in pixels (P,) of triangles (P,): (P,) float32 each, they sum to 1."""
    y, x = np.divmod(pixels, width)
    b, c = (evenly(planes(triangles_px, np.tile(np.eye(3)[k], (len(triangles_px), 1)))[faces], x, y) for k in (1, 2))
    return [share.astype(np.float32) for share in (1 - b - c, b, c)]


def evenly(along: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What `planes` (P, 3) are at x, y (P,)."""
    return along[:, 0] * x + along[:, 1] * y + along[:, 2]


def turned_away(triangles_px: np.ndarray) -> np.ndarray:
    """Which triangles are seen from inside: (F,) bool."""
    (ax, ay), (bx, by), (cx, cy) = (triangles_px[:, k].T for k in range(3))
    return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax) > 0
