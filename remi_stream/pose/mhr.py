"""InstantHMR engine: 70 MHR joints in 3D from a square crop and its position in the image, and a SMPL body fitted to them.

The network has no confidence output, so a pose is accepted or rejected by its plausibility (`refusal`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from remi_stream.body.ik import Memory
from remi_stream.body.lifting import ENDS, STARTS
from remi_stream.body.mhr import MhrFitter, landmarks_of
from remi_stream.body.smpl import Body
from remi_stream.body.smpl_file import body_for_engines
from remi_stream.geometry import Intrinsics, box_of, default_intrinsics, project, rays, swing
from remi_stream.messages import Person
from remi_stream.models.manifest import Manifest
from remi_stream.networks.network import IMAGENET
from remi_stream.pose.engine import Crop, Pose
from remi_stream.pose.landmarks import body_box
from remi_stream.pose.normalised import Reading
from remi_stream.pose.onnx_file import OnnxFile, open_file
from remi_stream.pose.place import Place, cut_bgr, in_picture, inside, place_of
from remi_stream.pose.region import LONGEST_GAP_S
from remi_stream.skeletons import JOINTS, LIMB_JOINTS, indices

SIZE = (224, 224)
"""Input size of the network, px."""
READING = Reading(mean=IMAGENET["mean"], std=IMAGENET["std"])
INPUTS = {"image": (3, *SIZE), "cliff_cond": (3,)}
OUTPUTS = {name: name for name in ("cam_trans", "joints_2d", "joints_3d")}
LIMBS = indices("mhr70", LIMB_JOINTS)
COUNT = len(JOINTS["mhr70"])

NEAREST_M = 0.1
"""Least depth of a joint."""
LEAST_LIMBS = 5
"""Least number of limb joints inside the crop, of 12: a person at a desk shows six."""
APART_MOST = 0.15
"""Largest median distance of the limbs' 2D key points from the projected 3D joints, in sides of the crop."""
LONGEST_MOST, SHORTEST_MOST = 1.8, 0.4
"""Limits of the median ratio of bone lengths to the mean body's: from a child of a metre to a giant."""
SMALLEST_PX = 20.0
"""Least side of the visible part of the bounding box."""


class State(NamedTuple):
    """State of a track between frames."""

    memory: Memory
    """State of inverse kinematics."""
    seen_at: float
    """Capture time of its frame, s."""


class Answer(NamedTuple):
    """Decoded outputs of the network for one person."""

    keypoints: np.ndarray
    """(70, 2) px, full image."""
    joints: np.ndarray
    """(70, 3) m, frame of the network's camera: focal length hypot(width, height), principal point at the image centre."""
    root: np.ndarray
    """(3,) m, same frame: the origin of the network's root-relative joints."""


def open_engine(manifest: Manifest, runtime: str, settings: dict[str, Any]) -> InstantHmr:
    """Load the InstantHMR network."""
    box_scale = settings.pop("box_scale")
    network = open_file(manifest, runtime, settings, INPUTS, OUTPUTS)
    return InstantHmr(manifest.name, network, box_scale, body_for_engines())


class InstantHmr:
    """70 joints and a SMPL pose; all people of a frame in one batch if the ONNX file allows it.

    box_scale: side of the square crop, in longer sides of a tight box. body: the body that is fitted.
    """

    def __init__(self, name: str, network: OnnxFile, box_scale: float, body: Body) -> None:
        self.name = name
        self.runtime_name = network.name
        self._network, self._box_scale = network, box_scale
        self._fitter = MhrFitter(body)

    def infer(self, crops: list[Crop]) -> list[Pose]:
        """Estimate a pose per crop, in order."""
        if not crops:
            return []
        rects = [place_of(crop.box_xyxy, SIZE, self._box_scale) for crop in crops]
        found = self._network.run(tensors(crops, rects))
        outputs = [{name: found[name][row].astype(np.float64) for name in OUTPUTS} for row in range(len(crops))]
        return [self._pose(crop, rect, read(one, rect)) for crop, rect, one in zip(crops, rects, outputs)]

    def _pose(self, crop: Crop, rect: Place, output: Answer) -> Pose:
        """Turn the decoded output into a pose, or a rejection reason."""
        network_camera = default_intrinsics(crop.image.shape[1], crop.image.shape[0])
        if reason := refusal(output, rect, network_camera, self._fitter.lengths):
            return Pose(None, crop.box_xyxy, None, reason)
        joints = before_camera(output, network_camera, crop.intrinsics)
        if joints[:, 2].min() < NEAREST_M:
            return Pose(None, crop.box_xyxy, None, "behind")
        box = whole_box(output.keypoints, joints, crop.intrinsics)
        size = np.array(crop.image.shape[1::-1] * 2, np.float32)
        visible = np.clip(box, 0, size)
        if (visible[2:] - visible[:2]).min() < SMALLEST_PX:
            return Pose(None, crop.box_xyxy, None, "outside")
        return self._person(crop, output, joints, box, visible)

    def _person(self, crop: Crop, output: Answer, joints: np.ndarray, box: np.ndarray, visible: np.ndarray) -> Pose:
        """Fit the body and make the Person message."""
        scores = inside(output.keypoints, crop.image)
        state = usable(crop)
        memory, elapsed = (state.memory, crop.captured_at - state.seen_at) if state else (None, 0.0)
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
        return Pose(person, visible, State(fit.memory, crop.captured_at))


def tensors(crops: list[Crop], places: list[Place]) -> dict[str, np.ndarray]:
    """Return the network's input tensors for a batch of crops."""
    images = np.stack([cut_bgr(crop.image, rect, SIZE) for crop, rect in zip(crops, places)])
    conditions = np.stack([condition(crop.box_xyxy, crop.image) for crop in crops])
    return {"image": READING.tensor(images), "cliff_cond": conditions}


def condition(box_xyxy: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Return `cliff_cond` (3,) float32 of a tight box: its centre, -1 to 1, and its longer side over the image's longer side."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (float(edge) for edge in box_xyxy)
    longer = max(x1 - x0, y1 - y0) / max(width, height)
    return np.array([(x0 + x1) / width - 1, (y0 + y1) / height - 1, longer], np.float32)


def read(outputs: dict[str, np.ndarray], place: Place) -> Answer:
    """Decode one person's outputs: key points to the full image, joints to the network's camera frame."""
    root = outputs["cam_trans"].reshape(3)
    keypoints = in_picture((outputs["joints_2d"].reshape(COUNT, 2) + 1) / 2, place)
    return Answer(keypoints, outputs["joints_3d"].reshape(COUNT, 3) + root, root)


def refusal(answer: Answer, place: Place, own: Intrinsics, lengths: np.ndarray) -> str:
    """Return in one word why an output is rejected, or "". own: the network's camera. lengths: (14,) m, see `bone_lengths`."""
    if not all(np.isfinite(values).all() for values in answer):
        return "numbers"
    if answer.joints[:, 2].min() < NEAREST_M or answer.root[2] < NEAREST_M:
        return "behind"
    points = answer.keypoints[LIMBS]
    if (np.abs(points - place.middle).max(1) < place.sides[0] / 2).sum() < LEAST_LIMBS:
        return "region"
    if np.median(np.linalg.norm(project(answer.joints[LIMBS], own) - points, axis=1)) > APART_MOST * place.sides[0]:
        return "apart"
    landmarks = landmarks_of(answer.joints)
    size = float(np.median(np.linalg.norm(landmarks[STARTS] - landmarks[ENDS], axis=1) / lengths))
    return "" if SHORTEST_MOST < size < LONGEST_MOST else "bones"


def before_camera(answer: Answer, own: Intrinsics, camera: Intrinsics) -> np.ndarray:
    """Transform the joints (70, 3), m, from the frame of the network's camera to that of the real one.

    The root keeps its pixel (u, v), at the depth z fx / f at which the body keeps its size in the image:

        root' = ((u - cx) / fx, (v - cy) / fy, 1) z fx / f

    The joints rotate about the root with its viewing ray, so that the body is seen from the same side.
    """
    depth = answer.root[2] * camera[0] / own[0]
    ray = np.append(rays(project(answer.root, own), camera), 1.0)
    turned: np.ndarray = (answer.joints - answer.root) @ swing(answer.root, ray).T + ray * depth
    return turned


def whole_box(keypoints: np.ndarray, joints: np.ndarray, intrinsics: Intrinsics) -> np.ndarray:
    """Return the bounding box (4,) float32 px of the whole body: key points, top of the head and margin (see `body_box`)."""
    body = body_box(project(landmarks_of(joints), intrinsics))
    return box_of(np.vstack([keypoints, body.reshape(2, 2)]))


def usable(crop: Crop) -> State | None:
    """Return the crop's state, unless it is too old."""
    state = crop.state
    return state if isinstance(state, State) and 0 < crop.captured_at - state.seen_at < LONGEST_GAP_S else None
