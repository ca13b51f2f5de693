"""Engines whose network regresses a SMPL body from a square crop: PARE and POCO. They differ in how confidence is computed.

Kocabas et al., "PARE: Part attention regressor for 3D human body estimation" (2021); it is robust to occlusion.
Dwivedi et al., "POCO: 3D pose and shape estimation with confidence" (2024): an uncertainty per joint. POCO-CLIFF also takes the
crop's position in the image.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from remi_stream.body.ik.solver import body_landmarks, landmark_box
from remi_stream.body.known_bodies import Retargeter, retargeter_to_known_body
from remi_stream.body.smpl import Body, forward_kinematics, joint_rotations
from remi_stream.geometry import axis_angle_from_matrices, intersection_over_smaller, project
from remi_stream.inference.load import load_model
from remi_stream.inference.runtime import Runtime, RuntimeTensors
from remi_stream.messages import Person, Smpl
from remi_stream.models.manifest import Manifest
from remi_stream.networks.network import find_network
from remi_stream.pose.crop import (
    SquareCrop,
    cliff_bbox_info,
    crop_camera_transl,
    crop_function,
    square_crop,
    square_crop_affine,
    transl_from_weak_camera,
)
from remi_stream.skeletons import SMPL_PARENTS
from remi_stream.tracking.crop import Crop, Pose

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
ATTENTION_CELLS = 56 * 56
"""Cells of a part's attention map; they sum to 1."""
PocoVariant = Literal["poco_cliff", "poco_pare"]
"""Names of POCO's networks."""
MAX_PELVIS_VARIANCE: dict[PocoVariant, float] = {"poco_cliff": 0.8, "poco_pare": 0.4}
"""Largest variance of the pelvis, POCO's thresholds (checked by golden vectors); above it the whole pose is unreliable."""
VARIANCE_KEY, PERSON_VARIANCE_KEY = "var", "var_global"
"""Keys in `Person.native`, POCO's own names."""


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

    is_stateless = True
    has_gates = False

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
        self._crop = crop_function(network)

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
        tensors: RuntimeTensors = {"image": self._crop([crop.image for crop in crops], affines, (INPUT_SIDE_PX, INPUT_SIDE_PX))}
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
        # joints and box are of the body that viewers draw; the published pose is the network's, for SMPL
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
    """Return the rejection reason of outputs that are no valid body, one word; else an empty string."""
    if not all(np.isfinite(values).all() for values in outputs.values()):
        return "numbers"
    scale = outputs["camera"][0]
    return "behind" if scale <= 0 else "outside" if scale < MIN_CAMERA_SCALE else ""


def misplacement_reason(visible_xyxy: np.ndarray, square: SquareCrop) -> str:
    """Return the rejection reason of a body outside its crop, or an empty string; visible_xyxy: (4,) px, its box in the image."""
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


def open_pare(manifest: Manifest, runtime: str, settings: dict[str, Any]) -> SmplRegressor:
    """Load PARE."""
    options = RegressorOptions(settings.pop("box_scale"), settings.pop("least_score"), has_bbox_info=False)
    native = no_native_outputs if settings.pop("native") else None
    network = load_model(manifest.weights[0], runtime, **settings)
    return SmplRegressor(manifest.name, network, pare_confidence, options, retargeter_to_known_body("smpl"), native)


def no_native_outputs(outputs: RegressorOutputs) -> dict[str, np.ndarray]:
    """Return no native outputs beyond the regressor's: PARE has no uncertainty."""
    return {}


def pare_confidence(outputs: RegressorOutputs) -> PoseConfidence:
    """Joint confidence from the concentration of the part's attention map: 1 + ln(peak) / ln(number of cells).

    It is the min-entropy, scaled: 0 for uniform attention (the part is not located), 1 for all attention in one cell. PARE
    itself has no uncertainty. The person's score is the mean.
    """
    # a softmax over all cells peaks at 1 / cells or more, up to rounding
    peaks = np.clip(outputs["part_attention"].astype(np.float64), 1 / ATTENTION_CELLS, 1)
    joints = (1 + np.log(peaks) / math.log(ATTENTION_CELLS)).astype(np.float32)
    return PoseConfidence(float(joints.mean()), joints)


def accumulate_variance(variance: np.ndarray) -> np.ndarray:
    """Accumulate the variance (..., 24) of each joint's rotation along the kinematic chain, from the pelvis outwards."""
    total = np.array(variance)
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        total[..., joint] += total[..., parent]
    return total


def mask_unreliable(variance: np.ndarray, variant: PocoVariant) -> np.ndarray:
    """Set the variances (..., 24) of an unreliable person to 1."""
    return np.where(variance[..., :1] > MAX_PELVIS_VARIANCE[variant], np.ones_like(variance), variance)


def person_variance(variance: np.ndarray, variant: PocoVariant) -> np.ndarray:
    """Return a person's variance (...) from (..., 24): the pelvis's for CLIFF, the mean for PARE, 1 if unreliable."""
    masked = mask_unreliable(variance, variant)
    return masked[..., 0] if variant == "poco_cliff" else masked.mean(-1)


def confidence_from_variance(variance: np.ndarray) -> np.ndarray:
    """Return 1 - variance, (..., 24), as published: negative where accumulated variances exceed 1."""
    return 1 - variance


def open_poco(manifest: Manifest, runtime: str, settings: dict[str, Any]) -> SmplRegressor:
    """Load the variant of POCO that the manifest's weights are for."""
    weights = manifest.weights[0]
    has_bbox_info = "bbox_info" in find_network(weights.network).inputs
    options = RegressorOptions(settings.pop("box_scale"), settings.pop("least_score"), has_bbox_info)
    native = partial(native_uncertainty, variant=poco_variant(weights.network)) if settings.pop("native") else None
    network = load_model(weights, runtime, **settings)
    return SmplRegressor(manifest.name, network, poco_confidence, options, retargeter_to_known_body("smpl"), native)


def poco_variant(network: str) -> PocoVariant:
    """Return the variant of POCO that a network is."""
    return next(variant for variant in get_args(PocoVariant) if variant == network)


def native_uncertainty(outputs: RegressorOutputs, variant: PocoVariant) -> dict[str, np.ndarray]:
    """Return POCO's native outputs: var (24,), accumulated, all 1 for an unreliable person; var_global (1,), of the person."""
    variance = accumulate_variance(outputs["joint_variance"].astype(np.float32))
    return {
        VARIANCE_KEY: mask_unreliable(variance, variant),
        PERSON_VARIANCE_KEY: np.array([person_variance(variance, variant)], np.float32),
    }


def poco_confidence(outputs: RegressorOutputs) -> PoseConfidence:
    """Joint confidence: 1 - the accumulated variance of a joint and its ancestors, not below 0.

    The person's score is 1 - the pelvis's variance, on which POCO's own summary is based.
    """
    variance = outputs["joint_variance"]
    joints = np.clip(confidence_from_variance(accumulate_variance(variance)), 0, 1).astype(np.float32)
    return PoseConfidence(float(np.clip(1 - variance[0], 0, 1)), joints)
