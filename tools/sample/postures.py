"""Postures as angles of joints, and motions between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from open_body.assets import J
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation, Slerp

from remi_stream.body.smpl import Body
from sample.clothing import SHOE_M
from sample.motion import Motion

Array = NDArray[Any]

Angles = tuple[str, tuple[float, ...]]
"""Axes and angles, degrees, of intrinsic rotations: x bends forward, y turns to the left, z leans to the right."""
Posture = Mapping[str, Angles]
"""Angles by joint; joints that are missing are as in the T-pose."""
NEAR_FLOOR_M = 0.005
"""How far the lowest point may sink in: soft parts are pressed flat."""


def both(joint: str, axes: str, *angles: float) -> dict[str, Angles]:
    """Angles of a joint on both sides, the right one mirrored: rotations about y and z change their sign."""
    mirrored = tuple(angle if axis == "X" else -angle for axis, angle in zip(axes, angles))
    return {f"left_{joint}": (axes, angles), f"right_{joint}": (axes, mirrored)}


ARMS_DOWN = {**both("shoulder", "XZ", -5, -76), **both("elbow", "Y", -18)}
STAND: Posture = ARMS_DOWN
BENT: Posture = {
    "pelvis": ("X", (84,)),
    **both("hip", "XZ", -90, 6),
    **both("knee", "X", 14),
    **both("ankle", "X", -6),
    "spine1": ("X", (18,)),
    "spine2": ("X", (16,)),
    "spine3": ("X", (14,)),
    "neck": ("X", (8,)),
    **both("shoulder", "XZ", -96, -80),
    **both("elbow", "Y", -8),
}
"""Bent over, the hands near the floor."""
HALF_BENT: Posture = {**BENT, "pelvis": ("X", (50,)), **both("hip", "XZ", -56, 6), **both("shoulder", "XZ", -58, -74)}
LYING: Posture = {
    "pelvis": ("X", (-90,)),
    **both("shoulder", "XZ", 0, -42),
    **both("elbow", "Y", -24),
    **both("hip", "XZ", -4, 9),
    **both("knee", "X", 10),
}
"""On the back."""
LYING_KNEES_UP: Posture = {
    **LYING,
    "left_hip": ("XZ", (-48, 6)),
    "left_knee": ("X", (92,)),
    "right_shoulder": ("XZ", (0, -20)),
    "right_elbow": ("Y", (60,)),
}
LYING_ON_SIDE: Posture = {
    "pelvis": ("YX", (0, -90)),
    "spine1": ("X", (8,)),
    **both("shoulder", "XZ", -62, -70),
    **both("elbow", "Y", -62),
    **both("hip", "X", -42),
    **both("knee", "X", 62),
}
SITTING: Posture = {
    "spine1": ("X", (6,)),
    **both("hip", "XZ", -86, 7),
    **both("knee", "X", 84),
    **both("shoulder", "XZ", -34, -70),
    **both("elbow", "Y", -68),
}
"""On a chair, the hands before the body."""
TYPING: Posture = {**SITTING, **both("shoulder", "XZ", -44, -72), **both("elbow", "Y", -52), "neck": ("X", (10,))}
WAVING: Posture = {**SITTING, "right_shoulder": ("XZ", (-20, 8)), "right_elbow": ("YX", (84, -70)), "head": ("Y", (18,))}
TELEPHONE: Posture = {**SITTING, "left_shoulder": ("XZ", (-56, -38)), "left_elbow": ("Y", (-128,)), "head": ("YZ", (-14, 8))}
ARMS_UP: Posture = {**both("shoulder", "Z", 58), **both("elbow", "Y", -16)}
REACHING: Posture = {**ARMS_DOWN, "right_shoulder": ("XZ", (-72, 58)), "right_elbow": ("Y", (22,)), "spine2": ("Y", (12,))}
HANDS_ON_HIPS: Posture = {**both("shoulder", "XZ", 22, -44), **both("elbow", "YX", -84, 0)}
LUNGE: Posture = {
    **HANDS_ON_HIPS,
    "left_hip": ("X", (-62,)),
    "left_knee": ("X", (66,)),
    "right_hip": ("X", (28,)),
    "right_knee": ("X", (26,)),
}
KICK: Posture = {
    **both("shoulder", "XZ", -20, -30),
    "right_hip": ("X", (-74,)),
    "right_knee": ("X", (12,)),
    "left_knee": ("X", (10,)),
    "left_hip": ("X", (-6,)),
}
SQUAT: Posture = {
    "pelvis": ("X", (26,)),
    **both("hip", "XZ", -104, 14),
    **both("knee", "X", 104),
    **both("ankle", "X", -22),
    **both("shoulder", "XZ", -70, -76),
    **both("elbow", "Y", -20),
}
STANDING: Sequence[Posture] = (STAND, ARMS_UP, REACHING, HANDS_ON_HIPS, LUNGE, KICK, SQUAT)
SWAYING = {
    "spine1": 3.0,
    "spine3": 3.0,
    "neck": 4.0,
    "head": 8.0,
    "left_shoulder": 9.0,
    "right_shoulder": 9.0,
    "left_elbow": 12.0,
    "right_elbow": 12.0,
    "left_knee": 3.0,
    "right_knee": 3.0,
}
"""Amplitudes, degrees, of the sway that is added to each joint."""


def move_between(
    body: Body,
    betas: Array,
    rng: np.random.Generator,
    keys: Sequence[tuple[float, Posture]],
    seconds: Array,
    anchors: Sequence[str],
    place: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Motion:
    """Make a motion through postures at times, s, with a random variation and sway of the joints.

    seconds: (N,) of the frames. anchors: joints whose mean stays over the place: x, z m, and yaw in degrees. The lowest point is
    on the floor.
    """
    x, z, yaw = place
    times = [at for at, _ in keys]
    varied = {name: Rotation.from_rotvec(np.radians(rng.normal(0, SWAYING.get(name, 0.0) / 2, 3))) for name in J}
    local = np.empty((len(seconds), 24, 3, 3))
    for name, joint in J.items():
        turns = Rotation.concatenate([_rotation(posture.get(name)) for _, posture in keys]) * varied[name]
        local[:, joint] = _eased_slerp(times, turns, seconds).as_matrix() @ _sway(rng, SWAYING.get(name, 0.0), seconds)
    local[:, 0] = Rotation.from_euler("y", yaw, degrees=True).as_matrix() @ local[:, 0]
    poses = Rotation.from_matrix(local.reshape(-1, 3, 3)).as_rotvec().reshape(len(seconds), 72)
    still = np.zeros(3)
    feet = [J[name] for name in anchors]
    over = np.array([body.joints(pose[:3], pose[3:], betas, still)[feet].mean(0) for pose in poses])
    low = np.array([body.vertices(pose[:3], pose[3:], betas, still)[:, 1].min() for pose in poses])
    height = gaussian_filter1d(SHOE_M - NEAR_FLOOR_M - low, 2, mode="nearest")
    return Motion(poses, betas, np.c_[x - over[:, 0], height, z - over[:, 2]])


def _rotation(angles: Angles | None) -> Rotation:
    return Rotation.from_euler(angles[0], angles[1], degrees=True) if angles else Rotation.identity()


def _eased_slerp(times: Sequence[float], turns: Rotation, seconds: Array) -> Rotation:
    """Rotations of the frames: slerp from key to key, slow at each."""
    at = np.clip(seconds, times[0], times[-1])
    index = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
    start, end = np.array(times)[index], np.array(times)[index + 1]
    share = (at - start) / (end - start)
    return Slerp(times, turns)(start + (end - start) * share**2 * (3 - 2 * share))


def _sway(rng: np.random.Generator, amplitude_deg: float, seconds: Array) -> Array:
    """Small swinging rotations (N, 3, 3) about all axes."""
    rates, phases = rng.uniform(0.3, 0.9, 3), rng.uniform(0, 2 * np.pi, 3)
    angles = amplitude_deg / 2 * np.sin(2 * np.pi * rates * seconds[:, None] + phases)
    return Rotation.from_euler("XYZ", angles, degrees=True).as_matrix()
