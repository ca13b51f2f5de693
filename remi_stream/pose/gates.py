"""Gates: rejection of implausible landmarks. The network always answers, and its presence flag is no quality score."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from remi_stream.body.ik.solver import BONE_ENDS, BONE_STARTS, LIMB_LANDMARKS
from remi_stream.config import Sensitivity
from remi_stream.pose.landmarks import Landmarks, Roi, roi_from_points

MIN_PRESENCE, MIN_PRESENCE_ON_THE_WAY = 0.5, 0.1
"""Least presence flag, and that of a new person's first two crops. It is 0.93 to 0.98 on wrong poses too (measured), so the other
gates decide."""
MIN_CLEAR_JOINTS = 4
"""Least number of limb joints whose heatmap peaks are averaged."""
UNCLEAR_PEAK = 0.5
"""Mean heatmap peak from which two crops may disagree at all."""
MIN_ROI_PX, MAX_ROI_PX = 20.0, 1e5
"""Smallest and largest ROI."""
MAX_ZOOM = 1.6
"""Largest ratio of the sizes of two consecutive ROIs."""
MAX_DRIFT = 0.35
"""Largest movement between two consecutive ROIs, in sizes of the ROI."""


class Thresholds(NamedTuple):
    """Thresholds for one set of landmarks."""

    min_visible_joints: int
    """Least number of visible limb joints, of 12: a person at a desk shows six, with the forearms below the image four."""
    min_peak: float
    """Least mean heatmap peak, see `mean_heatmap_peak`."""
    max_bone_error: float
    """Largest bone length error, see `bone_length_error`. Measured: 0.05 to 0.2 on people."""


class Gates(NamedTuple):
    """One set of gates."""

    new: Thresholds
    """Of a new person's third crop."""
    tracked: Thresholds
    """Of a tracked person: less strict, since the frames before were accepted."""
    max_disagreement: float
    """Largest disagreement of a new person's second and third crop, per heatmap peak above UNCLEAR_PEAK: what is seen clearly
    may move more."""


GATES: dict[Sensitivity, Gates] = {
    "low": Gates(Thresholds(5, 0.7, 0.2), Thresholds(5, 0.55, 0.3), 0.03),
    "normal": Gates(Thresholds(4, 0.6, 0.25), Thresholds(4, 0.5, 0.45), 0.05),
    "high": Gates(Thresholds(4, 0.55, 0.3), Thresholds(4, 0.4, 0.6), 0.15),
}
"""The sensitivities. Measured with all search passes on 20 public pictures with 34 labelled people (COCO, AIC, MPII, H36M, 3DHP;
tuned on them): low finds 27, normal 30, high 31; presence alone 34. On 20 of animals, hands, faces they show 1, 2 and 4 bodies,
all of people whose shoulders show; presence alone 44. A tracked man who bends over has bone length errors of up to 0.44."""


def rejection_reason(landmarks: Landmarks, roi: Roi, bone_lengths_m: np.ndarray, thresholds: Thresholds) -> str:
    """Return the rejection reason of landmarks, one word; empty if they are accepted.

    bone_lengths_m: (14,) m, the body's, from `bone_lengths`.
    """
    if landmarks.person_presence < MIN_PRESENCE:
        return "presence"
    if int(is_limb_visible(landmarks).sum()) < thresholds.min_visible_joints:
        return "visibility"
    if mean_heatmap_peak(landmarks) < thresholds.min_peak:
        return "clarity"
    if bone_length_error(landmarks, bone_lengths_m) > thresholds.max_bone_error:
        return "bones"
    return "" if is_roi_stable(roi, roi_from_points(landmarks.roi_points)) else "region"


def is_steady(first: Landmarks, second: Landmarks, roi: Roi, gates: Gates) -> bool:
    """Return whether the landmarks from two crops of a new person agree; roi: of the second one."""
    return disagreement(first, second, roi) <= gates.max_disagreement * (mean_heatmap_peak(second) - UNCLEAR_PEAK)


def is_limb_visible(landmarks: Landmarks) -> np.ndarray:
    """Return which limb joints are visible, (12,) bool."""
    return landmarks.visibility[LIMB_LANDMARKS] > 0.5


def mean_heatmap_peak(landmarks: Landmarks) -> float:
    """Return the mean heatmap peak, [0, 1], of the clearer half of the visible limb joints, at least of MIN_CLEAR_JOINTS."""
    visible = is_limb_visible(landmarks)
    count = max(MIN_CLEAR_JOINTS, (int(visible.sum()) + 1) // 2)
    return float(np.sort(np.where(visible, landmarks.heatmap_peaks[LIMB_LANDMARKS], 0.0))[-count:].mean())


def bone_length_error(landmarks: Landmarks, bone_lengths_m: np.ndarray) -> float:
    """Return the mean |log| ratio of the bone lengths to the body's after removing a common scale, weighted by visibility."""
    found = np.linalg.norm(landmarks.world[BONE_STARTS] - landmarks.world[BONE_ENDS], axis=1)
    ratio = np.log(np.maximum(found, 1e-3) / bone_lengths_m)
    weights = np.minimum(landmarks.visibility[BONE_STARTS], landmarks.visibility[BONE_ENDS]) + 1e-3
    return float(np.average(np.abs(ratio - np.median(ratio)), weights=weights))


def is_roi_stable(roi: Roi, next_roi: Roi) -> bool:
    """Return whether the landmarks' ROI has a valid size and is near the ROI of the crop."""
    if not is_roi_size_valid(next_roi):
        return False
    zoom = next_roi.size / roi.size
    drift = float(np.hypot(*(next_roi.center - roi.center))) / roi.size
    return 1 / MAX_ZOOM < zoom < MAX_ZOOM and drift < MAX_DRIFT


def is_roi_size_valid(roi: Roi) -> bool:
    """Return whether an ROI is neither a point nor huge."""
    return MIN_ROI_PX < roi.size < MAX_ROI_PX


def disagreement(first: Landmarks, second: Landmarks, roi: Roi) -> float:
    """Return the median distance of the landmarks from two crops, of the limb joints that the second shows, in sizes of its ROI.

    Joints that do not show are guesses, which differ from crop to crop: a waist-up view is steady without them.
    """
    apart = np.linalg.norm(first.pixels[LIMB_LANDMARKS] - second.pixels[LIMB_LANDMARKS], axis=1)[is_limb_visible(second)]
    return float(np.median(apart)) / roi.size if len(apart) else math.inf
