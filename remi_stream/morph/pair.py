"""Two meshes of one topology, and what is known of them."""

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
    """around: which faces are around which vertices. moved: (V, 3), from a to b; lengths: (V,), how far.

    differences: (h, w) float32, of the textures, 0 to 255; None if not both have one.
    """

    a: Mesh
    b: Mesh
    passage: Passage
    around: csr_matrix
    moved: np.ndarray
    lengths: np.ndarray
    differences: np.ndarray | None

    @property
    def unit(self) -> str:
        """Of lengths: "m", or "" if it is not known, or not the same."""
        return self.a.unit if self.a.unit == self.b.unit else ""


def pair_of(start: End, end: End) -> Pair:
    """The pair of two ends. Raises UsageError if they are not of one topology."""
    a, b = mesh_of(start), mesh_of(end)
    same_topology(a, b)
    moved = b.vertices - a.vertices
    around = faces_around(a.faces, places(a.vertices, b.vertices))
    return Pair(a, b, passage(start, end), around, moved, np.sqrt((moved * moved).sum(1)), _differences(a, b))


def _differences(a: Mesh, b: Mesh) -> np.ndarray | None:
    without = [mesh.name for mesh in (a, b) if mesh.texture is None]
    if a.texture and b.texture:
        if a.texture.image.shape != b.texture.image.shape:
            log.warning("the texture of %s is brought to the size of that of %s to be compared", b.name, a.name)
        return textures.difference(a.texture, b.texture)
    log.log(logging.INFO if len(without) == 2 else logging.WARNING, "no texture in %s: none compared", " and ".join(without))
    return None
