"""A pair of meshes with the same topology, and their differences."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from remi_stream.morph import textures
from remi_stream.morph.mesh import Mesh, same_topology
from remi_stream.morph.passage import End, Passage, mesh_of, passage
from remi_stream.morph.surface import faces_around, places

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pair:
    """Two meshes, the path between them, and their differences."""

    a: Mesh
    b: Mesh
    passage: Passage
    """Vertices at any share of the morph."""
    around: csr_matrix
    """(V, F) vertex-face adjacency of 0 and 1."""
    moved: np.ndarray
    """(V, 3), displacement vectors from a to b."""
    lengths: np.ndarray
    """(V,), their lengths."""
    differences: np.ndarray | None
    """(h, w) float32, difference of the textures, 0 to 255; None unless both have one."""

    @property
    def unit(self) -> str:
        """Of lengths: "m", or "" if unknown or different."""
        return self.a.unit if self.a.unit == self.b.unit else ""


def pair_of(start: End, end: End) -> Pair:
    """Make the pair of two ends of a morph. Raises UsageError if their topologies differ."""
    a, b = mesh_of(start), mesh_of(end)
    same_topology(a, b)
    moved = b.vertices - a.vertices
    around = faces_around(a.faces, places(a.vertices, b.vertices))
    return Pair(a, b, passage(start, end), around, moved, np.sqrt((moved * moved).sum(1)), _texture_differences(a, b))


def _texture_differences(a: Mesh, b: Mesh) -> np.ndarray | None:
    untextured = [mesh.name for mesh in (a, b) if mesh.texture is None]
    if a.texture and b.texture:
        if a.texture.image.shape != b.texture.image.shape:
            log.warning("the texture of %s is resized to that of %s for the comparison", b.name, a.name)
        return textures.difference(a.texture, b.texture)
    level = logging.INFO if len(untextured) == 2 else logging.WARNING
    log.log(level, "no texture in %s: textures are not compared", " and ".join(untextured))
    return None
