"""Renders the sample clip: the open body walks, waves and squats in a room, with the exact truth beside the picture.

    python tools/render_sample.py remi_stream/data        # writes sample.mp4 and sample_truth.npz

The motion repeats after exactly 240 frames, so the clip loops without a seam. World axes: y up, the floor at y = 0, the
camera looking along -z. The truth is stored in OpenCV camera axes (x right, y down, z forward).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import moderngl
import numpy as np
from make_open_body import COLOURS, softened
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from remi_stream.body.smpl import Body, change_axes, forward_kinematics, load_open_body
from remi_stream.skeletons import JOINTS

Array = NDArray[Any]

WIDTH, HEIGHT, FPS, FRAMES = 1280, 720, 30, 240
FOCAL_PX = 1150.0
J = {name: index for index, name in enumerate(JOINTS["smpl24"])}


# --- the motion -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Motion:
    """What SMPL needs for every frame, in world axes: poses (N, 72) axis-angle rad, betas (10,), transl (N, 3) m."""

    poses: Array
    betas: Array
    transl: Array


# Keys of each channel, (seconds, value), repeated every 8 s: metres and degrees, or shares of a gesture from 0 to 1.
CHANNELS: dict[str, list[tuple[float, float]]] = {
    "pelvis_x": [(0.0, -0.30), (0.5, -0.24), (2.3, 0.32), (2.7, 0.34), (6.0, 0.34), (6.5, 0.28), (7.6, -0.27)],
    "pelvis_z": [(0.0, -0.32), (0.5, -0.27), (2.3, 0.22), (2.7, 0.25), (6.0, 0.22), (6.5, 0.18), (7.6, -0.28)],
    "yaw": [(0.0, 22.0), (0.8, 38.0), (1.8, 34.0), (2.9, -6.0), (4.4, -10.0), (5.2, -26.0), (6.2, -30.0), (7.2, -12.0)],
    "wave": [(2.35, 0.0), (2.95, 1.0), (4.15, 1.0), (4.75, 0.0)],
    "squat": [(4.35, 0.0), (5.15, 1.0), (5.35, 1.0), (6.15, 0.0)],
    "walk": [(0.0, 1.0), (2.0, 1.0), (2.7, 0.0), (6.0, 0.0), (6.7, 0.8), (7.4, 0.8)],
}
# (foot, lifts at, lands at): the feet alternate while the pelvis travels, and rest while it does not.
STEPS = [
    ("left", 0.12, 0.52),
    ("right", 0.58, 0.98),
    ("left", 1.04, 1.44),
    ("right", 1.50, 1.90),
    ("left", 1.96, 2.36),
    ("right", 2.42, 2.82),
    ("left", 5.98, 6.38),
    ("right", 6.44, 6.84),
    ("left", 6.90, 7.30),
    ("right", 7.50, 7.90),
]
HALF_STANCE_M = 0.12
FEET_TURN_OUT_DEG = 8.0


def choreography(body: Body, ground: float) -> Motion:
    """Walk, wave, squat and walk back, over a floor that lies at `ground` (m, rest frame) under the standing body."""
    rest = body.rest_joints(np.zeros(10))
    seconds = np.arange(FRAMES) / FPS
    at = {name: channel(keys) for name, keys in CHANNELS.items()}
    feet = {side: foot_track(side, at, rest, ground) for side in ("left", "right")}
    world = pelvis_rotations(at)
    lifts = {side: track.ball[:, 1] - track.ball[:, 1].min() for side, track in feet.items()}
    pelvis = np.c_[at["pelvis_x"], np.full(FRAMES, rest[0, 1] - ground), at["pelvis_z"]]
    pelvis += world.apply(np.c_[0.35 * smooth(lifts["right"] - lifts["left"], 3), np.zeros((FRAMES, 2))])
    pelvis[:, 1] += -0.022 - 0.010 * at["walk"] + 0.12 * smooth(lifts["left"] + lifts["right"], 2) - 0.42 * at["squat"]
    pelvis -= at["squat"][:, None] * 0.16 * world_heading(at)
    local = np.tile(np.eye(3), (FRAMES, 24, 1, 1))
    local[:, 0] = world.as_matrix()
    for side, track in feet.items():
        bend_leg(local, side, rest, pelvis, world, track)
    stride = np.einsum("na,na->n", feet["left"].ball - feet["right"].ball, world_heading(at)) * at["walk"]
    bend_trunk(local, at, stride, seconds)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        bend_arm(local, side, sign, at, -sign * stride, seconds)
    rotvecs = Rotation.from_matrix(local.reshape(-1, 3, 3)).as_rotvec()
    return Motion(rotvecs.reshape(FRAMES, 72), np.zeros(10), pelvis - rest[0])


def channel(keys: Sequence[tuple[float, float]]) -> Array:
    """A periodic curve through the keys, (FRAMES,): monotone between them, so that a held value is held."""
    times, values = np.array(keys).T
    period = FRAMES / FPS
    curve = PchipInterpolator(
        np.concatenate([times - period, times, times + period]), np.concatenate([values, values, values])
    )
    return smooth(curve(np.arange(FRAMES) / FPS), 3)


def smooth(values: Array, frames: float) -> Array:
    """values (FRAMES, ...) blurred in time, round the loop."""
    return gaussian_filter1d(values, frames, axis=0, mode="wrap")


def pelvis_rotations(at: Mapping[str, Array]) -> Rotation:
    """The pelvis in the world: turned to its heading, bent forward in the squat."""
    return Rotation.from_euler("YX", np.c_[at["yaw"], 24 * at["squat"]], degrees=True)


def world_heading(at: Mapping[str, Array]) -> Array:
    """Where the body faces, level: (FRAMES, 3)."""
    yaw = np.radians(at["yaw"])
    return np.c_[np.sin(yaw), np.zeros(FRAMES), np.cos(yaw)]


@dataclass(frozen=True)
class FootTrack:
    """One foot in the world: ball and ankle joints (FRAMES, 3) m, its rotations, and the level direction it points to."""

    ball: Array
    ankle: Array
    rotation: Rotation
    heading: Array


def foot_track(side: str, at: Mapping[str, Array], rest: Array, ground: float) -> FootTrack:
    """A foot that stands still on its print, and swings to the next one where STEPS says so."""
    sign = 1.0 if side == "left" else -1.0
    steps = [(lift, land) for foot, lift, land in STEPS if foot == side]
    prints = [footprint(at, land, sign) for _, land in steps]
    seconds = np.arange(FRAMES) / FPS
    place = np.tile(prints[-1], (FRAMES, 1))
    height, pitch = np.zeros(FRAMES), np.zeros(FRAMES)
    for number, (lift, land) in enumerate(steps):
        share = (seconds - lift) / (land - lift)
        place += ease(share)[:, None] * (prints[number] - prints[number - 1])
        height += 0.075 * hump(share)
        pitch += 24 * hump((seconds - lift + 0.16) / 0.36) - 10 * hump((seconds - land + 0.16) / 0.26)
    turn = place[:, 2] + sign * FEET_TURN_OUT_DEG
    rotation = Rotation.from_euler("YX", np.c_[turn, pitch], degrees=True)
    ankle_joint, ball_joint = rest[J[f"{side}_ankle"]], rest[J[f"{side}_foot"]]
    ball = np.c_[place[:, 0], ball_joint[1] - ground + height, place[:, 1]]
    heading = np.c_[np.sin(np.radians(turn)), np.zeros(FRAMES), np.cos(np.radians(turn))]
    return FootTrack(ball, ball + rotation.apply(ankle_joint - ball_joint), rotation, heading)


def footprint(at: Mapping[str, Array], land: float, sign: float) -> Array:
    """Where a foot that lands at `land` seconds is put: x, z of its ball in m, and its yaw in degrees."""
    frame = round((land + 0.25) * FPS) % FRAMES  # under the body as it will be while the foot carries it
    yaw = math.radians(at["yaw"][frame])
    aside, ahead = sign * HALF_STANCE_M, 0.11
    x = at["pelvis_x"][frame] + aside * math.cos(yaw) + ahead * math.sin(yaw)
    z = at["pelvis_z"][frame] - aside * math.sin(yaw) + ahead * math.cos(yaw)
    return np.array([x, z, at["yaw"][frame]])


def ease(share: Array) -> Array:
    """0 before 0, 1 after 1, and between them a step without a jump in speed or acceleration."""
    share = np.clip(share, 0, 1)
    return share**3 * (10 - 15 * share + 6 * share**2)


def hump(share: Array) -> Array:
    """0 outside 0..1, and between them one smooth hump of height 1."""
    return ease(2 * share) * ease(2 - 2 * share)


def bend_leg(local: Array, side: str, rest: Array, pelvis: Array, world: Rotation, foot: FootTrack) -> None:
    """Hip, knee and ankle that put the foot on its track: two-bone inverse kinematics, the knee over the toes."""
    hip_joint, knee_joint, ankle_joint = (rest[J[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
    thigh, shin = knee_joint - hip_joint, ankle_joint - knee_joint
    a, b = float(np.linalg.norm(thigh)), float(np.linalg.norm(shin))
    reach = foot.ankle - (pelvis + world.apply(hip_joint - rest[0]))
    length = np.minimum(np.linalg.norm(reach, axis=1), 0.998 * (a + b))
    down = reach / np.linalg.norm(reach, axis=1, keepdims=True)
    ahead = foot.heading - np.einsum("na,na->n", foot.heading, down)[:, None] * down
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    cosine = (a**2 + length**2 - b**2) / (2 * a * length)
    to_knee = a * (cosine[:, None] * down + np.sqrt(1 - cosine**2)[:, None] * ahead)
    hinge = np.cross(ahead, down)
    thigh_world = hinged(to_knee, hinge) @ hinged(thigh[None], np.array([[1.0, 0, 0]])).transpose(0, 2, 1)
    shin_world = hinged(length[:, None] * down - to_knee, hinge) @ hinged(shin[None], np.array([[1.0, 0, 0]])).transpose(0, 2, 1)
    local[:, J[f"{side}_hip"]] = world.inv().as_matrix() @ thigh_world
    local[:, J[f"{side}_knee"]] = thigh_world.transpose(0, 2, 1) @ shin_world
    local[:, J[f"{side}_ankle"]] = shin_world.transpose(0, 2, 1) @ foot.rotation.as_matrix()


def hinged(bone: Array, hinge: Array) -> Array:
    """Frames (N, 3, 3) of bones (N, 3) that hang along -y and bend about x, the hinge (N, 3)."""
    up = -bone / np.linalg.norm(bone, axis=1, keepdims=True)
    across = hinge - np.einsum("na,na->n", hinge, up)[:, None] * up
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    return np.stack([across, up, np.cross(across, up)], axis=2)


def bend_trunk(local: Array, at: Mapping[str, Array], stride: Array, seconds: Array) -> None:
    """Spine, neck and head: against the legs' swing, forward in the squat, the face to the camera."""
    breath = np.sin(2 * math.pi * seconds / 4)
    lean, twist = 12 * at["squat"] + 0.6 * breath, -18 * stride - 0.10 * at["yaw"]
    for joint in ("spine1", "spine2", "spine3"):
        side_bend = 2.0 * at["wave"]
        local[:, J[joint]] = degrees("YXZ", twist / 3, lean / 2, side_bend)
    for joint in ("neck", "head"):
        local[:, J[joint]] = degrees("YXZ", -0.32 * at["yaw"] - twist / 3, 1 - 14 * at["squat"], -2.5 * at["wave"])


def bend_arm(local: Array, side: str, sign: float, at: Mapping[str, Array], stride: Array, seconds: Array) -> None:
    """Collar, shoulder, elbow and hand; the right arm also waves. sign is 1 for the left arm, -1 for the right."""
    wave = at["wave"] if side == "right" else np.zeros(FRAMES)
    squat, beat = at["squat"], np.sin(2 * math.pi * 1.75 * seconds)
    lower = 70 - 8 * squat + wave * (-72 + 5 * beat)
    raised = 4 + 60 * stride * (1 - wave) + 62 * squat
    twist = -6 - 60 * wave
    bend = 22 + 30 * np.maximum(stride, -0.2) * (1 - wave) + 18 * squat + wave * (62 + 26 * beat)
    local[:, J[f"{side}_collar"]] = degrees("Z", -sign * (8 - 15 * wave))
    shoulder = degrees("XZ", -raised, -sign * lower) @ degrees("X", twist)
    local[:, J[f"{side}_shoulder"]] = shoulder
    local[:, J[f"{side}_elbow"]] = degrees("YX", -sign * bend, -12 * wave)
    local[:, J[f"{side}_wrist"]] = degrees("ZY", -sign * 4 + 0 * wave, -sign * 10 * wave * beat)
    local[:, J[f"{side}_hand"]] = degrees("Z", -sign * (22 - 16 * wave))


def degrees(axes: str, *angles: Array) -> Array:
    """Rotation matrices (FRAMES, 3, 3) about the body's own axes, one after the other, from degrees (FRAMES,)."""
    turns = np.stack([np.broadcast_to(angle, FRAMES) for angle in angles], axis=1)
    return Rotation.from_euler(axes, turns, degrees=True).as_matrix()
