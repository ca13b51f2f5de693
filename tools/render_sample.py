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
from make_open_body import COLOURS, clothes, softened
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d, minimum_filter1d
from scipy.spatial import ConvexHull, cKDTree
from scipy.spatial.transform import Rotation

from remi_stream.body.smpl import Body, change_axes, joint_rotations, load_open_body
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


# Keys of each channel, (seconds, value), repeated every 8 s: degrees, or shares of a gesture or a way from 0 to 1.
CHANNELS: dict[str, list[tuple[float, float]]] = {
    "way": [(0.0, 0.0), (0.4, 0.07), (1.95, 0.93), (2.4, 1.0), (5.35, 1.0), (5.75, 0.94), (7.3, 0.06), (7.75, 0.0)],
    "yaw": [(0.0, 33.0), (0.9, 38.0), (1.7, 30.0), (2.75, -6.0), (4.0, -9.0), (5.3, -8.0), (6.4, 22.0), (7.4, 30.0)],
    "wave": [(2.30, 0.0), (2.90, 1.0), (3.75, 1.0), (4.30, 0.0)],
    "squat": [(4.00, 0.0), (4.72, 1.0), (4.85, 1.0), (5.60, 0.0)],
    "walk": [(0.0, 0.6), (0.4, 1.0), (1.9, 1.0), (2.6, 0.0), (5.5, 0.0), (6.0, 0.7), (7.4, 0.7)],
}
WAY_FROM, WAY_TO = np.array([-0.36, -0.46]), np.array([0.30, 0.36])  # x, z of the pelvis, m
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
HALF_STANCE_M = 0.105
FEET_TURN_OUT_DEG = 9.0
STRAIGHTEST = 0.985  # of the leg's full length: a knee that snaps straight jerks


def choreography(body: Body, ground: float) -> Motion:
    """Walk, wave, squat and walk back, over a floor that lies at `ground` (m, rest frame) under the standing body."""
    rest = body.rest_joints(np.zeros(10))
    at = {name: channel(keys) for name, keys in CHANNELS.items()}
    feet = {side: foot_track(side, at, rest, ground) for side in ("left", "right")}
    world = Rotation.from_euler("YX", np.c_[at["yaw"], 26 * at["squat"]], degrees=True)
    pelvis = pelvis_track(at, feet, world, rest, ground)
    stride = np.einsum("na,na->n", feet["left"].ball - feet["right"].ball, heading(at["yaw"])) * at["walk"]
    local = np.tile(np.eye(3), (FRAMES, 24, 1, 1))
    local[:, 0] = world.as_matrix()
    bend_trunk(local, at, stride)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        bend_leg(local, side, rest, pelvis, world, feet[side])
        bend_arm(local, side, sign, at, -sign * stride)
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


def heading(yaw: Array) -> Array:
    """The level direction (FRAMES, 3) that yaw degrees face; 0 is towards the camera."""
    return np.c_[np.sin(np.radians(yaw)), np.zeros(len(yaw)), np.cos(np.radians(yaw))]


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
        height += 0.07 * hump(share)
        pitch += 24 * hump((seconds - lift + 0.16) / 0.38) - 9 * hump((seconds - land + 0.16) / 0.26)
    yaw = place[:, 2] + sign * FEET_TURN_OUT_DEG
    rotation = Rotation.from_euler("YX", np.c_[yaw, pitch], degrees=True)
    ankle_joint, ball_joint = rest[J[f"{side}_ankle"]], rest[J[f"{side}_foot"]]
    ball = np.c_[place[:, 0], ball_joint[1] - ground + height, place[:, 1]]
    return FootTrack(ball, ball + rotation.apply(ankle_joint - ball_joint), rotation, heading(yaw))


def footprint(at: Mapping[str, Array], land: float, sign: float) -> Array:
    """Where a foot that lands at `land` seconds is put: x, z of its ball in m, and its yaw in degrees."""
    frame = round((land + 0.22) * FPS) % FRAMES  # under the body as it will be while the foot carries it
    x, z = WAY_FROM + at["way"][frame] * (WAY_TO - WAY_FROM)
    yaw = math.radians(at["yaw"][frame])
    aside, ahead = sign * HALF_STANCE_M, 0.10
    x += aside * math.cos(yaw) + ahead * math.sin(yaw)
    z += ahead * math.cos(yaw) - aside * math.sin(yaw)
    return np.array([x, z, at["yaw"][frame]])


def pelvis_track(
    at: Mapping[str, Array], feet: Mapping[str, FootTrack], world: Rotation, rest: Array, ground: float
) -> Array:
    """The pelvis (FRAMES, 3) m: along its way, over the foot that carries, and as high as both legs reach."""
    level = WAY_FROM + at["way"][:, None] * (WAY_TO - WAY_FROM)
    swing = smooth(feet["right"].ball[:, 1] - feet["left"].ball[:, 1], 3)
    across, ahead = heading(at["yaw"] + 90), heading(at["yaw"])
    pelvis = np.c_[level[:, 0], np.full(FRAMES, rest[0, 1] - ground - 0.02), level[:, 1]]
    pelvis += 0.4 * swing[:, None] * across - 0.15 * at["squat"][:, None] * ahead
    pelvis[:, 1] -= 0.41 * at["squat"]
    for side, track in feet.items():
        hip = rest[J[f"{side}_hip"]]
        leg = STRAIGHTEST * sum(bone_lengths(rest, side))
        away = track.ankle - pelvis - world.apply(hip - rest[0])
        reachable = np.sqrt(leg**2 - away[:, 0] ** 2 - away[:, 2] ** 2) + away[:, 1]
        pelvis[:, 1] += np.minimum(0, reachable)
    pelvis[:, 1] = smooth(minimum_filter1d(pelvis[:, 1], 7, mode="wrap"), 2.5)
    return pelvis


def bone_lengths(rest: Array, side: str) -> tuple[float, float]:
    """Thigh and shin, m."""
    hip, knee, ankle = (rest[J[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
    return float(np.linalg.norm(knee - hip)), float(np.linalg.norm(ankle - knee))


def ease(share: Array) -> Array:
    """0 before 0, 1 after 1, and between them a step without a jump in speed or acceleration."""
    share = np.clip(share, 0, 1)
    return share**3 * (10 - 15 * share + 6 * share**2)


def hump(share: Array) -> Array:
    """0 outside 0..1, and between them one smooth hump of height 1."""
    return ease(2 * share) * ease(2 - 2 * share)


def bend_leg(local: Array, side: str, rest: Array, pelvis: Array, world: Rotation, foot: FootTrack) -> None:
    """Hip, knee and ankle that put the foot on its track: two-bone inverse kinematics, the knee over the toes."""
    hip, knee, ankle = (rest[J[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
    a, b = bone_lengths(rest, side)
    reach = foot.ankle - pelvis - world.apply(hip - rest[0])
    length = np.minimum(np.linalg.norm(reach, axis=1), 0.999 * (a + b))
    down = unit(reach)
    ahead = across(foot.heading, down)
    cosine = (a**2 + length**2 - b**2) / (2 * a * length)
    thigh = a * (cosine[:, None] * down + np.sqrt(1 - cosine**2)[:, None] * ahead)
    hinge = np.cross(ahead, down)
    thigh_world = hinged(thigh, hinge) @ hinged(knee - hip, X_AXIS).T
    shin_world = hinged(length[:, None] * down - thigh, hinge) @ hinged(ankle - knee, X_AXIS).T
    local[:, J[f"{side}_hip"]] = world.inv().as_matrix() @ thigh_world
    local[:, J[f"{side}_knee"]] = thigh_world.transpose(0, 2, 1) @ shin_world
    local[:, J[f"{side}_ankle"]] = shin_world.transpose(0, 2, 1) @ foot.rotation.as_matrix()


X_AXIS = np.array([1.0, 0, 0])


def hinged(bone: Array, hinge: Array) -> Array:
    """Frames (..., 3, 3) of bones (..., 3) that hang along -y and bend about x, the hinge (..., 3)."""
    up = -unit(bone)
    side = across(hinge, up)
    return np.stack([side, up, np.cross(side, up)], axis=-1)


def unit(vectors: Array) -> Array:
    """vectors (..., 3) at length 1."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def across(vectors: Array, axis: Array) -> Array:
    """The part of vectors (..., 3) that is square to a unit axis (..., 3), at length 1."""
    return unit(vectors - (vectors * axis).sum(-1, keepdims=True) * axis)


def bend_trunk(local: Array, at: Mapping[str, Array], stride: Array) -> None:
    """Spine, neck and head: against the legs' swing, forward in the squat, the face to the camera."""
    lean, twist = 10 * at["squat"] + 0.6 * wave_of(2), -18 * stride - 0.10 * at["yaw"]
    for joint in ("spine1", "spine2", "spine3"):
        local[:, J[joint]] = degrees("YXZ", twist / 3, lean / 2, 1.5 * at["wave"])
    for joint in ("neck", "head"):
        local[:, J[joint]] = degrees("YXZ", -0.32 * at["yaw"] - twist / 3, 1 - 14 * at["squat"], -2.5 * at["wave"])


def bend_arm(local: Array, side: str, sign: float, at: Mapping[str, Array], stride: Array) -> None:
    """Collar, shoulder, elbow and hand; the right arm also waves. sign is 1 for the left arm, -1 for the right."""
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


def wave_of(cycles: int) -> Array:
    """A sine with so many cycles in the loop, (FRAMES,)."""
    return np.sin(2 * math.pi * cycles * np.arange(FRAMES) / FRAMES)


def degrees(axes: str, *angles: Array) -> Array:
    """Rotation matrices (FRAMES, 3, 3) about the body's own axes, one after the other, from degrees (FRAMES,)."""
    turns = np.stack([np.broadcast_to(angle, FRAMES) for angle in angles], axis=1)
    return Rotation.from_euler(axes, turns, degrees=True).as_matrix()


def placed(motion: Motion, root_joint: Array, yaw: float, x: float, z: float) -> Motion:
    """The same motion somewhere else in the room: turned by yaw degrees about the room's middle, then moved by x, z m."""
    turn = Rotation.from_euler("y", yaw, degrees=True).as_matrix()
    return seen_from(motion, root_joint, turn, np.array([x, 0.0, z]))


def seen_from(motion: Motion, root_joint: Array, rotation: Array, translation: Array) -> Motion:
    """The motion in other axes: points p become rotation (3, 3) p + translation (3,)."""
    moved = [
        change_axes(rotation, root_joint, pose[:3], transl)
        for pose, transl in zip(motion.poses, motion.transl, strict=True)
    ]
    poses = np.c_[np.array([orient for orient, _ in moved]), motion.poses[:, 3:]]
    return Motion(poses, motion.betas, np.array([transl for _, transl in moved]) + translation)


# --- the people -------------------------------------------------------------------------------------------------------

CLOTH_M = {"trousers": 0.010, "shirt": 0.013}
SHOE_M = 0.006
FOLD_M = 0.028  # fabric spans hollows of about this size
HAIR_M = 0.016
FLARE_M = 0.014  # how much wider trousers are at the ankle than at the knee


@dataclass(frozen=True)
class Actor:
    """Somebody in the room: a body, its motion in world axes, and the colours in which it differs from COLOURS."""

    body: Body
    motion: Motion
    outfit: Mapping[str, tuple[int, int, int]]


@dataclass(frozen=True)
class Wardrobe:
    """What an actor wears, on its rest skin.

    rest: (V, 3) m, the skin with the garments' thickness on; normals: (V, 3); rgb: (V, 3) 0..1, the skin without them; fields: (V, 4) m,
    distance inside the hems of shoes, soles, trousers and shirt; hair: (V,) 0..1.
    """

    rest: Array
    normals: Array
    rgb: Array
    fields: Array
    hair: Array


def wardrobe(actor: Actor) -> Wardrobe:
    """Dress an actor."""
    body, colours = actor.body, {name: np.array(rgb) for name, rgb in {**COLOURS, **actor.outfit}.items()}
    rest, joints = body.rest_vertices(actor.motion.betas).astype(np.float64), body.rest_joints(actor.motion.betas)
    # Fabric reaches a little further than its hem is painted: the hem is straight, and casts its shade.
    inside = {name: ease(1.5 + field / 0.016) for name, field in clothes(rest, joints).items()}
    dressed = np.maximum.reduce(list(inside.values()))
    hair = hair_share(body)
    assert body.vertex_rgb is not None
    bare = np.where(dressed[:, None] > 0, colours["skin"], body.vertex_rgb + (colours["skin"] - COLOURS["skin"]))
    lasts = put_on_shoes(rest, joints, body.faces)
    loose = dressed * ease((rest[:, 1] - joints[J["left_ankle"], 1]) / 0.03)
    rest += loose[:, None] * (softened(rest, body.faces, 6) - rest)
    rest += loose[:, None] * drape(rest, body.faces, loose > 0)
    thickness = np.maximum.reduce([CLOTH_M[name] * inside[name] for name in CLOTH_M])
    thickness += FLARE_M * inside["trousers"] * ease((joints[J["left_knee"], 1] - rest[:, 1]) / 0.4)
    thickness += HAIR_M * ease(1.6 * softened(hair[:, None], body.faces, 6)[:, 0] - 0.6)
    rest += thickness[:, None] * vertex_normals(rest, body.faces)
    normals = vertex_normals(rest, body.faces)
    for foot, last in lasts:
        normals[foot] += ease((joints[J["left_ankle"], 1] - 0.02 - rest[foot, 1]) / 0.02)[:, None] * (last - normals[foot])
    rgb = (bare + hair[:, None] * (colours["hair"] - bare)) / 255
    fields = clothes(rest, joints)
    return Wardrobe(rest, normals, rgb, np.stack(list(fields.values()), axis=1), hair)


def put_on_shoes(rest: Array, joints: Array, faces: Array) -> list[tuple[Array, Array]]:
    """Push each foot of rest (V, 3), m, out to its convex hull, so that a shoe hides the toes.

    For each foot: its vertex numbers (N,), and which way they were pushed, (N, 3): normals without the toes' folds.
    """
    lasts = []
    for side, sign in (("left", 1.0), ("right", -1.0)):
        ankle, ball = joints[J[f"{side}_ankle"]], joints[J[f"{side}_foot"]]
        foot = np.flatnonzero((rest[:, 1] < ankle[1] + 0.005) & (rest[:, 0] * sign > 0))
        hull, ends = ConvexHull(rest[foot]).equations, (rest[foot, 2].min() + 0.04, rest[foot, 2].max() - 0.05)
        low = 0.3 * ankle[1] + 0.7 * rest[foot, 1].min()
        for _ in range(8):
            rest[foot] = softened(rest, faces, 3)[foot]
            axis_z = rest[foot, 2].clip(*ends)
            axis_x = np.interp(axis_z, [ankle[2], ball[2]], [ankle[0], ball[0]])
            axis = np.stack([axis_x, np.full(len(foot), low), axis_z], axis=1)
            outward = unit(rest[foot] - axis)
            slope, room = outward @ hull[:, :3].T, SHOE_M - axis @ hull[:, :3].T - hull[:, 3]
            distances = np.where(slope > 1e-6, room / np.maximum(slope, 1e-6), np.inf)
            rest[foot] = axis + distances.min(axis=1)[:, None] * outward
        lasts.append((foot, outward))
    return lasts


def hair_share(body: Body) -> Array:
    """How far each vertex is painted from skin to hair: (V,) 0..1, brows included."""
    assert body.vertex_rgb is not None
    skin, hair = np.array(COLOURS["skin"], float), np.array(COLOURS["hair"], float)
    share = np.clip((body.vertex_rgb - skin) @ (hair - skin) / ((hair - skin) @ (hair - skin)), 0, 1)
    off_line = np.linalg.norm(body.vertex_rgb - skin - share[:, None] * (hair - skin), axis=1)
    return np.where(off_line < 14, share, 0)


def drape(skin: Array, faces: Array, worn: Array) -> Array:
    """How fabric bridges the small hollows and bumps of skin (V, 3), where worn (V,): offsets along the normals, m.

    Each vertex goes to the height of the mean skin within FOLD_M of it that faces its way, every area alike.
    """
    rows, normals = np.flatnonzero(worn), unit(softened(vertex_normals(skin, faces), faces, 12))
    tree = cKDTree(skin[rows])
    near = tree.sparse_distance_matrix(tree, 3 * FOLD_M, output_type="coo_matrix")
    a, b = rows[near.row], rows[near.col]
    weights = np.exp(-0.5 * (near.data / FOLD_M) ** 2) * vertex_areas(skin, faces)[b]
    weights *= np.einsum("na,na->n", normals[a], normals[b]) > 0.3
    heights = np.einsum("na,na->n", skin[b] - skin[a], normals[a])
    mean = np.bincount(a, weights * heights, len(skin)) / np.maximum(np.bincount(a, weights, len(skin)), 1e-12)
    return mean[:, None] * normals


def vertex_areas(vertices: Array, faces: Array) -> Array:
    """The skin each vertex stands for: a third of the faces around it, (V,) m^2."""
    a, b, c = vertices[faces].transpose(1, 0, 2)
    thirds = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 6
    return np.bincount(faces.ravel(), np.repeat(thirds, 3), len(vertices))


def vertex_normals(vertices: Array, faces: Array) -> Array:
    """Unit normals (V, 3): the sum of the faces around a vertex, each counted by its area."""
    a, b, c = vertices[faces].transpose(1, 0, 2)
    across = np.cross(b - a, c - a)
    normals = np.stack(
        [sum(np.bincount(faces[:, corner], across[:, axis], len(vertices)) for corner in range(3)) for axis in range(3)],
        axis=1,
    )
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


# --- the picture ------------------------------------------------------------------------------------------------------

CAMERA_AT = np.array([0.0, 1.22, 3.85])
LOOK_AT = np.array([0.0, 0.93, 0.0])
KEY_LIGHT = np.array([-0.45, 0.80, 0.62])
SHADOW_PX = 2048

LIGHT = """
uniform vec3 camera; uniform mat4 shadow_from_world; uniform sampler2DShadow shadow; uniform vec3 key;
vec3 linear(vec3 c) { return pow(c, vec3(2.2)); }
vec3 film(vec3 c) { c *= 1.06; return pow(c * (1.0 + c * 0.12) / (1.0 + 0.42 * c), vec3(1.0 / 2.2)); }
float hash(vec3 p) { p = fract(p * 0.3183099 + 0.1); p *= 17.0; return fract(p.x * p.y * p.z * (p.x + p.y + p.z)); }
float noise(vec3 p) {
  vec3 i = floor(p), f = fract(p); f = f * f * (3.0 - 2.0 * f);
  return mix(mix(mix(hash(i), hash(i + vec3(1,0,0)), f.x), mix(hash(i + vec3(0,1,0)), hash(i + vec3(1,1,0)), f.x), f.y),
    mix(mix(hash(i + vec3(0,0,1)), hash(i + vec3(1,0,1)), f.x), mix(hash(i + vec3(0,1,1)), hash(i + vec3(1,1,1)), f.x), f.y), f.z);
}
float lit(vec3 p, float softness) {
  vec4 s = shadow_from_world * vec4(p, 1.0); s.xyz = s.xyz * 0.5 + 0.5;
  float sum = 0.0;
  for (int i = 0; i < 20; ++i) {
    float r = softness * sqrt((float(i) + 0.5) / 20.0), a = 2.399963 * float(i);
    sum += texture(shadow, vec3(s.xy + r * vec2(cos(a), sin(a)), s.z));
  }
  return sum / 20.0;
}
"""
FIGURE_VERTEX = """#version 330
uniform mat4 clip_from_world; in vec3 position, normal, rest, colour; in vec4 fields; in float hairy;
out vec3 p, n, r, c; out vec4 k; out float hair;
void main() { gl_Position = clip_from_world * vec4(position, 1.0); p = position; n = normal; r = rest; c = colour; k = fields; hair = hairy; }
"""
FIGURE_FRAGMENT = (
    "#version 330\nin vec3 p, n, r, c; in vec4 k; in float hair; out vec4 pixel; uniform vec3 garments[4];"
    + LIGHT
    + """
void main() {
  vec3 view = normalize(camera - p), base = linear(c);
  vec4 inside = smoothstep(-0.5 * fwidth(k) - 0.0008, 0.5 * fwidth(k) + 0.0008, k);
  for (int i = 0; i < 4; ++i) base = mix(base, linear(garments[i]), inside[i]);
  float fabric = max(inside.z, inside.w), hem = mix(k.z, k.w, inside.w);
  base *= 1.0 - 0.16 * fabric * smoothstep(0.003, 0.0, abs(hem - 0.016)) - 0.25 * fabric * smoothstep(0.005, 0.0, hem);
  float bare = (1.0 - max(fabric, inside.x)) * (1.0 - hair);
  vec3 q = r * vec3(26.0, 17.0, 26.0);
  vec3 fold = vec3(noise(q), noise(q + 31.7), noise(q + 67.1)) - 0.5;
  vec3 strand = vec3(noise(r * vec3(230.0, 40.0, 90.0)), 0.5, noise(r * vec3(90.0, 40.0, 230.0))) - 0.5;
  vec3 normal = normalize(normalize(n) + 0.38 * fabric * fold + 0.55 * hair * strand);
  base *= 1.0 + fabric * 0.16 * (noise(r * 420.0) - 0.5) + hair * 0.7 * strand.x + bare * 0.07 * (noise(r * 60.0) - 0.5);
  float facing = dot(normal, key), wrap = 0.12 + 0.16 * bare;
  vec3 direct = vec3(max(0.0, (facing + wrap) / (1.0 + wrap)));
  direct = mix(direct, pow(direct, vec3(0.86, 1.0, 1.06)), bare);
  float open = lit(p + 0.012 * normalize(n), 0.0035) * smoothstep(-0.25, 0.15, facing);
  vec3 half_way = normalize(view + key);
  float shine = mix(mix(0.05, 0.02, fabric), 0.09, hair) * pow(max(0.0, dot(normal, half_way)), mix(18.0, 40.0, hair));
  float rim = 0.10 * pow(1.0 - max(0.0, dot(normal, view)), 3.0) * (0.4 + 0.6 * normal.y * 0.5 + 0.3);
  float ground = mix(0.55, 1.0, smoothstep(0.0, 0.9, p.y));
  vec3 sky = mix(vec3(0.30, 0.26, 0.22), vec3(0.46, 0.49, 0.54), 0.5 + 0.5 * normal.y) * ground;
  vec3 fill = vec3(0.20, 0.20, 0.22) * max(0.0, dot(normal, normalize(vec3(0.75, 0.25, 0.6))));
  vec3 light = vec3(1.28, 1.20, 1.08) * direct * mix(0.12, 1.0, open) + sky + fill;
  pixel = vec4(film(base * light + (shine * open + rim * 0.5) * vec3(1.0, 0.97, 0.92)), 1.0);
}
"""
)
ROOM_VERTEX = """#version 330
uniform mat4 clip_from_world; in vec3 position, normal; out vec3 p, n;
void main() { gl_Position = clip_from_world * vec4(position, 1.0); p = position; n = normal; }
"""
ROOM_FRAGMENT = (
    "#version 330\nin vec3 p, n; out vec4 pixel; uniform vec4 near[96]; uniform int near_count;"
    + LIGHT
    + """
vec3 wood(vec2 at) {
  float row = floor(at.y / 0.16), along = at.x / 1.4 + 0.37 * mod(row * 7.0, 5.0), board = floor(along);
  float shade = hash(vec3(row, board, 3.0)), grain = noise(vec3(at.x * 5.0, at.y * 90.0, shade * 9.0));
  float gap = min(abs(fract(at.y / 0.16) - 0.5), 1.0), wide = fwidth(at.y / 0.16);
  float joint = smoothstep(0.5 - 0.012 - wide, 0.5, gap);
  return linear(mix(vec3(0.60, 0.46, 0.34), vec3(0.70, 0.56, 0.42), shade) * (0.95 + 0.10 * grain)) * (1.0 - 0.45 * joint);
}
vec3 picture(vec2 at, vec2 half_size, float seed, vec3 wall) {
  vec2 inside = half_size - abs(at);
  float edge = min(inside.x, inside.y), soft = fwidth(at.y);
  float ridge = 0.10 * sin(at.x * 9.0 + seed) + 0.05 * sin(at.x * 23.0 + 2.0 * seed), y = at.y / half_size.y;
  vec3 sky = mix(vec3(0.86, 0.74, 0.60), vec3(0.48, 0.62, 0.70), clamp(y + 0.4, 0.0, 1.0));
  vec3 hills = mix(vec3(0.30, 0.38, 0.36), vec3(0.42, 0.50, 0.46), smoothstep(-0.01, 0.01, y - ridge + 0.25));
  vec3 shown = mix(wall * mix(1.0, 0.80, smoothstep(-0.05, 0.0, edge)), linear(vec3(0.26, 0.20, 0.16)), smoothstep(0.0, soft, edge));
  shown = mix(shown, linear(vec3(0.90, 0.89, 0.86)), smoothstep(0.025, 0.025 + soft, edge));
  return mix(shown, linear(mix(hills, sky, smoothstep(-0.01, 0.01, y - ridge))), smoothstep(0.085, 0.085 + soft, edge));
}
void main() {
  bool floor_here = n.y > 0.5;
  vec3 base = floor_here ? wood(p.xz) : linear(vec3(0.80, 0.79, 0.76));
  if (!floor_here && abs(n.z) > 0.5 && p.y < 0.11) base = linear(vec3(0.90, 0.89, 0.87)) * smoothstep(0.11, 0.105, p.y);
  if (!floor_here) base = picture(p.xy - vec2(1.25, 1.62), vec2(0.36, 0.46), 1.0, picture(p.xy - vec2(-1.45, 1.66), vec2(0.30, 0.30), 4.0, base));
  float hidden = 1.0;
  for (int i = 0; i < near_count; ++i) {
    vec3 to = near[i].xyz - p; float d = length(to), w = near[i].w;
    hidden *= 1.0 - clamp(max(0.0, dot(n, to / d)) * w * w / (d * d), 0.0, 0.85);
  }
  float corner = 1.0 - 0.30 * exp(-(floor_here ? p.z + 2.0 : p.y) / 0.35);
  vec3 pool = p - vec3(-0.2, 0.0, -0.3);
  float falloff = 1.0 / (1.0 + 0.055 * dot(pool, pool));
  float open = lit(p + 0.004 * n, 0.006);
  vec3 direct = vec3(1.10, 1.03, 0.92) * max(0.0, dot(n, key)) * mix(0.15, 1.0, open);
  vec3 light = (direct + vec3(0.40, 0.42, 0.46) * hidden) * corner * falloff;
  vec3 view = normalize(camera - p);
  float gloss = floor_here ? 0.05 * pow(max(0.0, dot(reflect(-key, n), view)), 12.0) * open + 0.05 * pow(1.0 - view.y, 4.0) * hidden : 0.0;
  pixel = vec4(film(base * light + gloss), 1.0);
}
"""
)
DEPTH_VERTEX = "#version 330\nuniform mat4 clip_from_world; in vec3 position; void main() { gl_Position = clip_from_world * vec4(position, 1.0); }"
DEPTH_FRAGMENT = "#version 330\nvoid main() {}"
NEAR_RADII_M = {"pelvis": 0.15, "spine3": 0.16, "knee": 0.09, "ankle": 0.075, "foot": 0.06, "wrist": 0.05}


def camera_from_world() -> Array:
    """The camera's pose, (4, 4): OpenCV camera axes from world axes, m."""
    forward = (LOOK_AT - CAMERA_AT) / np.linalg.norm(LOOK_AT - CAMERA_AT)
    right = np.cross(forward, [0, 1, 0])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    pose[:3, 3] = -pose[:3, :3] @ CAMERA_AT
    return pose


def clip_from_camera(near: float = 0.1, far: float = 30.0) -> Array:
    """OpenGL's projection (4, 4) from OpenCV camera axes, for FOCAL_PX and the middle of the picture."""
    clip = np.zeros((4, 4))
    clip[0, 0], clip[1, 1] = 2 * FOCAL_PX / WIDTH, -2 * FOCAL_PX / HEIGHT
    clip[2, 2:] = (far + near) / (far - near), -2 * far * near / (far - near)
    clip[3, 2] = 1
    return clip


def clip_from_light(half_m: float = 2.6) -> Array:
    """The key light's parallel projection (4, 4) of the middle of the room."""
    back = KEY_LIGHT / np.linalg.norm(KEY_LIGHT)
    right = np.cross([0, 1, 0], back)
    right /= np.linalg.norm(right)
    clip = np.eye(4)
    clip[:3, :3] = np.stack([right, np.cross(back, right), -back]) / np.array([[half_m], [half_m], [6.0]])
    clip[:3, 3] = -clip[:3, :3] @ np.array([0, 0.8, -0.2])
    return clip


class Studio:
    """Draws the room and the actors, off screen."""

    def __init__(self, actors: Sequence[Actor]) -> None:
        self.gl = moderngl.create_standalone_context(backend="egl")
        self.figures = [Figure(self.gl, actor) for actor in actors]
        self.room = self.gl.program(vertex_shader=ROOM_VERTEX, fragment_shader=ROOM_FRAGMENT)
        walls = self.gl.buffer(room_quads().astype("f4").tobytes())
        self.walls = self.gl.vertex_array(self.room, [(walls, "3f 3f", "position", "normal")])
        self.shadow = self.gl.depth_texture((SHADOW_PX, SHADOW_PX))
        self.shadow.compare_func = "<="
        self.shadow.repeat_x = self.shadow.repeat_y = False
        self.shadow_target = self.gl.framebuffer(depth_attachment=self.shadow)
        size = (WIDTH, HEIGHT)
        self.target = self.gl.framebuffer(
            [self.gl.renderbuffer(size, samples=4)], self.gl.depth_renderbuffer(size, samples=4)
        )
        self.picture = self.gl.simple_framebuffer(size, components=3)
        for program in (self.room, *(figure.program for figure in self.figures)):
            self.set_light(program)

    def set_light(self, program: moderngl.Program) -> None:
        """What all frames share."""
        write_matrix(program, "clip_from_world", clip_from_camera() @ camera_from_world())
        write_matrix(program, "shadow_from_world", clip_from_light())
        program["camera"] = tuple(CAMERA_AT)
        program["key"] = tuple(KEY_LIGHT / np.linalg.norm(KEY_LIGHT))

    def draw(self, frame: int) -> Array:
        """One picture: (HEIGHT, WIDTH, 3) uint8 RGB."""
        joints = [figure.pose(frame) for figure in self.figures]
        self.gl.enable(moderngl.DEPTH_TEST)
        self.shadow_target.use()
        self.shadow_target.clear(depth=1.0)
        for figure in self.figures:
            figure.cast_shadow()
        self.target.use()
        self.target.clear(0.8, 0.79, 0.76)
        self.shadow.use(0)
        occluders = np.concatenate([near_spheres(places) for places in joints])
        self.room["near_count"] = len(occluders)
        self.room["near"].write(np.pad(occluders, ((0, 96 - len(occluders)), (0, 0))).astype("f4").tobytes())
        self.walls.render()
        for figure in self.figures:
            figure.draw()
        self.gl.copy_framebuffer(self.picture, self.target)
        return np.frombuffer(self.picture.read(components=3), np.uint8).reshape(HEIGHT, WIDTH, 3)[::-1]


class Figure:
    """One actor on the graphics card."""

    def __init__(self, gl: moderngl.Context, actor: Actor) -> None:
        self.actor = actor
        self.rest_joints = actor.body.rest_joints(actor.motion.betas)
        self.wardrobe = wardrobe(actor)
        self.program = gl.program(vertex_shader=FIGURE_VERTEX, fragment_shader=FIGURE_FRAGMENT)
        self.depth = gl.program(vertex_shader=DEPTH_VERTEX, fragment_shader=DEPTH_FRAGMENT)
        self.moving = gl.buffer(reserve=len(self.wardrobe.rest) * 24, dynamic=True)
        worn = self.wardrobe
        still = gl.buffer(np.c_[worn.rest, worn.rgb, worn.fields, worn.hair].astype("f4").tobytes())
        faces = gl.buffer(actor.body.faces.astype("i4").tobytes())
        moving, painted = (self.moving, "3f 3f", "position", "normal"), ("rest", "colour", "fields", "hairy")
        self.skin = gl.vertex_array(self.program, [moving, (still, "3f 3f 4f 1f", *painted)], faces)
        self.outline = gl.vertex_array(self.depth, [(self.moving, "3f 12x", "position")], faces)
        write_matrix(self.depth, "clip_from_world", clip_from_light())
        colours = {**COLOURS, **actor.outfit}
        self.program["garments"] = [tuple(np.array(colours[name]) / 255) for name in ("shoes", "soles", "trousers", "shirt")]

    def pose(self, frame: int) -> Array:
        """Move the skin to a frame of the motion; its joints, (24, 3) m, world."""
        pose, transl = self.actor.motion.poses[frame], self.actor.motion.transl[frame]
        rotations = joint_rotations(pose[:3], pose[3:])
        tips, _ = self.actor.body.skin(self.wardrobe.rest + 0.01 * self.wardrobe.normals, self.rest_joints, rotations, transl)
        vertices, joints = self.actor.body.skin(self.wardrobe.rest, self.rest_joints, rotations, transl)
        self.moving.write(np.c_[vertices, unit(tips - vertices)].astype("f4").tobytes())
        return joints

    def cast_shadow(self) -> None:
        """Draw into the shadow map."""
        self.outline.render()

    def draw(self) -> None:
        """Draw into the picture."""
        self.skin.render()


def write_matrix(program: moderngl.Program, name: str, matrix: Array) -> None:
    """Set a mat4, which OpenGL wants by columns."""
    program[name].write(matrix.T.astype("f4").tobytes())


def room_quads() -> Array:
    """Floor, back wall and one side wall as triangles: (18, 6), position m and normal."""
    planes = [
        ([(-9, 0, -2), (9, 0, -2), (9, 0, 6), (-9, 0, 6)], (0, 1, 0)),
        ([(-9, 0, -2), (9, 0, -2), (9, 5, -2), (-9, 5, -2)], (0, 0, 1)),
    ]
    return np.array([[*corners[i], *normal] for corners, normal in planes for i in (0, 1, 2, 0, 2, 3)], float)


def near_spheres(joints: Array) -> Array:
    """The body as spheres that take light from floor and wall: (N, 4), centre and radius, m."""
    return np.array(
        [[*joints[J[name]], radius] for part, radius in NEAR_RADII_M.items() for name in J if name.endswith(part)]
    )


# --- the files --------------------------------------------------------------------------------------------------------


def encode(path: Path, pictures: Iterator[Array]) -> None:
    """H.264 in MP4, a key frame each half second, no frame that needs a later one, and the same bytes every time."""
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        container.flags |= av.container.Flags.bitexact.value
        options = {"crf": "22", "preset": "slow", "bf": "0", "g": "15", "tune": "animation"}
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.flags |= av.codec.context.Flags.bitexact.value
        stream.codec_context.time_base = Fraction(1, FPS)
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode(None))


def truth(body: Body, motion: Motion) -> dict[str, Array]:
    """Everything known about the clip, in OpenCV camera axes."""
    camera = camera_from_world()
    seen = seen_from(motion, body.rest_joints(motion.betas)[0], camera[:3, :3], camera[:3, 3])
    joints = np.array(
        [body.joints(pose[:3], pose[3:], seen.betas, t) for pose, t in zip(seen.poses, seen.transl, strict=True)]
    )
    intrinsics = np.array([[FOCAL_PX, 0, WIDTH / 2], [0, FOCAL_PX, HEIGHT / 2], [0, 0, 1]])
    up = camera[:3, 1]
    return {
        "poses": seen.poses,
        "betas": seen.betas,
        "transl": seen.transl,
        "joints_m": joints,
        "joints_px": (joints / joints[..., 2:]) @ intrinsics[:2].T,
        "fps": np.array(FPS),
        "K": intrinsics,
        "camera_from_world": camera,
        "floor_plane": np.append(up, -up @ camera[:3, 3]),
    }


def main() -> None:
    """Render, encode, and say what was made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the folder for sample.mp4 and sample_truth.npz")
    out = parser.parse_args().out
    body = load_open_body()
    motion = choreography(body, ground=float(body.v_template[:, 1].min()) - SHOE_M)
    studio = Studio([Actor(body, motion, outfit={})])
    encode(out / "sample.mp4", (studio.draw(frame) for frame in range(FRAMES)))
    np.savez_compressed(
        out / "sample_truth.npz", **{name: array.astype(np.float32) for name, array in truth(body, motion).items()}
    )
    sizes = ", ".join(f"{name} {(out / name).stat().st_size / 1e6:.2f} MB" for name in ("sample.mp4", "sample_truth.npz"))
    print(f"{out}: {sizes}")


if __name__ == "__main__":
    main()
