"""Our people as nodes in a remote aitviewer's scene: create, update and delete messages."""

from __future__ import annotations

import numpy as np

from remi_stream.messages import Smpl
from remi_stream.sinks.aitviewer.figures import PersonMesh, mesh_faces
from remi_stream.sinks.aitviewer.wire import DELETE_TYPE, MESHES_TYPE, SMPL_TYPE, UPDATE_FRAMES_TYPE, encode_message
from remi_stream.sinks.views.palette import track_colour


class RemotePeople:
    """One node for each person. as_poses: send SMPL poses instead of meshes, for a server that has SMPL's files."""

    def __init__(self, as_poses: bool) -> None:
        self._posed = as_poses
        self._nodes: dict[int, int] = {}
        self._sent: dict[int, PersonMesh] = {}
        self._uid = 0

    def updates(self, meshes: list[PersonMesh]) -> list[bytes]:
        """The messages that make the remote scene show exactly these people."""
        kinds = {mesh.track_id: mesh.kind for mesh in meshes}
        gone = [track_id for track_id, sent in self._sent.items() if kinds.get(track_id) != sent.kind]
        messages = [encode_message(DELETE_TYPE, self._forget(track_id)) for track_id in gone]
        for mesh in meshes:
            if mesh.track_id not in self._sent:
                messages.append(self._create(mesh))
            elif self._sent[mesh.track_id] is not mesh:
                messages.append(self._update(mesh))
            self._sent[mesh.track_id] = mesh
        return messages

    def _forget(self, track_id: int) -> int:
        del self._sent[track_id]
        return self._nodes.pop(track_id)

    def _create(self, mesh: PersonMesh) -> bytes:
        self._uid += 1
        self._nodes[mesh.track_id] = self._uid
        appearance = {"name": f"person {mesh.track_id}", "color": (*(part / 255 for part in track_colour(mesh.track_id)), 1.0)}
        if self._posed and mesh.smpl is not None:
            body = {"model_type": "smpl", "gender": "neutral", "num_betas": 10}
            frame = {name: value[None] for name, value in _pose(mesh.smpl).items()}
            return encode_message(SMPL_TYPE, self._uid, **frame, **body, **appearance)
        # Flat shading: the server keeps the normals of a mesh's first pose, so smooth shading would be wrong afterwards.
        return encode_message(
            MESHES_TYPE, self._uid, vertices=mesh.vertices[None], faces=mesh_faces(mesh.kind), flat_shading=True, **appearance
        )

    def _update(self, mesh: PersonMesh) -> bytes:
        now = _pose(mesh.smpl) if self._posed and mesh.smpl is not None else {"vertices": mesh.vertices}
        return encode_message(UPDATE_FRAMES_TYPE, self._nodes[mesh.track_id], frames=0, **now)


def _pose(smpl: Smpl) -> dict[str, np.ndarray]:
    """A pose under aitviewer's names: (69,), (3,), (3,), (10,)."""
    return {"poses_body": smpl.body_pose, "poses_root": smpl.global_orient, "trans": smpl.transl, "betas": smpl.betas}
