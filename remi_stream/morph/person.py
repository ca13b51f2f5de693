"""Somebody in one frame of a recording: RECORDING[:TRACK[:FRAME]]."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from remi_stream.body.smpl import Body
from remi_stream.errors import UsageError
from remi_stream.formats.frame_numbers import numbered
from remi_stream.formats.take import Take
from remi_stream.formats.tracks import drawing
from remi_stream.messages import Smpl
from remi_stream.morph.mesh import Mesh
from remi_stream.offline.opening import open_kept

Y_UP = np.array([1.0, -1.0, -1.0])
"""From the camera's axes to x right, y up, z back to the camera."""


class Pose(NamedTuple):
    """smpl: for that body."""

    name: str
    smpl: Smpl
    body: Body

    @property
    def mesh(self) -> Mesh:
        """The skin."""
        return Mesh(self.name, skin(self.body, self.smpl), self.body.faces, "m", None, self.body.vertex_rgb)


def skin(body: Body, smpl: Smpl) -> np.ndarray:
    """Vertices (V, 3) float64, m, y up."""
    return body.vertices(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl).astype(float) * Y_UP


def parted(text: str) -> tuple[Path, int | None, int | None]:
    """The folder, the track and the frame of a recorded person; whatever is not given is None."""
    if not Path(text).is_dir() and (found := re.fullmatch(r"(.+?):(\d+)(?::(\d+))?", text)):
        return Path(found[1]), int(found[2]), int(found[3]) if found[3] else None
    return Path(text), None, None


def read_pose(text: str) -> Pose:
    """Somebody's pose: without a frame the first one of the track, without a track the only one. Raises RemiError."""
    folder, track, frame = parted(text)
    take = open_kept(folder)
    seen = _seen(take)
    if not seen:
        raise UsageError(f"Nobody in {folder} has a SMPL pose. Give another recording")
    if track is None and len(seen) > 1:
        raise UsageError(f"{folder} has the tracks {_listed(list(seen))}. Say which: {folder}:{next(iter(seen))}")
    track = next(iter(seen)) if track is None else track
    if track not in seen:
        raise UsageError(f"{folder} has no track {track} with a SMPL pose, but {_listed(list(seen))}")
    frames = seen[track]
    frame = next(iter(frames)) if frame is None else frame
    if frame not in frames:
        there = f"{len(frames)} frames of {min(frames)} to {max(frames)}"
        raise UsageError(f"Track {track} of {folder} is not in frame {frame}, but in {there}")
    retarget = drawing(frames[frame].body)
    return Pose(f"{take.name}-{track}-{frame}", retarget.smpl(frames[frame]), retarget.target)


def _seen(take: Take) -> dict[int, dict[int, Smpl]]:
    """The poses of each track by the frame's number."""
    seen: dict[int, dict[int, Smpl]] = {}
    for number, bodies in numbered(take):
        for person in bodies.people:
            if person.smpl is not None:
                seen.setdefault(person.track_id, {})[number] = person.smpl
    return seen


def _listed(tracks: list[int]) -> str:
    return ", ".join(map(str, sorted(tracks)[:12])) + (", ..." if len(tracks) > 12 else "")
