"""An engine that a manifest describes: any ONNX network that looks at one person's crop, without a line of code."""

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
CONFIDENT = 0.4
"""A joint is part of the box if it scores this share of the person's score."""
FLESH = 0.06
"""How far the body reaches around its key points, in longest sides of their box."""
NEAREST_M, SMALLEST_PX = 0.1, 20.0
NOBODY = Crop(np.zeros((96, 96, 3), np.uint8), np.array([0, 0, 95, 95], np.float32), 0, 0.0, default_intrinsics(96, 96))
"""A first look, at a black picture: outputs of another shape than the description's are told before anybody is there."""


class Look(NamedTuple):
    """box_scale: how much larger than the box the crop is. least_score: below it nobody is there."""

    box_scale: float
    least_score: float


def open_engine(manifest: Manifest, runtime: str, settings: dict[str, Any]) -> DescribedNetwork:
    """Load the network of a manifest that describes one, once description and file agree."""
    network = checked(manifest)
    look = Look(**{name: float(settings.pop(name, default)) for name, default in OPTIONS.items()})
    width, height = network.size
    shape: Shape = (3, height, width) if network.layout == "nchw" else (height, width, 3)
    name = network.input or only_input(manifest)
    outputs = {f"[network.{table}]": output for table, output in network.outputs().items()}
    loaded = open_file(manifest, runtime, settings, {name: shape}, outputs)
    retarget = onto_known_body("smpl") if network.rotations else None
    engine = DescribedNetwork(manifest.name, loaded, network, name, manifest.skeleton, look, retarget)
    engine.infer([NOBODY])
    return engine


def checked(manifest: Manifest) -> Description:
    """The description in a manifest, if the rest of the manifest goes with it."""
    who, network = f"Engine '{manifest.name}'", manifest.network
    if network is None:
        raise UsageError(f"{who}: an engine with the adapter 'onnx' needs a table [network] in its manifest.")
    if len(manifest.weights) != 1:
        raise UsageError(f"{who} has {len(manifest.weights)} [[weights]], expected one: its ONNX file.")
    for option in manifest.options:
        if option not in OPTIONS:
            raise unknown(f"option of engine '{manifest.name}':", option, OPTIONS)
    try:
        learn_skeleton(manifest.skeleton, network)
    except ValueError as error:
        raise UsageError(f"{who}: {error}.") from None
    if manifest.skeleton not in JOINTS:
        raise unknown(f"skeleton of engine '{manifest.name}' (list its joints in [network.skeleton]):", manifest.skeleton, JOINTS)
    if not (network.keypoints or network.heatmaps or network.joints) and manifest.skeleton != "smpl24":
        raise UsageError(f"{who} gives nothing but a SMPL pose; its skeleton is smpl24, got '{manifest.skeleton}'.")
    return network


def only_input(manifest: Manifest) -> str:
    """The name of an ONNX file's input, if there is just one."""
    path = file_of(manifest.weights[0])
    names = list(read_ports(path).inputs)
    if len(names) != 1:
        found = f"{path.name} has the inputs {', '.join(names) or 'none'}"
        raise UsageError(f"Engine '{manifest.name}': {found}; say which is the picture: input = \"...\" in [network].")
    return names[0]


class DescribedNetwork:
    """Key points, joints or a SMPL pose from crops, as a description reads them; everybody of a frame in one call."""

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
        self._skeleton, self._look, self._retarget = skeleton, look, retarget
        one = description
        self._reading = Reading(one.scale, one.mean, one.std, one.colour, one.layout)

    def infer(self, crops: list[Crop]) -> list[Pose]:
        """Estimate a pose per crop, in order."""
        if not crops:
            return []
        size = self._description.size
        places = [place_of(crop.box_xyxy, size, self._look.box_scale) for crop in crops]
        pictures = np.stack([cut_bgr(crop.image, place, size) for crop, place in zip(crops, places)])
        found = self._network.run({self._port: self._reading.tensor(pictures)})
        return [
            self._pose(crop, place, {name: values[row] for name, values in found.items()})
            for row, (crop, place) in enumerate(zip(crops, places))
        ]

    def _pose(self, crop: Crop, place: Place, outputs: dict[str, np.ndarray]) -> Pose:
        """The person, or one word why nobody is believed to be there."""
        found = self._read(outputs)
        if not all(np.isfinite(values).all() for values in found if values is not None):
            return Pose(None, crop.box_xyxy, None, "numbers")
        if found.camera is not None and found.camera[0] <= 0:
            return Pose(None, crop.box_xyxy, None, "behind")
        smpl = smpl_of(found, place, crop) if found.rotations is not None else None
        joints = self._joints(found, place, crop, smpl)
        if len(joints) and joints[:, 2].min() < NEAREST_M:
            return Pose(None, crop.box_xyxy, None, "behind")
        return self._judged(crop, found, place, joints, smpl)

    def _read(self, outputs: dict[str, np.ndarray]) -> Meaning:
        try:
            return read(self._description, len(JOINTS[self._skeleton]), outputs)
        except ShapeError as error:
            raise UsageError(f"Engine '{self.name}': {error}.") from None

    def _judged(self, crop: Crop, found: Meaning, place: Place, joints: np.ndarray, smpl: Smpl | None) -> Pose:
        """Make the message, if the key points are sure enough and in the picture."""
        points = project(joints, crop.intrinsics) if found.points is None else in_picture(found.points, place)
        scores = inside(points, crop.image) if found.scores is None else found.scores
        if scores.mean() < self._look.least_score:
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

    def _joints(self, found: Meaning, place: Place, crop: Crop, smpl: Smpl | None) -> np.ndarray:
        """Joints (K, 3), m, before the camera: as they are, put where they are seen, or the body's; (0, 3) if nothing tells."""
        table = self._description.joints
        if table is not None and found.joints is not None:
            return found.joints if table.origin == "camera" else found.joints + whereabouts(found, place, crop)
        if smpl is None or self._retarget is None or self._skeleton != "smpl24":
            return np.zeros((0, 3))
        own, body = self._retarget.smpl(smpl), self._retarget.target
        return body.joints(own.global_orient, own.body_pose, own.betas, own.transl)


def whereabouts(found: Meaning, place: Place, crop: Crop) -> np.ndarray:
    """Where the point is that joints are counted from, (3,) m: from the key points they are to fall on, else from the camera."""
    if found.points is not None and found.joints is not None:
        weights = np.ones(len(found.points)) if found.scores is None else np.maximum(found.scores, 1e-3)
        return translation(found.joints, in_picture(found.points, place), weights, crop.intrinsics)
    assert found.camera is not None
    return weak_camera.translation(found.camera, place.middle, place.sides[0], crop.intrinsics)


def smpl_of(found: Meaning, place: Place, crop: Crop) -> Smpl:
    """The SMPL body before the camera; a network that is not asked how sure it is of a joint is taken to be."""
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
    """The box (4,) float32 px around those key points (K, 2) px that are clear, with some flesh."""
    box = box_of(points[scores >= CONFIDENT * scores.mean()])
    flesh = FLESH * (box[2:] - box[:2]).max()
    return box + np.array([-flesh, -flesh, flesh, flesh], np.float32)
