"""Rejection of implausible BlazePose landmarks: the network always answers, and its presence flag is no quality score."""

from __future__ import annotations

import numpy as np

from remi_stream.body.lifting import ENDS, LIMBS, STARTS
from remi_stream.pose.landmarks import Landmarks
from remi_stream.pose.region import Region, region_of

LEAST_FLAG = 0.5
"""Least presence flag. It is 0.93 to 0.98 on wrong poses too (measured), so the other gates decide."""
LEAST_VISIBLE = 5
"""Least number of visible limb joints, of 12: a person at a desk shows six."""
CLEAREST = 6
"""Number of limb joints with the largest heatmap peaks that are averaged: half of them."""
CLARITY_TO_START, CLARITY_TO_STAY = 0.7, 0.55
"""Least mean heatmap peak of a new and of a tracked person. Measured: 0.7 to 0.97 on people, mostly below 0.6 on noise,
furniture and scrambled limbs."""
BONES_TO_START, BONES_TO_STAY = 0.2, 0.3
"""Largest mean |log| ratio of the visible bones' lengths to the body's, new and tracked. Measured: 0.05 to 0.15 on people."""
APART_MOST = 0.015
"""Largest median distance of the landmarks from two crops of one person, in sizes of the ROI. Measured: 0.003 to 0.01 on
people, more on false poses."""
SMALLEST_PX = 20.0
"""Smallest ROI."""
ZOOM_MOST = 1.6
"""Largest ratio of the sizes of two consecutive ROIs."""
DRIFT_MOST = 0.35
"""Largest movement between two consecutive ROIs, in sizes of the ROI."""


def refusal(seen: Landmarks, region: Region, lengths: np.ndarray, tracked: bool) -> str:
    """Return in one word why the landmarks are rejected, or an empty string.

    lengths: (14,) m, the body's bone lengths from `bone_lengths`. tracked: the last frame of the same person was accepted.
    """
    if seen.flag < LEAST_FLAG:
        return "presence"
    if int((seen.visibility[LIMBS] > 0.5).sum()) < LEAST_VISIBLE:
        return "visibility"
    if clarity(seen) < (CLARITY_TO_STAY if tracked else CLARITY_TO_START):
        return "clarity"
    if disproportion(seen, lengths) > (BONES_TO_STAY if tracked else BONES_TO_START):
        return "bones"
    return "" if steady(region, region_of(seen.circle)) else "region"


def clarity(seen: Landmarks) -> float:
    """Return the mean heatmap peak, [0, 1], of the limb joints with the largest peaks."""
    return float(np.sort(seen.clarity[LIMBS])[-CLEAREST:].mean())


def disproportion(seen: Landmarks, lengths: np.ndarray) -> float:
    """Return the mean |log| ratio of the bone lengths to the body's after removing a common scale, weighted by visibility."""
    found = np.linalg.norm(seen.world[STARTS] - seen.world[ENDS], axis=1)
    ratio = np.log(np.maximum(found, 1e-3) / lengths)
    weights = np.minimum(seen.visibility[STARTS], seen.visibility[ENDS]) + 1e-3
    return float(np.average(np.abs(ratio - np.median(ratio)), weights=weights))


def steady(region: Region, after: Region) -> bool:
    """Return whether the landmarks' ROI has a valid size and is near the ROI of the crop."""
    if not SMALLEST_PX < after.size < 1e5:
        return False
    zoom = after.size / region.size
    drift = float(np.hypot(*(after.center - region.center))) / region.size
    return 1 / ZOOM_MOST < zoom < ZOOM_MOST and drift < DRIFT_MOST


def agree(first: Landmarks, second: Landmarks, region: Region) -> bool:
    """Return whether the landmarks from two crops agree; region: of the second crop."""
    apart = np.linalg.norm(first.pixels[LIMBS] - second.pixels[LIMBS], axis=1)
    return float(np.median(apart)) <= APART_MOST * region.size
