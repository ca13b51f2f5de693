"""Occlusion: mask out the people in front of a person, since a single-person network follows the nearer of two."""

from __future__ import annotations

import math
from collections.abc import Iterable

import cv2
import numpy as np

from remi_stream.messages import Person
from remi_stream.skeletons import BONES, JOINT_NAMES
from remi_stream.tracking.re_identification import longest_side_px, person_depth_m

LIMB_WIDTH_M, HEAD_RADIUS_M = 0.13, 0.12
"""Width of the line that masks a bone, and radius of the circle that masks a head."""
ASSUMED_HEIGHT_M = 1.7
"""Assumed height of a person whose depth is unknown."""
IN_FRONT_DEPTH_RATIO = 0.88
"""A person is in front if their depth is below this share of the other's."""
CROP_MARGIN = 0.3
"""How far a crop reaches beyond its bounding box, in longest sides of the box."""
MAX_OCCLUDED_SHARE = 0.6
"""Share of occluded key points from which a pose is a guess. Measured: at most 0.45 for half visible people, at least 0.7 for
hidden ones."""
TRUNK_JOINTS = ("left_shoulder", "right_shoulder", "right_hip", "left_hip")


def occluders(box_xyxy: np.ndarray, depth_m: float | None, others: Iterable[Person]) -> list[Person]:
    """Return the others who occlude box_xyxy (4,) px: nearer than depth_m and overlapping the box with its margin.

    While any depth is unknown, the larger person counts as the nearer one.
    """
    margin = CROP_MARGIN * longest_side_px(box_xyxy)
    low, high = box_xyxy[:2] - margin, box_xyxy[2:] + margin
    beside = [other for other in others if (other.box_xyxy[:2] < high).all() and (other.box_xyxy[2:] > low).all()]
    if depth_m is None or not np.isfinite([depth_m, *map(person_depth_m, beside)]).all():
        return [other for other in beside if IN_FRONT_DEPTH_RATIO * longest_side_px(other.box_xyxy) > longest_side_px(box_xyxy)]
    return [other for other in beside if person_depth_m(other) < IN_FRONT_DEPTH_RATIO * depth_m]


def occlusion_mask(size: tuple[int, int], people: Iterable[Person], focal_px: float) -> np.ndarray:
    """Return the occlusion mask of people in an image of (width, height) px: (H, W) uint8, 0 where no one is."""
    mask = np.zeros(size[::-1], np.uint8)
    for person in people:
        depth_m = person_depth_m(person)
        draw_body_mask(
            mask,
            person,
            longest_side_px(person.box_xyxy) / ASSUMED_HEIGHT_M if math.isnan(depth_m) else focal_px / max(depth_m, 0.1),
        )
    return mask


def masked_image(image: np.ndarray, box_xyxy: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return a copy of image (H, W, 3) uint8; pixels in mask (H, W) get the mean colour of the box's other pixels."""
    x0, y0, x1, y1 = np.maximum(box_xyxy, 0).astype(int)
    # every fourth pixel: a mean colour needs no more
    there, hidden = image[y0:y1:4, x0:x1:4], mask[y0:y1:4, x0:x1:4] > 0
    # a box that is covered entirely takes the whole image's mean colour
    free = there[~hidden] if (~hidden).any() else image[::16, ::16].reshape(-1, 3)
    copy = image.copy()
    copy[mask > 0] = free.mean(0).astype(np.uint8)
    return copy


def mostly_occluded(person: Person, mask: np.ndarray) -> bool:
    """Return whether most key points lie in the occlusion mask (H, W), so that the engine guessed them."""
    height, width = mask.shape
    # NaN cannot become an index
    x, y = np.nan_to_num(person.keypoints_px).astype(int).T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return bool((mask[y[inside], x[inside]] > 0).sum() > MAX_OCCLUDED_SHARE * len(x))


def draw_body_mask(mask: np.ndarray, person: Person, px_per_m: float) -> None:
    """Draw a body into mask (H, W) uint8: bones as thick lines, trunk and head filled."""
    # a key point may project far outside the image: keep it within what cv2 can draw
    points = np.clip(person.keypoints_px, -1e4, 1e4).astype(np.int32)
    names = JOINT_NAMES[person.skeleton]
    for start, end in BONES[person.skeleton]:
        cv2.line(mask, points[start].tolist(), points[end].tolist(), 255, max(1, round(LIMB_WIDTH_M * px_per_m)))
    if all(name in names for name in TRUNK_JOINTS):
        cv2.fillConvexPoly(mask, cv2.convexHull(points[[names.index(name) for name in TRUNK_JOINTS]]), 255)
    for head in [index for index, name in enumerate(names) if name in ("nose", "head", "left_ear", "right_ear")]:
        cv2.circle(mask, points[head].tolist(), max(1, round(HEAD_RADIUS_M * px_per_m)), 255, cv2.FILLED)
