"""Leg motion: feet planted on footprints, pelvis over them, joints by inverse kinematics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from open_body.assets import J
from open_body.mesh import unit
from scipy.ndimage import minimum_filter1d
from scipy.spatial.transform import Rotation

from sample.directions import across, heading
from sample.timeline import FPS, FRAMES, SECONDS, ease, hump, since, smooth

Array = NDArray[Any]

HALF_STANCE_M = 0.105
FEET_TURN_OUT_DEG = 9.0
HEEL_TO_BALL_M = 0.19
STRAIGHTEST = 0.985  # largest share of the leg's length: a knee that snaps straight jerks


@dataclass(frozen=True)
class FootTrack:
    """Motion of one foot in world axes."""

    ball: Array
    """(FRAMES, 3) m."""
    ankle: Array
    """(FRAMES, 3) m."""
    rotation: Rotation
    heading: Array
    """(FRAMES, 3), horizontal direction of the foot."""
    toes: Array
    """(FRAMES,), degrees by which the toes bend up."""


@dataclass(frozen=True)
class Step:
    """One step of a foot."""

    lift: float
    """Time, s."""
    land: float
    """Time, s."""
    footprint: Array
    """x, z of the ball, m, and yaw, degrees."""


def foot_track(side: str, steps: Sequence[Step], rest: Array, ground: float) -> FootTrack:
    """Make the motion of a foot that rests on its footprints and swings to the next one in each step."""
    sign = 1.0 if side == "left" else -1.0
    position = np.tile(steps[-1].footprint, (FRAMES, 1))
    height, roll, strike = np.zeros((3, FRAMES))
    for before, step in zip([steps[-1], *steps], steps):
        share = (SECONDS - step.lift) / (step.land - step.lift)
        position += ease(share)[:, None] * (step.footprint - before.footprint)
        height += 0.07 * hump(share)
        roll += 24 * hump(since(step.lift - 0.16) / 0.38)  # over the ball of the foot, the toes still flat
        strike += 9 * hump(since(step.land - 0.16) / 0.26)  # heel first
    height += HEEL_TO_BALL_M * np.sin(np.radians(strike))
    yaw = position[:, 2] + sign * FEET_TURN_OUT_DEG
    rotation = Rotation.from_euler("YX", np.c_[yaw, roll - strike], degrees=True)
    ankle_joint, ball_joint = rest[J[f"{side}_ankle"]], rest[J[f"{side}_foot"]]
    ball = np.c_[position[:, 0], ball_joint[1] - ground + height, position[:, 1]]
    return FootTrack(ball, ball + rotation.apply(ankle_joint - ball_joint), rotation, heading(yaw), roll)


def steps_along(level: Array, yaw: Array, side: str, moments: Sequence[tuple[float, float]]) -> list[Step]:
    """Make a foot's steps from (lift, land) times, s, for a pelvis that moves along level (FRAMES, 2) m, facing yaw (FRAMES,)."""
    sign = 1.0 if side == "left" else -1.0
    return [Step(lift, land, footprint(level, yaw, land, sign)) for lift, land in moments]


def footprint(level: Array, yaw: Array, land: float, sign: float) -> Array:
    """Footprint of a foot that lands at `land`, s."""
    frame = round((land + 0.22) * FPS) % FRAMES  # under the body's position in mid-stance
    x, z = level[frame]
    turn = math.radians(yaw[frame])
    aside, ahead = sign * HALF_STANCE_M, 0.10
    x += aside * math.cos(turn) + ahead * math.sin(turn)
    z += ahead * math.cos(turn) - aside * math.sin(turn)
    return np.array([x, z, yaw[frame]])


def pelvis_track(
    level: Array, at: Mapping[str, Array], feet: Mapping[str, FootTrack], world: Rotation, rest: Array, ground: float
) -> Array:
    """Pelvis positions (FRAMES, 3) m: along the path, over the supporting foot, as high as both legs reach."""
    swing = smooth(feet["right"].ball[:, 1] - feet["left"].ball[:, 1], 3)
    pelvis = np.c_[level[:, 0], np.full(FRAMES, rest[0, 1] - ground - 0.02), level[:, 1]]
    pelvis += 0.4 * swing[:, None] * heading(at["yaw"] + 90) - 0.15 * at["squat"][:, None] * heading(at["yaw"])
    pelvis[:, 1] -= 0.41 * at["squat"]
    for side, track in feet.items():
        hip = rest[J[f"{side}_hip"]]
        leg = STRAIGHTEST * sum(bone_lengths(rest, side))
        away = track.ankle - pelvis - world.apply(hip - rest[0])
        reachable = np.sqrt(np.maximum(leg**2 - away[:, 0] ** 2 - away[:, 2] ** 2, 0)) + away[:, 1]
        pelvis[:, 1] += np.minimum(0, reachable)
    pelvis[:, 1] = smooth(minimum_filter1d(pelvis[:, 1], 7, mode="wrap"), 2.5)
    return pelvis


def bone_lengths(rest: Array, side: str) -> tuple[float, float]:
    """Lengths of thigh and shin, m."""
    hip, knee, ankle = (rest[J[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
    return float(np.linalg.norm(knee - hip)), float(np.linalg.norm(ankle - knee))


def bend_leg(local: Array, side: str, rest: Array, pelvis: Array, world: Rotation, foot: FootTrack) -> None:
    """Rotate hip, knee and ankle so that the foot follows its track: two-bone IK with the knee over the toes."""
    hip, knee, ankle = (rest[J[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
    a, b = bone_lengths(rest, side)
    reach = foot.ankle - pelvis - world.apply(hip - rest[0])
    length = np.minimum(np.linalg.norm(reach, axis=1), 0.999 * (a + b))
    down = unit(reach)
    ahead = across(foot.heading, down)
    cosine = np.clip((a**2 + length**2 - b**2) / (2 * a * length), -1, 1)
    thigh = a * (cosine[:, None] * down + np.sqrt(1 - cosine**2)[:, None] * ahead)
    hinge = np.cross(ahead, down)
    thigh_world = hinge_rotations(thigh, hinge) @ hinge_rotations(knee - hip, X_AXIS).T
    shin_world = hinge_rotations(length[:, None] * down - thigh, hinge) @ hinge_rotations(ankle - knee, X_AXIS).T
    local[:, J[f"{side}_hip"]] = world.inv().as_matrix() @ thigh_world
    local[:, J[f"{side}_knee"]] = thigh_world.transpose(0, 2, 1) @ shin_world
    local[:, J[f"{side}_ankle"]] = shin_world.transpose(0, 2, 1) @ foot.rotation.as_matrix()
    local[:, J[f"{side}_foot"]] = Rotation.from_euler("x", -foot.toes[:, None], degrees=True).as_matrix()


X_AXIS = np.array([1.0, 0, 0])


def hinge_rotations(bone: Array, hinge: Array) -> Array:
    """Rotation matrices (..., 3, 3) of bones (..., 3) along -y with hinge axis x (..., 3)."""
    up = -unit(bone)
    side = across(hinge, up)
    return np.stack([side, up, np.cross(side, up)], axis=-1)
