"""Match frames by time and people by Hungarian assignment, and count id switches.

As in CLEAR MOT (Bernardin and Stiefelhagen, 2008).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from remi_stream.geometry import iou
from remi_stream.messages import Bodies

MIN_IOU = 0.3
"""Smallest IoU of a match; low, since the truth's boxes are made from joints and a detector's are not."""
MAX_ROOT_DISTANCE_M = 0.5
"""Largest distance of two roots that match."""
SAME_RATE_TOLERANCE = 0.01
"""Relative difference of frame rates below which frame numbers are compared instead of times."""
TIME_ROUNDING = 1e-3
"""Tolerance, as a share of the window, for times half a frame apart that were rounded in text files."""


def frame_times(frames: Sequence[Bodies], truth_fps: float) -> np.ndarray:
    """Return the frames' times from the video's frame 0, (N,) s.

    At the truth's frame rate they are computed from frame numbers, since clocks of players drift. After a restart of the camera
    the times are returned unchanged.
    """
    times = np.array([bodies.captured_at for bodies in frames], float)
    numbers = np.array([bodies.frame_id for bodies in frames], float)
    if len(times) < 2 or not (np.diff(numbers) > 0).all() or not (np.diff(times) > 0).all():
        return times
    fps = float(np.median(np.diff(numbers) / np.diff(times)))
    return numbers / truth_fps if abs(fps / truth_fps - 1) < SAME_RATE_TOLERANCE else times - times[0] + numbers[0] / fps


def nearest_frame_pairs(truth_s: np.ndarray, times_s: np.ndarray, within_s: float) -> list[tuple[int, int]]:
    """Pair frames of the truth with the nearest frames of the prediction, each at most once.

    truth_s (N,) and times_s (M,): rising, s.
    """
    if not len(truth_s) or not len(times_s):
        return []
    best: dict[int, tuple[float, int]] = {}
    for frame, other in enumerate(_nearest(times_s, truth_s).tolist()):
        distance = abs(float(times_s[other] - truth_s[frame]))
        if distance <= within_s * (1 + TIME_ROUNDING) and distance < best.get(other, (np.inf, 0))[0]:
            best[other] = distance, frame
    return sorted((frame, other) for other, (_, frame) in best.items())


def _nearest(sorted_s: np.ndarray, query_s: np.ndarray) -> np.ndarray:
    if len(sorted_s) < 2:
        return np.zeros(len(query_s), int)
    after = np.clip(np.searchsorted(sorted_s, query_s), 1, len(sorted_s) - 1)
    return np.where(query_s - sorted_s[after - 1] <= sorted_s[after] - query_s, after - 1, after)


def iou_costs(truth: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return 1 - IoU of boxes (T, 4) and (P, 4), (T, P); infinite below the smallest IoU."""
    overlap = np.array([iou(box, boxes) for box in truth]).reshape(len(truth), len(boxes))
    return np.where(overlap >= MIN_IOU, 1 - overlap, np.inf)


def root_distance_costs(truth: np.ndarray, roots: np.ndarray) -> np.ndarray:
    """Return distances of roots (T, 3) and (P, 3) m, (T, P); infinite beyond the largest distance, or if unknown."""
    distances = np.linalg.norm(truth[:, None] - roots[None], axis=-1)
    return np.where(distances <= MAX_ROOT_DISTANCE_M, distances, np.inf)


def assign_people(costs: np.ndarray, previous: Sequence[tuple[int, int]] = ()) -> list[tuple[int, int]]:
    """Assign rows to columns of costs (T, P) by Hungarian assignment; finite pairs in `previous` are fixed beforehand."""
    from scipy.optimize import linear_sum_assignment

    pairs = [pair for pair in previous if np.isfinite(costs[pair])]
    free = costs.copy()
    for row, column in pairs:
        free[row], free[:, column] = np.inf, np.inf
    # A forbidden pair costs more than all allowed pairs together, so as many pairs as possible are matched.
    limit = 1 + free[np.isfinite(free)].sum()
    rows = zip(*linear_sum_assignment(np.where(np.isfinite(free), free, limit * (1 + min(free.shape)))))
    return sorted([*pairs, *((int(row), int(column)) for row, column in rows if np.isfinite(free[row, column]))])


class IdentityTracker:
    """Remembers which predicted track each true person was matched to, and counts id switches."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self._holders: dict[int, int] = {}
        self.switches: dict[int, int] = {}
        """Number of id switches of each true person."""

    def previous_matches(self, truth: Sequence[int], people: Sequence[int]) -> list[tuple[int, int]]:
        """Return rows and columns of people who were matched to each other last time."""
        columns = {track: column for column, track in enumerate(people)}
        last_tracks = ((row, track, self._last.get(track)) for row, track in enumerate(truth))
        return [(row, columns[last]) for row, track, last in last_tracks if last in columns and self._holders[last] == track]

    def update(self, matches: Mapping[int, int]) -> None:
        """Update from a frame's matches: true track_id to predicted track_id."""
        for track, other in matches.items():
            has_switched = self._last.get(track, other) != other
            self.switches[track] = self.switches.get(track, 0) + has_switched
            self._last[track], self._holders[other] = other, track
