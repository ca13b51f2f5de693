"""An engine around a network that regresses SMPL from a square crop: POCO and PARE differ in how they say how sure they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from remi_stream.body.attachments import landmarks
from remi_stream.body.retarget import Retarget
from remi_stream.body.smpl import Body, forward_kinematics, joint_rotations
from remi_stream.geometry import project, rotation_vectors
from remi_stream.messages import Person, Smpl
from remi_stream.pose.engine import Crop, Pose
from remi_stream.pose.landmarks import body_box
from remi_stream.pose.matching import covered
from remi_stream.pose.square import Square, bbox_info, crop_from_square, cut_for, square_around
from remi_stream.pose.weak_camera import crop_translation, translation
from remi_stream.runtimes.runtime import Runtime, Tensors

SIDE = 224
NEAREST_M = 0.1
SMALLEST_PX = 20.0
LEAST_SCALE = 1e-3
"""Of the crop's camera: a square two kilometres wide."""
CROP_CAMERA, SQUARE, CROP_TRANSL = "pred_cam", "bbox", "pred_cam_t"
"""In `Person.native`: (3,) float32 s, tx, ty in the crop; (4,) float64 px cx, cy, side, side of the square that was looked at;
for networks that do not see where the square is, (3,) float32 m, the body before the crop's own camera."""
PART = 0.2
"""Of what the picture shows of a body, or of the square if that is smaller, this much has to be in both."""


class Trust(NamedTuple):
    """How sure a network is: score [0, 1] of the whole person, joint_confidence (24,) float32 in [0, 1]."""

    score: float
    joint_confidence: np.ndarray


Outputs = dict[str, np.ndarray]
Judge = Callable[[Outputs], Trust]
"""Says how sure a network is of one person, from its outputs for them."""
Native = Callable[[Outputs], dict[str, np.ndarray]]
"""What else is told of a network's outputs for one person, as `Person.native`."""


class Look(NamedTuple):
    """How a network is looked through.

    box_scale: side of its square, in longer sides of a tight box. least_score: below it nobody is there. sees_place: it reads
    where the square is in the picture (CLIFF).
    """

    box_scale: float
    least_score: float
    sees_place: bool


class Regressor:
    """SMPL bodies from crops, everybody of a frame in one call.

    retarget: onto the body whose joints are published. native: None if nobody asks for the network's own outputs.
    """

    memoryless = True

    def __init__(
        self, name: str, network: Runtime, judge: Judge, look: Look, retarget: Retarget, native: Native | None = None
    ) -> None:
        self.name = name
        self.runtime_name = network.name
        self._network, self._judge, self._look, self._retarget = network, judge, look, retarget
        self._native = native
        self._cut = cut_for(network)

    def infer(self, crops: list[Crop]) -> list[Pose]:
        """Estimate everybody at once."""
        if not crops:
            return []
        squares = [square_around(crop.box_xyxy, self._look.box_scale) for crop in crops]
        found = self._network.run(self._tensors(crops, squares))
        people = [{name: values[index] for name, values in found.items()} for index in range(len(crops))]
        return [self._pose(crop, square, outputs) for crop, square, outputs in zip(crops, squares, people)]

    def _tensors(self, crops: list[Crop], squares: list[Square]) -> Tensors:
        affines = np.stack([crop_from_square(square, SIDE) for square in squares])
        tensors: Tensors = {"image": self._cut([crop.image for crop in crops], affines, (SIDE, SIDE))}
        if self._look.sees_place:
            tensors["bbox_info"] = np.stack([bbox_info(square, crop.intrinsics) for crop, square in zip(crops, squares)])
        return tensors

    def _pose(self, crop: Crop, square: Square, outputs: Outputs) -> Pose:
        """What the network says of one person, or one word why it is not believed."""
        if reason := refusal(outputs):
            return Pose(None, crop.box_xyxy, None, reason)
        trust = self._judge(outputs)
        if trust.score < self._look.least_score:
            return Pose(None, crop.box_xyxy, None, "doubt")
        smpl = smpl_of(outputs, square, crop, trust.joint_confidence)
        rotations, joints = posed(self._retarget.smpl(smpl), self._retarget.target)
        points = landmarks(rotations, joints)
        if min(joints[:, 2].min(), points[:, 2].min()) < NEAREST_M:
            return Pose(None, crop.box_xyxy, None, "behind")
        box = body_box(project(points, crop.intrinsics))
        visible = shown(box, crop.image)
        if reason := misplaced(visible, square):
            return Pose(None, crop.box_xyxy, None, reason)
        return Pose(person_of(crop, trust, smpl, joints, box, self._told(outputs, square)), visible)

    def _told(self, outputs: Outputs, square: Square) -> dict[str, np.ndarray]:
        """The network's own outputs, if they are asked for: the crop's camera, the square, and how its authors draw the crop."""
        if self._native is None:
            return {}
        camera = outputs["camera"].astype(np.float32)
        drawn = {} if self._look.sees_place else {CROP_TRANSL: crop_translation(camera).astype(np.float32)}
        square_px = np.array([square.x, square.y, square.side, square.side])
        return {CROP_CAMERA: camera, SQUARE: square_px, **drawn, **self._native(outputs)}


def refusal(outputs: Outputs) -> str:
    """One word why outputs are no body at all."""
    if not all(np.isfinite(values).all() for values in outputs.values()):
        return "numbers"
    scale = outputs["camera"][0]
    return "behind" if scale <= 0 else "outside" if scale < LEAST_SCALE else ""


def misplaced(visible_xyxy: np.ndarray, square: Square) -> str:
    """One word why a body is not where it was looked for; visible_xyxy: (4,) px, what the picture shows of it."""
    if not (visible_xyxy[2:] - visible_xyxy[:2]).min() >= SMALLEST_PX:  # also when it is no number
        return "outside"
    half = square.side / 2
    looked_at = np.array([square.x - half, square.y - half, square.x + half, square.y + half], np.float32)
    return "elsewhere" if covered(visible_xyxy, looked_at[None])[0] < PART else ""


def smpl_of(outputs: Outputs, square: Square, crop: Crop, joint_confidence: np.ndarray) -> Smpl:
    """The SMPL body in the camera's frame."""
    vectors = rotation_vectors(outputs["rotations"].astype(np.float64)).astype(np.float32).ravel()
    transl = translation(outputs["camera"], np.array([square.x, square.y]), square.side, crop.intrinsics)
    return Smpl(
        body="smpl",
        global_orient=vectors[:3],
        body_pose=vectors[3:],
        betas=outputs["betas"].astype(np.float32),
        transl=transl.astype(np.float32),
        joint_confidence=joint_confidence,
    )


def posed(smpl: Smpl, body: Body) -> tuple[np.ndarray, np.ndarray]:
    """World rotations (24, 3, 3) and joints (24, 3), m, of a body in the camera's frame."""
    turns = joint_rotations(smpl.global_orient, smpl.body_pose)
    return forward_kinematics(body.rest_joints(smpl.betas), turns, smpl.transl)


def shown(box_xyxy: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The part (4,) float32 of a box that image (H, W, 3) shows: what a detector would have found."""
    size = np.array(image.shape[1::-1], np.float32)
    return np.clip(box_xyxy, 0, np.concatenate([size, size])).astype(np.float32)


def person_of(crop: Crop, trust: Trust, smpl: Smpl, joints: np.ndarray, box: np.ndarray, native: dict[str, np.ndarray]) -> Person:
    """Make the message; joints: (24, 3) m, camera frame."""
    return Person(
        track_id=crop.track_id,
        score=trust.score,
        box_xyxy=box,
        skeleton="smpl24",
        keypoints_px=project(joints, crop.intrinsics).astype(np.float32),
        keypoint_scores=trust.joint_confidence,
        joints_m=joints.astype(np.float32),
        smpl=smpl,
        native=native,
    )
