"""Key points as skeletons over the picture they were found in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

from remi_stream.messages import Bodies, Person
from remi_stream.render.camera import Size, shown
from remi_stream.sinks.views.bones import Bone, bones_between
from remi_stream.sinks.views.overlay import SURE
from remi_stream.sinks.views.palette import colour_of
from remi_stream.skeletons import JOINTS

FRACTION_BITS = 4
OUTLINE = (22, 18, 16)
FINE = ("face_", "_eye", "_ear", "mouth_", "thumb", "index", "middle", "ring", "pinky", "hand_root")
"""What a joint is called that belongs to a face or a hand, if it is no FOOT's."""
FOOT = ("foot", "toe")
BODY_SHARE = 1 / 110
"""How thick a body's bones are, of the person's height in the picture."""
THINNEST_PX, THICKEST_PX = 2, 7
LIGHTER = 0.45
"""How far towards white the lines of faces and hands are."""

Colour = tuple[int, int, int]


def draw(image: np.ndarray, bodies: Bodies, people: Sequence[Person]) -> None:
    """Draw the key points of these people of a frame into its picture, image (h, w, 3) uint8 BGR of any size."""
    size = image.shape[1], image.shape[0]
    for person in sorted(people, key=lambda person: float(person.box_xyxy[3])):
        _draw_person(image, person, shown(person.keypoints_px, bodies.size, size), _thickness(person, bodies.size, size))


def _draw_person(image: np.ndarray, person: Person, points: np.ndarray, thickness: int) -> None:
    seen = (person.keypoint_scores >= SURE) & np.isfinite(points).all(1)
    at = fixed(points)
    fine = fine_joints(person.skeleton, len(points))
    bones = bones_between(person.skeleton, seen)
    body = [bone for bone in bones if not fine[list(bone)].any()]
    details = [bone for bone in bones if fine[list(bone)].any()]
    colour, lighter = colours(person.track_id)
    _lines(image, at, body, OUTLINE, thickness + 2)
    _lines(image, at, body, colour, thickness)
    _lines(image, at, details, lighter, max(1, thickness // 3))
    for joint in np.flatnonzero(seen):
        radius = max(0.8, thickness / 4) if fine[joint] else thickness * 0.8
        disc(image, at[joint], radius, lighter)


def _lines(image: np.ndarray, at: np.ndarray, bones: Sequence[Bone], colour: Colour, thickness: int) -> None:
    for a, b in bones:
        cv2.line(image, at[a].tolist(), at[b].tolist(), colour, thickness, cv2.LINE_AA, FRACTION_BITS)


def disc(image: np.ndarray, at: np.ndarray, radius_px: float, colour: Colour) -> None:
    """A filled circle at a fixed point (2,)."""
    cv2.circle(image, at.tolist(), round(radius_px * 2**FRACTION_BITS), colour, -1, cv2.LINE_AA, FRACTION_BITS)


def fixed(points_px: np.ndarray) -> np.ndarray:
    """Points (N, 2) px as OpenCV's fixed point numbers; what is far outside, or no number, is brought where it does no harm."""
    return np.round(np.nan_to_num(points_px).clip(-1e4, 1e4) * 2**FRACTION_BITS).astype(int)


def colours(track_id: int) -> tuple[Colour, Colour]:
    """The colour of somebody, and a lighter one, BGR."""
    colour = np.array(colour_of(track_id)[::-1], float)
    lighter = colour + (255 - colour) * LIGHTER
    return _plain(colour), _plain(lighter)


def _plain(colour: np.ndarray) -> Colour:
    blue, green, red = colour.round().astype(int).tolist()
    return blue, green, red


@cache
def fine_joints(skeleton: str, count: int) -> np.ndarray:
    """Which joints belong to the details of a face or a hand: (count,) bool."""
    names = JOINTS.get(skeleton, ())
    if len(names) != count:
        return np.zeros(count, bool)
    return np.array([_has(FINE, name) and not _has(FOOT, name) for name in names])


def _has(parts: tuple[str, ...], name: str) -> bool:
    return any(part in name for part in parts)


def _thickness(person: Person, taken: Size, size: Size) -> int:
    """Of a body's bones, px: thinner for people who are small in the picture."""
    x0, y0, x1, y1 = person.box_xyxy.tolist()
    extent_px = max(x1 - x0, y1 - y0) * size[1] / taken[1]
    return int(np.clip(round(np.nan_to_num(extent_px) * BODY_SHARE), THINNEST_PX, THICKEST_PX))
