"""A published person as REMI's pose program would have seen it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from remi_stream.body.retarget import Retarget, onto_known_body
from remi_stream.geometry import Intrinsics, rotation_matrices
from remi_stream.measure.pose_program import Look
from remi_stream.messages import Bodies, Smpl

ORIGIN = np.zeros(3)


def look_of(bodies: Bodies, onto: Callable[[str], Retarget] = onto_known_body) -> Look | None:
    """The first person of a frame who has a SMPL pose; None if there is none. onto: to the body whose vertices are taken.

    Costs some milliseconds: a whole mesh is posed.
    """
    smpl = next((person.smpl for person in bodies.people if person.smpl), None)
    if smpl is None:
        return None
    retarget = onto(smpl.body)
    drawn = retarget.smpl(smpl)
    return Look(
        rotation_matrices(smpl.body_pose.reshape(-1, 3)).astype(np.float32),
        smpl.betas,
        retarget.target.vertices(drawn.global_orient, drawn.body_pose, drawn.betas, ORIGIN).astype(np.float32),
        camera_of(smpl, bodies.size, bodies.intrinsics),
    )


def camera_of(smpl: Smpl, size: tuple[int, int], intrinsics: Intrinsics) -> np.ndarray:
    """The weak-perspective camera of the full picture, (4,) sx, sy, tx, ty, that agrees with the real one at the body's origin.

    A point (x, y), m, of the body falls on sx (x + tx), sy (y + ty) in a picture whose edges are -1 and 1.
    """
    fx, fy, cx, cy = intrinsics
    x, y, z = smpl.transl.astype(np.float64)
    width, height = size
    return np.array([2 * fx / (z * width), 2 * fy / (z * height), x + (cx - width / 2) * z / fx, y + (cy - height / 2) * z / fy])
