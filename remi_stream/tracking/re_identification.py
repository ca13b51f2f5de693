"""Re-identification: appearance (colour histogram) and motion of a person, so that a track id survives an occlusion."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import cv2
import numpy as np

from remi_stream.messages import Person

MOTION_WINDOW_S = 0.6
"""Positions of the last seconds from which the velocity is estimated."""
MAX_EXTRAPOLATION_S = 1.2
"""Longest extrapolation with constant velocity."""
LEARNING_RATE = 0.1
"""Weight of a new observation in the exponential smoothing of appearance and depth."""
MOTION_WEIGHT = 1.0
"""Match cost of a position error of one body size; entirely different appearance costs 1."""
HSV_BINS = (12, 4, 4)
"""Histogram bins of hue, saturation, value."""
MAX_LOST_S = 2.0
"""How long a lost identity is kept."""
MAX_OCCLUDED_S = 4.0
"""How long an occluded identity is kept: the detector may miss it beside its occluder."""
QUERY_INTERVAL_FRAMES = 3
"""Frames between two search crops, since each costs one engine run."""


class TrackObservation(NamedTuple):
    """One observation of a person."""

    captured_at: float
    """Capture time, s."""
    box_xyxy: np.ndarray
    """(4,) float32 px."""
    appearance: np.ndarray
    """(192,), sums to 1: the appearance, see `appearance_histogram`."""
    depth_m: float
    """Depth, m; NaN if unknown."""


class Identity:
    """One person over a run: appearance, depth and motion, learned from observations."""

    def __init__(self, track_id: int, observation: TrackObservation) -> None:
        self.track_id = track_id
        self.appearance = observation.appearance
        """Smoothed appearance histogram."""
        self.depth_m = observation.depth_m
        """Smoothed depth, m; NaN if unknown."""
        self.lost_at: float | None = None
        """Since when the identity is lost, s."""
        self.rival: Identity | None = None
        """The identity in front of this one when it was lost, with which it may be confused."""
        self.is_ambiguous = False
        """It may be confused with a lost identity, so nothing is learned."""
        self.is_occluded = False
        """It was lost by occlusion, not by leaving the image."""
        self.is_searched = True
        """Its place is searched while it is lost; not if it was lost because the detector found no one there."""
        self._positions: deque[tuple[float, np.ndarray]] = deque()
        self._sides = observation.box_xyxy[2:] - observation.box_xyxy[:2]
        self.update(observation, is_unoccluded=True)

    @property
    def _size(self) -> float:
        return float(self._sides.max())

    @property
    def seen_at(self) -> float:
        """Capture time of the last unambiguous observation, s."""
        return self._positions[-1][0]

    def update(self, observation: TrackObservation, is_unoccluded: bool) -> None:
        """Learn from an observation, unless it is ambiguous. is_unoccluded: so that the colours are the person's own."""
        if self.is_ambiguous:
            return
        if is_unoccluded:
            self.appearance = (1 - LEARNING_RATE) * self.appearance + LEARNING_RATE * observation.appearance
        if not math.isnan(observation.depth_m):
            before = observation.depth_m if math.isnan(self.depth_m) else self.depth_m
            self.depth_m = (1 - LEARNING_RATE) * before + LEARNING_RATE * observation.depth_m
        self._sides = observation.box_xyxy[2:] - observation.box_xyxy[:2]
        self._positions.append((observation.captured_at, _center(observation.box_xyxy)))
        while observation.captured_at - self._positions[0][0] > MOTION_WINDOW_S:
            self._positions.popleft()

    def predict_center(self, captured_at: float) -> np.ndarray:
        """Predict the centre of the person, (2,) px: constant velocity, at most MAX_EXTRAPOLATION_S ahead."""
        times = np.array([time for time, _ in self._positions])
        positions = np.array([position for _, position in self._positions])
        if len(times) < 3:  # the velocity of two positions would be mostly noise
            return positions[-1]
        velocity = np.polyfit(times - times[-1], positions, 1)[0]
        return positions[-1] + velocity * min(captured_at - float(times[-1]), MAX_EXTRAPOLATION_S)

    def predict_box(self, captured_at: float) -> np.ndarray:
        """Predict the bounding box (4,) float32 px."""
        center = self.predict_center(captured_at)
        return np.concatenate([center - self._sides / 2, center + self._sides / 2]).astype(np.float32)

    def is_plausible(self, observation: TrackObservation) -> bool:
        """Return whether an observation may be this person: near the predicted or last position, and of similar size."""
        elapsed = observation.captured_at - self.seen_at
        ratio = longest_side_px(observation.box_xyxy) / self._size
        # off by half a body size, and by one more for each second out of sight
        return bool(0.5 < ratio < 2 and self._position_error(observation) < 0.5 + elapsed)

    def match_cost(self, observation: TrackObservation) -> float:
        """Return the match cost of an observation, 0 to 2: appearance distance plus position error in body sizes, at most 1."""
        error = float(np.linalg.norm(_center(observation.box_xyxy) - self.predict_center(observation.captured_at))) / self._size
        return float(self.appearance_distance(observation) + MOTION_WEIGHT * min(error, 1.0))

    def appearance_distance(self, observation: TrackObservation) -> float:
        """Return the appearance distance, [0, 1]: 1 minus the histogram intersection."""
        return float(1 - np.minimum(self.appearance, observation.appearance).sum())

    def _position_error(self, observation: TrackObservation) -> float:
        """Return the distance from the predicted or the last position, the nearer one, in body sizes."""
        center = _center(observation.box_xyxy)
        expected = (self.predict_center(observation.captured_at), self._positions[-1][1])
        return float(min(np.linalg.norm(center - position) for position in expected) / self._size)


class LostTracks:
    """Identities out of sight: re-identifies them by position, size and appearance, and proposes where to search for them."""

    def __init__(self) -> None:
        self._identities: list[Identity] = []
        self._calls = 0

    def __len__(self) -> int:
        return len(self._identities)

    def add(self, identity: Identity, captured_at: float, rival: Identity | None) -> None:
        """Add a lost identity. rival: the identity that it may be confused with."""
        identity.lost_at, identity.rival, identity.is_ambiguous = captured_at, rival, True
        if rival is not None:
            rival.is_ambiguous = True
        self._identities.append(identity)

    def remove(self, identity: Identity) -> None:
        """Remove an identity that was found again, or expired."""
        self._identities.remove(identity)
        rival, identity.rival, identity.lost_at = identity.rival, None, None
        identity.is_ambiguous = False
        if rival is not None:
            rival.is_ambiguous = any(hidden.rival is rival for hidden in self._identities)

    def best_match(self, observation: TrackObservation) -> Identity | None:
        """Return the identity with the least match cost, of those that are plausible there or whose rival is."""
        plausible = [
            lost
            for lost in self._identities
            if lost.is_plausible(observation) or (lost.rival and lost.rival.is_plausible(observation))
        ]
        return min(plausible, key=lambda lost: lost.match_cost(observation)) if plausible else None

    def remove_expired(self, captured_at: float) -> None:
        """Remove identities that have been lost for too long."""
        for lost in list(self._identities):
            if captured_at - (lost.lost_at or 0.0) > (MAX_OCCLUDED_S if lost.is_occluded else MAX_LOST_S):
                self.remove(lost)

    def next_query(self, captured_at: float, image_size: tuple[int, int]) -> tuple[Identity, np.ndarray] | None:
        """Return the next identity to search for, round robin, and its box (4,) px: alternately the predicted and the last one.

        None between searches. A box centred outside the image of image_size (width, height) px is moved to its border, where a
        person who left is likely to return.
        """
        self._calls += 1
        searched = [identity for identity in self._identities if identity.is_searched]
        if not searched or self._calls % QUERY_INTERVAL_FRAMES:
            return None
        lost = searched[self._calls // QUERY_INTERVAL_FRAMES % len(searched)]
        at_prediction = self._calls // QUERY_INTERVAL_FRAMES // len(searched) % 2
        box = lost.predict_box(captured_at if at_prediction else lost.seen_at)
        middle = _center(box)
        shift = np.clip(middle, 0, image_size) - middle
        return lost, (box + np.tile(shift, 2)).astype(np.float32)


def observe_person(image: np.ndarray, person: Person, captured_at: float) -> TrackObservation:
    """Make an observation of a person in image (H, W, 3) BGR."""
    return TrackObservation(captured_at, person.box_xyxy, appearance_histogram(image, person.box_xyxy), person_depth_m(person))


def person_depth_m(person: Person) -> float:
    """Return the median depth of a person's joints, m; NaN for a person with 2D key points only."""
    return float(np.median(person.joints_m[:, 2])) if len(person.joints_m) else math.nan


def appearance_histogram(image: np.ndarray, box_xyxy: np.ndarray) -> np.ndarray:
    """Return the HSV colour histogram (192,), sums to 1, of the trunk in a box (4,) px of image (H, W, 3) BGR."""
    # the trunk's share of the box: clothes, little background
    x0, y0, x1, y1 = box_xyxy
    left, right = int(x0 + 0.3 * (x1 - x0)), int(x0 + 0.7 * (x1 - x0)) + 1
    top, bottom = int(y0 + 0.2 * (y1 - y0)), int(y0 + 0.75 * (y1 - y0)) + 1
    part = image[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    if part.size == 0:
        return np.zeros(int(np.prod(HSV_BINS)))
    step = max(1, min(part.shape[:2]) // 32)
    hsv = cv2.cvtColor(np.ascontiguousarray(part[::step, ::step]), cv2.COLOR_BGR2HSV)
    # OpenCV's hue is 0 to 179
    counts = cv2.calcHist([hsv], [0, 1, 2], None, list(HSV_BINS), [0, 180, 0, 256, 0, 256]).reshape(-1)
    return counts / counts.sum()


def longest_side_px(box_xyxy: np.ndarray) -> float:
    """Return the longest side of a box (4,), px."""
    return float((box_xyxy[2:] - box_xyxy[:2]).max())


def _center(box_xyxy: np.ndarray) -> np.ndarray:
    return (box_xyxy[:2] + box_xyxy[2:]) / 2
