"""A person's skin, ready to be drawn from any side."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from remi_stream.body.retarget import known_body, onto_known_body
from remi_stream.geometry import cross, unit
from remi_stream.messages import Person


class Figure(NamedTuple):
    """vertices: (V, 3) float32, m, film camera's axes. normals: (V, 3), outwards, of length 1. track_id: whose it is."""

    vertices: np.ndarray
    normals: np.ndarray
    track_id: int


def figures_of(people: list[Person]) -> list[Figure]:
    """The skins of those who have a pose that is made of numbers."""
    return [figure for person in people if (figure := figure_of(person)) is not None]


def figure_of(person: Person) -> Figure | None:
    """The skin of somebody; None without a pose."""
    if person.smpl is None:
        return None
    smpl = onto_known_body(person.smpl.body).smpl(person.smpl)
    vertices = known_body().vertices(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl)
    if not np.isfinite(vertices).all():
        return None
    return Figure(vertices, normals(vertices), person.track_id)


def normals(vertices: np.ndarray) -> np.ndarray:
    """The skin's directions (V, 3) outwards: the mean of the faces around a vertex, the large ones more."""
    a, b, c = (vertices[known_body().faces[:, k]] for k in range(3))
    return unit(faces_around() @ cross(b - a, c - a))


@cache
def faces_around() -> csr_matrix:
    """Which faces are around which vertices, (V, F) float32 of 0 and 1; vertices at one place have all faces of that place."""
    body = known_body()
    _, places = np.unique(body.v_template, axis=0, return_inverse=True)
    at = places.reshape(-1)[body.faces]
    counts = np.arange(len(body.faces)).repeat(3)
    around = csr_matrix((np.ones(at.size, np.float32), (at.reshape(-1), counts)), (at.max() + 1, len(body.faces)))
    return around[places.reshape(-1)]
