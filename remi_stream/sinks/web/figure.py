"""One person in the scene: a skinned body, or joints and bones, standing on the floor."""

from __future__ import annotations

import numpy as np
import viser

from remi_stream.body.retarget import known_body
from remi_stream.messages import Person
from remi_stream.sinks.views.bones import bones_between
from remi_stream.sinks.views.confidence import confidence_colours, joint_scores
from remi_stream.sinks.views.floor import Floor
from remi_stream.sinks.views.footing import Footing
from remi_stream.sinks.views.palette import colour_of
from remi_stream.sinks.web.lines import Lines
from remi_stream.sinks.web.posture import Posture, posture, rest_joints
from remi_stream.sinks.web.trail import SMPL_MARKS, Trail, marks_of

RESTING = np.tile([1.0, 0.0, 0.0, 0.0], (24, 1))
GLASSY = 0.4
"""Opacity of a skin with bones in it."""
THICK_M = 0.016
NOTHING, BLACK = np.zeros((1, 3), np.float32), np.zeros((1, 3), np.uint8)


class Figure:
    """A place in the scene that one track after another may use: a body is 800 kB to send, a change of its colour is nothing.

    Everything in it is in the camera's frame; `name` is a node below the camera's.
    """

    def __init__(self, scene: viser.SceneApi, name: str) -> None:
        self._scene, self._name = scene, name
        self._node = scene.add_frame(name, show_axes=False, visible=False)
        self._skin: viser.MeshSkinnedHandle | None = None
        self._bones = Lines(scene, f"{name}/bones", THICK_M)
        self._joints = scene.add_point_cloud(
            f"{name}/joints", NOTHING, BLACK, point_size=0.022, point_shape="circle", precision="float32", visible=False
        )
        self._trail: Trail | None = None
        self._footing = Footing()
        self._colour = (0, 0, 0)
        self._faded = self._glassy = 1.0

    def enter(self, track_id: int) -> None:
        """Become another person."""
        self._colour, self._footing, self._faded = colour_of(track_id), Footing(), 1.0
        self._end_trail()
        if self._skin is not None:
            self._skin.color = self._colour

    def move(
        self, person: Person, floor: Floor, at: float, *, skin: bool, bones: bool, rated: bool = False, trail: bool = False
    ) -> None:
        """Take the pose of a frame captured at a time; floor learns from it. The rest says what is to be seen.

        rated: bones in the colours of confidence.
        """
        lift = np.zeros(3)
        pose = posture(person.smpl, floor.up) if person.smpl is not None else None
        if pose is not None:
            lift = self._stand(pose, floor, at)
            if skin:
                self._bend(pose)
        self._show(skin and pose is not None, bones or pose is None)
        if self._bones.visible:
            self._stretch(person, rated)
        if trail:
            marks = marks_of(person) if pose is None else pose.positions[list(SMPL_MARKS)]
            self._follow(marks + lift, at)
        else:
            self._end_trail()
        self._node.position = lift
        self.fade(1.0)

    def fade(self, opacity: float) -> None:
        """Let the skin be seen through; 0 is gone."""
        self._faded = opacity
        self._node.visible = opacity > 0
        if opacity <= 0:
            self._end_trail()
        if self._skin is not None:
            seen = self._faded * self._glassy
            self._skin.opacity = None if seen >= 1 else seen

    def _make_skin(self) -> viser.MeshSkinnedHandle:
        body = known_body()
        return self._scene.add_mesh_skinned(
            f"{self._name}/skin",
            body.v_template,
            body.faces,
            bone_wxyzs=RESTING,
            bone_positions=rest_joints(),
            skin_weights=body.skin_weights,
            color=self._colour,
            receive_shadow=False,
        )

    def _stand(self, pose: Posture, floor: Floor, at: float) -> np.ndarray:
        floor.touch(pose.lowest, at)
        floor.settle(at)
        self._footing.stand(floor.height(pose.lowest), at)
        return floor.up * self._footing.lift_m

    def _bend(self, pose: Posture) -> None:
        self._skin = self._skin or self._make_skin()
        for bone, wxyz, position in zip(self._skin.bones, pose.wxyz, pose.positions):
            bone.wxyz = wxyz
            bone.position = position

    def _show(self, skin: bool, bones: bool) -> None:
        self._glassy = GLASSY if bones else 1.0
        self._bones.show(bones)
        self._joints.visible = bones
        if self._skin is not None:
            self._skin.visible = skin

    def _stretch(self, person: Person, rated: bool) -> None:
        joints = np.asarray(person.joints_m, np.float32)
        known = np.logical_and.reduce(np.isfinite(joints), axis=1)
        edges = np.array(bones_between(person.skeleton_of_joints, known), int).reshape(-1, 2)
        colours = confidence_colours(joint_scores(person)) if rated else np.full((len(joints), 3), self._colour, np.uint8)
        self._bones.draw(joints[edges], colours[edges])
        self._joints.points, self._joints.colors = (joints[known], colours[known]) if known.any() else (NOTHING, BLACK)

    def _follow(self, marks: np.ndarray, at: float) -> None:
        self._trail = self._trail or Trail(self._scene, f"{self._name}-trail")
        self._trail.follow(marks, self._colour, at)

    def _end_trail(self) -> None:
        if self._trail is not None:
            self._trail.end()
