"""Draws key points as 2D skeletons over the image."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

from remi_stream.messages import Bodies, Person
from remi_stream.render.camera import Size, scale_points
from remi_stream.sinks.views.bones import Bone, visible_bones
from remi_stream.sinks.views.overlay import MIN_KEYPOINT_SCORE
from remi_stream.sinks.views.palette import track_colour
from remi_stream.skeletons import JOINT_NAMES

FRACTION_BITS = 4
"""OpenCV's `shift`: coordinates are fixed-point numbers with this many fractional bits."""
OUTLINE_BGR = (22, 18, 16)
"""BGR."""
DETAIL_PARTS = ("face_", "_eye", "_ear", "mouth_", "thumb", "index", "middle", "ring", "pinky", "hand_root")
"""Parts of the names of face and hand joints, unless a part of FOOT_PARTS is in the name, too ("foot_index")."""
FOOT_PARTS = ("foot", "toe")
LINE_WIDTH_SHARE = 1 / 110
"""Line width of body bones, relative to the longer side of the person's bounding box."""
MIN_LINE_PX, MAX_LINE_PX = 2, 7
"""Limits of that line width."""
DETAIL_WHITE = 0.45
"""Share of white in the lines of faces and hands."""

Bgr = tuple[int, int, int]


def draw_skeletons(image: np.ndarray, bodies: Bodies, people: Sequence[Person]) -> None:
    """Draw the 2D skeletons of some people of a frame into image (h, w, 3) uint8 BGR, of any size."""
    size = image.shape[1], image.shape[0]
    # Painter's order: a lower bottom edge of the box is nearer to the camera.
    for person in sorted(people, key=lambda person: float(person.box_xyxy[3])):
        _draw_person(image, person, scale_points(person.keypoints_px, bodies.size, size), _thickness(person, bodies.size, size))


def _draw_person(image: np.ndarray, person: Person, points: np.ndarray, thickness: int) -> None:
    visible = (person.keypoint_scores >= MIN_KEYPOINT_SCORE) & np.isfinite(points).all(1)
    at = fixed_point(points)
    is_detail = detail_joints(person.skeleton, len(points))
    bones = visible_bones(person.skeleton, visible)
    body = [bone for bone in bones if not is_detail[list(bone)].any()]
    details = [bone for bone in bones if is_detail[list(bone)].any()]
    colour, lighter = track_colours(person.track_id)
    _draw_bones(image, at, body, OUTLINE_BGR, thickness + 2)
    _draw_bones(image, at, body, colour, thickness)
    _draw_bones(image, at, details, lighter, max(1, thickness // 3))
    for joint in np.flatnonzero(visible):
        radius = max(0.8, thickness / 4) if is_detail[joint] else thickness * 0.8
        draw_disc(image, at[joint], radius, lighter)


def _draw_bones(image: np.ndarray, at: np.ndarray, bones: Sequence[Bone], colour: Bgr, thickness: int) -> None:
    for a, b in bones:
        cv2.line(image, at[a].tolist(), at[b].tolist(), colour, thickness, cv2.LINE_AA, FRACTION_BITS)


def draw_disc(image: np.ndarray, at: np.ndarray, radius_px: float, colour: Bgr) -> None:
    """Draw a filled circle. at: (2,), fixed-point px."""
    cv2.circle(image, at.tolist(), round(radius_px * 2**FRACTION_BITS), colour, -1, cv2.LINE_AA, FRACTION_BITS)


def fixed_point(points_px: np.ndarray) -> np.ndarray:
    """Convert points (N, 2) px to OpenCV's fixed-point integers; NaN becomes 0 and far points are clipped."""
    return np.round(np.nan_to_num(points_px).clip(-1e4, 1e4) * 2**FRACTION_BITS).astype(int)


def track_colours(track_id: int) -> tuple[Bgr, Bgr]:
    """Colour of a track and a lighter one for details, BGR."""
    colour = np.array(track_colour(track_id)[::-1], float)
    lighter = colour + (255 - colour) * DETAIL_WHITE
    return _to_tuple(colour), _to_tuple(lighter)


def _to_tuple(colour: np.ndarray) -> Bgr:
    blue, green, red = colour.round().astype(int).tolist()
    return blue, green, red


@cache
def detail_joints(skeleton: str, count: int) -> np.ndarray:
    """Which joints belong to a face or a hand: (count,) bool."""
    names = JOINT_NAMES.get(skeleton, ())
    if len(names) != count:
        return np.zeros(count, bool)
    return np.array([_contains(DETAIL_PARTS, name) and not _contains(FOOT_PARTS, name) for name in names])


def _contains(parts: tuple[str, ...], name: str) -> bool:
    return any(part in name for part in parts)


def _thickness(person: Person, source_size: Size, size: Size) -> int:
    """Line width of body bones, px, from the person's size in the image."""
    x0, y0, x1, y1 = person.box_xyxy.tolist()
    extent_px = max(x1 - x0, y1 - y0) * size[1] / source_size[1]
    return int(np.clip(round(np.nan_to_num(extent_px) * LINE_WIDTH_SHARE), MIN_LINE_PX, MAX_LINE_PX))
