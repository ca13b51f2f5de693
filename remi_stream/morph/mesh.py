"""A surface of triangles, as a file or a recorded pose gives it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.errors import UsageError


class Texture(NamedTuple):
    """A picture on a surface. image: (h, w, 3) uint8 RGB. uv: (T, 2), 0 0 is its lower left corner. faces: (F, 3) into uv."""

    image: np.ndarray
    uv: np.ndarray
    faces: np.ndarray


class Mesh(NamedTuple):
    """vertices: (V, 3) float64, y up. faces: (F, 3) int32. unit: of lengths, "m", or "" where a file does not tell.

    colours: (V, 3) uint8 RGB, of the vertices.
    """

    name: str
    vertices: np.ndarray
    faces: np.ndarray
    unit: str = ""
    texture: Texture | None = None
    colours: np.ndarray | None = None

    @property
    def words(self) -> str:
        """How many there are."""
        return f"{len(self.vertices)} vertices, {len(self.faces)} faces"


def checked(mesh: Mesh) -> Mesh:
    """A mesh that can be drawn. Raises UsageError."""
    if not len(mesh.faces):
        raise UsageError(f"{mesh.name} is no mesh: it has {len(mesh.vertices)} vertices and no faces. Export it with its faces")
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        raise UsageError(f"{mesh.name} is damaged: a face has a corner beyond its {len(mesh.vertices)} vertices. Export it again")
    if not np.isfinite(mesh.vertices).all():
        raise UsageError(f"{mesh.name} is damaged: not all of its vertices are numbers. Export it again")
    return mesh


def same_topology(a: Mesh, b: Mesh) -> None:
    """Raise UsageError if vertex k of one is not vertex k of the other, as far as can be told."""
    if len(a.vertices) != len(b.vertices) or len(a.faces) != len(b.faces):
        raise UsageError(f"{a.name} ({a.words}) and {b.name} ({b.words}) are not of one topology. Take two poses of one mesh")
    if different := int((a.faces != b.faces).any(1).sum()):
        raise UsageError(
            f"{a.name} and {b.name} are not of one topology: {different} of {len(a.faces)} faces have other corners. "
            "Take two poses of one mesh, exported in the same way"
        )
