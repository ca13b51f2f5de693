"""The scene node of one person: skinned mesh, joints, bones and motion trail, corrected to stand on the floor."""

from __future__ import annotations

import numpy as np
import viser

from remi_stream.body.retarget import known_body
from remi_stream.messages import Person
from remi_stream.sinks.views.bones import visible_bones
from remi_stream.sinks.views.confidence import confidence_colours, joint_scores
from remi_stream.sinks.views.floor import FloorEstimator
from remi_stream.sinks.views.footing import FloorContact
from remi_stream.sinks.views.palette import track_colour
from remi_stream.sinks.web.lines import ColouredLines
from remi_stream.sinks.web.posture import BonePose, bone_pose, mean_rest_joints
from remi_stream.sinks.web.trail import SMPL_TRAIL_JOINTS, MotionTrail, trail_joints

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
            marks = trail_joints(person) if pose is None else pose.positions[list(SMPL_TRAIL_JOINTS)]
            self._extend_trail(marks + lift, at)
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

    def _draw_bones(self, person: Person, rated: bool) -> None:
        joints = np.asarray(person.joints_m, np.float32)
        known = np.logical_and.reduce(np.isfinite(joints), axis=1)
        edges = np.array(visible_bones(person.effective_joints_skeleton, known), int).reshape(-1, 2)
        colours = confidence_colours(joint_scores(person)) if rated else np.full((len(joints), 3), self._colour, np.uint8)
        self._bones.draw(joints[edges], colours[edges])
        self._joints.points, self._joints.colors = (joints[known], colours[known]) if known.any() else (NO_POINTS, NO_COLOURS)

    def _extend_trail(self, marks: np.ndarray, at: float) -> None:
        self._trail = self._trail or MotionTrail(self._scene, f"{self._name}-trail")
        self._trail.extend(marks, self._colour, at)

    def _end_trail(self) -> None:
        if self._trail is not None:
            self._trail.clear()
