"""Skeleton meshes: a prism for each bone, for people without an SMPL pose."""

from __future__ import annotations

from functools import cache

import numpy as np

from remi_stream.geometry import unit
from remi_stream.skeletons import EDGES

SIDES = 6
"""Sides of a bone's prism."""
RADIUS_M = 0.018
HIDDEN_M = 1e-4
"""Radius of a bone with an unknown joint, m: not 0, as a triangle without area has no normal."""
POINTS = 2 * SIDES + 2
"""Vertices of a bone: two rings and two tips."""


def sticks(skeleton: str, joints_m: np.ndarray) -> np.ndarray | None:
    """Vertices (E * POINTS_PER_BONE, 3) float32 of bones between joints (J, 3), m, NaN: unknown; None if no bone is known."""
    edges = np.array(EDGES.get(skeleton, ()), np.intp).reshape(-1, 2)
    ends = np.asarray(joints_m, float)[edges]
    known = np.isfinite(ends).all((1, 2))
    if not known.any():
        return None
    ends[~known] = ends[known][0, 0]  # hidden inside a known joint: the number of vertices must stay the same
    radii = np.where(known, RADIUS_M, HIDDEN_M)[:, None, None]
    along = ends[:, 1] - ends[:, 0]
    along = unit(np.where(np.abs(along).max(1, keepdims=True) > 0, along, (0.0, 1.0, 0.0)))[:, None]
    ring = radii * _ring(along)
    tips = ends[:, :, None] + radii[:, None] * along[:, None] * np.array([-1.0, 1.0])[:, None, None]
    rings = (ends[:, :, None] + ring[:, None]).reshape(len(edges), -1, 3)
    return np.concatenate([rings, tips.reshape(len(edges), 2, 3)], axis=1).reshape(-1, 3).astype(np.float32)


@cache
def stick_faces(skeleton: str) -> np.ndarray:
    """The triangles (F, 3) int32 for the vertices of `stick_vertices`."""
    bones = np.arange(len(EDGES.get(skeleton, ()))) * POINTS
    return (bones[:, None, None] + _bone_faces()).reshape(-1, 3).astype(np.int32)


def _ring(along: np.ndarray) -> np.ndarray:
    """Unit vectors around each bone (E, STICK_SIDES, 3), counter-clockwise seen against along (E, 1, 3)."""
    least = np.eye(3)[np.abs(along[:, 0]).argmin(1)][:, None]
    u = unit(np.cross(along, least))
    v = np.cross(along, u)
    angles = np.linspace(0, 2 * np.pi, SIDES, endpoint=False)[:, None]
    return np.cos(angles) * u + np.sin(angles) * v


def _bone_faces() -> np.ndarray:
    """Triangles of one bone: two rings of STICK_SIDES points, then the tip before the first and the tip behind the second."""
    here = np.arange(SIDES)
    after, start, end = np.roll(here, -1), np.full(SIDES, 2 * SIDES), np.full(SIDES, 2 * SIDES + 1)
    side = [(here, after, here + SIDES), (after, after + SIDES, here + SIDES)]
    caps = [(start, after, here), (end, here + SIDES, after + SIDES)]
    return np.concatenate([np.stack(corners, axis=1) for corners in side + caps])
