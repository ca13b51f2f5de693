"""Weak-perspective camera of mesh regressors: (s, tx, ty) in the crop, and its conversion to the full image.

A point (x, y, z), m, of the body at the origin falls on s (x + tx), s (y + ty) in the crop, whose edges are -1 and 1.
Kissos et al., "Beyond weak perspective for monocular 3D human pose estimation" (2020), for the translation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from remi_stream.body.ik.solver import body_landmarks
from remi_stream.body.known_bodies import Retargeter
from remi_stream.body.smpl import Body, forward_kinematics, joint_rotations
from remi_stream.geometry import Intrinsics, axis_angle_from_matrices, project
from remi_stream.inference.runtime import Runtime, RuntimeTensors
from remi_stream.messages import Person, Smpl
from remi_stream.pose.blazepose.landmarks import landmark_box
from remi_stream.pose.crop import SquareCrop, cliff_bbox_info, crop_function, square_crop, square_crop_affine
from remi_stream.pose.engine import Crop, Pose
from remi_stream.tracking.matching import intersection_over_smaller

CROP_CAMERA_FOCAL_PX, CROP_CAMERA_SIDE_PX = 5000.0, 224
"""Focal length and size of the crop's camera in the regressors' published code."""


def transl_from_weak_camera(
    camera: np.ndarray, center: np.ndarray, side: np.ndarray | float, intrinsics: Intrinsics
) -> np.ndarray:
    """Convert a weak-perspective camera to the translation of the body's origin (..., 3), m, camera frame: SMPL's transl.

    camera: (..., 3) s, tx, ty. center: (..., 2) and side: (...) px of the square in the full image. Exact at the depth of the
    body's origin only, as weak perspective is.
    """
    fx, fy, cx, cy = intrinsics
    s, tx, ty = np.moveaxis(np.asarray(camera, np.float64), -1, 0)
    radius = s * side / 2  # px per metre at the body's depth
    x = tx + (center[..., 0] - cx) / radius
    y = (ty + (center[..., 1] - cy) / radius) * (fx / fy)
    return np.stack([x, y, fx / radius], -1)


def weak_camera_from_transl(
    transl: np.ndarray, center: np.ndarray, side: np.ndarray | float, intrinsics: Intrinsics
) -> np.ndarray:
    """Convert transl (..., 3) m to the crop's weak-perspective camera (..., 3) s, tx, ty: the inverse of `transl_from_weak_camera`."""
    fx, fy, cx, cy = intrinsics
    x, y, z = np.moveaxis(np.asarray(transl, np.float64), -1, 0)
    radius = fx / z
    return np.stack([2 * radius / side, x - (center[..., 0] - cx) / radius, y * (fy / fx) - (center[..., 1] - cy) / radius], -1)


def crop_camera_transl(camera: np.ndarray) -> np.ndarray:
    """Return the body's translation (..., 3), m, in the crop's own camera with a focal length of 5000 px; camera: (..., 3)."""
    s, tx, ty = np.moveaxis(np.asarray(camera, np.float64), -1, 0)
    return np.stack([tx, ty, 2 * CROP_CAMERA_FOCAL_PX / (CROP_CAMERA_SIDE_PX * s + 1e-9)], -1)


def full_image_weak_camera(camera: np.ndarray, center: np.ndarray, side: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Convert to the weak-perspective camera of the full image, edges -1 and 1: (..., 4) sx, sy, tx, ty (PARE's "orig_cam").

    camera: (..., 3). center: (..., 2) and side: (...) px of the square. size: (width, height) px of the image.
    """
    s, tx, ty = np.moveaxis(np.asarray(camera, np.float64), -1, 0)
    half = np.array(size) / 2
    sx, sy = s * side / size[0], s * side / size[1]
    x, y = np.moveaxis((center - half) / half, -1, 0)
    return np.stack([sx, sy, tx + x / sx, ty + y / sy], -1)


def square_to_image(points: np.ndarray, center: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Map points (..., N, 2) of a crop with edges -1 and 1 to px of the full image; center: (..., 2), side: (...) px."""
    return center[..., None, :] + points * (np.asarray(side)[..., None, None] / 2)


# SMPL regressor engine: from a square crop to a SMPL body; POCO and PARE differ in how confidence is computed.


INPUT_SIDE_PX = 224
"""Side of the networks' input, px."""
MIN_DEPTH_M = 0.1
"""Least depth of a joint or landmark."""
MIN_SIDE_PX = 20.0
"""Least side of the visible part of the bounding box."""
MIN_CAMERA_SCALE = 1e-3
"""Least scale of the crop's camera: at it the crop would be two kilometres wide."""
CROP_CAMERA_KEY, SQUARE_KEY, CROP_TRANSL_KEY = "pred_cam", "bbox", "pred_cam_t"
"""Keys in `Person.native`, the authors' names: (3,) float32 s, tx, ty in the crop; (4,) float64 px cx, cy, side, side of it;
without bbox_info, (3,) float32 m, the body's translation in the crop's own camera."""
MIN_CROP_OVERLAP = 0.2
"""Least intersection of the body's visible box and the crop over the area of the smaller one."""


class PoseConfidence(NamedTuple):
    """Confidence of one person's outputs."""

    score: float
    """[0, 1], of the whole person."""
    joint_confidence: np.ndarray
    """(24,) float32 in [0, 1]."""


RegressorOutputs = dict[str, np.ndarray]
"""A network's outputs for one person, by name."""
ConfidenceFunction = Callable[[RegressorOutputs], PoseConfidence]
"""Computes the confidence of one person."""
NativeOutputsFunction = Callable[[RegressorOutputs], dict[str, np.ndarray]]
"""Selects further outputs of one person for `Person.native`."""


class RegressorOptions(NamedTuple):
    """Options of a regressor."""

    box_scale: float
    """Side of the square crop, in longer sides of a tight bounding box."""
    least_score: float
    """Least person score; a pose below it is rejected."""
    has_bbox_info: bool
    """The network takes `bbox_info`, the crop's position in the camera's view (CLIFF)."""


class SmplRegressor:
    """SMPL bodies from square crops, all people of a frame in one batch.

    retarget: to the body whose joints are published. native: None to leave out native outputs.
    """

    memoryless = True

    def __init__(
        self,
        name: str,
        network: Runtime,
        confidence: ConfidenceFunction,
        options: RegressorOptions,
        retarget: Retargeter,
        native: NativeOutputsFunction | None = None,
    ) -> None:
        self.name = name
        self.runtime_name = network.name
        self._network, self._confidence, self._options, self._retarget = network, confidence, options, retarget
        self._native = native
        self._cut = crop_function(network)

    def infer(self, crops: list[Crop]) -> list[Pose]:
        """Estimate a pose per crop, in order, in one batch."""
        if not crops:
            return []
        squares = [square_crop(crop.box_xyxy, self._options.box_scale) for crop in crops]
        found = self._network.run(self._tensors(crops, squares))
        people = [{name: values[index] for name, values in found.items()} for index in range(len(crops))]
        return [self._pose(crop, square, outputs) for crop, square, outputs in zip(crops, squares, people)]

    def _tensors(self, crops: list[Crop], squares: list[SquareCrop]) -> RuntimeTensors:
        affines = np.stack([square_crop_affine(square, INPUT_SIDE_PX) for square in squares])
        tensors: RuntimeTensors = {"image": self._cut([crop.image for crop in crops], affines, (INPUT_SIDE_PX, INPUT_SIDE_PX))}
        if self._options.has_bbox_info:
            tensors["bbox_info"] = np.stack([cliff_bbox_info(square, crop.intrinsics) for crop, square in zip(crops, squares)])
        return tensors

    def _pose(self, crop: Crop, square: SquareCrop, outputs: RegressorOutputs) -> Pose:
        """Turn one person's outputs into a pose, or a rejection reason."""
        if reason := rejection_reason(outputs):
            return Pose(None, crop.box_xyxy, None, reason)
        confidence = self._confidence(outputs)
        if confidence.score < self._options.least_score:
            return Pose(None, crop.box_xyxy, None, "doubt")
        smpl = make_smpl(outputs, square, crop, confidence.joint_confidence)
        rotations, joints = posed_joints(self._retarget.retarget(smpl), self._retarget.target)
        points = body_landmarks(rotations, joints)
        if min(joints[:, 2].min(), points[:, 2].min()) < MIN_DEPTH_M:
            return Pose(None, crop.box_xyxy, None, "behind")
        box = landmark_box(project(points, crop.intrinsics))
        visible = clip_box(box, crop.image)
        if reason := misplacement_reason(visible, square):
            return Pose(None, crop.box_xyxy, None, reason)
        return Pose(make_person(crop, confidence, smpl, joints, box, self._native_outputs(outputs, square)), visible)

    def _native_outputs(self, outputs: RegressorOutputs, square: SquareCrop) -> dict[str, np.ndarray]:
        """Return `Person.native`: the crop's camera, the square, the translation in the crop's camera, and the network's own."""
        if self._native is None:
            return {}
        camera = outputs["camera"].astype(np.float32)
        transl = {} if self._options.has_bbox_info else {CROP_TRANSL_KEY: crop_camera_transl(camera).astype(np.float32)}
        square_px = np.array([square.x, square.y, square.side, square.side])
        return {CROP_CAMERA_KEY: camera, SQUARE_KEY: square_px, **transl, **self._native(outputs)}


def rejection_reason(outputs: RegressorOutputs) -> str:
    """Return in one word why outputs are no valid body, or an empty string."""
    if not all(np.isfinite(values).all() for values in outputs.values()):
        return "numbers"
    scale = outputs["camera"][0]
    return "behind" if scale <= 0 else "outside" if scale < MIN_CAMERA_SCALE else ""


def misplacement_reason(visible_xyxy: np.ndarray, square: SquareCrop) -> str:
    """Return in one word why a body does not lie in its crop, or an empty string; visible_xyxy: (4,) px, its box in the image."""
    if not (visible_xyxy[2:] - visible_xyxy[:2]).min() >= MIN_SIDE_PX:  # `not >=`: NaN is rejected too
        return "outside"
    half = square.side / 2
    crop_xyxy = np.array([square.x - half, square.y - half, square.x + half, square.y + half], np.float32)
    return "elsewhere" if intersection_over_smaller(visible_xyxy, crop_xyxy[None])[0] < MIN_CROP_OVERLAP else ""


def make_smpl(outputs: RegressorOutputs, square: SquareCrop, crop: Crop, joint_confidence: np.ndarray) -> Smpl:
    """Make the SMPL message, in the camera frame."""
    vectors = axis_angle_from_matrices(outputs["rotations"].astype(np.float64)).astype(np.float32).ravel()
    transl = transl_from_weak_camera(outputs["camera"], np.array([square.x, square.y]), square.side, crop.intrinsics)
    return Smpl(
        body="smpl",
        global_orient=vectors[:3],
        body_pose=vectors[3:],
        betas=outputs["betas"].astype(np.float32),
        transl=transl.astype(np.float32),
        joint_confidence=joint_confidence,
    )


def posed_joints(smpl: Smpl, body: Body) -> tuple[np.ndarray, np.ndarray]:
    """Return world rotations (24, 3, 3) and joints (24, 3), m, camera frame, by forward kinematics."""
    rotations = joint_rotations(smpl.global_orient, smpl.body_pose)
    return forward_kinematics(body.rest_joints(smpl.betas), rotations, smpl.transl)


def clip_box(box_xyxy: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Clip a box (4,) float32 to image (H, W, 3): the box that a detector would find."""
    size = np.array(image.shape[1::-1], np.float32)
    return np.clip(box_xyxy, 0, np.concatenate([size, size])).astype(np.float32)


def make_person(
    crop: Crop, confidence: PoseConfidence, smpl: Smpl, joints: np.ndarray, box: np.ndarray, native: dict[str, np.ndarray]
) -> Person:
    """Make the Person message; joints: (24, 3) m, camera frame."""
    return Person(
        track_id=crop.track_id,
        score=confidence.score,
        box_xyxy=box,
        skeleton="smpl24",
        keypoints_px=project(joints, crop.intrinsics).astype(np.float32),
        keypoint_scores=confidence.joint_confidence,
        joints_m=joints.astype(np.float32),
        smpl=smpl,
        native=native,
    )
