"""ONNX engine: any top-down ONNX network, described in its manifest, without code."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from remi_stream.body.retarget import Retarget, onto_known_body
from remi_stream.body.translation import translation
from remi_stream.errors import UsageError, unknown
from remi_stream.geometry import box_of, default_intrinsics, project, rotation_vectors
from remi_stream.messages import Person, Smpl
from remi_stream.models.description import Description, learn_skeleton
from remi_stream.models.manifest import Manifest
from remi_stream.models.onnx_ports import Shape, read_ports
from remi_stream.pose import weak_camera
from remi_stream.pose.engine import Crop, Pose
from remi_stream.pose.meaning import Meaning, ShapeError, read
from remi_stream.pose.normalised import Reading
from remi_stream.pose.onnx_file import OnnxFile, file_of, open_file
from remi_stream.pose.place import Place, cut_bgr, in_picture, inside, place_of
from remi_stream.skeletons import JOINTS

OPTIONS = {"box_scale": 1.25, "least_score": 0.3}
"""The options of [options] in a manifest, and their defaults."""
CONFIDENT = 0.4
"""A key point counts for the bounding box if its score is at least this share of the person's score."""
FLESH = 0.06
"""Margin of the body around its key points, in longest sides of their box."""
NEAREST_M, SMALLEST_PX = 0.1, 20.0
"""Least depth of a joint, and least visible side of a box; a pose below either is rejected."""
NOBODY = Crop(np.zeros((96, 96, 3), np.uint8), np.array([0, 0, 95, 95], np.float32), 0, 0.0, default_intrinsics(96, 96))
"""A black crop for a first inference, so that outputs of a wrong shape are reported when the engine loads."""


class Look(NamedTuple):
    """Options of the engine."""

    box_scale: float
    """Size of the crop, in sizes of the bounding box."""
    least_score: float
    """Least person score; a pose below it is rejected."""


def open_engine(manifest: Manifest, runtime: str, settings: dict[str, Any]) -> DescribedNetwork:
    """Load the network that a manifest describes; raises UsageError if description and ONNX file do not agree."""
    network = checked(manifest)
    options = Look(**{name: float(settings.pop(name, default)) for name, default in OPTIONS.items()})
    width, height = network.size
    shape: Shape = (3, height, width) if network.layout == "nchw" else (height, width, 3)
    name = network.input or only_input(manifest)
    outputs = {f"[network.{table}]": output for table, output in network.outputs().items()}
    loaded = open_file(manifest, runtime, settings, {name: shape}, outputs)
    retarget = onto_known_body("smpl") if network.rotations else None
    engine = DescribedNetwork(manifest.name, loaded, network, name, manifest.skeleton, options, retarget)
    engine.infer([NOBODY])
    return engine


def checked(manifest: Manifest) -> Description:
    """Return the description in a manifest; raises UsageError if the rest of the manifest does not fit it."""
    subject, network = f"Engine '{manifest.name}'", manifest.network
    if network is None:
        raise UsageError(f"{subject}: an engine with the adapter 'onnx' needs a table [network] in its manifest.")
    if len(manifest.weights) != 1:
        raise UsageError(f"{subject} has {len(manifest.weights)} [[weights]], expected one: its ONNX file.")
    for option in manifest.options:
        if option not in OPTIONS:
            raise unknown(f"option of engine '{manifest.name}':", option, OPTIONS)
    try:
        learn_skeleton(manifest.skeleton, network)
    except ValueError as error:
        raise UsageError(f"{subject}: {error}.") from None
    if manifest.skeleton not in JOINTS:
        raise unknown(f"skeleton of engine '{manifest.name}' (list its joints in [network.skeleton]):", manifest.skeleton, JOINTS)
    if not (network.keypoints or network.heatmaps or network.joints) and manifest.skeleton != "smpl24":
        raise UsageError(f"{subject} outputs only a SMPL pose; its skeleton must be smpl24, got '{manifest.skeleton}'.")
    return network


def only_input(manifest: Manifest) -> str:
    """Return the name of an ONNX file's only input; raises UsageError if there are several."""
    path = file_of(manifest.weights[0])
    names = list(read_ports(path).inputs)
    if len(names) != 1:
        found = f"{path.name} has the inputs {', '.join(names) or 'none'}"
        raise UsageError(f"Engine '{manifest.name}': {found}; name the image input: input = \"...\" in [network].")
    return names[0]


class DescribedNetwork:
    """Key points, joints or a SMPL pose from crops, decoded as described; all people of a frame in one batch."""

    def __init__(
        self,
        name: str,
        network: OnnxFile,
        description: Description,
        port: str,
        skeleton: str,
        look: Look,
        retarget: Retarget | None = None,
    ) -> None:
        self.name = name
        self.runtime_name = network.name
        self._network, self._description, self._port = network, description, port
        self._skeleton, self._options, self._retarget = skeleton, look, retarget
        self._normalisation = Reading(
            description.scale, description.mean, description.std, description.colour, description.layout
        )

    def infer(self, crops: list[Crop]) -> list[Pose]:
        """Estimate a pose per crop, in order."""
        if not crops:
            return []
        size = self._description.size
        rects = [place_of(crop.box_xyxy, size, self._options.box_scale) for crop in crops]
        images = np.stack([cut_bgr(crop.image, rect, size) for crop, rect in zip(crops, rects)])
        found = self._network.run({self._port: self._normalisation.tensor(images)})
        return [
            self._pose(crop, rect, {name: values[row] for name, values in found.items()})
            for row, (crop, rect) in enumerate(zip(crops, rects))
        ]

    def _pose(self, crop: Crop, rect: Place, outputs: dict[str, np.ndarray]) -> Pose:
        """Decode the outputs to a pose, or to a rejection reason."""
        found = self._decode(outputs)
        if not all(np.isfinite(values).all() for values in found if values is not None):
            return Pose(None, crop.box_xyxy, None, "numbers")
        if found.camera is not None and found.camera[0] <= 0:
            return Pose(None, crop.box_xyxy, None, "behind")
        smpl = smpl_of(found, rect, crop) if found.rotations is not None else None
        joints = self._joints(found, rect, crop, smpl)
        if len(joints) and joints[:, 2].min() < NEAREST_M:
            return Pose(None, crop.box_xyxy, None, "behind")
        return self._gated(crop, found, rect, joints, smpl)

    def _decode(self, outputs: dict[str, np.ndarray]) -> Meaning:
        try:
            return read(self._description, len(JOINTS[self._skeleton]), outputs)
        except ShapeError as error:
            raise UsageError(f"Engine '{self.name}': {error}.") from None

    def _gated(self, crop: Crop, found: Meaning, rect: Place, joints: np.ndarray, smpl: Smpl | None) -> Pose:
        """Make the Person, or reject it for a low score or too little inside the image."""
        points = project(joints, crop.intrinsics) if found.points is None else in_picture(found.points, rect)
        scores = inside(points, crop.image) if found.scores is None else found.scores
        if scores.mean() < self._options.least_score:
            return Pose(None, crop.box_xyxy, None, "doubt")
        box = body_box(points, scores)
        visible = np.clip(box, 0, np.array(crop.image.shape[1::-1] * 2, np.float32))
        if (visible[2:] - visible[:2]).min() < SMALLEST_PX:
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

    def _joints(self, found: Meaning, rect: Place, crop: Crop, smpl: Smpl | None) -> np.ndarray:
        """Return joints (K, 3), m, camera frame: the network's, translated if root-relative, or the SMPL body's; else (0, 3)."""
        table = self._description.joints
        if table is not None and found.joints is not None:
            return found.joints if table.origin == "camera" else found.joints + whereabouts(found, rect, crop)
        if smpl is None or self._retarget is None or self._skeleton != "smpl24":
            return np.zeros((0, 3))
        own, body = self._retarget.smpl(smpl), self._retarget.target
        return body.joints(own.global_orient, own.body_pose, own.betas, own.transl)


def whereabouts(found: Meaning, place: Place, crop: Crop) -> np.ndarray:
    """Return the root's translation, (3,) m: from the key points, on which the joints project, else from the weak camera."""
    if found.points is not None and found.joints is not None:
        weights = np.ones(len(found.points)) if found.scores is None else np.maximum(found.scores, 1e-3)
        return translation(found.joints, in_picture(found.points, place), weights, crop.intrinsics)
    assert found.camera is not None
    return weak_camera.translation(found.camera, place.middle, place.sides[0], crop.intrinsics)


def smpl_of(found: Meaning, place: Place, crop: Crop) -> Smpl:
    """Make the SMPL message in the camera frame; the joint confidence is 1, since the description has no output for it."""
    assert found.rotations is not None
    assert found.camera is not None
    vectors = rotation_vectors(found.rotations) if found.rotations.ndim == 3 else found.rotations
    vectors = vectors.astype(np.float32).ravel()
    return Smpl(
        body="smpl",
        global_orient=vectors[:3],
        body_pose=vectors[3:],
        betas=np.zeros(10, np.float32) if found.betas is None else found.betas.astype(np.float32),
        transl=weak_camera.translation(found.camera, place.middle, place.sides[0], crop.intrinsics).astype(np.float32),
        joint_confidence=np.ones(24, np.float32),
    )


def body_box(points: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the bounding box (4,) float32 px of the confident key points (K, 2) px, with a margin."""
    box = box_of(points[scores >= CONFIDENT * scores.mean()])
    margin = FLESH * (box[2:] - box[:2]).max()
    return box + np.array([-margin, -margin, margin, margin], np.float32)
