"""Choreography of the sample clip, 8 s: walk up, wave, squat, walk back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from open_body.assets import J
from scipy.spatial.transform import Rotation

from remi_stream.body.smpl import Body
from sample.clothing import SHOE_M
from sample.directions import heading
from sample.motion import Motion
from sample.steps import bend_leg, foot_track, pelvis_track, steps_along
from sample.timeline import FRAMES, channel, wave_of

Array = NDArray[Any]

PATH_FROM, PATH_TO = np.array([-0.36, -0.46]), np.array([0.30, 0.36])  # x, z of the pelvis, m
# (foot, lifts at, lands at): the feet alternate while the pelvis travels, and rest while it does not.
STEPS = [
    ("left", 0.10, 0.52),
    ("right", 0.56, 0.98),
    ("left", 1.02, 1.44),
    ("right", 1.48, 1.90),
    ("left", 1.94, 2.36),
    ("right", 2.38, 2.78),
    ("right", 5.42, 5.84),
    ("left", 5.90, 6.32),
    ("right", 6.38, 6.80),
    ("left", 6.86, 7.28),
    ("right", 7.34, 7.76),
]

# Key frames of each channel, (seconds, value), repeated every 8 s: degrees, or shares of a gesture or path from 0 to 1.
CHANNELS: dict[str, list[tuple[float, float]]] = {
    "way": [(0.0, 0.0), (0.4, 0.07), (1.95, 0.93), (2.4, 1.0), (5.35, 1.0), (5.75, 0.94), (7.3, 0.06), (7.75, 0.0)],
    "yaw": [(0.0, 33.0), (0.9, 38.0), (1.7, 30.0), (2.75, -6.0), (4.0, -9.0), (5.3, -8.0), (6.4, 22.0), (7.4, 30.0)],
    "wave": [(2.30, 0.0), (2.90, 1.0), (3.75, 1.0), (4.30, 0.0)],
    "squat": [(4.00, 0.0), (4.72, 1.0), (4.85, 1.0), (5.60, 0.0)],
    "walk": [(0.0, 0.6), (0.4, 1.0), (1.9, 1.0), (2.6, 0.0), (5.5, 0.0), (6.0, 0.7), (7.4, 0.7)],
}


def choreography(body: Body, betas: Array) -> Motion:
    """Make the motion of the sample clip."""
    at = {name: channel(keys) for name, keys in CHANNELS.items()}
    level = PATH_FROM + at["way"][:, None] * (PATH_TO - PATH_FROM)
    moments = {side: [(lift, land) for foot, lift, land in STEPS if foot == side] for side in ("left", "right")}
    return perform(body, betas, at, level, moments)


def perform(
    body: Body, betas: Array, at: Mapping[str, Array], level: Array, moments: Mapping[str, Sequence[tuple[float, float]]]
) -> Motion:
    """Make the motion of a body along level (FRAMES, 2) m with the steps of each foot, (lift, land) in s.

    at: the channels yaw, wave, squat and walk, (FRAMES,).
    """
    rest, ground = body.rest_joints(betas), float(body.rest_vertices(betas)[:, 1].min()) - SHOE_M
    feet = {
        side: foot_track(side, steps_along(level, at["yaw"], side, moments[side]), rest, ground) for side in ("left", "right")
    }
    world = Rotation.from_euler("YX", np.c_[at["yaw"], 26 * at["squat"]], degrees=True)
    pelvis = pelvis_track(level, at, feet, world, rest, ground)
    stride = np.einsum("na,na->n", feet["left"].ball - feet["right"].ball, heading(at["yaw"])) * at["walk"]
    local = np.tile(np.eye(3), (FRAMES, 24, 1, 1))
    local[:, 0] = world.as_matrix()
    bend_trunk(local, at, stride)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        bend_leg(local, side, rest, pelvis, world, feet[side])
        bend_arm(local, side, sign, at, -sign * stride)
    rotvecs = Rotation.from_matrix(local.reshape(-1, 3, 3)).as_rotvec()
    return Motion(rotvecs.reshape(FRAMES, 72), betas, pelvis - rest[0])


def bend_trunk(local: Array, at: Mapping[str, Array], stride: Array) -> None:
    """Rotate spine, neck and head: against the legs' swing, forward in the squat, face to the camera."""
    lean, twist = 10 * at["squat"] + 0.6 * wave_of(2), -18 * stride - 0.10 * at["yaw"]
    for joint in ("spine1", "spine2", "spine3"):
        local[:, J[joint]] = degrees("YXZ", twist / 3, lean / 2, 1.5 * at["wave"])
    for joint in ("neck", "head"):
        local[:, J[joint]] = degrees("YXZ", -0.32 * at["yaw"] - twist / 3, 1 - 14 * at["squat"], -2.5 * at["wave"])


def bend_arm(local: Array, side: str, sign: float, at: Mapping[str, Array], stride: Array) -> None:
    """Rotate collar, shoulder, elbow and hand; the right arm also waves. sign: 1 for the left arm, -1 for the right."""
    wave = at["wave"] if side == "right" else np.zeros(FRAMES)
    squat, beat, idle = at["squat"], wave_of(14), 1 - wave
    lower = 76 - 2 * squat + wave * (-66 + 5 * beat)
    raised = 2 + 62 * stride * idle + 92 * squat
    bend = 20 + 30 * np.maximum(stride, -0.2) * idle - 6 * squat + wave * (60 + 26 * beat)
    local[:, J[f"{side}_collar"]] = degrees("Z", -sign * (8 - 24 * wave))
    local[:, J[f"{side}_shoulder"]] = degrees("XZ", -raised, -sign * lower) @ degrees("X", -4 - 62 * wave)
    local[:, J[f"{side}_elbow"]] = degrees("YX", -sign * bend, 22 * idle - 10 * wave)
    local[:, J[f"{side}_wrist"]] = degrees("XZY", 8 * idle, -sign * 2, -sign * 10 * wave * beat)
    local[:, J[f"{side}_hand"]] = degrees("Z", -sign * (18 - 12 * wave))


def degrees(axes: str, *angles: Array | float) -> Array:
    """Rotation matrices (FRAMES, 3, 3) from intrinsic Euler angles, degrees (FRAMES,)."""
    euler = np.stack([np.broadcast_to(angle, FRAMES) for angle in angles], axis=1)
    return Rotation.from_euler(axes, euler, degrees=True).as_matrix()
