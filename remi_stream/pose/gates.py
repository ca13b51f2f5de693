"""Rejection of implausible BlazePose landmarks: the network always answers, and its presence flag is no quality score."""

from __future__ import annotations

import numpy as np

from remi_stream.body.lifting import BONE_ENDS, BONE_STARTS, LIMB_LANDMARKS
from remi_stream.pose.landmarks import Landmarks
from remi_stream.pose.region import Roi, roi_from_points

MIN_PRESENCE = 0.5
"""Least presence flag. It is 0.93 to 0.98 on wrong poses too (measured), so the other gates decide."""
MIN_VISIBLE_JOINTS = 5
"""Least number of visible limb joints, of 12: a person at a desk shows six."""
PEAK_JOINT_COUNT = 6
"""Number of limb joints with the largest heatmap peaks that are averaged: half of them."""
MIN_PEAK_NEW, MIN_PEAK_TRACKED = 0.7, 0.55
"""Least mean heatmap peak of a new and of a tracked person. Measured: 0.7 to 0.97 on people, mostly below 0.6 on noise,
furniture and scrambled limbs."""
MAX_BONE_ERROR_NEW, MAX_BONE_ERROR_TRACKED = 0.2, 0.3
"""Largest mean |log| ratio of the visible bones' lengths to the body's, new and tracked. Measured: 0.05 to 0.15 on people."""
MAX_DISAGREEMENT = 0.015
"""Largest median distance of the landmarks from two crops of one person, in sizes of the ROI. Measured: 0.003 to 0.01 on
people, more on false poses."""
MIN_ROI_PX = 20.0
"""Smallest ROI."""
MAX_ZOOM = 1.6
"""Largest ratio of the sizes of two consecutive ROIs."""
MAX_DRIFT = 0.35
"""Largest movement between two consecutive ROIs, in sizes of the ROI."""


def rejection_reason(landmarks: Landmarks, roi: Roi, bone_lengths_m: np.ndarray, is_tracked: bool) -> str:
    """Return in one word why the landmarks are rejected, or an empty string.

    bone_lengths_m: (14,) m, the body's bone lengths from `bone_lengths`. is_tracked: the last frame of the same person was accepted.
    """
    if landmarks.person_presence < MIN_PRESENCE:
        return "presence"
    if int((landmarks.visibility[LIMB_LANDMARKS] > 0.5).sum()) < MIN_VISIBLE_JOINTS:
        return "visibility"
    if mean_heatmap_peak(landmarks) < (MIN_PEAK_TRACKED if is_tracked else MIN_PEAK_NEW):
        return "clarity"
    if bone_length_error(landmarks, bone_lengths_m) > (MAX_BONE_ERROR_TRACKED if is_tracked else MAX_BONE_ERROR_NEW):
        return "bones"
    return "" if is_roi_stable(roi, roi_from_points(landmarks.roi_points)) else "region"


def mean_heatmap_peak(landmarks: Landmarks) -> float:
    """Return the mean heatmap peak, [0, 1], of the limb joints with the largest peaks."""
    return float(np.sort(landmarks.heatmap_peaks[LIMB_LANDMARKS])[-PEAK_JOINT_COUNT:].mean())


def bone_length_error(landmarks: Landmarks, bone_lengths_m: np.ndarray) -> float:
    """Return the mean |log| ratio of the bone lengths to the body's after removing a common scale, weighted by visibility."""
    found = np.linalg.norm(landmarks.world[BONE_STARTS] - landmarks.world[BONE_ENDS], axis=1)
    ratio = np.log(np.maximum(found, 1e-3) / bone_lengths_m)
    weights = np.minimum(landmarks.visibility[BONE_STARTS], landmarks.visibility[BONE_ENDS]) + 1e-3
    return float(np.average(np.abs(ratio - np.median(ratio)), weights=weights))


def is_roi_stable(roi: Roi, next_roi: Roi) -> bool:
    """Return whether the landmarks' ROI has a valid size and is near the ROI of the crop."""
    if not MIN_ROI_PX < next_roi.size < 1e5:
        return False
    zoom = next_roi.size / roi.size
    drift = float(np.hypot(*(next_roi.center - roi.center))) / roi.size
    return 1 / MAX_ZOOM < zoom < MAX_ZOOM and drift < MAX_DRIFT


def landmarks_agree(first: Landmarks, second: Landmarks, roi: Roi) -> bool:
    """Return whether the landmarks from two crops agree; roi: of the second crop."""
    apart = np.linalg.norm(first.pixels[LIMB_LANDMARKS] - second.pixels[LIMB_LANDMARKS], axis=1)
    return float(np.median(apart)) <= MAX_DISAGREEMENT * roi.size
