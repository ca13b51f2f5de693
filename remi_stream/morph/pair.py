"""A pair of meshes with the same topology, and their differences."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from remi_stream.morph import textures
from remi_stream.morph.mesh import TriangleMesh, require_same_topology
from remi_stream.morph.passage import MorphEnd, MorphPath, end_mesh, morph_path
from remi_stream.morph.surface import merge_coincident_vertices, vertex_face_matrix

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MorphPair:
    """Two meshes, the path between them, and their differences."""

    a: TriangleMesh
    b: TriangleMesh
    path: MorphPath
    """Vertices at any share of the morph."""
    vertex_faces: csr_matrix
    """(V, F) vertex-face adjacency of 0 and 1."""
    displacements: np.ndarray
    """(V, 3), displacement vectors from a to b."""
    distances: np.ndarray
    """(V,), their lengths."""
    texture_differences: np.ndarray | None
    """(h, w) float32, difference of the textures, 0 to 255; None unless both have one."""

    @property
    def unit(self) -> str:
        """Of lengths: "m", or "" if unknown or different."""
        return self.a.unit if self.a.unit == self.b.unit else ""


def make_morph_pair(start: MorphEnd, end: MorphEnd) -> MorphPair:
    """Make the pair of two ends of a morph. Raises UsageError if their topologies differ."""
    a, b = end_mesh(start), end_mesh(end)
    require_same_topology(a, b)
    moved = b.vertices - a.vertices
    around = vertex_face_matrix(a.faces, merge_coincident_vertices(a.vertices, b.vertices))
    return MorphPair(a, b, morph_path(start, end), around, moved, np.sqrt((moved * moved).sum(1)), _texture_differences(a, b))


def _texture_differences(a: TriangleMesh, b: TriangleMesh) -> np.ndarray | None:
    untextured = [mesh.name for mesh in (a, b) if mesh.texture is None]
    if a.texture and b.texture:
        if a.texture.image.shape != b.texture.image.shape:
            log.warning("the texture of %s is resized to that of %s for the comparison", b.name, a.name)
        return textures.texture_difference(a.texture, b.texture)
    level = logging.INFO if len(untextured) == 2 else logging.WARNING
    log.log(level, "no texture in %s: textures are not compared", " and ".join(untextured))
    return None
