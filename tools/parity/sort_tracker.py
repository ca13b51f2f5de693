"""SORT tracker of PARE's and POCO's programs: Kalman filter and Hungarian assignment by IoU.

Bewley et al., "Simple online and realtime tracking" (2016). The state of a track is its box's centre, area and aspect ratio, and
the velocities of the first three, px and px^2 per frame. Pipelines use `remi_stream/tracking` instead.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

# All values are those of the published implementation.
MAX_AGE = 1
"""Frames that a track survives without a detection."""
MIN_HITS = 3
"""Consecutive detections before a track is returned; in the first frames every track is returned."""
MIN_IOU = 0.3
"""Least IoU of a match."""
STATE_SIZE, MEASUREMENT_SIZE = 7, 4
"""Dimensions of state and measurement."""
TRANSITION = np.eye(STATE_SIZE)
"""F: the state transition, constant velocity."""
TRANSITION[[0, 1, 2], [4, 5, 6]] = 1
MEASUREMENT_NOISE = np.diag([1.0, 1, 10, 10])
"""R: covariance of the measurement."""
PROCESS_NOISE = np.diag([1.0, 1, 1, 1, 0.01, 0.01, 1e-4])
"""Q: covariance of the process noise."""
INITIAL_COVARIANCE = np.diag([10.0, 10, 10, 10, 1e4, 1e4, 1e4])
"""P: initial covariance; the velocities are unknown at first."""


class SortTrack:
    """Kalman filter of one track. missed: frames since the last detection; hits: consecutive detections after the first."""

    def __init__(self, track_id: int, box_xyxy: np.ndarray) -> None:
        self.track_id = track_id
        self.missed = self.hits = 0
        self._state = np.concatenate([box_measurement(box_xyxy), np.zeros(STATE_SIZE - MEASUREMENT_SIZE)])
        self._covariance = INITIAL_COVARIANCE.copy()

    def predict(self) -> np.ndarray:
        """Predict one frame ahead and return the box (4,) px; the area is kept positive."""
        if self._state[2] + self._state[6] <= 0:
            self._state[6] = 0
        self._state = TRANSITION @ self._state
        self._covariance = TRANSITION @ self._covariance @ TRANSITION.T + PROCESS_NOISE
        self.hits = 0 if self.missed else self.hits
        self.missed += 1
        return self.box()

    def update(self, box_xyxy: np.ndarray) -> None:
        """Update with a detection (Kalman gain, state, covariance)."""
        self.missed, self.hits = 0, self.hits + 1
        gain = np.linalg.solve(
            self._covariance[:MEASUREMENT_SIZE, :MEASUREMENT_SIZE] + MEASUREMENT_NOISE, self._covariance[:MEASUREMENT_SIZE]
        ).T
        self._state = self._state + gain @ (box_measurement(box_xyxy) - self._state[:MEASUREMENT_SIZE])
        residual = np.eye(STATE_SIZE)
        residual[:, :MEASUREMENT_SIZE] -= gain
        # Joseph form: stays symmetric and positive definite
        self._covariance = residual @ self._covariance @ residual.T + gain @ MEASUREMENT_NOISE @ gain.T

    def box(self) -> np.ndarray:
        """Return the estimated box (4,) px."""
        x, y, area, aspect = self._state[:MEASUREMENT_SIZE]
        width = np.sqrt(area * aspect)
        half = np.array([width, area / width]) / 2
        return np.concatenate([(x, y) - half, (x, y) + half])


def box_measurement(box_xyxy: np.ndarray) -> np.ndarray:
    """Convert a box (4,) to a measurement (4,): centre x, y, area, aspect ratio."""
    width, height = box_xyxy[2:4] - box_xyxy[:2]
    return np.array([box_xyxy[0] + width / 2, box_xyxy[1] + height / 2, width * height, width / height])


class SortTracker:
    """Tracks people through the frames of one video; ids count from 1."""

    def __init__(self) -> None:
        self._tracks: list[SortTrack] = []
        self._ids = itertools.count(1)
        self._frames = 0

    def update(self, boxes_xyxy: np.ndarray) -> np.ndarray:
        """Update with a frame's detections (N, 4 or more) px; return its tracks (M, 5): box, id; the newest first.

        A frame without detections is skipped, as in the published programs: no track ages.
        """
        if not len(boxes_xyxy):
            return np.zeros((0, 5))
        self._frames += 1
        self._match(np.asarray(boxes_xyxy, float)[:, :4])
        active = [np.append(track.box(), track.track_id) for track in self._tracks if self._is_active(track)]
        self._tracks = [track for track in self._tracks if track.missed <= MAX_AGE]
        return np.array(active[::-1]).reshape(-1, 5)

    def _match(self, boxes: np.ndarray) -> None:
        """Assign detections to predicted tracks (Hungarian, by IoU); unmatched detections start tracks."""
        predicted = [(track, box) for track in self._tracks if np.isfinite(box := track.predict()).all()]
        self._tracks = [track for track, _ in predicted]
        ious = iou_matrix(boxes, np.array([box for _, box in predicted]).reshape(-1, 4))
        unmatched = set(range(len(boxes)))
        for row, column in zip(*(each.tolist() for each in linear_sum_assignment(-ious))):
            if ious[row, column] >= MIN_IOU:
                self._tracks[column].update(boxes[row])
                unmatched.remove(row)
        self._tracks += [SortTrack(next(self._ids), boxes[index]) for index in sorted(unmatched)]

    def _is_active(self, track: SortTrack) -> bool:
        return not track.missed and (track.hits >= MIN_HITS or self._frames <= MIN_HITS)


def iou_matrix(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the IoU of boxes (N, 4) with boxes (M, 4): (N, M)."""
    low, high = np.maximum(first[:, None, :2], second[None, :, :2]), np.minimum(first[:, None, 2:], second[None, :, 2:])
    intersection = np.clip(high - low, 0, None).prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (first, second)]
    found: np.ndarray = intersection / (areas[0][:, None] + areas[1][None] - intersection)
    return found


def square_boxes(boxes_xyxy: np.ndarray) -> np.ndarray:
    """Convert boxes (N, 4) px to squares around their centres, (N, 4) cx, cy, side, side, as in PARE's and POCO's files."""
    sides = (boxes_xyxy[:, 2:4] - boxes_xyxy[:, :2]).max(1)
    middles = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:4]) / 2
    return np.column_stack([middles, sides, sides])


def group_by_track(frames: Sequence[np.ndarray]) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Group tracks by id, in the order of their first frames: squares (n, 4) px and frame numbers (n,) int64.

    frames: for each frame the tracks (M, 5) from `SortTracker.update`.
    """
    rows = np.concatenate([np.column_stack([tracks, np.full(len(tracks), frame)]) for frame, tracks in enumerate(frames)])
    ids = dict.fromkeys(rows[:, 4].astype(int).tolist())
    own = {track_id: rows[rows[:, 4] == track_id] for track_id in ids}
    return {track_id: (square_boxes(found), found[:, 5].astype(np.int64)) for track_id, found in own.items()}
