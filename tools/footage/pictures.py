"""Scores of pictures: who is found, how well the key points and the silhouette fit, and which bodies are false."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from footage.coco import LabelledPerson, LabelledPicture, common_key_points
from footage.silhouette import mask_iou, silhouette
from remi_stream.capture.footage import make_frame
from remi_stream.errors import UsageError
from remi_stream.geometry import iou
from remi_stream.messages import Bodies, Frame, Person
from remi_stream.offline.chain import OfflineChain
from remi_stream.tracking.offline import OfflineTracker

PCK_SHARE = 0.1
"""A key point is correct within this share of the longest side of the person's box."""
FOUND_SHARE, FOUND_POINTS = 0.2, 0.5
"""A person is found if at least half of the labelled key points are within this share."""
SAME_BOX_IOU = 0.3
"""A body on the box of a person whose key points are not labelled, or who is too small, is left out: it is not false."""


class FoundPerson(NamedTuple):
    """A labelled person and the body found there."""

    label: LabelledPerson
    person: Person
    errors: np.ndarray
    """(N,) distances of the common key points, in longest sides of the box."""
    silhouette_iou: float
    """Overlap of the mesh with the true mask; NaN without either."""


class PictureScores(NamedTuple):
    """What was found in one picture."""

    path: Path
    bodies: Bodies
    labelled: int
    """People to be found."""
    found: list[FoundPerson]
    extra: list[Person]
    """Bodies on none of the labelled people: false, or of people who are not labelled."""


class PicturesSummary(NamedTuple):
    """Scores of several pictures; NaN where nothing was found."""

    pictures: int
    labelled: int
    found: int
    pck: float
    """Share of the labelled key points of the found people that are correct."""
    extra: int
    silhouette_iou: float
    """Mean over those of the found people who have a mask."""
    masks: int
    """Found people with a mask."""


def score_pictures(pictures: Iterable[LabelledPicture], chain: OfflineChain, min_size_px: float) -> Iterator[PictureScores]:
    """Estimate the people of each picture as `remi-stream images` does, and compare. min_size_px: smaller people are left out."""
    for picture in pictures:
        [bodies] = chain.run([read_frame(picture.path)], OfflineTracker(), independent=True)
        yield compare(picture, bodies, min_size_px)


def read_frame(path: Path) -> Frame:
    """Read a picture as a frame with the default intrinsics. Raises UsageError."""
    return make_frame("pictures", 0, 0.0, read_picture(path), None)


def read_picture(path: Path) -> np.ndarray:
    """Read a picture (H, W, 3) uint8 BGR. Raises UsageError."""
    image = cv2.imread(str(path))
    if image is None:
        raise UsageError(f"Cannot read {path} as a picture")
    return image


def compare(picture: LabelledPicture, bodies: Bodies, min_size_px: float) -> PictureScores:
    """Match the bodies of a picture with its labelled people: each with at most one, all together as near as possible."""
    labels = [label for label in picture.people if label.is_labelled.any() and label.size_px >= min_size_px]
    errors = [[key_point_errors(label, person) for person in bodies.people] for label in labels]
    costs = np.array([[np.minimum(each, FOUND_SHARE).mean() for each in row] for row in errors])
    costs = costs.reshape(len(labels), len(bodies.people))
    pairs = [(a, b) for a, b in zip(*linear_sum_assignment(costs)) if is_found(errors[a][b])]
    found = [_found_person(labels[a], bodies.people[b], errors[a][b], bodies) for a, b in pairs]
    taken = {b for _, b in pairs}
    left_out = [label.box_xyxy for label in picture.people if not any(label is other for other in labels)]
    rest = [person for index, person in enumerate(bodies.people) if index not in taken]
    extra = [person for person in rest if not (iou(person.box_xyxy, np.reshape(left_out, (-1, 4))) > SAME_BOX_IOU).any()]
    return PictureScores(picture.path, bodies, len(labels), found, extra)


def key_point_errors(label: LabelledPerson, person: Person) -> np.ndarray:
    """Return the distances of the key points that both have, in longest sides of the label's box: (N,), inf where unknown."""
    own, other = common_key_points(label, person.skeleton)
    side = float((label.box_xyxy[2:] - label.box_xyxy[:2]).max())
    errors = np.linalg.norm(label.keypoints_px[own] - person.keypoints_px[other], axis=1) / side
    return np.where(np.isfinite(errors), errors, np.inf) if len(errors) else np.array([np.inf])


def is_found(errors: np.ndarray) -> bool:
    """Return whether enough key points of a body are near a person's."""
    return float((errors < FOUND_SHARE).mean()) >= FOUND_POINTS


def _found_person(label: LabelledPerson, person: Person, errors: np.ndarray, bodies: Bodies) -> FoundPerson:
    mask, drawn = label.mask(bodies.size), silhouette(person, bodies.intrinsics, bodies.size)
    overlap = float("nan") if mask is None or drawn is None else mask_iou(mask, drawn)
    return FoundPerson(label, person, errors, overlap)


def summarise(scores: Iterable[PictureScores]) -> PicturesSummary:
    """Return the scores of all pictures together."""
    all_scores = list(scores)
    found = [each for picture in all_scores for each in picture.found]
    overlaps = [each.silhouette_iou for each in found if np.isfinite(each.silhouette_iou)]
    errors = np.concatenate([each.errors for each in found]) if found else np.zeros(0)
    return PicturesSummary(
        pictures=len(all_scores),
        labelled=sum(each.labelled for each in all_scores),
        found=len(found),
        pck=float((errors < PCK_SHARE).mean()) if len(errors) else float("nan"),
        extra=sum(len(each.extra) for each in all_scores),
        silhouette_iou=float(np.mean(overlaps)) if overlaps else float("nan"),
        masks=len(overlaps),
    )
