"""Export meshes as Wavefront OBJ, one per person and frame: meshes/<track>/<frame>.obj, as PARE and POCO name them.

Metres, y up, x right, z back to the camera, which is at the origin.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from remi_stream.body.smpl import Body
from remi_stream.messages import Smpl
from remi_stream.recordings.take import Take, no_smpl_pose_error, numbered_frames, retarget_to_available_body


def write_obj(take: Take, folder: Path) -> list[Path]:
    """Write the meshes; return their paths. Raises OSError or RemiError."""
    paths, people = [], 0
    for number, bodies in numbered_frames(take):
        people += len(bodies.people)
        for person in bodies.people:
            if person.smpl is not None:
                path = folder / "meshes" / f"{person.track_id:04d}" / f"{number:06d}.obj"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(obj_mesh(person.smpl))
                paths.append(path)
    if people and not paths:
        raise no_smpl_pose_error(take, "obj")
    return paths


def obj_mesh(smpl: Smpl) -> bytes:
    """Return the OBJ file of a posed mesh, with the frame's own betas and pose correctives."""
    retarget = retarget_to_available_body(smpl.body)
    pose, body = retarget.retarget(smpl), retarget.target
    vertices = body.vertices(pose.global_orient, pose.body_pose, pose.betas, pose.transl) * (1, -1, -1)
    numbers = tuple(vertices.astype(np.float64).ravel().tolist())
    return ("v %.5f %.5f %.5f\n" * len(vertices) % numbers).encode() + _faces(body)


# the same in every file of a body
@cache
def _faces(body: Body) -> bytes:
    corners = tuple((body.faces + 1).ravel().tolist())
    return ("f %d %d %d\n" * len(body.faces) % corners).encode()
