"""Observe a published person as REMI's pose program does: rotations, betas, vertices, weak-perspective camera."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from remi_stream.body.retarget import Retargeter, retargeter_to_known_body
from remi_stream.geometry import Intrinsics, matrices_from_axis_angle
from remi_stream.measure.pose_program import PoseObservation
from remi_stream.messages import Bodies, Smpl

ORIGIN = np.zeros(3)


def observe_pose(bodies: Bodies, retarget_for: Callable[[str], Retargeter] = retargeter_to_known_body) -> PoseObservation | None:
    """Return the first person of a frame with a SMPL pose, or None. retarget_for: retarget to the body whose vertices are measured.

    Takes some milliseconds: a whole mesh is posed.
    """
    smpl = next((person.smpl for person in bodies.people if person.smpl), None)
    if smpl is None:
        return None
    retarget = retarget_for(smpl.body)
    pose = retarget.retarget(smpl)
    return PoseObservation(
        matrices_from_axis_angle(smpl.body_pose.reshape(-1, 3)).astype(np.float32),
        smpl.betas,
        retarget.target.vertices(pose.global_orient, pose.body_pose, pose.betas, ORIGIN).astype(np.float32),
        full_image_camera(smpl, bodies.size, bodies.intrinsics),
    )


def full_image_camera(smpl: Smpl, size: tuple[int, int], intrinsics: Intrinsics) -> np.ndarray:
    """Return the weak-perspective camera of the full image, (4,) sx, sy, tx, ty, exact at the body's origin.

    It projects a point (x, y), m, of the body to sx (x + tx), sy (y + ty) in an image whose edges are -1 and 1.
    """
    fx, fy, cx, cy = intrinsics
    x, y, z = smpl.transl.astype(np.float64)
    width, height = size
    return np.array([2 * fx / (z * width), 2 * fy / (z * height), x + (cx - width / 2) * z / fx, y + (cy - height / 2) * z / fy])
