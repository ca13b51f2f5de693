"""Procedural motion: eased interpolation between random key poses, with turns, tilts and hops."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from train_lifter.key_poses import (
    LEG_JOINTS,
    STANCES,
    Change,
    key_pose,
    sit,
    stand,
    typing_arm,
)
from train_lifter.recorded import RecordedMotion
from train_lifter.rotations import MIRROR, J, about, blend_poses, mirror_pose, smoothstep

Array = NDArray[Any]

LOWER_JOINTS = [0, *LEG_JOINTS]
WOBBLE_RAD = np.radians(1.2)
"""Amplitude of the slow noise on every joint."""
STILL_JOINTS = [J[f"{side}_{part}"] for part in ("foot", "hand") for side in ("left", "right")]


class ProceduralMotion(NamedTuple):
    """A sequence of poses."""

    rotations: Array
    """(N, 24, 3, 3), each relative to its parent, y up."""
    hop_m: Array
    """(N,) m, height above the support."""


class Keys(NamedTuple):
    """Key poses and their times."""

    times_s: Array
    poses: Array
    hold: float
    """Share of the time between two keys that the pose is held."""
    hop_m: float
    """Height of a hop between two keys."""


def procedural_motion(
    rng: np.random.Generator, recorded: RecordedMotion, frames: int, fps: float, is_desk: bool = False
) -> ProceduralMotion:
    """Make a motion; is_desk: of a person who sits or stands still and faces +z."""
    seconds = np.arange(frames) / fps
    keys = desk_keys(rng, recorded, seconds[-1]) if is_desk else free_keys(rng, recorded, seconds[-1])
    index = np.clip(np.searchsorted(keys.times_s, seconds, "right") - 1, 0, len(keys.times_s) - 2)
    share = (seconds - keys.times_s[index]) / (keys.times_s[index + 1] - keys.times_s[index])
    eased = smoothstep(share, keys.hold / 2, 1 - keys.hold / 2)
    rotations = blend_poses(keys.poses[index], keys.poses[index + 1], eased) @ wobble(rng, seconds)
    rotations[:, 0] = (sway(rng, seconds) if is_desk else turns(rng, seconds)) @ rotations[:, 0]
    return ProceduralMotion(rotations, keys.hop_m * np.sin(np.pi * np.clip(share, 0, 1)))


def free_keys(rng: np.random.Generator, recorded: RecordedMotion, duration_s: float) -> Keys:
    """Draw key poses of any kind: 30 % swing to and fro between two of them."""
    return swing_keys(rng, recorded, duration_s) if rng.random() < 0.3 else chain_keys(rng, recorded, duration_s)


def swing_keys(rng: np.random.Generator, recorded: RecordedMotion, duration_s: float) -> Keys:
    """Swing between a pose and its mirror image, another pose, or the same with other arms and head."""
    first, kind = key_pose(rng, recorded), rng.random()
    second = mirror_pose(first) if kind < 0.4 else key_pose(rng, recorded)
    if kind > 0.7:
        second[:10] = first[:10]
    step = rng.uniform(0.22, 0.7)
    times = np.arange(0, duration_s + 2 * step, step)
    hop = rng.uniform(0.02, 0.12) if rng.random() < 0.35 else 0.0
    return Keys(times, np.array([second if number % 2 else first for number in range(len(times))]), 0.0, hop)


def chain_keys(rng: np.random.Generator, recorded: RecordedMotion, duration_s: float) -> Keys:
    """Go from pose to pose, fast or slowly; often only the arms move, or nothing."""
    only = draw_only(rng)
    times, poses = [0.0], [key_pose(rng, recorded, only)]
    while times[-1] <= duration_s:
        times.append(times[-1] + (rng.uniform(0.25, 0.6) if rng.random() < 0.35 else rng.uniform(0.5, 1.6)))
        pose = key_pose(rng, recorded, only)
        if rng.random() < 0.35:
            pose[LOWER_JOINTS] = poses[-1][LOWER_JOINTS]
        poses.append(poses[-1].copy() if rng.random() < 0.2 else pose)
    return Keys(np.array(times), np.array(poses), rng.uniform(0, 0.4), 0.0)


def draw_only(rng: np.random.Generator) -> Change | None:
    """Return a single stance for a fifth of the sequences: people stay in a posture for a while."""
    return list(STANCES)[rng.integers(len(STANCES))] if rng.random() < 0.2 else None


def desk_keys(rng: np.random.Generator, recorded: RecordedMotion, duration_s: float) -> Keys:
    """Sit or stand at a table: hands on it, gestures, hands at the face; the legs are still."""
    posture = sit if rng.random() < 0.7 else stand
    first = key_pose(rng, recorded, posture)
    times, poses = [0.0], [first]
    while True:
        for side, reflection in enumerate((np.eye(3), MIRROR)):
            if rng.random() < 0.55:
                for offset, rotation in enumerate(typing_arm(rng)):
                    poses[-1][J["left_shoulder"] + side + 2 * offset] = reflection @ rotation @ reflection
        if times[-1] > duration_s:
            break
        times.append(times[-1] + rng.uniform(0.4, 1.8))
        pose = key_pose(rng, recorded, posture)
        pose[LOWER_JOINTS] = first[LOWER_JOINTS]
        poses.append(poses[-1].copy() if rng.random() < 0.3 else pose)
    return Keys(np.array(times), np.array(poses), rng.uniform(0, 0.5), 0.0)


def wobble(rng: np.random.Generator, seconds: Array) -> Array:
    """Return slow small rotations (N, 24, 3, 3) of every joint but toes and fingers."""
    phase, frequency = rng.uniform(0, 2 * np.pi, (24, 3)), rng.uniform(0.3, 1.5, (24, 3))
    vectors = WOBBLE_RAD * np.sin(phase + 2 * np.pi * frequency * seconds[:, None, None])
    vectors[:, STILL_JOINTS] = 0
    matrices: Array = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix()
    return matrices.reshape(len(seconds), 24, 3, 3)


def sway(rng: np.random.Generator, seconds: Array) -> Array:
    """Return slow turns (N, 3, 3) about y of a person who stays where they are."""
    return about("y", rng.uniform(0, 35) * np.sin(2 * np.pi * seconds / rng.uniform(1.5, 6) + rng.uniform(0, 6)))


def turns(rng: np.random.Generator, seconds: Array) -> Array:
    """Return the rotations (N, 3, 3) of the whole body: heading, and for some sequences a tilt up to upside down."""
    heading, kind = rng.uniform(-180, 180) + np.zeros(len(seconds)), rng.random()
    if kind < 0.3:
        heading += rng.uniform(-150, 150) * seconds
    elif kind < 0.7:
        heading += rng.uniform(10, 60) * np.sin(2 * np.pi * seconds / rng.uniform(1.5, 5) + rng.uniform(0, 6))
    turned = about("y", heading)
    if rng.random() > 0.18:
        return turned
    spin, sway = rng.uniform(-150, 150) * seconds, rng.uniform(0, 50) * np.sin(2 * np.pi * seconds / rng.uniform(1.5, 5))
    tilt = np.radians(rng.uniform(-180, 180) + (spin if rng.random() < 0.4 else sway))
    direction = rng.uniform(0, 2 * np.pi)
    axis = np.array([np.cos(direction), 0, np.sin(direction)])
    tilted: Array = Rotation.from_rotvec(tilt[:, None] * axis).as_matrix()
    return tilted @ turned
