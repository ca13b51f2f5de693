"""Random key poses within the limits of joints: standing, sitting, kneeling, lying, on all fours, acrobatic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remi_stream.geometry import shortest_rotation
from train_lifter.recorded import RecordedMotion
from train_lifter.rotations import MIRROR, J, about, smoothstep

Array = NDArray[Any]

ARM_JOINTS = [J[f"{side}_{part}"] for part in ("collar", "shoulder", "elbow", "wrist") for side in ("left", "right")]
LEG_JOINTS = [J[f"{side}_{part}"] for part in ("hip", "knee", "ankle") for side in ("left", "right")]


@dataclass
class Stance:
    """Angles of trunk and legs, degrees; arrays are (2,): left, right."""

    hip_flexion: Array
    hip_abduction: Array
    hip_rotation: Array
    knee: Array
    ankle: Array
    pitch: float
    """Lean of the pelvis, forward."""
    roll: float
    spine: float
    """Bend of the whole spine, forward."""
    tilt: Array = field(default_factory=lambda: np.eye(3))
    """(3, 3): rotation of the whole body before pitch and roll, for a person who lies."""
    reach: float = 0.0
    """Share of the arms that reach to the front, as on all fours."""


def relaxed(rng: np.random.Generator) -> Stance:
    """Return a person who stands."""
    knee = np.abs(rng.normal(0, 7, 2))
    return Stance(
        hip_flexion=knee * 0.5,
        hip_abduction=np.abs(rng.normal(0, 5, 2)) + 1,
        hip_rotation=rng.normal(4, 9, 2),
        knee=knee,
        ankle=rng.normal(0, 5, 2) - knee * 0.4,
        pitch=rng.normal(0, 4),
        roll=rng.normal(0, 3),
        spine=rng.normal(0, 7),
    )


def stand(s: Stance, rng: np.random.Generator, near: int, far: int) -> None:
    """Stand."""


def wide(s: Stance, rng: np.random.Generator, near: int, far: int) -> None:
    """Stand with feet apart."""
    s.hip_abduction += rng.uniform(5, 32)


def squat(s: Stance, rng: np.random.Generator, near: int, far: int) -> None:
    """Squat, at random depth."""
    depth = rng.uniform(0.2, 1.0)
    s.knee[:], s.ankle[:], s.pitch = 115 * depth, -25 * depth, rng.uniform(5, 35) * depth
    s.hip_flexion[:] = 100 * depth + s.pitch
    s.hip_abduction += rng.uniform(0, 25)
    s.hip_rotation += rng.uniform(0, 20)
    s.spine += 15 * depth


def bend(s: Stance, rng: np.random.Generator, near: int, far: int) -> None:
    """Bend over, down to hands on the floor."""
    s.pitch, s.spine = rng.uniform(15, 115), rng.uniform(0, 70)
    s.knee[:] = rng.uniform(0, 35)
    s.hip_flexion[:] = s.pitch + rng.normal(0, 4, 2) + s.knee * 0.5
    s.ankle[:] = -s.knee * 0.4


def lunge(s: Stance, rng: np.random.Generator, near: int, far: int) -> None:
    """Step forward and sink."""
    depth = rng.uniform(0.3, 1.0)
    s.pitch = rng.normal(6, 4)
    s.hip_flexion[near], s.knee[near], s.ankle[near] = 90 * depth + s.pitch, 95 * depth, -10
    s.hip_flexion[far], s.knee[far], s.ankle[far] = s.pitch - 22 * depth, 45 * depth, -25 * depth


def side_lunge(s: Stance, rng: np.random.Generator, near: int, far: int) -> None:
    """Step to the side and sink."""
    depth = rng.uniform(0.3, 1.0)
    s.pitch = rng.uniform(0, 25)
    s.hip_flexion += s.pitch
    s.hip_flexion[near], s.knee[near], s.ankle[near] = 65 * depth + s.pitch, 85 * depth, -20 * depth
    s.hip_abduction[near], s.hip_abduction[far] = 25 * depth, 45 * depth


def raise_leg(s: Stance, rng: np.random.Generator, near: int, far: int) -> None:
    """Raise a leg, knee bent or straight."""
    s.hip_flexion[near], s.knee[near] = rng.uniform(25, 115), rng.uniform(0, 125)


def kick(s: Stance, rng: np.random.Generator, near: int, far: int) -> None:
    """Kick forward, sideways or backward."""
    kind = rng.random()
    if kind < 0.5:
        s.hip_flexion[near], s.knee[near] = rng.uniform(25, 110), abs(rng.normal(0, 12))
    elif kind < 0.75:
        s.hip_abduction[near] = rng.uniform(15, 75)
    else:
        s.hip_flexion[near], s.knee[near], s.pitch = -rng.uniform(5, 50), abs(rng.normal(0, 15)), rng.uniform(0, 60)
        s.hip_flexion[far] = s.pitch


def sit(s: Stance, rng: np.random.Generator, near: int, far: int) -> None:
    """Sit on a chair."""
    s.hip_flexion[:] = rng.uniform(65, 105) + rng.normal(0, 6, 2)
    s.knee[:] = rng.uniform(50, 110) + rng.normal(0, 10, 2)
    s.hip_abduction += rng.uniform(0, 18)
    s.pitch, s.spine = rng.normal(0, 10), rng.normal(8, 10)
    s.hip_flexion += s.pitch
    if rng.random() < 0.15:  # legs crossed
        s.hip_rotation[near], s.hip_abduction[near], s.hip_flexion[near] = 50, 15, s.hip_flexion[near] + 15


def sit_on_floor(s: Stance, rng: np.random.Generator, near: int, far: int) -> None:
    """Sit on the floor: legs straight, drawn up or crossed."""
    s.pitch, s.spine = rng.uniform(-25, 15), rng.uniform(0, 35)
    kind = rng.random()
    if kind < 0.35:
        s.knee[:], flexion = np.abs(rng.normal(0, 12, 2)), 85.0
    elif kind < 0.7:
        s.knee[:], flexion = rng.uniform(60, 130) + rng.normal(0, 8, 2), 110.0
    else:
        s.knee[:], flexion = rng.uniform(100, 135, 2), 95.0
        s.hip_abduction += rng.uniform(20, 40)
        s.hip_rotation += rng.uniform(25, 55)
    s.hip_flexion[:] = flexion + s.pitch + rng.normal(0, 6, 2)


def kneel(s: Stance, rng: np.random.Generator, near: int, far: int) -> None:
    """Kneel on one knee or both."""
    s.hip_flexion[near], s.knee[near], s.ankle[near] = rng.uniform(0, 30), rng.uniform(85, 140), rng.uniform(0, 45)
    both = rng.random() < 0.45
    s.hip_flexion[far] = rng.uniform(0, 30) if both else rng.uniform(70, 100)
    s.knee[far] = rng.uniform(85, 140) if both else rng.uniform(70, 110)


def crawl(s: Stance, rng: np.random.Generator, near: int, far: int) -> None:
    """Go on all fours."""
    s.pitch = rng.uniform(70, 100)
    s.hip_flexion[:] = s.pitch + rng.normal(0, 12, 2)
    s.knee[:], s.ankle[:] = rng.uniform(70, 110) + rng.normal(0, 10, 2), rng.uniform(0, 45)
    s.reach = 1.0


def plank(s: Stance, rng: np.random.Generator, near: int, far: int) -> None:
    """Support the straight body on hands and toes, or reach the hands to the floor with hips up."""
    s.pitch = rng.uniform(60, 100)
    s.hip_flexion[:] = rng.choice([0.0, rng.uniform(20, 80)]) + rng.normal(0, 5, 2)
    s.ankle[:] = -rng.uniform(0, 30)
    s.reach = 1.0


def lie(s: Stance, rng: np.random.Generator, near: int, far: int) -> None:
    """Lie on the back, the front or a side, legs straight, bent or drawn up."""
    s.pitch, s.roll = rng.normal(0, 8), rng.normal(0, 8)
    s.tilt = about("y", rng.choice([0.0, 180.0, 90.0, -90.0]) + rng.normal(0, 15))
    s.tilt = about("x", -90.0) @ s.tilt
    bent = rng.uniform(0, 1)
    s.hip_flexion[:] = bent * rng.uniform(0, 110, 2) + rng.normal(0, 6, 2)
    s.knee[:] = np.abs(bent * rng.uniform(0, 130, 2) + rng.normal(0, 6, 2))
    s.hip_abduction += rng.uniform(0, 20)
    s.ankle[:] = rng.uniform(0, 40)


def ride(s: Stance, rng: np.random.Generator, near: int, far: int) -> None:
    """Ride a bicycle."""
    s.pitch, s.spine = rng.uniform(10, 50), rng.uniform(0, 30)
    s.hip_flexion[near], s.knee[near] = rng.uniform(70, 110), rng.uniform(80, 115)
    s.hip_flexion[far], s.knee[far] = rng.uniform(30, 65), rng.uniform(25, 65)
    s.hip_flexion += 0.5 * s.pitch
    s.reach = 0.8


def split(s: Stance, rng: np.random.Generator, near: int, far: int) -> None:
    """Do the splits, to the sides or to front and back."""
    if rng.random() < 0.5:
        s.hip_abduction[:] = rng.uniform(35, 85)
    else:
        s.hip_flexion[near], s.hip_flexion[far] = rng.uniform(50, 100), -rng.uniform(20, 65)
    s.knee[:] = np.abs(rng.normal(0, 8, 2))
    s.ankle[:] = rng.uniform(0, 45)


def wild(s: Stance, rng: np.random.Generator, near: int, far: int) -> None:
    """Put every joint anywhere within its limits."""
    s.hip_flexion[:] = rng.uniform(-40, 125, 2)
    s.knee[:] = np.where(rng.random(2) < 0.4, np.abs(rng.normal(0, 8, 2)), rng.uniform(0, 135, 2))
    s.hip_abduction[:] = np.where(rng.random(2) < 0.5, np.abs(rng.normal(0, 8, 2)), rng.uniform(0, 75, 2))
    s.hip_rotation[:], s.ankle[:] = rng.normal(8, 20, 2), rng.uniform(-30, 50, 2)
    s.pitch, s.roll, s.spine = rng.uniform(-40, 110), rng.normal(0, 20), rng.uniform(-30, 70)


Change = Callable[[Stance, np.random.Generator, int, int], None]
STANCES: dict[Change, float] = {
    stand: 0.14,
    wide: 0.06,
    squat: 0.08,
    bend: 0.11,
    lunge: 0.06,
    side_lunge: 0.05,
    raise_leg: 0.07,
    kick: 0.08,
    sit: 0.08,
    sit_on_floor: 0.05,
    kneel: 0.04,
    crawl: 0.03,
    plank: 0.03,
    lie: 0.06,
    ride: 0.03,
    split: 0.03,
    wild: 0.13,
}
"""How often each stance is drawn."""
RECORDED_SHARE, RECORDED_ARMS_SHARE = 0.07, 0.3
"""Share of key poses, and of the arms of the others, that come from a recording."""


def key_pose(rng: np.random.Generator, recorded: RecordedMotion, only: Change | None = None) -> Array:
    """Return the local rotations (24, 3, 3) of a random pose, facing +z; only: of this stance."""
    if only is None and rng.random() < RECORDED_SHARE:
        pose = recorded.pose(rng)
        pose[0] = about("y", -np.degrees(np.arctan2(pose[0][0, 2], pose[0][2, 2]))) @ pose[0]
        return pose
    changes = list(STANCES)
    change = only or changes[int(rng.choice(len(changes), p=np.array(list(STANCES.values())) / sum(STANCES.values())))]
    stance = relaxed(rng)
    near, far = rng.permutation(2)
    change(stance, rng, int(near), int(far))
    pose = pose_of(stance, rng)
    pose_arms(pose, rng, recorded, stance)
    return pose


def pose_of(s: Stance, rng: np.random.Generator) -> Array:
    """Return the local rotations (24, 3, 3) of trunk, legs and head; the arms at rest."""
    pose = np.tile(np.eye(3), (24, 1, 1))
    pose[0] = s.tilt @ about("x", s.pitch) @ about("z", s.roll)
    for side, sign in enumerate((1.0, -1.0)):
        hip = about("z", sign * s.hip_abduction[side]) @ about("x", -s.hip_flexion[side])
        pose[J["left_hip"] + side] = hip @ about("y", sign * s.hip_rotation[side])
        pose[J["left_knee"] + side] = about("x", s.knee[side])
        pose[J["left_ankle"] + side] = (
            about("x", s.ankle[side]) @ about("y", sign * rng.normal(0, 8)) @ about("z", rng.normal(0, 4))
        )
        pose[J["left_foot"] + side] = about("x", -abs(rng.normal(0, 6)) if rng.random() < 0.8 else -rng.uniform(0, 35))
    trunk = np.array([s.spine, rng.normal(0, 14), rng.normal(0, 7)])
    head = np.array([rng.normal(-0.3 * s.spine, 14), rng.normal(0, 25), rng.normal(0, 7)])
    for name, angles in (("spine1", 0.36 * trunk), ("spine2", 0.36 * trunk), ("spine3", 0.28 * trunk)):
        pose[J[name]] = euler(angles)
    pose[J["neck"]], pose[J["head"]] = euler(0.4 * head), euler(0.6 * head)
    return pose


def euler(degrees: Array) -> Array:
    """Return the rotation (3, 3) about x, then y, then z, of the fixed axes."""
    return about("z", degrees[2]) @ about("y", degrees[1]) @ about("x", degrees[0])


def pose_arms(pose: Array, rng: np.random.Generator, recorded: RecordedMotion, stance: Stance) -> None:
    """Pose the arms of a pose (24, 3, 3), in place: recorded, symmetric, or each at random."""
    kind = rng.random()
    if kind < RECORDED_ARMS_SHARE and not stance.reach:
        pose[ARM_JOINTS] = recorded.pose(rng)[ARM_JOINTS]
        return
    left = reaching_arm(rng) if rng.random() < stance.reach else random_arm(rng)
    other = reaching_arm(rng) if rng.random() < stance.reach else random_arm(rng)
    right = left if kind < 0.6 else other
    for offset, rotation in enumerate(left):
        pose[J["left_shoulder"] + 2 * offset] = rotation
    for offset, rotation in enumerate(right):
        pose[J["right_shoulder"] + 2 * offset] = MIRROR @ rotation @ MIRROR


def random_arm(rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Return shoulder, elbow and wrist of a left arm in the chest's axes: hanging, up, forward, sideways or anywhere."""
    kind = rng.random()
    if kind < 0.22:
        direction = np.array([abs(rng.normal(0, 0.18)) + 0.03, -1, rng.normal(0, 0.2)])
    elif kind < 0.36:
        direction = np.array([rng.normal(0.35, 0.15), 1, rng.normal(0.3, 0.1)])
    elif kind < 0.50:
        direction = np.array([rng.normal(0.3, 0.05), rng.normal(0, 0.35), 1])
    elif kind < 0.60:
        direction = np.array([1, rng.normal(0, 0.3), rng.normal(0.3, 0.1)])
    else:
        direction = free_direction(rng)
    flexion = abs(rng.normal(0, 12)) if rng.random() < 0.33 else rng.uniform(3, 148)
    return arm(rng, direction, flexion)


def reaching_arm(rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Return a left arm that reaches to the front of the chest: on all fours, at a handlebar or a keyboard."""
    direction = np.array([rng.normal(0.1, 0.15), rng.normal(-0.1, 0.35), 1])
    return arm(rng, direction, abs(rng.normal(10, 25)))


def typing_arm(rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Return a left arm whose hand lies on a table in front."""
    direction = np.array([rng.normal(0.25, 0.15), -1, rng.normal(0.3, 0.2)])
    return arm(rng, direction, rng.uniform(50, 110))


def arm(rng: np.random.Generator, direction: Array, flexion: float) -> tuple[Array, Array, Array]:
    """Return shoulder, elbow and wrist: upper arm along direction (3,), the elbow bent by flexion degrees."""
    direction = direction / np.linalg.norm(direction)
    usual = rng.normal(0, 28) if rng.random() < 0.75 else rng.uniform(-60, 90)
    twist = usual - 45 * float(smoothstep(direction[1], 0.0, 1.0)) * rng.random()
    pronation = rng.normal(0, 30)
    shoulder = shortest_rotation(np.array([1.0, 0, 0]), direction) @ about("x", twist)
    elbow = about("y", -flexion) @ about("x", pronation / 2)
    wrist = about("x", pronation / 2) @ about("z", rng.normal(0, 14)) @ about("y", rng.normal(0, 12))
    return shoulder, elbow, wrist


def free_direction(rng: np.random.Generator) -> Array:
    """Return a random direction (3,) that a left upper arm reaches: not far across the chest, not far back."""
    while True:
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        x, _, z = direction
        if x > -0.45 and z > -0.55 and not (x < 0 and z < 0.3):
            return direction
