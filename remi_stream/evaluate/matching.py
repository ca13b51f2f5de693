"""Which frame belongs to which, and who is who in it: as CLEAR MOT does (Bernardin and Stiefelhagen, 2008)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from remi_stream.geometry import iou
from remi_stream.messages import Bodies

LEAST_IOU = 0.3
"""Truth's boxes are made of joints, and a detector's are not: they never cover each other well."""
FURTHEST_M = 0.5
"""Roots further apart are not one person's."""
SAME_RATE = 0.01
"""Clocks that differ by less count the same frames."""
ROUNDING = 1e-3
"""Of a frame: times that are half a frame apart are read from texts."""


def film_times(frames: Sequence[Bodies], truth_fps: float) -> np.ndarray:
    """When frames were taken, s from the film's frame 0, (N,).

    Where the film has the truth's rate, the frame's number tells: clocks of players drift. Frames of a camera that started anew
    keep the times that they have.
    """
    at = np.array([bodies.captured_at for bodies in frames], float)
    numbers = np.array([bodies.frame_id for bodies in frames], float)
    if len(at) < 2 or not (np.diff(numbers) > 0).all() or not (np.diff(at) > 0).all():
        return at
    fps = float(np.median(np.diff(numbers) / np.diff(at)))
    return numbers / truth_fps if abs(fps / truth_fps - 1) < SAME_RATE else at - at[0] + numbers[0] / fps


def paired_frames(truth_s: np.ndarray, times_s: np.ndarray, within_s: float) -> list[tuple[int, int]]:
    """Frames of the truth with the nearest frames of the prediction, each once: nobody is measured twice.

    truth_s (N,) and times_s (M,): rising, s.
    """
    if not len(truth_s) or not len(times_s):
        return []
    best: dict[int, tuple[float, int]] = {}
    for frame, other in enumerate(_nearest(times_s, truth_s).tolist()):
        apart = abs(float(times_s[other] - truth_s[frame]))
        if apart <= within_s * (1 + ROUNDING) and apart < best.get(other, (np.inf, 0))[0]:
            best[other] = apart, frame
    return sorted((frame, other) for other, (_, frame) in best.items())


def _nearest(sorted_s: np.ndarray, wanted_s: np.ndarray) -> np.ndarray:
    if len(sorted_s) < 2:
        return np.zeros(len(wanted_s), int)
    after = np.clip(np.searchsorted(sorted_s, wanted_s), 1, len(sorted_s) - 1)
    return np.where(wanted_s - sorted_s[after - 1] <= sorted_s[after] - wanted_s, after - 1, after)


def box_costs(truth: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """1 - IoU of boxes (T, 4) and (P, 4); infinite where they are too little the same."""
    shared = np.array([iou(box, boxes) for box in truth]).reshape(len(truth), len(boxes))
    return np.where(shared >= LEAST_IOU, 1 - shared, np.inf)


def root_costs(truth: np.ndarray, roots: np.ndarray) -> np.ndarray:
    """Distances of roots (T, 3) and (P, 3) m; infinite where they are too far, or not known."""
    apart = np.linalg.norm(truth[:, None] - roots[None], axis=-1)
    return np.where(apart <= FURTHEST_M, apart, np.inf)


def assigned(costs: np.ndarray, kept: Sequence[tuple[int, int]] = ()) -> list[tuple[int, int]]:
    """Rows with columns of costs (T, P), as cheaply as can be; pairs in kept stay together while they may."""
    from scipy.optimize import linear_sum_assignment

    pairs = [pair for pair in kept if np.isfinite(costs[pair])]
    free = costs.copy()
    for row, column in pairs:
        free[row], free[:, column] = np.inf, np.inf
    most = 1 + free[np.isfinite(free)].sum()
    found = zip(*linear_sum_assignment(np.where(np.isfinite(free), free, most * (1 + min(free.shape)))))
    return sorted([*pairs, *((int(row), int(column)) for row, column in found if np.isfinite(free[row, column]))])


class Identities:
    """Who has been whom so far. switches: of each person of the truth, how often they became somebody else."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self._holders: dict[int, int] = {}
        self.switches: dict[int, int] = {}

    def kept(self, truth: Sequence[int], people: Sequence[int]) -> list[tuple[int, int]]:
        """Rows and columns of those who were one the last time."""
        columns = {track: column for column, track in enumerate(people)}
        held = ((row, track, self._last.get(track)) for row, track in enumerate(truth))
        return [(row, columns[last]) for row, track, last in held if last in columns and self._holders[last] == track]

    def note(self, matches: Mapping[int, int]) -> None:
        """Take a frame's matches: whom each person of the truth is."""
        for track, other in matches.items():
            switched = self._last.get(track, other) != other
            self.switches[track] = self.switches.get(track, 0) + switched
            self._last[track], self._holders[other] = other, track
