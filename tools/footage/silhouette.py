"""Silhouettes of posed meshes."""

from __future__ import annotations

import numpy as np

from remi_stream.body.known_bodies import known_body
from remi_stream.geometry import Intrinsics, project
from remi_stream.messages import Person
from remi_stream.render.mesh import posed_mesh
from remi_stream.render.rasteriser import covered_pixels

MIN_DEPTH_M = 0.05
"""Triangles nearer to the camera than this are left out."""


def silhouette(person: Person, intrinsics: Intrinsics, size: tuple[int, int]) -> np.ndarray | None:
    """Return which pixels of an image of (width, height) px the person's mesh covers, (H, W) bool; None without a mesh."""
    mesh = posed_mesh(person)
    return None if mesh is None else vertices_silhouette(mesh.vertices, intrinsics, size)


def vertices_silhouette(vertices: np.ndarray, intrinsics: Intrinsics, size: tuple[int, int]) -> np.ndarray:
    """Return which pixels vertices (V, 3) m of the body that is drawn cover, camera frame: (H, W) bool."""
    faces = known_body().faces
    faces = faces[(vertices[:, 2] > MIN_DEPTH_M)[faces].all(1)]
    points = project(np.maximum(vertices, [-np.inf, -np.inf, MIN_DEPTH_M]), intrinsics)
    pixels, _ = covered_pixels(points[faces].astype(float), size)
    mask = np.zeros(size[0] * size[1], bool)
    mask[pixels] = True
    return mask.reshape(size[1], size[0])


def mask_iou(mask: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two masks (H, W) bool; NaN if both are empty."""
    union = np.count_nonzero(mask | other)
    return np.count_nonzero(mask & other) / union if union else float("nan")
