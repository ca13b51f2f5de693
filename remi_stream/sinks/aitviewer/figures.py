"""The people of one camera as triangle meshes in the world frame: y up, floor at 0."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np

from remi_stream.body.retarget import known_body, retargeter_to_known_body
from remi_stream.body.smpl import rotate_body
from remi_stream.messages import Bodies, Person, Smpl
from remi_stream.sinks.aitviewer.sticks import stick_faces, stick_vertices
from remi_stream.sinks.views.floor import FloorEstimator
from remi_stream.sinks.views.footing import FloorContact

REMOVE_AFTER_S = 0.5
"""A track without bodies for longer is removed, s."""
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
        self._last_seen_at: dict[int, float] = {}

    def add(self, bodies: Bodies, now: float) -> None:
        """Update with the bodies of a frame. now: monotonic s."""
        for person in bodies.people:
            mesh = self._mesh(person, bodies.captured_at)
            if mesh is not None:
                self._meshes[person.track_id], self._last_seen_at[person.track_id] = mesh, now

    def current_meshes(self, now: float) -> list[PersonMesh]:
        """The meshes of current tracks, sorted by id; removes stale tracks. now: monotonic s."""
        for track_id in [track_id for track_id, at in self._last_seen_at.items() if now - at >= REMOVE_AFTER_S]:
            for each in (self._meshes, self._last_seen_at, self._footings):
                each.pop(track_id, None)
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
