"""Draws 3D joints as stick figures from any camera."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from remi_stream.geometry import project
from remi_stream.messages import Person
from remi_stream.render.camera import Camera
from remi_stream.render.floor import NEAREST_M, cast, mask_for, under
from remi_stream.render.room import Room
from remi_stream.render.skeleton import FRACTION_BITS, Colour, colours, disc, fine_joints, fixed
from remi_stream.sinks.views.bones import bones_between
from remi_stream.skeletons import JOINTS

THICK_M, FINE_M = 0.035, 0.012
"""Width of the bones of the body, and of face and hands."""
HALO: Colour = (246, 244, 242)
"""BGR of the border around each stick, which separates overlapping ones."""
SHADOW_SHARE = 1 / 60
"""Width of a stick's shadow, relative to the height of the image."""
SIDES, MIDDLE = {"left_": 1.0, "right_": 0.55}, 0.78
"""Brightness of the track's colour by body side, from the prefixes of joint names; MIDDLE for all others."""


class Stick(NamedTuple):
    """A projected bone."""

    depth: float
    """Mean depth of its ends, m."""
    ends: np.ndarray
    """(2, 2), fixed-point px."""
    thickness_px: int
    colour: Colour


def draw(image: np.ndarray, people: Sequence[Person], room: Room, camera: Camera) -> None:
    """Draw the joints_m of all people into image (h, w, 3) uint8 BGR, the image of a camera in that room, far ones first."""
    _draw_shadows(image, people, room, camera)
    sticks = [stick for person in people for stick in _sticks(person, camera)]
    for stick in sorted(sticks, key=lambda stick: -stick.depth):
        a, b = stick.ends
        cv2.line(image, a.tolist(), b.tolist(), HALO, stick.thickness_px + 2, cv2.LINE_AA, FRACTION_BITS)
        cv2.line(image, a.tolist(), b.tolist(), stick.colour, stick.thickness_px, cv2.LINE_AA, FRACTION_BITS)
        for end in stick.ends:
            disc(image, end, stick.thickness_px * 0.62, stick.colour)


def _sticks(person: Person, camera: Camera) -> list[Stick]:
    joints = camera.seen(person.joints_m.astype(float))
    visible = np.isfinite(joints).all(1) & (joints[:, 2] > NEAREST_M)
    at = fixed(project(np.where(visible[:, None], joints, 1.0), camera.intrinsics))
    is_detail = fine_joints(person.skeleton_of_joints, len(joints))
    names = JOINTS.get(person.skeleton_of_joints, ())
    sticks = []
    for a, b in bones_between(person.skeleton_of_joints, visible):
        depth = float(joints[[a, b], 2].mean())
        metres = FINE_M if is_detail[a] or is_detail[b] else THICK_M
        thickness = max(1, round(metres * camera.intrinsics[0] / depth))
        sticks.append(Stick(depth, at[[a, b]], thickness, _colour(person.track_id, (names[a], names[b]))))
    return sticks


def _colour(track_id: int, ends: tuple[str, str]) -> Colour:
    """Colour of a bone: the track's colour on the left side, darker in the middle, darkest on the right."""
    sides = [side for side in SIDES if any(name.startswith(side) for name in ends)]
    blue, green, red = (round(channel * (SIDES[sides[0]] if sides else MIDDLE)) for channel in colours(track_id)[0])
    return blue, green, red


def _draw_shadows(image: np.ndarray, people: Sequence[Person], room: Room, camera: Camera) -> None:
    mask = mask_for(camera)
    thickness = max(1, round(mask.shape[0] * SHADOW_SHARE))
    for person in people:
        at = fixed(under(person.joints_m.astype(float), room, camera))
        for a, b in bones_between(person.skeleton_of_joints, np.all(at >= 0, axis=1)):
            cv2.line(mask, at[a].tolist(), at[b].tolist(), 255, thickness, cv2.LINE_AA, FRACTION_BITS)
    cast(image, mask)
