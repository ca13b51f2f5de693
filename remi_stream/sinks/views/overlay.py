"""The live picture with everybody's skeleton on it."""

from __future__ import annotations

import cv2
import numpy as np

from remi_stream.messages import Bodies, Frame, Person
from remi_stream.sinks.views.bones import bones_between
from remi_stream.sinks.views.confidence import confidence_colours
from remi_stream.sinks.views.palette import Rgb, colour_of

SURE = 0.3
"""Key points below this score are left out."""
FRACTION_BITS = 4
SHADE: Rgb = (16, 18, 22)


def decode(picture: Frame) -> np.ndarray:
    """The picture's pixels: (h, w, 3) uint8 RGB."""
    image = cv2.imdecode(picture.image, cv2.IMREAD_COLOR)
    assert image is not None, "the relay's previews are JPEG"
    return np.ascontiguousarray(image[..., ::-1])


def draw(image: np.ndarray, picture: Frame, bodies: Bodies, *, rated: bool = False) -> None:
    """Draw the bodies of this picture's frame into its pixels, image (h, w, 3) uint8 RGB. rated: in the colours of confidence."""
    for person in bodies.people:
        points = points_in(image, picture, person.keypoints_px)
        _draw_person(image, person, points, rated)


def points_in(image: np.ndarray, picture: Frame, keypoints_px: np.ndarray) -> np.ndarray:
    """Where key points (K, 2), px of the full picture, are in image, px (K, 2): OpenCV's pixels, 0 is a pixel's centre."""
    x0, y0, x1, y1 = picture.rectangle
    height, width = image.shape[:2]
    scale = np.array([width / (x1 - x0), height / (y1 - y0)])
    return (keypoints_px - (x0, y0) + 0.5) * scale - 0.5


def _draw_person(image: np.ndarray, person: Person, points: np.ndarray, rated: bool) -> None:
    seen = (person.keypoint_scores >= SURE) & np.isfinite(points).all(1)
    fixed = np.round(np.where(np.isfinite(points), points, 0).clip(-1e4, 1e4) * 2**FRACTION_BITS).astype(int)
    edges = bones_between(person.skeleton, seen)
    for a, b in edges:
        cv2.line(image, tuple(fixed[a]), tuple(fixed[b]), SHADE, 4, cv2.LINE_AA, FRACTION_BITS)
    shades = _shades(person, rated)
    for a, b in edges:
        colour = shades[a] if person.keypoint_scores[a] <= person.keypoint_scores[b] else shades[b]
        cv2.line(image, tuple(fixed[a]), tuple(fixed[b]), colour, 2, cv2.LINE_AA, FRACTION_BITS)
    for k in np.flatnonzero(seen):
        cv2.circle(image, tuple(fixed[k]), 2 << FRACTION_BITS, shades[k], -1, cv2.LINE_AA, FRACTION_BITS)


def _shades(person: Person, rated: bool) -> list[Rgb]:
    """The colour of each key point; a bone is as sure as the less sure of its ends."""
    if not rated:
        return [colour_of(person.track_id)] * len(person.keypoint_scores)
    return [(int(r), int(g), int(b)) for r, g, b in confidence_colours(person.keypoint_scores)]
