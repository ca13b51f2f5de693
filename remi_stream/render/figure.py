"""The SMPL mesh of a person, posed, with vertex normals."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from remi_stream.body.retarget import known_body, retargeter_to_known_body
from remi_stream.geometry import cross_product, unit_vectors
from remi_stream.messages import Person


class PosedMesh(NamedTuple):
    """The posed mesh of one person."""

    vertices: np.ndarray
    """(V, 3) float32, m, video camera frame."""
    normals: np.ndarray
    """(V, 3), outwards, unit length."""
    track_id: int


def posed_meshes(people: list[Person]) -> list[PosedMesh]:
    """Pose the meshes of all people that have a finite SMPL pose."""
    return [figure for person in people if (figure := posed_mesh(person)) is not None]


def posed_mesh(person: Person) -> PosedMesh | None:
    """Pose the mesh of a person; None without a finite SMPL pose."""
    if person.smpl is None:
        return None
    smpl = retargeter_to_known_body(person.smpl.body).retarget(person.smpl)
    vertices = known_body().vertices(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl)
    if not np.isfinite(vertices).all():
        return None
    return PosedMesh(vertices, skin_normals(vertices), person.track_id)


def skin_normals(vertices: np.ndarray) -> np.ndarray:
    """Vertex normals (V, 3), outwards: the area-weighted mean of the normals of the adjacent faces."""
    a, b, c = (vertices[known_body().faces[:, k]] for k in range(3))
    return unit_vectors(skin_vertex_faces() @ cross_product(b - a, c - a))


@cache
def skin_vertex_faces() -> csr_matrix:
    """Vertex-face adjacency matrix (V, F) float32 of 0 and 1; coincident vertices share the faces of all of them."""
    # Without merging coincident vertices, the seams between them would show in the shading.
    body = known_body()
    _, merged = np.unique(body.v_template, axis=0, return_inverse=True)
    rows = merged.reshape(-1)[body.faces]
    columns = np.arange(len(body.faces)).repeat(3)
    adjacency = csr_matrix((np.ones(rows.size, np.float32), (rows.reshape(-1), columns)), (rows.max() + 1, len(body.faces)))
    return adjacency[merged.reshape(-1)]
