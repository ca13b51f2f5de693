"""The sample clip, its truth, and what the default engine makes of it; each is made once a session."""

from __future__ import annotations

from functools import cache

import av
import cv2
import numpy as np

from remi_stream.body.smpl import load_default_body
from remi_stream.detect.detector import Detector, load_detector
from remi_stream.geometry import Intrinsics
from remi_stream.messages import Smpl
from remi_stream.paths import data_file
from remi_stream.pose.engine import Engine, load_engine
from remi_stream.skeletons import LIMB_JOINTS, joint_indices
from remi_stream.tracking.crop import Crop, Pose

FPS = 30.0
BLAZEPOSE, SMPL = joint_indices("blazepose33", LIMB_JOINTS), joint_indices("smpl24", LIMB_JOINTS)


@cache
def engine() -> Engine:
    return load_engine("blazepose")


@cache
def detector() -> Detector:
    return load_detector("blazepose")


@cache
def frames() -> list[np.ndarray]:
    with av.open(str(data_file("sample.mp4"))) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


@cache
def truth() -> dict[str, np.ndarray]:
    with np.load(data_file("sample_truth.npz")) as stored:
        return {name: stored[name] for name in stored.files}


def intrinsics() -> Intrinsics:
    K = truth()["K"]
    return float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2])


def view(image: np.ndarray, longest_side: int) -> tuple[np.ndarray, float]:
    """An image scaled down as for a detector, and the scale."""
    scale = longest_side / max(image.shape[:2])
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), scale


def found(image: np.ndarray) -> np.ndarray:
    """The boxes (N, 4) px that the detector finds in a full image."""
    small, scale = view(image, detector().view.longest_side or max(image.shape))
    return detector().detect(small).boxes_xyxy / np.float32(scale)


def crop(k: int, box: np.ndarray, state: object | None = None) -> Crop:
    return Crop(frames()[k], box.astype(np.float32), 1, k / FPS, intrinsics(), state)


@cache
def poses() -> list[Pose]:
    """Live order: every frame, the first box from the detector, then box and state carried."""
    made, box, state = [], found(frames()[0])[0], None
    for k in range(len(frames())):
        pose = engine().infer([crop(k, box, state)])[0]
        made.append(pose)
        box, state = pose.next_box_xyxy, pose.state
    return made


def smpl_joints(smpl: Smpl) -> np.ndarray:
    """The 24 joints, m, camera frame, of a published pose."""
    return load_default_body().joints(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl)


def procrustes_mm(joints: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Distances, mm, between joints (N, 3) m and the truth after the best similarity transform (PA-MPJPE is their mean)."""
    a, b = joints - joints.mean(0), true - true.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    signs = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    scale = (s * signs).sum() / (a**2).sum()
    return np.linalg.norm(scale * a @ (u * signs @ vt).T - b, axis=1) * 1000
