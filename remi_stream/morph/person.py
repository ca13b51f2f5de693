"""A recorded person in one frame: RECORDING[:TRACK[:FRAME]]."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from remi_stream.body.smpl import Body
from remi_stream.errors import UsageError
from remi_stream.formats.frame_numbers import numbered_frames
from remi_stream.formats.take import Take
from remi_stream.formats.tracks import retarget_to_available_body
from remi_stream.messages import Smpl
from remi_stream.morph.mesh import TriangleMesh
from remi_stream.offline.opening import open_take

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
