"""SORT: boxes of many frames to tracks, for output files that shall number people as PARE's and POCO's programs do.

Bewley et al., "Simple online and realtime tracking" (2016): a Kalman filter per track, whose state is a box's middle, area and
aspect, and the speeds of the first three, px and px^2 a frame; matched by overlap. The live pipeline has tracks of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

MAX_AGE = 1
"""Frames that a track outlives without a detection."""
MIN_HITS = 3
"""Detections in a row before a track is told; those of the first frames are told at once."""
OVERLAP = 0.3
STATES, MEASURED = 7, 4
MOTION = np.eye(STATES)
MOTION[[0, 1, 2], [4, 5, 6]] = 1
MEASURED_NOISE = np.diag([1.0, 1, 10, 10])
MOTION_NOISE = np.diag([1.0, 1, 1, 1, 0.01, 0.01, 1e-4])
FIRST_DOUBT = np.diag([10.0, 10, 10, 10, 1e4, 1e4, 1e4])


class SortTrack:
    """One person's Kalman filter. missed: frames since the last detection; hits: detections in a row after the first one."""

    def __init__(self, track_id: int, box_xyxy: np.ndarray) -> None:
        self.track_id = track_id
        self.missed = self.hits = 0
        self._state = np.concatenate([measured(box_xyxy), np.zeros(STATES - MEASURED)])
        self._doubt = FIRST_DOUBT.copy()

    def predict(self) -> np.ndarray:
        """Go on by one frame; give the box (4,) px where the person should be. An area never becomes negative."""
        if self._state[2] + self._state[6] <= 0:
            self._state[6] = 0
        self._state = MOTION @ self._state
        self._doubt = MOTION @ self._doubt @ MOTION.T + MOTION_NOISE
        self.hits = 0 if self.missed else self.hits
        self.missed += 1
        return self.box()

    def update(self, box_xyxy: np.ndarray) -> None:
        """Take in a detection."""
        self.missed, self.hits = 0, self.hits + 1
        gain = np.linalg.solve(self._doubt[:MEASURED, :MEASURED] + MEASURED_NOISE, self._doubt[:MEASURED]).T
        self._state = self._state + gain @ (measured(box_xyxy) - self._state[:MEASURED])
        left = np.eye(STATES)
        left[:, :MEASURED] -= gain
        self._doubt = left @ self._doubt @ left.T + gain @ MEASURED_NOISE @ gain.T

    def box(self) -> np.ndarray:
        """The box (4,) px, as the filter has it."""
        x, y, area, aspect = self._state[:MEASURED]
        width = np.sqrt(area * aspect)
        half = np.array([width, area / width]) / 2
        return np.concatenate([(x, y) - half, (x, y) + half])


def measured(box_xyxy: np.ndarray) -> np.ndarray:
    """What a box (4,) tells a filter: its middle, its area, its width by its height."""
    width, height = box_xyxy[2:4] - box_xyxy[:2]
    return np.array([box_xyxy[0] + width / 2, box_xyxy[1] + height / 2, width * height, width / height])


class Sort:
    """Follows people through the frames of one video; ids count from 1."""

    def __init__(self) -> None:
        self._tracks: list[SortTrack] = []
        self._ids = itertools.count(1)
        self._frames = 0

    def update(self, boxes_xyxy: np.ndarray) -> np.ndarray:
        """Take a frame's detections (N, 4 or more) px; give its tracks (M, 5): box, id; the newest first.

        A frame without detections passes unnoticed, as in the published programs: no track grows older.
        """
        if not len(boxes_xyxy):
            return np.zeros((0, 5))
        self._frames += 1
        self._match(np.asarray(boxes_xyxy, float)[:, :4])
        told = [np.append(track.box(), track.track_id) for track in self._tracks if self._is_told(track)]
        self._tracks = [track for track in self._tracks if track.missed <= MAX_AGE]
        return np.array(told[::-1]).reshape(-1, 5)

    def _match(self, boxes: np.ndarray) -> None:
        """Give each detection to the track that it overlaps; those that are left begin tracks."""
        expected = [(track, box) for track in self._tracks if np.isfinite(box := track.predict()).all()]
        self._tracks = [track for track, _ in expected]
        shared = overlaps(boxes, np.array([box for _, box in expected]).reshape(-1, 4))
        free = set(range(len(boxes)))
        for row, column in zip(*(each.tolist() for each in linear_sum_assignment(-shared))):
            if shared[row, column] >= OVERLAP:
                self._tracks[column].update(boxes[row])
                free.remove(row)
        self._tracks += [SortTrack(next(self._ids), boxes[index]) for index in sorted(free)]

    def _is_told(self, track: SortTrack) -> bool:
        return not track.missed and (track.hits >= MIN_HITS or self._frames <= MIN_HITS)


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (N, 4) with boxes (M, 4): (N, M)."""
    low, high = np.maximum(first[:, None, :2], second[None, :, :2]), np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (first, second)]
    found: np.ndarray = shared / (areas[0][:, None] + areas[1][None] - shared)
    return found


def squared(boxes_xyxy: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) px as squares around their middles, (N, 4) cx, cy, side, side: as PARE's and POCO's files have them."""
    sides = (boxes_xyxy[:, 2:4] - boxes_xyxy[:, :2]).max(1)
    middles = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:4]) / 2
    return np.column_stack([middles, sides, sides])


def people(frames: Sequence[np.ndarray]) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Each person's squares (n, 4) px and frame numbers (n,) int64 by id, in the order of their first frames.

    frames: for each frame the tracks (M, 5) that `Sort.update` gave.
    """
    rows = np.concatenate([np.column_stack([tracks, np.full(len(tracks), frame)]) for frame, tracks in enumerate(frames)])
    ids = dict.fromkeys(rows[:, 4].astype(int).tolist())
    own = {track_id: rows[rows[:, 4] == track_id] for track_id in ids}
    return {track_id: (squared(found), found[:, 5].astype(np.int64)) for track_id, found in own.items()}
