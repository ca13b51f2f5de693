"""The people of one camera as triangle meshes in the world frame: y up, floor at 0."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import msgspec
import numpy as np
from scipy.sparse import csr_matrix

from remi_stream.body.known_bodies import known_body, retargeter_to_known_body
from remi_stream.body.smpl import rotate_body
from remi_stream.geometry import cross_product, unit_vectors
from remi_stream.messages import Bodies, Person, Smpl
from remi_stream.render.floor import FloorContact, FloorEstimator
from remi_stream.sinks.live_view import TrackTimes
from remi_stream.skeletons import BONES


class VertexNormals:
    """Vertex normals of a deforming mesh by one sparse product, several times faster than aitviewer's.

    faces: (F, 3). points: number of vertices.
    """

    def __init__(self, faces: np.ndarray, points: int) -> None:
        self._faces = faces
        corners = np.repeat(np.arange(len(faces)), 3)
        self._touching = csr_matrix((np.ones(len(corners), np.float32), (faces.ravel(), corners)), shape=(points, len(faces)))

    def compute(self, vertices: np.ndarray) -> np.ndarray:
        """Unit normals (V, 3) float32 of vertices (V, 3): the area-weighted mean over adjacent faces."""
        a, b, c = vertices[self._faces.T]
        return unit_vectors(self._touching @ cross_product(b - a, c - a)).astype(np.float32)


# Skeleton meshes: a prism for each bone, for people without a SMPL pose

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


SKIN = "skin"
"""The kind of SMPL meshes; other kinds are skeleton names."""


class PersonMesh(NamedTuple):
    """The mesh of one person."""

    track_id: int
    kind: str
    """SKIN, or the skeleton's name; meshes of a kind have the same triangles."""
    vertices: np.ndarray
    """(V, 3) float32, m, world frame."""
    smpl: Smpl | None
    """The same pose in the world frame; None for a skeleton."""


class PeopleMeshes:
    """Meshes of all current tracks on an estimated floor. The floor runs on `captured_at`, removal on the present time."""

    def __init__(self) -> None:
        self.floor = FloorEstimator()
        self._footings: dict[int, FloorContact] = {}
        self._meshes: dict[int, PersonMesh] = {}
        self._times = TrackTimes()

    def add(self, bodies: Bodies, now: float) -> None:
        """Update with the bodies of a frame. now: monotonic s."""
        for person in bodies.people:
            mesh = self._mesh(person, bodies.captured_at)
            if mesh is not None:
                self._meshes[person.track_id] = mesh
                self._times.mark_seen(person.track_id, now)

    def keep_visible(self, bodies: Bodies, now: float) -> None:
        """Keep the people of these bodies, while playback is paused. now: monotonic s."""
        for person in bodies.people:
            if person.track_id in self._meshes:
                self._times.mark_seen(person.track_id, now)

    def current_meshes(self, now: float) -> list[PersonMesh]:
        """The meshes of current tracks, sorted by id; removes stale tracks. now: monotonic s."""
        for track_id in self._times.pop_stale(now):
            del self._meshes[track_id]
            self._footings.pop(track_id, None)
        return [self._meshes[track_id] for track_id in sorted(self._meshes)]

    def _mesh(self, person: Person, at: float) -> PersonMesh | None:
        return self._bones(person) if person.smpl is None else self._skin(person.track_id, person.smpl, at)

    def _skin(self, track_id: int, smpl: Smpl, at: float) -> PersonMesh:
        smpl = retargeter_to_known_body(smpl.body).retarget(smpl)
        vertices = known_body().vertices(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl)
        rotation, offset = self._place(track_id, vertices, at)
        return PersonMesh(
            track_id, SKIN, (vertices @ rotation.T + offset).astype(np.float32), transform_smpl(smpl, rotation, offset)
        )

    def _bones(self, person: Person) -> PersonMesh | None:
        skeleton = person.effective_joints_skeleton
        vertices = stick_vertices(skeleton, person.joints_m)
        if vertices is None:
            return None
        rotation, offset = self.floor.world_from_camera()
        return PersonMesh(person.track_id, skeleton, (vertices @ rotation.T + offset).astype(np.float32), None)

    def _place(self, track_id: int, vertices: np.ndarray, at: float) -> tuple[np.ndarray, np.ndarray]:
        """Rotation (3, 3) and translation (3,), m, that place a person's vertices (V, 3), camera frame, on the floor."""
        lowest = vertices[(vertices @ self.floor.up).argmin()]
        self.floor.add_contact(lowest, at)
        self.floor.update(at)
        footing = self._footings.setdefault(track_id, FloorContact())
        footing.update(self.floor.height(lowest), at)
        rotation, offset = self.floor.world_from_camera()
        return rotation, offset + (0.0, footing.lift_m, 0.0)


def mesh_faces(kind: str) -> np.ndarray:
    """The triangles (F, 3) int32 of all meshes of a kind."""
    return known_body().faces if kind == SKIN else stick_faces(kind)


def transform_smpl(smpl: Smpl, rotation: np.ndarray, offset: np.ndarray) -> Smpl:
    """Transform an SMPL pose rigidly by rotation (3, 3), then by translation offset (3,), m."""
    root = known_body().rest_joints(smpl.betas)[0]
    orient, transl = rotate_body(rotation, root, smpl.global_orient, smpl.transl)
    return msgspec.structs.replace(smpl, global_orient=orient.astype(np.float32), transl=(transl + offset).astype(np.float32))
