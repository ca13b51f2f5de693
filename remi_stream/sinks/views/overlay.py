"""Skeleton overlay: draws key points and bones over a preview image."""

from __future__ import annotations

import cv2
import numpy as np

from remi_stream.messages import Bodies, Frame, Person
from remi_stream.sinks.views.bones import visible_bones
from remi_stream.sinks.views.confidence import confidence_colours
from remi_stream.sinks.views.palette import Rgb, track_colour

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
    """Draw skeletons into image (h, w, 3) uint8 RGB, in place. bodies: of the same frame. by_confidence: how to colour them."""
    for person in bodies.people:
        points = image_points(image, preview, person.keypoints_px)
        _draw_preview_person(image, person, points, by_confidence)


def image_points(image: np.ndarray, preview: Frame, keypoints_px: np.ndarray) -> np.ndarray:
    """Map key points (K, 2), px of the full frame, into the preview image, px (K, 2). As in OpenCV, 0 is a pixel's centre."""
    x0, y0, x1, y1 = preview.rectangle
    height, width = image.shape[:2]
    scale = np.array([width / (x1 - x0), height / (y1 - y0)])
    return (keypoints_px - (x0, y0) + 0.5) * scale - 0.5


def _draw_preview_person(image: np.ndarray, person: Person, points: np.ndarray, rated: bool) -> None:
    visible = (person.keypoint_scores >= MIN_KEYPOINT_SCORE) & np.isfinite(points).all(1)
    # Clipped, since far points (a hand close to the camera) would overflow OpenCV's fixed-point integers.
    fixed = np.round(np.where(np.isfinite(points), points, 0).clip(-1e4, 1e4) * 2**SUBPIXEL_BITS).astype(int)
    edges = visible_bones(person.skeleton, visible)
    # All outlines first, so that none covers a bone.
    for a, b in edges:
        cv2.line(image, tuple(fixed[a]), tuple(fixed[b]), OUTLINE_COLOUR, 4, cv2.LINE_AA, SUBPIXEL_BITS)
    shades = _shades(person, rated)
    for a, b in edges:
        colour = shades[a] if person.keypoint_scores[a] <= person.keypoint_scores[b] else shades[b]
        cv2.line(image, tuple(fixed[a]), tuple(fixed[b]), colour, 2, cv2.LINE_AA, SUBPIXEL_BITS)
    for k in np.flatnonzero(visible):
        cv2.circle(image, tuple(fixed[k]), 2 << SUBPIXEL_BITS, shades[k], -1, cv2.LINE_AA, SUBPIXEL_BITS)


def _shades(person: Person, rated: bool) -> list[Rgb]:
    """The colour of each key point. A bone gets that of its less confident end."""
    if not rated:
        return [track_colour(person.track_id)] * len(person.keypoint_scores)
    return [(int(r), int(g), int(b)) for r, g, b in confidence_colours(person.keypoint_scores)]
