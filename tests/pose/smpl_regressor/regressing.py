"""A fake regressor with given outputs, and a body in front of a camera, for the tests of POCO and PARE."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remi_stream.body.known_bodies import Retargeter
from remi_stream.body.smpl import load_default_body
from remi_stream.geometry import Intrinsics, matrices_from_axis_angle, project
from remi_stream.pose.crop import SquareCrop, square_crop
from remi_stream.pose.smpl_regressor import ConfidenceFunction, RegressorOptions, SmplRegressor
from remi_stream.tracking.crop import Crop

BODY = load_default_body()
SIZE = (1280, 720)
LENS: Intrinsics = (1100.0, 1050.0, 655.0, 340.0)
"""A calibrated camera: no two numbers are what one would guess."""
ORDINARY = RegressorOptions(box_scale=1.2, least_score=0.1, has_bbox_info=False)


class FakeNetwork:
    """Returns the same outputs for each crop of a call, or those that a function computes from it; records its inputs."""

    name = "fake"

    def __init__(self, answer) -> None:  # dict or (image, info) -> dict
        self.answer, self.calls = answer, []

    def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.calls.append(tensors)
        infos = tensors.get("bbox_info", np.zeros((len(tensors["image"]), 3), np.float32))
        rows = [self.answer(*row) if callable(self.answer) else self.answer for row in zip(tensors["image"], infos)]
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


class Standing(NamedTuple):
    """A person in front of the camera: vectors (24, 3) rad, betas (10,), transl (3,) m."""

    vectors: np.ndarray
    betas: np.ndarray
    transl: np.ndarray

    def joints(self) -> np.ndarray:
        """(24, 3), m, camera frame."""
        return BODY.joints(self.vectors[0], self.vectors[1:].ravel(), self.betas, self.transl)

    def box(self, intrinsics: Intrinsics = LENS) -> np.ndarray:
        """Around the joints, (4,) float32 px."""
        pixels = project(self.joints(), intrinsics)
        return np.concatenate([pixels.min(0), pixels.max(0)]).astype(np.float32)

    def outputs(self, square: SquareCrop, intrinsics: Intrinsics = LENS) -> dict[str, np.ndarray]:
        """The outputs of a perfect network for a square: the inverse of `transl_from_weak_camera`."""
        fx, fy, cx, cy = intrinsics
        x, y, z = self.transl
        radius = fx / z
        camera = (2 * radius / square.side, x - (square.x - cx) / radius, y * fy / fx - (square.y - cy) / radius)
        return {
            "rotations": matrices_from_axis_angle(self.vectors).astype(np.float32),
            "betas": self.betas.astype(np.float32),
            "camera": np.array(camera, np.float32),
            "joint_variance": np.full(24, 0.02, np.float32),
            "part_attention": np.full(24, 0.1, np.float32),
        }


def random_person(seed: int) -> Standing:
    """A lively person some metres away, facing the camera more or less."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(0, 0.3, (24, 3))
    vectors[0] += (np.pi, 0, 0)
    return Standing(vectors, rng.normal(0, 1, 10), np.array([rng.uniform(-0.8, 0.8), rng.uniform(-0.2, 0.2), rng.uniform(3, 6)]))


def crop_of(box_xyxy: np.ndarray, image: np.ndarray | None = None, intrinsics: Intrinsics = LENS, track_id: int = 7) -> Crop:
    """A crop of an image (grey, if none is given)."""
    image = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8) if image is None else image
    return Crop(image, np.asarray(box_xyxy, np.float32), track_id, 0.0, intrinsics)


def engine_of(network: FakeNetwork, judge: ConfidenceFunction, look: RegressorOptions = ORDINARY) -> SmplRegressor:
    """An engine whose SMPL body is the open one."""
    return SmplRegressor("test", network, judge, look, Retargeter(BODY, BODY))


def perfect_pose(person: Standing, judge: ConfidenceFunction):
    """The engine's pose when the network is right."""
    box = person.box()
    network = FakeNetwork(person.outputs(square_crop(box, 1.2)))
    return engine_of(network, judge).infer([crop_of(box)])[0]
