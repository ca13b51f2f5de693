"""Random adults from MakeHuman's targets, posed from its A-pose to SMPL's T-pose."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from open_body.assets import Assets, J
from remi_stream.body.smpl import forward_kinematics
from remi_stream.skeletons import SMPL_PARENTS

Array = NDArray[Any]

ROOT_AT = np.array([0.0, -0.22, 0.03])  # about SMPL's pelvis position, with the origin in the chest

# A joint is a weighted mean of MakeHuman's joint cubes; SIDE is "left" or "right" (in cubes "l" or "r").
CUBES: dict[str, dict[str, float]] = {
    "pelvis": {"pelvis": 0.25, "spine-4": 0.75},
    "spine1": {"spine-3": 1.0},
    "spine2": {"spine-2": 1.0},
    "spine3": {"spine-1": 1.0},
    "neck": {"neck": 1.0},
    "head": {"head": 1.0},
    "SIDE_hip": {"SIDE-upper-leg": 0.9, "OTHER-upper-leg": 0.1},  # the cube lies at the trochanter, outside the joint
    "SIDE_knee": {"SIDE-knee": 1.0},
    "SIDE_ankle": {"SIDE-ankle": 1.0},
    "SIDE_foot": {"SIDE-foot-1": 1.0},
    "SIDE_collar": {"SIDE-clavicle": 0.6, "SIDE-shoulder": 0.4},
    "SIDE_shoulder": {"SIDE-shoulder": 1.0},
    "SIDE_elbow": {"SIDE-elbow": 1.0},
    "SIDE_wrist": {"SIDE-hand": 1.0},
    "SIDE_hand": {"SIDE-finger-3-1": 1.0},
    "SIDE_index": {"SIDE-finger-2-1": 1.0},
    "SIDE_pinky": {"SIDE-finger-5-1": 1.0},
}


def random_dials(rng: np.random.Generator, gender: str) -> dict[str, float]:
    """Random weights of the words in target names for one adult, 0..1; other words count 0."""

    def bell(mean: float, spread: float) -> float:
        return float(np.clip(rng.normal(mean, spread), 0, 1))

    old, height, proportions = float(rng.uniform(0, 0.7)), bell(0.42, 0.035), bell(0.6, 0.2)
    dials = {"universal": 1.0, gender: 1.0, "old": old, "young": 1 - old, "averagefirmness": 1.0}
    dials |= {"minheight": 1 - height, "maxheight": height}
    dials |= {"uncommonproportions": 1 - proportions, "idealproportions": proportions}
    dials |= dict(zip(("african", "asian", "caucasian"), rng.dirichlet([1, 1, 1]).tolist(), strict=True))
    for word, value in (("muscle", bell(0.5, 0.17)), ("weight", bell(0.5, 0.2)), ("cup", bell(0.45, 0.2))):
        dials |= {f"min{word}": max(0, 1 - 2 * value), f"max{word}": max(0, 2 * value - 1)}
        dials |= {f"average{word}": 1 - abs(2 * value - 1)}
    return dials


def apply_targets(assets: Assets, dials: dict[str, float]) -> Array:
    """Add every target, weighted by the product of its words' dials, to the base mesh: (19158, 3) m."""
    vertices = assets.vertices.copy()
    for name, (rows, offsets) in assets.targets.items():
        words = Path(name).name.removesuffix(".target.gz").split("-")
        strength = math.prod(dials.get(word, 0.0) for word in words)
        if strength > 0:
            vertices[rows] += strength * offsets
    return vertices


def landmarks(assets: Assets, vertices: Array) -> dict[str, Array]:
    """Positions of joints, and of knuckles that define a hand's twist, from the joint cubes: by name, (3,) m."""
    places = {}
    for name, parts in CUBES.items():
        for side, other in (("left", "right"), ("right", "left")) if "SIDE" in name else (("", ""),):
            cubes = {cube.replace("SIDE", side[:1]).replace("OTHER", other[:1]): w for cube, w in parts.items()}
            places[name.replace("SIDE", side)] = sum(w * vertices[assets.cubes[c]].mean(0) for c, w in cubes.items())
    return places


def t_pose(places: dict[str, Array]) -> Array:
    """World rotations (24, 3, 3) from MakeHuman's A-pose to SMPL's T-pose: arms horizontal, palms down, toes forward."""
    world = np.tile(np.eye(3), (24, 1, 1))
    for side, x in (("left", 1.0), ("right", -1.0)):

        def bone(start: str, end: str, side: str = side) -> Array:
            return places[f"{side}_{end}"] - places[f"{side}_{start}"]

        outward = np.array([x, 0, 0])
        hand = arc(bone("wrist", "hand"), outward)
        across = hand.apply(bone("pinky", "index"))  # points ahead (+z) when the palm faces down
        twist = math.atan2(across[1], across[2])
        rotations = {
            "collar": Rotation.from_euler("z", 8 * x, degrees=True),
            "shoulder": arc(bone("shoulder", "elbow"), outward),
            "elbow": Rotation.from_euler("x", twist / 2) * arc(bone("elbow", "wrist"), outward),
            "wrist": Rotation.from_euler("x", twist) * hand,
            "hand": Rotation.from_euler("x", twist) * hand,
            "hip": arc(bone("hip", "knee"), np.array([0.06 * x, -1, 0])),
            "knee": arc(bone("knee", "ankle"), np.array([0.01 * x, -1, -0.06])),
        }
        for joint, rotation in rotations.items():
            world[J[f"{side}_{joint}"]] = rotation.as_matrix()
    return world


def arc(start: Array, end: Array) -> Rotation:
    """Shortest rotation from one direction to another."""
    axis = np.cross(start, end)
    length = float(np.linalg.norm(axis))
    return Rotation.from_rotvec(axis / max(length, 1e-12) * math.atan2(length, float(start @ end)))


def pose_skin(vertices: Array, joints: Array, world: Array, weights: Array) -> tuple[Array, Array]:
    """Pose skin (V, 3) and joints (24, 3), m, with world rotations (24, 3, 3), and the pelvis at ROOT_AT."""
    local = np.array([world[p].T @ world[j] if p >= 0 else world[j] for j, p in enumerate(SMPL_PARENTS)])
    _, moved = forward_kinematics(joints, local, ROOT_AT - joints[0])
    offsets = moved - np.einsum("jab,jb->ja", world, joints)
    return np.einsum("vj,jab,vb->va", weights, world, vertices, optimize=True) + weights @ offsets, moved
