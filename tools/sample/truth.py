"""Ground truth of a clip, in OpenCV camera axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from remi_stream.body.smpl import Body
from sample.camera import FOCAL_PX, HEIGHT, WIDTH, camera_from_world
from sample.motion import Motion, transform_motion
from sample.timeline import FPS

Array = NDArray[Any]

INTRINSICS = np.array([[FOCAL_PX, 0, WIDTH / 2], [0, FOCAL_PX, HEIGHT / 2], [0, 0, 1]])


def truth_of_person(body: Body, motion: Motion) -> dict[str, Array]:
    """Ground truth of a person: poses (N, 72), betas (10,), transl (N, 3), joints_m (N, 24, 3), joints_px (N, 24, 2)."""
    camera = camera_from_world()
    moved = transform_motion(motion, body.rest_joints(motion.betas)[0], camera[:3, :3], camera[:3, 3])
    joints = np.array(
        [body.joints(pose[:3], pose[3:], moved.betas, t) for pose, t in zip(moved.poses, moved.transl, strict=True)]
    )
    return {
        "poses": moved.poses,
        "betas": moved.betas,
        "transl": moved.transl,
        "joints_m": joints,
        "joints_px": (joints / joints[..., 2:]) @ INTRINSICS[:2].T,
    }


def truth_of_camera() -> dict[str, Array]:
    """Ground truth of the camera: frame rate, intrinsics, extrinsics, floor plane."""
    camera = camera_from_world()
    up = camera[:3, 1]
    floor = np.append(up, -up @ camera[:3, 3])
    return {"fps": np.array(FPS), "K": INTRINSICS, "camera_from_world": camera, "floor_plane": floor}
