"""Random cameras: whole bodies near and far, and half bodies as webcams see them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from remi_stream.geometry import Intrinsics, shortest_rotation
from train_lifter.performance import Performance
from train_lifter.rotations import J, about

Array = NDArray[Any]

ASPECTS, ASPECT_SHARES = (16 / 9, 4 / 3, 9 / 16), (0.62, 0.2, 0.18)
MAX_SIDE_PX = 1000
"""Longest side of a picture: larger ones cost time and add nothing, since the network gets a crop of 256 px."""
HEAD_TOP_M = 0.2
"""Height of the top of the head above its joint."""
MIN_DISTANCE_M, MIN_HALF_DISTANCE_M = 0.9, 0.55
NEAR_M, FAR_M = 0.08, 60.0


class View(NamedTuple):
    """A still camera."""

    intrinsics: Intrinsics
    size: tuple[int, int]
    """Width and height, px."""
    camera_from_world: Array
    """(4, 4), OpenCV camera axes from world axes with y up."""

    def to_camera(self, points: Array) -> Array:
        """Transform points (..., 3), m, from world to camera axes."""
        return points @ self.camera_from_world[:3, :3].T + self.camera_from_world[:3, 3]

    def clip_from_world(self) -> Array:
        """Return the OpenGL matrix (4, 4); rows run downward, so that a picture is read without a flip."""
        (fx, fy, cx, cy), (width, height) = self.intrinsics, self.size
        clip = np.zeros((4, 4))
        clip[0, 0], clip[0, 2] = 2 * fx / width, 2 * cx / width - 1
        clip[1, 1], clip[1, 2] = 2 * fy / height, 2 * cy / height - 1
        clip[2, 2], clip[2, 3] = (FAR_M + NEAR_M) / (FAR_M - NEAR_M), -2 * FAR_M * NEAR_M / (FAR_M - NEAR_M)
        clip[3, 2] = 1
        return clip @ self.camera_from_world


class Framing(NamedTuple):
    """What a camera is aimed at."""

    center: Array
    """(3,) m, world."""
    height_m: float
    """Height of what should be seen."""
    share: float
    """Of the picture's height that it takes."""
    person_px: float
    """Height of what should be seen, px."""
    is_half: bool


def whole_body(rng: np.random.Generator, performance: Performance) -> Framing:
    """Frame the whole body, small to a little too large for the picture."""
    joints = performance.joints
    height = max(float(np.median(np.ptp(joints[..., 1], axis=1))) + HEAD_TOP_M, 1.2)
    share = float(np.exp(rng.uniform(np.log(0.28), np.log(1.15))))
    person_px = rng.uniform(150, 290) * (1.25 if share > 0.8 else 1.0)
    return Framing(joints.reshape(-1, 3).mean(0), height, share, person_px, False)


def half_body(rng: np.random.Generator, performance: Performance) -> Framing:
    """Frame the upper body: cut anywhere between chest and knees."""
    joints = performance.joints.mean(0)
    top = joints[J["head"]] + [0, HEAD_TOP_M, 0]
    cut = rng.choice([J["spine2"], J["pelvis"], J["left_knee"]], p=[0.3, 0.45, 0.25])
    bottom = joints[cut] + [0, rng.uniform(-0.12, 0.12), 0]
    height = max(float(np.linalg.norm(top - bottom)), 0.45)
    return Framing((top + bottom) / 2, height, rng.uniform(0.55, 1.0), rng.uniform(150, 380), True)


def random_view(rng: np.random.Generator, performance: Performance, framing: Framing) -> View:
    """Place a camera: any field of view, height and roll; half bodies are mostly seen from the front."""
    field = np.radians(rng.uniform(35, 100) if rng.random() < 0.85 else rng.uniform(50, 75))
    aspect = ASPECTS[rng.choice(3, p=ASPECT_SHARES)]
    height = framing.person_px / framing.share
    shrink = min(1.0, MAX_SIDE_PX / max(height, height * aspect))
    size = int(height * aspect * shrink), int(height * shrink)
    focal = max(size) / 2 / np.tan(field / 2)
    cx, cy = size[0] * rng.normal(0.5, 0.01), size[1] * rng.normal(0.5, 0.01)
    nearest = MIN_HALF_DISTANCE_M if framing.is_half else MIN_DISTANCE_M
    distance = max(focal * framing.height_m / (framing.share * size[1]), nearest)
    eye = eye_position(rng, performance, framing, distance)
    rotation = aim(eye, framing.center, rng.normal(0, 3) if rng.random() < 0.7 else rng.normal(0, 12))
    ray = np.array([*((aim_point(rng, framing) * size - (cx, cy)) / focal), 1.0])
    rotation = shortest_rotation(np.array([0.0, 0.0, 1.0]), ray) @ rotation
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, -rotation @ eye
    return View((focal, focal, cx, cy), size, pose)


def eye_position(rng: np.random.Generator, performance: Performance, framing: Framing, distance: float) -> Array:
    """Return the camera's position (3,), m, world, at a horizontal distance from what it is aimed at."""
    if framing.is_half:
        facing = performance.world_rotations[:, J["spine3"], :, 2].mean(0)
        heading = np.degrees(np.arctan2(facing[0], facing[2]))
        azimuth = heading + (rng.normal(0, 30) if rng.random() < 0.75 else rng.uniform(-180, 180))
        above = rng.normal(0.1, 0.2) * max(distance, 0.6)
        eye = framing.center + about("y", azimuth) @ [0, 0, distance]
        return eye + [0, above, 0]
    eye = framing.center + about("y", rng.uniform(-180, 180)) @ [0, 0, distance]
    kind = rng.random()
    eye[1] = rng.uniform(0.3, 2.6) if kind < 0.5 else rng.uniform(0.8, 1.7) if kind < 0.93 else rng.uniform(2.4, 4.0)
    return eye


def aim(eye: Array, target: Array, roll_degrees: float) -> Array:
    """Return the rotation (3, 3), camera from world, of a camera that looks at a target."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0, 1, 0])
    right /= np.linalg.norm(right)
    return about("z", roll_degrees) @ np.stack([right, np.cross(forward, right), forward])


def aim_point(rng: np.random.Generator, framing: Framing) -> Array:
    """Return where the aim is in the picture, (2,) in [0, 1]."""
    if framing.is_half:
        return np.array([np.clip(rng.normal(0.5, 0.12), 0.25, 0.75), 1 - framing.share / 2 + rng.normal(0, 0.03)])
    if framing.share < 0.8:
        return np.array([rng.uniform(0.2, 0.8), np.clip(rng.normal(0.5, 0.1), 0.2, 0.8)])
    return np.array([rng.uniform(0.35, 0.65), np.clip(rng.normal(0.5, 0.07), 0.3, 0.7)])
