"""Draws 3D joints as stick figures from any camera."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from remi_stream.geometry import project
from remi_stream.messages import Person
from remi_stream.render.camera import RenderCamera
from remi_stream.render.floor import NEAR_PLANE_M, draw_shadow, empty_shadow_mask, shadow_points
from remi_stream.render.room import SceneRoom
from remi_stream.render.skeleton import FRACTION_BITS, Bgr, detail_joints, draw_disc, fixed_point, track_colours
from remi_stream.sinks.views.bones import visible_bones
from remi_stream.skeletons import JOINT_NAMES

BODY_BONE_M, DETAIL_BONE_M = 0.035, 0.012
"""Width of the bones of the body, and of face and hands."""
HALO_BGR: Bgr = (246, 244, 242)
"""BGR of the border around each stick, which separates overlapping ones."""
SHADOW_SHARE = 1 / 60
"""Width of a stick's shadow, relative to the height of the image."""
SIDE_BRIGHTNESS, CENTRE_BRIGHTNESS = {"left_": 1.0, "right_": 0.55}, 0.78
"""Brightness of the track's colour by body side, from the prefixes of joint names; CENTRE_BRIGHTNESS for all others."""


class Stick(NamedTuple):
    """A projected bone."""

    depth: float
    """Mean depth of its ends, m."""
    ends: np.ndarray
    """(2, 2), fixed-point px."""
    thickness_px: int
    colour: Bgr


def draw_sticks(image: np.ndarray, people: Sequence[Person], room: SceneRoom, camera: RenderCamera) -> None:
    """Draw the joints_m of all people into image (h, w, 3) uint8 BGR, the image of a camera in that room, far ones first."""
    _draw_shadows(image, people, room, camera)
    sticks = [stick for person in people for stick in _sticks(person, camera)]
    for stick in sorted(sticks, key=lambda stick: -stick.depth):
        a, b = stick.ends
        cv2.line(image, a.tolist(), b.tolist(), HALO_BGR, stick.thickness_px + 2, cv2.LINE_AA, FRACTION_BITS)
        cv2.line(image, a.tolist(), b.tolist(), stick.colour, stick.thickness_px, cv2.LINE_AA, FRACTION_BITS)
        for end in stick.ends:
            draw_disc(image, end, stick.thickness_px * 0.62, stick.colour)


def _sticks(person: Person, camera: RenderCamera) -> list[Stick]:
    joints = camera.to_camera(person.joints_m.astype(float))
    visible = np.isfinite(joints).all(1) & (joints[:, 2] > NEAR_PLANE_M)
    at = fixed_point(project(np.where(visible[:, None], joints, 1.0), camera.intrinsics))
    is_detail = detail_joints(person.effective_joints_skeleton, len(joints))
    names = JOINT_NAMES.get(person.effective_joints_skeleton, ())
    sticks = []
    for a, b in visible_bones(person.effective_joints_skeleton, visible):
        depth = float(joints[[a, b], 2].mean())
        metres = DETAIL_BONE_M if is_detail[a] or is_detail[b] else BODY_BONE_M
        thickness = max(1, round(metres * camera.intrinsics[0] / depth))
        sticks.append(Stick(depth, at[[a, b]], thickness, _colour(person.track_id, (names[a], names[b]))))
    return sticks


def _colour(track_id: int, ends: tuple[str, str]) -> Bgr:
    """Colour of a bone: the track's colour on the left side, darker in the middle, darkest on the right."""
    sides = [side for side in SIDE_BRIGHTNESS if any(name.startswith(side) for name in ends)]
    blue, green, red = (
        round(channel * (SIDE_BRIGHTNESS[sides[0]] if sides else CENTRE_BRIGHTNESS)) for channel in track_colours(track_id)[0]
    )
    return blue, green, red


def _draw_shadows(image: np.ndarray, people: Sequence[Person], room: SceneRoom, camera: RenderCamera) -> None:
    mask = empty_shadow_mask(camera)
    thickness = max(1, round(mask.shape[0] * SHADOW_SHARE))
    for person in people:
        at = fixed_point(shadow_points(person.joints_m.astype(float), room, camera))
        for a, b in visible_bones(person.effective_joints_skeleton, np.all(at >= 0, axis=1)):
            cv2.line(mask, at[a].tolist(), at[b].tolist(), 255, thickness, cv2.LINE_AA, FRACTION_BITS)
    draw_shadow(image, mask)
