"""How late people come out of a filter, measured while it runs."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from remi_stream.messages import Person

WINDOW_S, LEAST_S = 4.0, 1.5
"""What is compared: the last seconds of a track, and at least so much of it."""
ROWS = 480
GAP_S = 0.5
"""A track that was away for longer begins anew, as in the filters."""
LONGEST_S = 1.0
"""A lag longer than this is not found; nor is one longer than a third of what is compared."""
JOINTS = 8
"""So many joints are compared, spread over the skeleton."""
CALM_S = 0.25
"""Both motions are calmed by a symmetric window of this length, which takes off noise and delays neither."""
LEAST_SPEED, LEAST_SHARE = 0.03, 2.0
"""Who moves enough to know: m/s, root mean square over the joints, and so many times what the noise alone would seem to move."""


class Sample(NamedTuple):
    """A track's joints (J, 3) m in one frame, as they came and as they went."""

    captured_at: float
    raw: np.ndarray
    filtered: np.ndarray

    def tells(self) -> bool:
        """Whether there are joints, and all are numbers."""
        return bool(self.raw.size) and math.isfinite(np.vdot(self.raw, self.raw) + np.vdot(self.filtered, self.filtered))


class LagMeter:
    """Takes everybody of one camera. Taking is cheap; what costs is the measuring, which is asked for now and then."""

    def __init__(self) -> None:
        self._tracks: dict[int, deque[Sample]] = {}

    def take(self, raw: Person, filtered: Person, captured_at: float) -> None:
        """Remember a person; one whose joints are no numbers is forgotten."""
        joints = spread(len(raw.joints_m))
        sample = Sample(captured_at, raw.joints_m[joints], filtered.joints_m[joints])
        if not sample.tells():
            self._tracks.pop(raw.track_id, None)
            return
        track = self._tracks.get(raw.track_id)
        if track is None or not follows(track[-1], sample):
            self._forget_old(captured_at)
            track = self._tracks[raw.track_id] = deque(maxlen=ROWS)
        track.append(sample)

    def measure(self) -> float | None:
        """Seconds that the filter is late, of the person who has been seen for the longest; None if that cannot be known."""
        longest = max(self._tracks.values(), key=len, default=())
        if not longest:
            return None
        begin = longest[-1].captured_at - WINDOW_S
        return lag_s([sample for sample in longest if sample.captured_at >= begin])

    def _forget_old(self, now: float) -> None:
        old = [known for known, track in self._tracks.items() if abs(now - track[-1].captured_at) > GAP_S]
        for known in old:
            del self._tracks[known]


def follows(last: Sample, sample: Sample) -> bool:
    """Whether a sample continues a track."""
    return 0 < sample.captured_at - last.captured_at <= GAP_S and last.raw.shape == sample.raw.shape


def spread(count: int) -> slice:
    """Every n-th joint, so that a few of all are taken."""
    return slice(None, None, max(1, count // JOINTS))


def lag_s(samples: Sequence[Sample]) -> float | None:
    """How far the filtered motion is behind the raw one, s; below zero if it is ahead.

    Where the mean squared distance between the two, one shifted in time, is least: their cross-correlation, without the energies
    that come in and go out at the ends. A parabola through the three lowest values tells it within a frame.
    """
    if len(samples) < 8 or samples[-1].captured_at - samples[0].captured_at < LEAST_S:
        return None
    at = np.array([sample.captured_at for sample in samples])
    step_s = float(np.median(np.diff(at)))
    seen = evenly(at, stacked([sample.raw for sample in samples]), step_s)
    width = round(CALM_S / step_s) | 1
    raw, filtered = calmed(seen, width), calmed(evenly(at, stacked([sample.filtered for sample in samples]), step_s), width)
    if not len(raw) or not moves(seen, raw, step_s):
        return None
    furthest = min(int(LONGEST_S / step_s), len(raw) // 3)
    shifts = np.arange(-min(furthest, 4), furthest + 1)
    return None if (least := lowest(distances(raw, filtered, shifts))) is None else float(shifts[0] + least) * step_s


def stacked(joints: Sequence[np.ndarray]) -> np.ndarray:
    """The joints (J, 3) of each frame as numbers (F, 3 J)."""
    return np.array(joints, np.float64).reshape(len(joints), -1)


def evenly(at: np.ndarray, values: np.ndarray, step_s: float) -> np.ndarray:
    """Values (F, C) at these times, s, on an even grid of steps, between two of them on a straight line."""
    wanted = np.arange(at[0], at[-1], step_s)
    after = np.clip(np.searchsorted(at, wanted, side="right"), 1, len(at) - 1)
    share = ((wanted - at[after - 1]) / (at[after] - at[after - 1]))[:, None]
    return values[after - 1] + share * (values[after] - values[after - 1])


def calmed(values: np.ndarray, width: int) -> np.ndarray:
    """Values (F, C) under a symmetric window of an odd number of frames; its halves are missing at both ends."""
    count = len(values) - width + 1
    return sum((share * values[k : k + count] for k, share in enumerate(bell(width))), np.zeros((count, values.shape[1])))


def bell(width: int) -> np.ndarray:
    """A symmetric window (width,) whose sum is 1."""
    shape = np.hanning(width + 2)[1:-1]
    return shape / shape.sum()


def moves(values: np.ndarray, calm: np.ndarray, step_s: float) -> bool:
    """Whether a motion (F, C), of which the calmed one is given too, is more than noise.

    How much noise there is tells what the third differences leave of it, 20 times its variance.
    """
    noise = np.mean(np.diff(values, 3, axis=0) ** 2) / 20
    left = np.diff(bell(len(values) - len(calm) + 1), prepend=0.0, append=0.0)
    least = max((LEAST_SPEED * step_s) ** 2 / 3, LEAST_SHARE**2 * noise * float(left @ left))
    return bool(np.mean(np.diff(calm, axis=0) ** 2) > least)


def distances(raw: np.ndarray, filtered: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """The mean squared distance of two motions (F, C) for each shift of the filtered one, in frames, that is taken back."""
    middle = raw.mean(0)
    raw, filtered = raw - middle, filtered - middle
    count, products = len(raw), filtered @ raw.T
    energy = [np.concatenate([[0.0], np.cumsum((each * each).sum(1))]) for each in (raw, filtered)]
    found = []
    for shift in shifts:
        ahead, behind = max(0, -shift), max(0, shift)
        pairs = count - ahead - behind
        both = energy[0][pairs + ahead] - energy[0][ahead] + energy[1][pairs + behind] - energy[1][behind]
        found.append((both - 2 * np.trace(products, -shift)) / pairs)
    return np.array(found)


def lowest(values: np.ndarray) -> float | None:
    """Where the lowest one is, between the numbers; None if it is at an end."""
    k = int(np.argmin(values))
    if not 0 < k < len(values) - 1:
        return None
    before, here, after = values[k - 1 : k + 2]
    bend = before - 2 * here + after
    return float(k + 0.5 * (before - after) / bend) if bend > 0 else None
