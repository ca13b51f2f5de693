"""InstantHMR engine: 70 MHR joints in 3D from a square crop and its position in the image, and a SMPL body fitted to them.

The network has no confidence output, so a pose is accepted or rejected by its plausibility (`rejection_reason`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from remi_stream.body.ik.joints import MhrFitter, landmarks_from_mhr
from remi_stream.body.ik.solver import BONE_ENDS, BONE_STARTS, IkState, landmark_box
from remi_stream.body.known_bodies import load_engine_body
from remi_stream.body.smpl import Body
from remi_stream.geometry import Intrinsics, bounding_box, default_intrinsics, project, shortest_rotation, unproject
from remi_stream.messages import Person
from remi_stream.models.manifest import Manifest
from remi_stream.networks.network import IMAGENET
from remi_stream.pose.crop import CropRect, ImageNormalisation, crop_bgr, crop_rect, crop_to_image, inside_image_scores
from remi_stream.pose.onnx_outputs import OnnxModel, load_onnx_model
from remi_stream.skeletons import JOINT_NAMES, LIMB_JOINTS, joint_indices
from remi_stream.tracking.crop import Crop, Pose

INPUT_SIZE = (224, 224)
"""Input size of the network, px."""
NORMALISATION = ImageNormalisation(mean=IMAGENET["mean"], std=IMAGENET["std"])
INPUT_SHAPES = {"image": (3, *INPUT_SIZE), "cliff_cond": (3,)}
OUTPUT_NAMES = {name: name for name in ("cam_trans", "joints_2d", "joints_3d")}
LIMBS = joint_indices("mhr70", LIMB_JOINTS)
JOINT_COUNT = len(JOINT_NAMES["mhr70"])

MIN_DEPTH_M = 0.1
"""Least depth of a joint."""
MIN_LIMB_JOINTS = 5
"""Least number of limb joints inside the crop, of 12: a person at a desk shows six."""
MAX_REPROJECTION_ERROR = 0.15
"""Largest median distance of the limbs' 2D key points from the projected 3D joints, in sides of the crop."""
MAX_BODY_RATIO, MIN_BODY_RATIO = 1.8, 0.4
"""Limits of the median ratio of bone lengths to the mean body's: from a child of a metre to a giant."""
MAX_GAP_S = 0.5
"""After a longer gap inverse kinematics starts anew."""
MIN_SIDE_PX = 20.0
"""Least side of the visible part of the bounding box."""


class InstantHmrState(NamedTuple):
    """State of a track between frames."""

    ik_state: IkState
    """State of inverse kinematics."""
    seen_at: float
    """Capture time of its frame, s."""


class InstantHmrOutput(NamedTuple):
    """Decoded outputs of the network for one person."""

    keypoints: np.ndarray
    """(70, 2) px, full image."""
    joints: np.ndarray
    """(70, 3) m, frame of the network's camera: focal length hypot(width, height), principal point at the image centre."""
    root: np.ndarray
    """(3,) m, same frame: the origin of the network's root-relative joints."""


def open_engine(manifest: Manifest, runtime: str, settings: dict[str, Any]) -> InstantHmrEngine:
    """Load the InstantHMR network."""
    box_scale = settings.pop("box_scale")
    network = load_onnx_model(manifest, runtime, settings, INPUT_SHAPES, OUTPUT_NAMES)
    return InstantHmrEngine(manifest.name, network, box_scale, load_engine_body())


class InstantHmrEngine:
    """70 joints and a SMPL pose; all people of a frame in one batch if the ONNX file allows it.

    box_scale: side of the square crop, in longer sides of a tight box. body: the body that is fitted.
    """

    is_stateless = False
    has_gates = False

    def __init__(self, name: str, network: OnnxModel, box_scale: float, body: Body) -> None:
        self.name = name
        self.runtime_name = network.name
        self._network, self._box_scale = network, box_scale
        self._fitter = MhrFitter(body)

    def infer(self, crops: list[Crop]) -> list[Pose]:
        """Estimate a pose per crop, in order."""
        if not crops:
            return []
        rects = [crop_rect(crop.box_xyxy, INPUT_SIZE, self._box_scale) for crop in crops]
        found = self._network.run(network_inputs(crops, rects))
        outputs = [{name: found[name][row].astype(np.float64) for name in OUTPUT_NAMES} for row in range(len(crops))]
        return [self._pose(crop, rect, decode_output(one, rect)) for crop, rect, one in zip(crops, rects, outputs)]

    def _pose(self, crop: Crop, rect: CropRect, output: InstantHmrOutput) -> Pose:
        """Turn the decoded output into a pose, or a rejection reason."""
        # the network assumes this camera, whatever the real one is
        network_camera = default_intrinsics(crop.image.shape[1], crop.image.shape[0])
        if reason := rejection_reason(output, rect, network_camera, self._fitter.bone_lengths_m):
            return Pose(None, crop.box_xyxy, None, reason)
        joints = to_camera_frame(output, network_camera, crop.intrinsics)
        if joints[:, 2].min() < MIN_DEPTH_M:
            return Pose(None, crop.box_xyxy, None, "behind")
        box = full_body_box(output.keypoints, joints, crop.intrinsics)
        size = np.array(crop.image.shape[1::-1] * 2, np.float32)
        visible = np.clip(box, 0, size)
        if (visible[2:] - visible[:2]).min() < MIN_SIDE_PX:
            return Pose(None, crop.box_xyxy, None, "outside")
        return self._person(crop, output, joints, box, visible)

    def _person(self, crop: Crop, output: InstantHmrOutput, joints: np.ndarray, box: np.ndarray, visible: np.ndarray) -> Pose:
        """Fit the body and make the Person message."""
        scores = inside_image_scores(output.keypoints, crop.image)
        state = valid_state(crop)
        memory, elapsed = (state.ik_state, crop.captured_at - state.seen_at) if state else (None, 0.0)
        fit = self._fitter.fit(joints, scores, memory, elapsed)
        person = Person(
            track_id=crop.track_id,
            score=float(scores[LIMBS].mean()),
            box_xyxy=box,
            skeleton="mhr70",
            keypoints_px=output.keypoints.astype(np.float32),
            keypoint_scores=scores,
            joints_m=joints.astype(np.float32),
            smpl=fit.smpl,
        )
        return Pose(person, visible, InstantHmrState(fit.ik_state, crop.captured_at))


def network_inputs(crops: list[Crop], rects: list[CropRect]) -> dict[str, np.ndarray]:
    """Return the network's input tensors for a batch of crops."""
    images = np.stack([crop_bgr(crop.image, rect, INPUT_SIZE) for crop, rect in zip(crops, rects)])
    conditions = np.stack([cliff_condition(crop.box_xyxy, crop.image) for crop in crops])
    return {"image": NORMALISATION.to_tensor(images), "cliff_cond": conditions}


def cliff_condition(box_xyxy: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Return `cliff_cond` (3,) float32 of a tight box: its centre, -1 to 1, and its longer side over the image's longer side."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (float(edge) for edge in box_xyxy)
    longer = max(x1 - x0, y1 - y0) / max(width, height)
    return np.array([(x0 + x1) / width - 1, (y0 + y1) / height - 1, longer], np.float32)


def decode_output(outputs: dict[str, np.ndarray], rect: CropRect) -> InstantHmrOutput:
    """Decode one person's outputs: key points to the full image, joints to the network's camera frame."""
    root = outputs["cam_trans"].reshape(3)
    keypoints = crop_to_image((outputs["joints_2d"].reshape(JOINT_COUNT, 2) + 1) / 2, rect)
    return InstantHmrOutput(keypoints, outputs["joints_3d"].reshape(JOINT_COUNT, 3) + root, root)


def rejection_reason(output: InstantHmrOutput, rect: CropRect, network_camera: Intrinsics, bone_lengths_m: np.ndarray) -> str:
    """Return the rejection reason of an output, one word, or "". bone_lengths_m: (14,) m, the body's, see `bone_lengths`."""
    if not all(np.isfinite(values).all() for values in output):
        return "numbers"
    if output.joints[:, 2].min() < MIN_DEPTH_M or output.root[2] < MIN_DEPTH_M:
        return "behind"
    points = output.keypoints[LIMBS]
    if (np.abs(points - rect.center_px).max(1) < rect.size_px[0] / 2).sum() < MIN_LIMB_JOINTS:
        return "region"
    if (
        np.median(np.linalg.norm(project(output.joints[LIMBS], network_camera) - points, axis=1))
        > MAX_REPROJECTION_ERROR * rect.size_px[0]
    ):
        return "apart"
    landmarks = landmarks_from_mhr(output.joints)
    size = float(np.median(np.linalg.norm(landmarks[BONE_STARTS] - landmarks[BONE_ENDS], axis=1) / bone_lengths_m))
    return "" if MIN_BODY_RATIO < size < MAX_BODY_RATIO else "bones"


def to_camera_frame(output: InstantHmrOutput, network_camera: Intrinsics, camera: Intrinsics) -> np.ndarray:
    """Transform the joints (70, 3), m, from the frame of the network's camera to that of the real one.

    The root keeps its pixel (u, v), at the depth z fx / f at which the body keeps its size in the image:

        root' = ((u - cx) / fx, (v - cy) / fy, 1) z fx / f

    The joints rotate about the root with its viewing ray, so that the body is seen from the same side.
    """
    depth = output.root[2] * camera[0] / network_camera[0]
    ray = np.append(unproject(project(output.root, network_camera), camera), 1.0)
    turned: np.ndarray = (output.joints - output.root) @ shortest_rotation(output.root, ray).T + ray * depth
    return turned


def full_body_box(keypoints: np.ndarray, joints: np.ndarray, intrinsics: Intrinsics) -> np.ndarray:
    """Return the bounding box (4,) float32 px of the whole body: key points, top of the head and margin (see `landmark_box`)."""
    body = landmark_box(project(landmarks_from_mhr(joints), intrinsics))
    return bounding_box(np.vstack([keypoints, body.reshape(2, 2)]))


def valid_state(crop: Crop) -> InstantHmrState | None:
    """Return the crop's state, unless it is too old."""
    state = crop.state
    return state if isinstance(state, InstantHmrState) and 0 < crop.captured_at - state.seen_at < MAX_GAP_S else None
