"""The gates that keep confident nonsense out: a network always answers, and its own flag is near 1 on wrong poses too."""

from __future__ import annotations

import numpy as np

from remi_stream.body.lifting import ENDS, LIMBS, STARTS
from remi_stream.pose.landmarks import Landmarks
from remi_stream.pose.region import Region, region_of

LEAST_FLAG = 0.5
LEAST_VISIBLE = 5
"""Of the 12 joints of the limbs: a person at a desk shows six."""
CLEAREST = 6
CLARITY_TO_START, CLARITY_TO_STAY = 0.7, 0.55
"""Mean heat of the clearest joints: 0.7 to 0.97 on people, mostly below 0.6 on noise, furniture and scrambled limbs."""
BONES_TO_START, BONES_TO_STAY = 0.2, 0.3
"""Mean difference, as a logarithm, of the visible bones' lengths from the body's proportions: 0.05 to 0.15 on people."""
APART_MOST = 0.015
"""How far two looks at the same person may be apart, in sizes of the region: 0.003 to 0.01 on people, more on nonsense."""
SMALLEST_PX = 20.0
ZOOM_MOST = 1.6
DRIFT_MOST = 0.35
"""How far a person may have moved, in sizes of the region."""


def refusal(seen: Landmarks, region: Region, lengths: np.ndarray, tracked: bool) -> str:
    """Say in one word why these landmarks are not credible; an empty string when they are.

    lengths: (14,) m, the body's bones as of `bone_lengths`. tracked: the same person was credible in the last frame.
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
    """Mean heat of the clearest half of the limbs' joints, [0, 1]."""
    return float(np.sort(seen.clarity[LIMBS])[-CLEAREST:].mean())


def disproportion(seen: Landmarks, lengths: np.ndarray) -> float:
    """Mean |log| of how much longer or shorter the bones are than the body's, after one common scale; hidden ones count less."""
    found = np.linalg.norm(seen.world[STARTS] - seen.world[ENDS], axis=1)
    ratio = np.log(np.maximum(found, 1e-3) / lengths)
    weights = np.minimum(seen.visibility[STARTS], seen.visibility[ENDS]) + 1e-3
    return float(np.average(np.abs(ratio - np.median(ratio)), weights=weights))


def steady(region: Region, after: Region) -> bool:
    """Whether the region that the landmarks ask for is sane, and near the one that was looked at."""
    if not SMALLEST_PX < after.size < 1e5:
        return False
    zoom = after.size / region.size
    drift = float(np.hypot(*(after.center - region.center))) / region.size
    return 1 / ZOOM_MOST < zoom < ZOOM_MOST and drift < DRIFT_MOST


def agree(first: Landmarks, second: Landmarks, region: Region) -> bool:
    """Whether two looks from different regions, the second from this one, see the same person."""
    apart = np.linalg.norm(first.pixels[LIMBS] - second.pixels[LIMBS], axis=1)
    return float(np.median(apart)) <= APART_MOST * region.size
