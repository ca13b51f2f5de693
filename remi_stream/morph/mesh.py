"""Triangle mesh with texture or vertex colours: validation, triangulation of polygons, reading of texture images."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from remi_stream.errors import UsageError


def fan_triangles(sizes: np.ndarray) -> np.ndarray:
    """Triangulate polygons as fans: corner indices (F, 3). sizes: (P,), corners per polygon, which are numbered consecutively."""
    starts = np.cumsum(sizes) - sizes  # first corner of each polygon
    counts = np.maximum(sizes - 2, 0)
    first = np.repeat(starts, counts)
    step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.stack([first, first + step + 1, first + step + 2], 1)


log = logging.getLogger(__name__)


def read_texture_image(path: Path) -> np.ndarray | None:
    """Read a texture image (h, w, 3) uint8 RGB; None with a warning if it is unreadable."""
    try:
        data = path.read_bytes()
    except OSError as error:
        log.warning("texture %s cannot be read: %s", path, error.strerror)
        return None
    return decode_texture_image(data, str(path))


def decode_texture_image(data: bytes, name: str) -> np.ndarray | None:
    """Decode a texture image (h, w, 3) uint8 RGB; None with a warning if it is invalid."""
    # cv2.imdecode raises for empty data and returns None for invalid data
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if image is None:
        log.warning("texture %s is not a readable image", name)
        return None
    return np.ascontiguousarray(image[..., ::-1])


class Texture(NamedTuple):
    """A texture image with its UV map."""

    image: np.ndarray
    """(h, w, 3) uint8 RGB."""
    uv: np.ndarray
    """(T, 2) texture coordinates; (0, 0) is the lower left corner."""
    faces: np.ndarray
    """(F, 3), indices into uv."""


class TriangleMesh(NamedTuple):
    """A triangle mesh."""

    name: str
    vertices: np.ndarray
    """(V, 3) float64, y up."""
    faces: np.ndarray
    """(F, 3) int32."""
    unit: str = ""
    """Of lengths: "m", or "" if the file has none."""
    texture: Texture | None = None
    vertex_rgb: np.ndarray | None = None
    """(V, 3) uint8 RGB vertex colours."""

    @property
    def summary(self) -> str:
        """Numbers of vertices and faces, as text."""
        return f"{len(self.vertices)} vertices, {len(self.faces)} faces"


def validate_mesh(mesh: TriangleMesh) -> TriangleMesh:
    """Validate that a mesh has faces, valid indices and finite vertices. Raises UsageError."""
    if not len(mesh.faces):
        raise UsageError(
            f"{mesh.name} is not a mesh: it has {len(mesh.vertices)} vertices and no faces. Export it with its faces"
        )
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        raise UsageError(f"{mesh.name} is damaged: a face index exceeds its {len(mesh.vertices)} vertices. Export it again")
    if not np.isfinite(mesh.vertices).all():
        raise UsageError(f"{mesh.name} is damaged: not all of its vertices are finite. Export it again")
    return mesh


def require_same_topology(a: TriangleMesh, b: TriangleMesh) -> None:
    """Raise UsageError unless two meshes have the same vertex count and the same faces."""
    if len(a.vertices) != len(b.vertices) or len(a.faces) != len(b.faces):
        raise UsageError(f"{a.name} ({a.summary}) and {b.name} ({b.summary}) differ in topology. Use two poses of one mesh")
    if different := int((a.faces != b.faces).any(1).sum()):
        raise UsageError(
            f"{a.name} and {b.name} differ in topology: {different} of {len(a.faces)} faces have other vertices. "
            "Use two poses of one mesh, exported with the same settings"
        )
