"""The scene node of one person: skinned mesh, joints, bones and motion trail, corrected to stand on the floor."""

from __future__ import annotations

from collections import deque
from functools import cache
from typing import NamedTuple

import numpy as np
import viser

from remi_stream.body.known_bodies import known_body, retargeter_to_known_body
from remi_stream.body.smpl import forward_kinematics, joint_rotations
from remi_stream.geometry import quaternions_from_matrices
from remi_stream.messages import Person, Smpl
from remi_stream.render.colours import Rgb, confidence_colours, joint_scores, track_colour, visible_bones
from remi_stream.render.floor import FloorContact, FloorEstimator
from remi_stream.skeletons import JOINT_NAMES

NO_LINES = np.zeros((1, 2, 3), np.float32)
"""A segment without length in place of an empty array."""


class ColouredLines:
    """Line segments of one scene node, with a colour at each end.

    viser's client takes a colour per end only if the node was created with one per end.
    """

    def __init__(self, scene: viser.SceneApi, name: str, thickness_m: float) -> None:
        self._lines = scene.add_line_segments(name, NO_LINES, NO_LINES.astype(np.uint8), thickness=thickness_m, visible=False)

    @property
    def is_visible(self) -> bool:
        """Whether the lines are shown."""
        return bool(self._lines.visible)

    def set_visible(self, visible: bool) -> None:
        """Show or hide the lines."""
        self._lines.visible = visible

    def draw(self, points: np.ndarray, colours: np.ndarray) -> None:
        """Set the segments: points (N, 2, 3), m; colours (N, 2, 3) uint8 sRGB."""
        self._lines.points = points if len(points) else NO_LINES
        self._lines.colors = linear_from_srgb(colours) if len(points) else NO_LINES.astype(np.uint8)


def linear_from_srgb(colours: np.ndarray) -> np.ndarray:
    """Convert sRGB to linear light (IEC 61966-2-1), uint8: viser 1.1 takes the colours of line ends, only those, as linear."""
    shares = colours / 255
    lit = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return (lit * 255).round().astype(np.uint8)


# Motion trails

TRAIL_S = 2.0
"""Length of a trail, s."""
TRAIL_INTERVAL_S = 0.1
"""Time between two points of a trail, s."""
TRAIL_THICKNESS_M = 0.009
"""Thickness, m."""
TRAIL_GAP_S = 0.5
"""After a longer gap a new trail starts, s."""
FADED_COLOUR = np.array([128.0, 134.0, 142.0])
"""RGB of a trail's end: visible on a dark and on a light floor."""
SMPL_TRAIL_JOINTS = (0, 22, 23)
"""Pelvis and hands among SMPL's joints."""


class MotionTrail:
    """Paths of a person's pelvis and hands over the last seconds.

    Redrawn at most ten times a second. name: a scene node in the camera's frame.
    """

    def __init__(self, scene: viser.SceneApi, name: str) -> None:
        self._lines = ColouredLines(scene, name, TRAIL_THICKNESS_M)
        self._path: deque[tuple[float, np.ndarray]] = deque()

    def extend(self, joints: np.ndarray, colour: Rgb, at: float) -> None:
        """Extend the trails to joints (M, 3), m. at: their time, s."""
        if self._path and not 0 <= at - self._path[-1][0] <= TRAIL_GAP_S:
            self._path.clear()
        if self._path and at - self._path[-1][0] < TRAIL_INTERVAL_S * 0.9:  # 0.9: frame times jitter
            return
        self._path.append((at, joints))
        while at - self._path[0][0] > TRAIL_S:
            self._path.popleft()
        self._draw(colour)

    def clear(self) -> None:
        """Clear and hide the trails."""
        self._path.clear()
        self._lines.set_visible(False)

    def _draw(self, colour: Rgb) -> None:
        ages = np.array([self._path[-1][0] - at for at, _ in self._path])
        points, colours = trail_segments(np.array([joints for _, joints in self._path]), ages, colour)
        self._lines.set_visible(bool(len(points)))
        self._lines.draw(points, colours)


def trail_segments(path: np.ndarray, ages: np.ndarray, colour: Rgb) -> tuple[np.ndarray, np.ndarray]:
    """Segments (N, 2, 3) float32 m along a path (T, M, 3) m, with colours (N, 2, 3) uint8 that fade with age (T,) s."""
    share = np.clip(1 - ages / TRAIL_S, 0, 1)[:, None, None]
    shades = np.broadcast_to(FADED_COLOUR + share * (np.array(colour) - FADED_COLOUR), path.shape)
    lines, colours = (np.stack([each[:-1], each[1:]], axis=2).reshape(-1, 2, 3) for each in (path, shades))
    known = np.isfinite(lines).all(axis=(1, 2))
    return lines[known].astype(np.float32), colours[known].round().astype(np.uint8)


def trail_joints(person: Person) -> np.ndarray:
    """Pelvis and wrists (3, 3), m, of a person without SMPL; NaN for joints that the skeleton lacks."""
    names = JOINT_NAMES.get(person.effective_joints_skeleton, ())
    candidates = [("pelvis", "hip"), ("left_wrist",), ("right_wrist",)]
    found = [next((names.index(name) for name in names_of_joint if name in names), None) for names_of_joint in candidates]
    joints = [person.joints_m[k] if k is not None and k < len(person.joints_m) else np.full(3, np.nan) for k in found]
    if found[0] is None and {"left_hip", "right_hip"} <= set(names) and len(person.joints_m) == len(names):
        joints[0] = person.joints_m[[names.index("left_hip"), names.index("right_hip")]].mean(0)
    return np.array(joints)


# Bone transforms for the skinned mesh, by forward kinematics

SAMPLE_EVERY = 40
"""Every so many vertices of the skin are sampled."""
SOLE_SAMPLE_EVERY = 8
"""The same on the soles, which decide where the floor is."""
FOOT_JOINTS = (7, 8, 10, 11)
"""SMPL's ankles and feet."""
SOLE_HEIGHT_M = 0.03
"""Height of the soles' vertices in the rest pose, m."""

MEAN_SHAPE = np.zeros(10)
"""Betas of the drawn skin: viser's skinned mesh cannot change its shape, but its bones take the published one."""


class BonePose(NamedTuple):
    """Bone transforms in the camera's frame."""

    wxyz: np.ndarray
    """(24, 4) quaternions, w first, as viser expects them."""
    positions: np.ndarray
    """(24, 3), m."""
    lowest: np.ndarray
    """(3,), m: the skin's lowest point."""


class SkinSamples(NamedTuple):
    """Sampled skin vertices, each rigidly attached to its dominant joint: cheaper than skinning all vertices."""

    joint: np.ndarray
    """(N,) indices."""
    offset: np.ndarray
    """(N, 3), m, from the joint in the rest pose."""


def bone_pose(smpl: Smpl, up: np.ndarray) -> BonePose:
    """Pose the drawn body, with the bones of the published shape. up: (3,), camera frame."""
    smpl = retargeter_to_known_body(smpl.body).retarget(smpl)
    local = joint_rotations(smpl.global_orient, smpl.body_pose)
    rotations, positions = forward_kinematics(known_body().rest_joints(smpl.betas), local, smpl.transl)
    joint, offset = skin_samples()
    skin = positions[joint] + np.einsum("nab,nb->na", rotations[joint], offset)
    return BonePose(quaternions_from_matrices(rotations)[:, [3, 0, 1, 2]], positions, skin[(skin @ up).argmin()])


@cache
def mean_rest_joints() -> np.ndarray:
    """Joints of the rest pose at mean shape (24, 3), m."""
    return known_body().rest_joints(MEAN_SHAPE)


@cache
def skin_samples() -> SkinSamples:
    """Sample some hundred vertices of the skin, dense on the soles."""
    body = known_body()
    joint = body.skin_weights.argmax(1)
    low = body.v_template[:, 1] < body.v_template[:, 1].min() + SOLE_HEIGHT_M
    soles = np.flatnonzero(np.isin(joint, FOOT_JOINTS) & low)[::SOLE_SAMPLE_EVERY]
    chosen = np.union1d(np.arange(0, len(joint), SAMPLE_EVERY), soles)
    return SkinSamples(joint[chosen], body.v_template[chosen] - mean_rest_joints()[joint[chosen]])


REST_ROTATIONS = np.tile([1.0, 0.0, 0.0, 0.0], (24, 1))
"""Identity rotations of all bones, w x y z."""
SKIN_OPACITY_WITH_BONES = 0.4
"""Opacity of the skin while bones are shown inside it."""
BONE_THICKNESS_M = 0.016
"""Thickness of bones, m."""
NO_POINTS, NO_COLOURS = np.zeros((1, 3), np.float32), np.zeros((1, 3), np.uint8)
"""A single point in place of an empty point cloud."""


class PersonNode:
    """A scene node that is reused by one track after another: a skinned mesh is 800 kB to send, its colour a few bytes.

    All coordinates are in the camera's frame; `name` is a node below the camera's.
    """

    def __init__(self, scene: viser.SceneApi, name: str) -> None:
        self._scene, self._name = scene, name
        self._node = scene.add_frame(name, show_axes=False, visible=False)
        self._skin: viser.MeshSkinnedHandle | None = None
        self._bones = ColouredLines(scene, f"{name}/bones", BONE_THICKNESS_M)
        self._joints = scene.add_point_cloud(
            f"{name}/joints", NO_POINTS, NO_COLOURS, point_size=0.022, point_shape="circle", precision="float32", visible=False
        )
        self._trail: MotionTrail | None = None
        self._footing = FloorContact()
        self._colour = (0, 0, 0)
        self._fade_opacity = self._skin_opacity = 1.0

    def assign(self, track_id: int) -> None:
        """Assign the node to another track."""
        self._colour, self._footing, self._fade_opacity = track_colour(track_id), FloorContact(), 1.0
        self._end_trail()
        if self._skin is not None:
            self._skin.color = self._colour

    def update(
        self,
        person: Person,
        floor: FloorEstimator,
        at: float,
        *,
        skin: bool,
        bones: bool,
        by_confidence: bool = False,
        trail: bool = False,
    ) -> None:
        """Update with a person's pose, captured at a time in s; it also updates the floor estimate.

        skin, bones, trail: what to show. by_confidence: how bones are coloured.
        """
        lift = np.zeros(3)
        pose = bone_pose(person.smpl, floor.up) if person.smpl is not None else None
        if pose is not None:
            lift = self._ground(pose, floor, at)
            if skin:
                self._pose_skin(pose)
        self._set_visible(skin and pose is not None, bones or pose is None)
        if self._bones.is_visible:
            self._draw_bones(person, by_confidence)
        if trail:
            joints = trail_joints(person) if pose is None else pose.positions[list(SMPL_TRAIL_JOINTS)]
            self._extend_trail(joints + lift, at)
        else:
            self._end_trail()
        self._node.position = lift
        self.set_opacity(1.0)

    def set_opacity(self, opacity: float) -> None:
        """Set the opacity; 0 hides the person."""
        self._fade_opacity = opacity
        self._node.visible = opacity > 0
        if opacity <= 0:
            self._end_trail()
        if self._skin is not None:
            opacity = self._fade_opacity * self._skin_opacity
            self._skin.opacity = None if opacity >= 1 else opacity  # None: opaque, drawn without sorting

    def _make_skin(self) -> viser.MeshSkinnedHandle:
        body = known_body()
        return self._scene.add_mesh_skinned(
            f"{self._name}/skin",
            body.v_template,
            body.faces,
            bone_wxyzs=REST_ROTATIONS,
            bone_positions=mean_rest_joints(),
            skin_weights=body.skin_weights,
            color=self._colour,
            receive_shadow=False,
        )

    def _ground(self, pose: BonePose, floor: FloorEstimator, at: float) -> np.ndarray:
        floor.add_contact(pose.lowest, at)
        floor.update(at)
        self._footing.update(floor.height(pose.lowest), at)
        return floor.up * self._footing.lift_m

    def _pose_skin(self, pose: BonePose) -> None:
        self._skin = self._skin or self._make_skin()
        for bone, wxyz, position in zip(self._skin.bones, pose.wxyz, pose.positions):
            bone.wxyz = wxyz
            bone.position = position

    def _set_visible(self, skin: bool, bones: bool) -> None:
        self._skin_opacity = SKIN_OPACITY_WITH_BONES if bones else 1.0
        self._bones.set_visible(bones)
        self._joints.visible = bones
        if self._skin is not None:
            self._skin.visible = skin

    def _draw_bones(self, person: Person, by_confidence: bool) -> None:
        joints = np.asarray(person.joints_m, np.float32)
        known = np.logical_and.reduce(np.isfinite(joints), axis=1)
        edges = np.array(visible_bones(person.effective_joints_skeleton, known), int).reshape(-1, 2)
        colours = confidence_colours(joint_scores(person)) if by_confidence else np.full((len(joints), 3), self._colour, np.uint8)
        self._bones.draw(joints[edges], colours[edges])
        self._joints.points, self._joints.colors = (joints[known], colours[known]) if known.any() else (NO_POINTS, NO_COLOURS)

    def _extend_trail(self, joints: np.ndarray, at: float) -> None:
        self._trail = self._trail or MotionTrail(self._scene, f"{self._name}-trail")
        self._trail.extend(joints, self._colour, at)

    def _end_trail(self) -> None:
        if self._trail is not None:
            self._trail.clear()
