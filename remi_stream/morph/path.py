"""Path of a morph: linear, or slerp of the joint rotations between two recorded poses (RECORDING[:TRACK[:FRAME]]) of one body."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from remi_stream.body.smpl import Body
from remi_stream.errors import UsageError
from remi_stream.geometry import (
    quaternion_difference,
    quaternions_from_rotation_vectors,
    rotate_quaternions,
    rotation_vectors_from_quaternions,
)
from remi_stream.messages import Smpl
from remi_stream.morph.files import read_mesh
from remi_stream.morph.mesh import TriangleMesh
from remi_stream.recordings.reader import open_take
from remi_stream.recordings.take import Take, numbered_frames, retarget_to_available_body

Y_UP_FROM_CAMERA = np.array([1.0, -1.0, -1.0])
"""Scale from the camera's axes (x right, y down, z forward) to x right, y up, z towards the camera."""


class RecordedPose(NamedTuple):
    """A recorded SMPL pose with its body model."""

    name: str
    smpl: Smpl
    """Parameters for `body`."""
    body: Body

    @property
    def mesh(self) -> TriangleMesh:
        """The posed mesh."""
        return TriangleMesh(self.name, posed_vertices(self.body, self.smpl), self.body.faces, "m", None, self.body.vertex_rgb)


def posed_vertices(body: Body, smpl: Smpl) -> np.ndarray:
    """Pose the body's vertices: (V, 3) float64, m, y up."""
    return body.vertices(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl).astype(float) * Y_UP_FROM_CAMERA


def parse_person_reference(text: str) -> tuple[Path, int | None, int | None]:
    """Parse RECORDING[:TRACK[:FRAME]] into folder, track and frame; missing parts are None."""
    # a folder may have colons in its name
    if not Path(text).is_dir() and (found := re.fullmatch(r"(.+?):(\d+)(?::(\d+))?", text)):
        return Path(found[1]), int(found[2]), int(found[3]) if found[3] else None
    return Path(text), None, None


def read_recorded_pose(text: str) -> RecordedPose:
    """Read a recorded pose: by default of the only track, and of its first frame. Raises RemiError."""
    folder, track, frame = parse_person_reference(text)
    take = open_take(folder)
    poses = _poses_by_track(take)
    if not poses:
        raise UsageError(f"{folder} has no SMPL poses. Give another recording")
    if track is None and len(poses) > 1:
        raise UsageError(f"{folder} has the tracks {_join_ids(list(poses))}. Choose one: {folder}:{next(iter(poses))}")
    track = next(iter(poses)) if track is None else track
    if track not in poses:
        raise UsageError(f"{folder} has no track {track} with a SMPL pose, but {_join_ids(list(poses))}")
    frames = poses[track]
    frame = next(iter(frames)) if frame is None else frame
    if frame not in frames:
        available = f"{len(frames)} frames of {min(frames)} to {max(frames)}"
        raise UsageError(f"Track {track} of {folder} is not in frame {frame}, but in {available}")
    retarget = retarget_to_available_body(frames[frame].body)
    return RecordedPose(f"{take.name}-{track}-{frame}", retarget.retarget(frames[frame]), retarget.target)


def _poses_by_track(take: Take) -> dict[int, dict[int, Smpl]]:
    """SMPL poses by track and frame number."""
    poses: dict[int, dict[int, Smpl]] = {}
    for number, bodies in numbered_frames(take):
        for person in bodies.people:
            if person.smpl is not None:
                poses.setdefault(person.track_id, {})[number] = person.smpl
    return poses


def _join_ids(tracks: list[int]) -> str:
    return ", ".join(map(str, sorted(tracks)[:12])) + (", ..." if len(tracks) > 12 else "")


MorphEnd = TriangleMesh | RecordedPose
MorphPath = Callable[[float], np.ndarray]
"""Returns the vertices (V, 3) at a share of the morph, 0 to 1."""


def read_morph_end(text: str) -> MorphEnd:
    """Read one end of a morph: a mesh file, or a person of a recording. Raises RemiError."""
    return read_recorded_pose(text) if parse_person_reference(text)[0].is_dir() else read_mesh(Path(text))


def end_mesh(end: MorphEnd) -> TriangleMesh:
    """Return the mesh at one end."""
    return end.mesh if isinstance(end, RecordedPose) else end


def end_name(end: MorphEnd) -> str:
    """Return the name of one end, for folder names."""
    return end.name if isinstance(end, RecordedPose) else Path(end.name).stem


def morph_path(a: MorphEnd, b: MorphEnd) -> MorphPath:
    """Choose the interpolation: slerp for two poses of one body, else linear."""
    # linear vertices would shrink limbs that turn
    if isinstance(a, RecordedPose) and isinstance(b, RecordedPose) and a.body is b.body:
        return slerp_path(a, b)
    return linear_path(end_mesh(a), end_mesh(b))


def linear_path(a: TriangleMesh, b: TriangleMesh) -> MorphPath:
    """Interpolate vertices linearly."""
    return lambda share: a.vertices * (1 - share) + b.vertices * share


def slerp_path(a: RecordedPose, b: RecordedPose) -> MorphPath:
    """Interpolate joint rotations by slerp, and translation and betas linearly."""
    first = quaternions_from_rotation_vectors(_vectors(a.smpl))
    # as rotation vectors, so that a share of the way is a multiplication (slerp)
    rotation = quaternion_difference(first, quaternions_from_rotation_vectors(_vectors(b.smpl)))

    def at(share: float) -> np.ndarray:
        vectors = rotation_vectors_from_quaternions(rotate_quaternions(first, rotation * share)).astype(np.float32)
        betas, transl = (
            (start * (1 - share) + end * share).astype(np.float32)
            for start, end in ((a.smpl.betas, b.smpl.betas), (a.smpl.transl, b.smpl.transl))
        )
        smpl = Smpl(
            body=a.smpl.body,
            global_orient=vectors[0],
            body_pose=vectors[1:].ravel(),
            betas=betas,
            transl=transl,
            joint_confidence=a.smpl.joint_confidence,
        )
        return posed_vertices(a.body, smpl)

    return at


def _vectors(smpl: Smpl) -> np.ndarray:
    return np.concatenate([smpl.global_orient, smpl.body_pose]).astype(float).reshape(-1, 3)
