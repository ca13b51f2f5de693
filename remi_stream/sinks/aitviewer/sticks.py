"""Skeleton meshes: a prism for each bone, for people without an SMPL pose."""

from __future__ import annotations

from functools import cache

import numpy as np

from remi_stream.geometry import unit_vectors
from remi_stream.skeletons import BONES

STICK_SIDES = 6
"""Sides of a bone's prism."""
STICK_RADIUS_M = 0.018
UNKNOWN_RADIUS_M = 1e-4
"""Radius of a bone with an unknown joint, m: not 0, as a triangle without area has no normal."""
POINTS_PER_BONE = 2 * STICK_SIDES + 2
"""Vertices of a bone: two rings and two tips."""


def stick_vertices(skeleton: str, joints_m: np.ndarray) -> np.ndarray | None:
    """Vertices (E * POINTS_PER_BONE, 3) float32 of bones between joints (J, 3), m, NaN: unknown; None if no bone is known."""
    edges = np.array(BONES.get(skeleton, ()), np.intp).reshape(-1, 2)
    ends = np.asarray(joints_m, float)[edges]
    known = np.isfinite(ends).all((1, 2))
    if not known.any():
        return None
    ends[~known] = ends[known][0, 0]  # hidden inside a known joint: the number of vertices must stay the same
    radii = np.where(known, STICK_RADIUS_M, UNKNOWN_RADIUS_M)[:, None, None]
    along = ends[:, 1] - ends[:, 0]
    along = unit_vectors(np.where(np.abs(along).max(1, keepdims=True) > 0, along, (0.0, 1.0, 0.0)))[:, None]
    ring = radii * _ring(along)
    tips = ends[:, :, None] + radii[:, None] * along[:, None] * np.array([-1.0, 1.0])[:, None, None]
    rings = (ends[:, :, None] + ring[:, None]).reshape(len(edges), -1, 3)
    return np.concatenate([rings, tips.reshape(len(edges), 2, 3)], axis=1).reshape(-1, 3).astype(np.float32)


@cache
def stick_faces(skeleton: str) -> np.ndarray:
    """The triangles (F, 3) int32 for the vertices of `stick_vertices`."""
    bones = np.arange(len(BONES.get(skeleton, ()))) * POINTS_PER_BONE
    return (bones[:, None, None] + _bone_faces()).reshape(-1, 3).astype(np.int32)


def _ring(along: np.ndarray) -> np.ndarray:
    """Unit vectors around each bone (E, STICK_SIDES, 3), counter-clockwise seen against along (E, 1, 3)."""
    least = np.eye(3)[np.abs(along[:, 0]).argmin(1)][:, None]
    u = unit_vectors(np.cross(along, least))
    v = np.cross(along, u)
    angles = np.linspace(0, 2 * np.pi, STICK_SIDES, endpoint=False)[:, None]
    return np.cos(angles) * u + np.sin(angles) * v


def _bone_faces() -> np.ndarray:
    """Triangles of one bone: two rings of STICK_SIDES points, then the tip before the first and the tip behind the second."""
    here = np.arange(STICK_SIDES)
    after, start, end = np.roll(here, -1), np.full(STICK_SIDES, 2 * STICK_SIDES), np.full(STICK_SIDES, 2 * STICK_SIDES + 1)
    side = [(here, after, here + STICK_SIDES), (after, after + STICK_SIDES, here + STICK_SIDES)]
    caps = [(start, after, here), (end, here + STICK_SIDES, after + STICK_SIDES)]
    return np.concatenate([np.stack(corners, axis=1) for corners in side + caps])
