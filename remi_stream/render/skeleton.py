"""Draws key points as 2D skeletons: on previews (RGB, thin lines) and on rendered frames (BGR, by the person's size)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

from remi_stream.messages import Bodies, Frame, Person
from remi_stream.render.camera import Size, scale_points
from remi_stream.render.colours import Bone, Rgb, confidence_colours, track_colour, visible_bones
from remi_stream.skeletons import JOINT_NAMES

MIN_KEYPOINT_SCORE = 0.3
"""Minimum score of a key point that is drawn."""
SUBPIXEL_BITS = 4
"""Fractional bits of OpenCV's fixed-point coordinates (`shift`): 1/16 px."""
OUTLINE_COLOUR: Rgb = (16, 18, 22)
"""Colour of the outline under bones, so that they stand out from any background."""


def decode_preview(preview: Frame) -> np.ndarray:
    """Decode a JPEG preview: (h, w, 3) uint8 RGB."""
    image = cv2.imdecode(preview.image, cv2.IMREAD_COLOR)
    assert image is not None, "the relay's previews are JPEG"
    return np.ascontiguousarray(image[..., ::-1])


def draw_preview_skeletons(image: np.ndarray, preview: Frame, bodies: Bodies, *, by_confidence: bool = False) -> None:
    """Draw skeletons into image (h, w, 3) uint8 RGB, in place. bodies: of the same frame. by_confidence: colour by score."""
    for person in bodies.people:
        points = image_points(image, preview, person.keypoints_px)
        _draw_preview_person(image, person, points, by_confidence)


def image_points(image: np.ndarray, preview: Frame, keypoints_px: np.ndarray) -> np.ndarray:
    """Map key points (K, 2), px of the full frame, into the preview image, px (K, 2). As in OpenCV, 0 is a pixel's centre."""
    x0, y0, x1, y1 = preview.rectangle
    height, width = image.shape[:2]
    scale = np.array([width / (x1 - x0), height / (y1 - y0)])
    return (keypoints_px - (x0, y0) + 0.5) * scale - 0.5


def _draw_preview_person(image: np.ndarray, person: Person, points: np.ndarray, by_confidence: bool) -> None:
    visible = (person.keypoint_scores >= MIN_KEYPOINT_SCORE) & np.isfinite(points).all(1)
    # Clipped, since far points (a hand close to the camera) would overflow OpenCV's fixed-point integers.
    fixed = np.round(np.where(np.isfinite(points), points, 0).clip(-1e4, 1e4) * 2**SUBPIXEL_BITS).astype(int)
    edges = visible_bones(person.skeleton, visible)
    # All outlines first, so that none covers a bone.
    for a, b in edges:
        cv2.line(image, tuple(fixed[a]), tuple(fixed[b]), OUTLINE_COLOUR, 4, cv2.LINE_AA, SUBPIXEL_BITS)
    colours = _keypoint_colours(person, by_confidence)
    for a, b in edges:
        colour = colours[a] if person.keypoint_scores[a] <= person.keypoint_scores[b] else colours[b]
        cv2.line(image, tuple(fixed[a]), tuple(fixed[b]), colour, 2, cv2.LINE_AA, SUBPIXEL_BITS)
    for k in np.flatnonzero(visible):
        cv2.circle(image, tuple(fixed[k]), 2 << SUBPIXEL_BITS, colours[k], -1, cv2.LINE_AA, SUBPIXEL_BITS)


def _keypoint_colours(person: Person, by_confidence: bool) -> list[Rgb]:
    """Colour of each key point. A bone gets that of its less confident end."""
    if not by_confidence:
        return [track_colour(person.track_id)] * len(person.keypoint_scores)
    return [(int(r), int(g), int(b)) for r, g, b in confidence_colours(person.keypoint_scores)]


FRACTION_BITS = 4
"""OpenCV's `shift`: coordinates are fixed-point numbers with this many fractional bits."""
OUTLINE_BGR = (22, 18, 16)
"""OUTLINE_COLOUR in BGR, for rendered frames."""
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
    """Whether each joint belongs to a face or a hand: (count,) bool."""
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
