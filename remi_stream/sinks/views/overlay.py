"""The live picture with everybody's skeleton on it."""

from __future__ import annotations

import cv2
import numpy as np

from remi_stream.messages import Bodies, Frame, Person
from remi_stream.sinks.views.bones import bones_between
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


def draw(image: np.ndarray, picture: Frame, bodies: Bodies) -> None:
    """Draw the bodies of this picture's frame into its pixels, image (h, w, 3) uint8 RGB."""
    for person in bodies.people:
        points = points_in(image, picture, person.keypoints_px)
        _draw_person(image, person, points)


def points_in(image: np.ndarray, picture: Frame, keypoints_px: np.ndarray) -> np.ndarray:
    """Where key points (K, 2), px of the full picture, are in image, px (K, 2): OpenCV's pixels, 0 is a pixel's centre."""
    x0, y0, x1, y1 = picture.rectangle
    height, width = image.shape[:2]
    scale = np.array([width / (x1 - x0), height / (y1 - y0)])
    return (keypoints_px - (x0, y0) + 0.5) * scale - 0.5


def _draw_person(image: np.ndarray, person: Person, points: np.ndarray) -> None:
    seen = (person.keypoint_scores >= SURE) & np.isfinite(points).all(1)
    fixed = np.round(np.where(np.isfinite(points), points, 0).clip(-1e4, 1e4) * 2**FRACTION_BITS).astype(int)
    edges = bones_between(person.skeleton, seen)
    for thickness, colour in ((4, SHADE), (2, colour_of(person.track_id))):
        for a, b in edges:
            cv2.line(image, tuple(fixed[a]), tuple(fixed[b]), colour, thickness, cv2.LINE_AA, FRACTION_BITS)
    for point in fixed[seen]:
        cv2.circle(image, tuple(point), 2 << FRACTION_BITS, colour_of(person.track_id), -1, cv2.LINE_AA, FRACTION_BITS)
