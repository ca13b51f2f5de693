"""ONNX engine: any top-down ONNX network, described in its manifest, without code."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from remi_stream.body.known_bodies import Retargeter, retargeter_to_known_body
from remi_stream.body.smpl import fit_translation
from remi_stream.errors import UsageError, unknown_name_error
from remi_stream.geometry import axis_angle_from_matrices, box_with_margin, default_intrinsics, project
from remi_stream.messages import Person, Smpl
from remi_stream.models.manifest import Manifest
from remi_stream.models.onnx_description import OnnxDescription, OnnxShape, read_signature, register_skeleton
from remi_stream.pose.crop import (
    CropRect,
    ImageNormalisation,
    crop_bgr,
    crop_rect,
    crop_to_image,
    inside_image_scores,
    transl_from_weak_camera,
)
from remi_stream.pose.onnx_outputs import DecodedOutputs, OnnxModel, OutputShapeError, decode_outputs, load_onnx_model, onnx_path
from remi_stream.skeletons import JOINT_NAMES
from remi_stream.tracking.crop import Crop, Pose

DEFAULT_OPTIONS = {"box_scale": 1.25, "least_score": 0.3}
"""The options of [options] in a manifest, and their defaults."""
CONFIDENT_RATIO = 0.4
"""A key point counts for the bounding box if its score is at least this share of the person's score."""
BODY_MARGIN = 0.06
"""Margin of the body around its key points, in longest sides of their box."""
MIN_DEPTH_M, MIN_SIDE_PX = 0.1, 20.0
"""Least depth of a joint, and least visible side of a box; a pose below either is rejected."""
BLANK_CROP = Crop(np.zeros((96, 96, 3), np.uint8), np.array([0, 0, 95, 95], np.float32), 0, 0.0, default_intrinsics(96, 96))
"""A black crop for a first inference, so that outputs of a wrong shape are reported when the engine loads."""


class OnnxEngineOptions(NamedTuple):
    """Options of the engine."""

    box_scale: float
    """Size of the crop, in sizes of the bounding box."""
    least_score: float
    """Least person score; a pose below it is rejected."""


def open_engine(manifest: Manifest, runtime: str, settings: dict[str, Any]) -> OnnxEngine:
    """Load the network that a manifest describes; raises UsageError if description and ONNX file do not agree."""
    network = validate_description(manifest)
    options = OnnxEngineOptions(**{name: float(settings.pop(name, default)) for name, default in DEFAULT_OPTIONS.items()})
    width, height = network.size
    shape: OnnxShape = (3, height, width) if network.layout == "nchw" else (height, width, 3)
    name = network.input or only_input_name(manifest)
    outputs = {f"[network.{table}]": output for table, output in network.output_names().items()}
    loaded = load_onnx_model(manifest, runtime, settings, {name: shape}, outputs)
    retarget = retargeter_to_known_body("smpl") if network.rotations else None
    engine = OnnxEngine(manifest.name, loaded, network, name, manifest.skeleton, options, retarget)
    engine.infer([BLANK_CROP])
    return engine


def validate_description(manifest: Manifest) -> OnnxDescription:
    """Return the description in a manifest; raises UsageError if the rest of the manifest does not fit it."""
    subject, network = f"Engine '{manifest.name}'", manifest.network
    if network is None:
        raise UsageError(f"{subject}: an engine with the adapter 'onnx' needs a table [network] in its manifest.")
    if len(manifest.weights) != 1:
        raise UsageError(f"{subject} has {len(manifest.weights)} [[weights]], expected one: its ONNX file.")
    for option in manifest.options:
        if option not in DEFAULT_OPTIONS:
            raise unknown_name_error(f"option of engine '{manifest.name}':", option, DEFAULT_OPTIONS)
    try:
        register_skeleton(manifest.skeleton, network)
    except ValueError as error:
        raise UsageError(f"{subject}: {error}.") from None
    if manifest.skeleton not in JOINT_NAMES:
        raise unknown_name_error(
            f"skeleton of engine '{manifest.name}' (list its joints in [network.skeleton]):", manifest.skeleton, JOINT_NAMES
        )
    if not (network.keypoints or network.heatmaps or network.joints) and manifest.skeleton != "smpl24":
        raise UsageError(f"{subject} outputs only a SMPL pose; its skeleton must be smpl24, got '{manifest.skeleton}'.")
    return network


def only_input_name(manifest: Manifest) -> str:
    """Return the name of an ONNX file's only input; raises UsageError if there are several."""
    path = onnx_path(manifest.weights[0])
    names = list(read_signature(path).inputs)
    if len(names) != 1:
        found = f"{path.name} has the inputs {', '.join(names) or 'none'}"
        raise UsageError(f"Engine '{manifest.name}': {found}; name the image input: input = \"...\" in [network].")
    return names[0]


class OnnxEngine:
    """Key points, joints or a SMPL pose from crops, decoded as described; all people of a frame in one batch."""

    is_stateless = True
    has_gates = False

    def __init__(
        self,
        name: str,
        network: OnnxModel,
        description: OnnxDescription,
        input_name: str,
        skeleton: str,
        options: OnnxEngineOptions,
        retarget: Retargeter | None = None,
    ) -> None:
        self.name = name
        self.runtime_name = network.name
        self._network, self._description, self._input_name = network, description, input_name
        self._skeleton, self._options, self._retarget = skeleton, options, retarget
        self._normalisation = ImageNormalisation(
            description.scale, description.mean, description.std, description.colour, description.layout
        )

    def infer(self, crops: list[Crop]) -> list[Pose]:
        """Estimate a pose per crop, in order."""
        if not crops:
            return []
        size = self._description.size
        rects = [crop_rect(crop.box_xyxy, size, self._options.box_scale) for crop in crops]
        images = np.stack([crop_bgr(crop.image, rect, size) for crop, rect in zip(crops, rects)])
        found = self._network.run({self._input_name: self._normalisation.to_tensor(images)})
        return [
            self._pose(crop, rect, {name: values[row] for name, values in found.items()})
            for row, (crop, rect) in enumerate(zip(crops, rects))
        ]

    def _pose(self, crop: Crop, rect: CropRect, outputs: dict[str, np.ndarray]) -> Pose:
        """Decode the outputs to a pose, or to a rejection reason."""
        found = self._decode(outputs)
        if not all(np.isfinite(values).all() for values in found if values is not None):
            return Pose(None, crop.box_xyxy, None, "numbers")
        if found.camera is not None and found.camera[0] <= 0:
            return Pose(None, crop.box_xyxy, None, "behind")
        smpl = make_smpl(found, rect, crop) if found.rotations is not None else None
        joints = self._joints(found, rect, crop, smpl)
        if len(joints) and joints[:, 2].min() < MIN_DEPTH_M:
            return Pose(None, crop.box_xyxy, None, "behind")
        return self._make_pose(crop, found, rect, joints, smpl)

    def _decode(self, outputs: dict[str, np.ndarray]) -> DecodedOutputs:
        try:
            return decode_outputs(self._description, len(JOINT_NAMES[self._skeleton]), outputs)
        except OutputShapeError as error:
            raise UsageError(f"Engine '{self.name}': {error}.") from None

    def _make_pose(self, crop: Crop, found: DecodedOutputs, rect: CropRect, joints: np.ndarray, smpl: Smpl | None) -> Pose:
        """Make the Person, or reject it for a low score or too little inside the image."""
        points = project(joints, crop.intrinsics) if found.points is None else crop_to_image(found.points, rect)
        scores = inside_image_scores(points, crop.image) if found.scores is None else found.scores
        if scores.mean() < self._options.least_score:
            return Pose(None, crop.box_xyxy, None, "doubt")
        box = keypoint_box(points, scores)
        visible = np.clip(box, 0, np.array(crop.image.shape[1::-1] * 2, np.float32))
        if (visible[2:] - visible[:2]).min() < MIN_SIDE_PX:
            return Pose(None, crop.box_xyxy, None, "outside")
        person = Person(
            track_id=crop.track_id,
            score=float(scores.mean()),
            box_xyxy=box,
            skeleton=self._skeleton,
            keypoints_px=points.astype(np.float32),
            keypoint_scores=scores.astype(np.float32),
            joints_m=joints.astype(np.float32),
            smpl=smpl,
        )
        return Pose(person, visible)

    def _joints(self, found: DecodedOutputs, rect: CropRect, crop: Crop, smpl: Smpl | None) -> np.ndarray:
        """Return joints (K, 3), m, camera frame: the network's, translated if root-relative, or the SMPL body's; else (0, 3)."""
        table = self._description.joints
        if table is not None and found.joints is not None:
            return found.joints if table.origin == "camera" else found.joints + root_translation(found, rect, crop)
        if smpl is None or self._retarget is None or self._skeleton != "smpl24":
            return np.zeros((0, 3))
        own, body = self._retarget.retarget(smpl), self._retarget.target
        return body.joints(own.global_orient, own.body_pose, own.betas, own.transl)


def root_translation(outputs: DecodedOutputs, rect: CropRect, crop: Crop) -> np.ndarray:
    """Return the root's translation, (3,) m: from the key points, on which the joints project, else from the weak camera."""
    if outputs.points is not None and outputs.joints is not None:
        weights = np.ones(len(outputs.points)) if outputs.scores is None else np.maximum(outputs.scores, 1e-3)
        return fit_translation(outputs.joints, crop_to_image(outputs.points, rect), weights, crop.intrinsics)
    assert outputs.camera is not None
    return transl_from_weak_camera(outputs.camera, rect.center_px, rect.size_px[0], crop.intrinsics)


def make_smpl(outputs: DecodedOutputs, rect: CropRect, crop: Crop) -> Smpl:
    """Make the SMPL message in the camera frame; the joint confidence is 1, since the description has no output for it."""
    assert outputs.rotations is not None
    assert outputs.camera is not None
    vectors = axis_angle_from_matrices(outputs.rotations) if outputs.rotations.ndim == 3 else outputs.rotations
    vectors = vectors.astype(np.float32).ravel()
    return Smpl(
        body="smpl",
        global_orient=vectors[:3],
        body_pose=vectors[3:],
        betas=np.zeros(10, np.float32) if outputs.betas is None else outputs.betas.astype(np.float32),
        transl=transl_from_weak_camera(outputs.camera, rect.center_px, rect.size_px[0], crop.intrinsics).astype(np.float32),
        joint_confidence=np.ones(24, np.float32),
    )


def keypoint_box(points: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the bounding box (4,) float32 px of the confident key points (K, 2) px, with a margin."""
    return box_with_margin(points[scores >= CONFIDENT_RATIO * scores.mean()], BODY_MARGIN)
