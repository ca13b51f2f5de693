"""Skins as shaded meshes, the nearest in front, with soft edges."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from remi_stream.body.retarget import known_body
from remi_stream.geometry import project
from remi_stream.render.camera import Camera
from remi_stream.render.figure import Figure
from remi_stream.render.light import STEPS, brightness, ramp
from remi_stream.render.raster import planes, visible

NEAREST_M = 0.1
"""What is nearer to the camera is left out, as is all that is behind it."""
STEP_M = 0.1
"""Where the depth changes by more from a pixel to the next, one limb is in front of another."""
NOWHERE_M = np.float32(1e9)
KERNEL = np.ones((3, 3), np.uint8)
CONTOUR = 0.8
"""How dark such edges are."""


def draw(image: np.ndarray, figures: Sequence[Figure], camera: Camera, opacity: float) -> None:
    """Draw figures into image (h, w, 3) uint8 BGR, the picture of that camera."""
    parts = [_triangles(figure, camera) for figure in figures]
    if not parts:
        return
    triangles_px, depths, light = (np.concatenate(arrays) for arrays in zip(*parts))
    whose = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
    pixels, faces = visible(triangles_px, depths, camera.size)
    if not len(pixels):
        return
    y, x = np.divmod(pixels, camera.size[0])
    along_x, along_y, at_zero = planes(triangles_px, light * (STEPS - 1))[faces].T
    steps = (along_x * x + along_y * y + at_zero).clip(0, STEPS - 1).astype(np.uint8)
    ramps = np.stack([ramp(figure.track_id) for figure in figures])
    _lay(image, y, x, ramps[whose[faces], steps], depths[faces], opacity)


def _triangles(figure: Figure, camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The triangles that face the camera: (F, 3, 2) px, their depths (F,) m, the light (F, 3) on their corners."""
    vertices, faces = camera.seen(figure.vertices), known_body().faces
    if vertices[:, 2].min() < NEAREST_M:
        faces = faces[(vertices[:, 2] > NEAREST_M)[faces].all(1)]
        vertices[:, 2] = vertices[:, 2].clip(NEAREST_M)
    points = project(vertices, camera.intrinsics)
    faces = faces[_facing(points, faces)]
    light = brightness(figure.normals @ camera.rotation.T)
    return points[faces], vertices[:, 2][faces].mean(1), light[faces]


def _facing(points_px: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Whose corners go round as they do when seen from outside: (F,) bool."""
    x, y = np.ascontiguousarray(points_px.T)
    (ax, bx, cx), (ay, by, cy) = (values[faces.T] for values in (x, y))
    return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax) < 0


def _lay(image: np.ndarray, y: np.ndarray, x: np.ndarray, colours: np.ndarray, depths: np.ndarray, opacity: float) -> None:
    """Lay pixels at y, x (P,), their colours (P, 3) uint8 and depths (P,) m over image."""
    top, left = max(0, y.min() - 1), max(0, x.min() - 1)
    part = image[top : y.max() + 2, left : x.max() + 2]
    paint, cover = np.zeros(part.shape, np.uint8), np.zeros(part.shape[:2], np.uint8)
    depth = np.zeros(cover.shape, np.float32)
    at = (y - top) * part.shape[1] + x - left
    paint.reshape(-1, 3)[at], cover.reshape(-1)[at], depth.reshape(-1)[at] = colours, 255, depths
    soft_cover = cv2.GaussianBlur(cover, (3, 3), 0)
    steps = _steps(depth, cover)
    _soften(paint, cover, soft_cover, steps)
    share = soft_cover * np.float32(opacity / 255)
    part[:] = cv2.blendLinear(paint, np.ascontiguousarray(part), share, 1 - share)


def _steps(depth: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Where one limb is in front of another: (h, w) bool. depth: 0 where there is no cover."""
    near = np.where(cover, depth, NOWHERE_M)
    return cv2.dilate(depth, KERNEL) - cv2.erode(near, KERNEL) > STEP_M


def _soften(paint: np.ndarray, cover: np.ndarray, soft_cover: np.ndarray, steps: np.ndarray) -> None:
    """Smooth the colours at edges, and give those outside of the cover a colour, in place."""
    edges = np.nonzero(steps | ((cover == 0) & (soft_cover > 0)))
    soft = cv2.GaussianBlur(paint, (3, 3), 0)[edges].astype(np.float32) * 255 / soft_cover[edges][:, None]
    paint[edges] = (soft.clip(0, 255) * np.where(steps[edges], CONTOUR, 1)[:, None]).astype(np.uint8)
