"""Triangle mesh with texture or vertex colours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.errors import UsageError


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
