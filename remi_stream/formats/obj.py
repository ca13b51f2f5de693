"""OBJ, a mesh for each person in each frame: meshes/<track>/<frame>.obj, as PARE and POCO name them.

Metres, y up, x right, z back to the camera, whose place is the origin.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from remi_stream.body.smpl import Body
from remi_stream.formats.frame_numbers import numbered
from remi_stream.formats.take import Take
from remi_stream.formats.tracks import drawing, no_pose
from remi_stream.messages import Smpl


def write(take: Take, folder: Path) -> list[Path]:
    """Write the meshes. Raises OSError or RemiError."""
    written, people = [], 0
    for number, bodies in numbered(take):
        people += len(bodies.people)
        for person in bodies.people:
            if person.smpl is not None:
                path = folder / "meshes" / f"{person.track_id:04d}" / f"{number:06d}.obj"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(mesh(person.smpl))
                written.append(path)
    if people and not written:
        raise no_pose(take, "obj")
    return written


def mesh(smpl: Smpl) -> bytes:
    """A file: the skin of a pose, with its own shape and all that its body can do."""
    retarget = drawing(smpl.body)
    drawn, body = retarget.smpl(smpl), retarget.target
    vertices = body.vertices(drawn.global_orient, drawn.body_pose, drawn.betas, drawn.transl) * (1, -1, -1)
    numbers = tuple(vertices.astype(np.float64).ravel().tolist())
    return ("v %.5f %.5f %.5f\n" * len(vertices) % numbers).encode() + _faces(body)


@cache
def _faces(body: Body) -> bytes:
    corners = tuple((body.faces + 1).ravel().tolist())
    return ("f %d %d %d\n" * len(body.faces) % corners).encode()
