"""Observations: what the landmark network says about a rendered performance, by the engine's own region following.

Everything is stored raw: the gates and the closed-form fit may change, the pictures need not be rendered again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from remi_stream.geometry import project
from remi_stream.inference.runtime import Runtime
from remi_stream.pose.gates import is_roi_stable
from remi_stream.pose.landmarks import (
    INPUT_SIDE_PX,
    INPUT_TENSOR,
    Landmarks,
    Roi,
    RoiFilter,
    crop_roi,
    decode_landmarks,
    roi_from_box,
    roi_from_points,
    update_roi_filter,
)
from train_lifter.painter import Model, Painter
from train_lifter.performance import Performance
from train_lifter.pictures import Camera, Cover, Faults
from train_lifter.view import View

Array = NDArray[Any]

BLUR_SHARES = (0.0, 0.33, 0.66)
"""Moments between two frames that are averaged for motion blur."""
BODY_RADIUS_M = 0.17
"""The skin is within this distance of the joints."""
BOX_NOISE = 0.03
"""Standard deviation of a detector's box, in sizes of the box."""
MIN_PRESENCE = 0.5
MIN_PERSON_PX = 20.0
MIN_DEPTH_M = 0.15


class Scene(NamedTuple):
    """Everything that a sequence of pictures is made of."""

    performance: Performance
    model: Model
    view: View
    picture: Array
    """(H, W, 3) uint8 BGR: background with furniture."""
    cover: Cover | None
    faults: Faults
    is_blurred: bool


class Observation(NamedTuple):
    """One frame of a track."""

    landmarks: Landmarks
    roi: Roi
    is_new: bool
    """Whether the track starts here."""


class Observer:
    """Looks at scenes through the landmark network."""

    def __init__(self, network: Runtime, painter: Painter) -> None:
        self.network, self.painter, self.camera = network, painter, Camera(INPUT_SIDE_PX)

    def observe(self, rng: np.random.Generator, scene: Scene, fps: float) -> list[Observation | None]:
        """Follow the person through a scene; None where the network finds nobody."""
        found: list[Observation | None] = []
        joints = scene.view.to_camera(scene.performance.joints)
        filtered: RoiFilter | None = None
        for frame, joints_m in enumerate(joints):
            pixels = pixels_of(joints_m, scene.view)
            picture = self._picture(scene, frame, pixels, joints_m)
            roi = self._first_roi(rng, scene, picture, pixels) if filtered is None else filtered.roi()
            landmarks = None if roi is None else self._look(rng, picture, roi, scene.faults)
            if roi is None or landmarks is None or not is_plausible(landmarks, roi):
                filtered = None
                found.append(None)
                continue
            found.append(Observation(landmarks, roi, filtered is None))
            filtered = update_roi_filter(filtered, landmarks.roi_points, frame / fps)
        return found

    def _first_roi(self, rng: np.random.Generator, scene: Scene, picture: Array, pixels: Array) -> Roi | None:
        """Return the region of a new person, from a box around the visible joints, or None if there is none."""
        inside = np.clip(pixels, 0, scene.view.size)
        box = np.concatenate([inside.min(0), inside.max(0)])
        side = float((box[2:] - box[:2]).max())
        if side < MIN_PERSON_PX:
            return None
        first = self._look(rng, picture, roi_from_box(box + rng.normal(0, BOX_NOISE * side, 4)), scene.faults)
        roi = roi_from_points(first.roi_points)
        return roi if MIN_PERSON_PX < roi.size < 5000 else None

    def _look(self, rng: np.random.Generator, picture: Array, roi: Roi, faults: Faults) -> Landmarks:
        crop = self.camera.expose(rng, crop_roi(picture, roi), faults)
        return decode_landmarks(self.network.run({INPUT_TENSOR: crop[None]}), roi)

    def _picture(self, scene: Scene, frame: int, pixels: Array, joints_m: Array) -> Array:
        """Draw a frame, (H, W, 3) uint8 BGR."""
        picture = scene.picture.copy()
        box = person_box(pixels, joints_m, scene.view)
        part = picture[box[1] : box[3], box[0] : box[2]]
        shares = BLUR_SHARES if scene.is_blurred else (0.0,)
        total = np.zeros(part.shape, np.uint16)
        for share in shares:
            motions = joint_motions(scene.performance, scene.model.rest_joints, frame, share)
            drawn = self.painter.draw(scene.model, scene.view, motions, box)
            total += np.where(drawn[..., 3:] > 127, drawn[..., :3], part)
        part[:] = total // len(shares)
        if scene.cover:
            scene.cover.draw(picture, frame)
        return picture


def is_plausible(landmarks: Landmarks, roi: Roi) -> bool:
    """Return whether any reasonable gate would go on following the person."""
    return landmarks.person_presence >= MIN_PRESENCE and is_roi_stable(roi, roi_from_points(landmarks.roi_points))


def pixels_of(joints_m: Array, view: View) -> Array:
    """Project joints (24, 3), m, camera axes, to px (24, 2); joints behind the camera as if just in front of it."""
    return project(np.c_[joints_m[:, :2], np.maximum(joints_m[:, 2:], MIN_DEPTH_M)], view.intrinsics)


def person_box(pixels: Array, joints_m: Array, view: View) -> tuple[int, int, int, int]:
    """Return the part of the picture (x0, y0, x1, y1) px that the person may cover, at least 2 px a side."""
    margin = BODY_RADIUS_M * view.intrinsics[0] / max(float(joints_m[:, 2].min()), MIN_DEPTH_M) + 4
    size = np.array(view.size)
    x0, y0 = np.clip(pixels.min(0) - margin, 0, size - 2).astype(int)
    x1, y1 = np.clip(pixels.max(0) + margin, 2, size).astype(int)
    return int(x0), int(y0), max(int(x1), int(x0) + 2), max(int(y1), int(y0) + 2)


def joint_motions(performance: Performance, rest_joints: Array, frame: int, share: float) -> Array:
    """Return the motions (24, 4, 4), rest to world, of the joints, share of the way from a frame to the next."""
    rotations, joints = performance.world_rotations[frame], performance.joints[frame]
    if share:
        after = min(frame + 1, len(performance.joints) - 1)
        turn = Rotation.from_matrix(rotations.swapaxes(1, 2) @ performance.world_rotations[after]).as_rotvec()
        rotations = rotations @ Rotation.from_rotvec(share * turn).as_matrix()
        joints = joints + share * (performance.joints[after] - joints)
    motions = np.tile(np.eye(4), (24, 1, 1))
    motions[:, :3, :3] = rotations
    motions[:, :3, 3] = joints - np.einsum("jab,jb->ja", rotations, rest_joints)
    return motions
