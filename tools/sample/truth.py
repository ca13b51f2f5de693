"""Ground truth of a clip, in OpenCV camera axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from remi_stream.body.smpl import Body
from sample.camera import SAMPLE_CAMERA, Camera
from sample.motion import Motion, transform_motion
from sample.timeline import FPS

Array = NDArray[Any]


def truth_of_person(body: Body, motion: Motion, camera: Camera = SAMPLE_CAMERA) -> dict[str, Array]:
    """Ground truth of a person: poses (N, 72), betas (10,), transl (N, 3), joints_m (N, 24, 3), joints_px (N, 24, 2)."""
    extrinsics = camera.from_world()
    moved = transform_motion(motion, body.rest_joints(motion.betas)[0], extrinsics[:3, :3], extrinsics[:3, 3])
    joints = np.array(
        [body.joints(pose[:3], pose[3:], moved.betas, t) for pose, t in zip(moved.poses, moved.transl, strict=True)]
    )
    return {
        "poses": moved.poses,
        "betas": moved.betas,
        "transl": moved.transl,
        "joints_m": joints,
        "joints_px": (joints / joints[..., 2:]) @ camera.intrinsics()[:2].T,
    }


def truth_of_camera(camera: Camera = SAMPLE_CAMERA, fps: int = FPS) -> dict[str, Array]:
    """Ground truth of the camera: frame rate, intrinsics, extrinsics, floor plane."""
    extrinsics = camera.from_world()
    up = extrinsics[:3, 1]
    floor = np.append(up, -up @ extrinsics[:3, 3])
    return {"fps": np.array(fps), "K": camera.intrinsics(), "camera_from_world": extrinsics, "floor_plane": floor}
