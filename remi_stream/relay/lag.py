"""Online estimate of a filter's lag, by cross-correlation of raw and filtered joints."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from remi_stream.messages import Person

WINDOW_S, MIN_WINDOW_S = 4.0, 1.5
"""Window of a track that is compared, and its minimum length, s."""
MAX_SAMPLES = 480
"""Maximum number of samples kept per track: the window at 120 frames per second."""
MAX_GAP_S = 0.5
"""A track interrupted for longer starts anew, as in the filters, s."""
MAX_LAG_S = 1.0
"""Maximum lag that is searched, s; also at most a third of the window."""
MAX_JOINTS = 8
"""About this many joints are compared, spread over the skeleton."""
SMOOTHING_WINDOW_S = 0.25
"""Length of the Hann window that smooths both motions, s; a symmetric window adds no delay."""
MIN_SPEED, MIN_NOISE_RATIO = 0.03, 2.0
"""Minimum motion for an estimate: RMS speed over the joints, m/s, and ratio to the apparent motion of noise alone."""


class LagSample(NamedTuple):
    """Joints of a track in one frame, before and after the filter."""

    captured_at: float
    raw: np.ndarray
    """(J, 3), m."""
    filtered: np.ndarray
    """(J, 3), m."""

    def is_valid(self) -> bool:
        """Whether there are joints and all are finite."""
        return bool(self.raw.size) and math.isfinite(np.vdot(self.raw, self.raw) + np.vdot(self.filtered, self.filtered))


class LagMeter:
    """Lag meter of one camera. `add` is cheap and runs per frame; `measure` is expensive and runs once a second."""

    def __init__(self) -> None:
        self._tracks: dict[int, deque[LagSample]] = {}

    def add(self, raw: Person, filtered: Person, captured_at: float) -> None:
        """Add a sample of a person; one with non-finite joints resets the track."""
        joints = joint_subset(len(raw.joints_m))
        sample = LagSample(captured_at, raw.joints_m[joints], filtered.joints_m[joints])
        if not sample.is_valid():
            self._tracks.pop(raw.track_id, None)
            return
        track = self._tracks.get(raw.track_id)
        if track is None or not continues_track(track[-1], sample):
            self._forget_old(captured_at)
            track = self._tracks[raw.track_id] = deque(maxlen=MAX_SAMPLES)
        track.append(sample)

    def measure(self) -> float | None:
        """Lag of the filter, s, on the longest track; None if it cannot be estimated."""
        longest = max(self._tracks.values(), key=len, default=())
        if not longest:
            return None
        begin = longest[-1].captured_at - WINDOW_S
        return estimate_lag_s([sample for sample in longest if sample.captured_at >= begin])

    def _forget_old(self, now: float) -> None:
        old = [track_id for track_id, track in self._tracks.items() if abs(now - track[-1].captured_at) > MAX_GAP_S]
        for track_id in old:
            del self._tracks[track_id]


def continues_track(last: LagSample, sample: LagSample) -> bool:
    """Whether a sample continues a track."""
    return 0 < sample.captured_at - last.captured_at <= MAX_GAP_S and last.raw.shape == sample.raw.shape


def joint_subset(count: int) -> slice:
    """Slice of every n-th joint, so that about MAX_JOINTS are taken."""
    return slice(None, None, max(1, count // MAX_JOINTS))


def estimate_lag_s(samples: Sequence[LagSample]) -> float | None:
    """Estimate the lag of the filtered motion behind the raw one, s; negative if it is ahead.

    The shift with the least mean squared distance: cross-correlation, corrected for the energy at the ends of the window.
    A parabola through the three lowest values gives sub-frame precision.
    """
    if len(samples) < 8 or samples[-1].captured_at - samples[0].captured_at < MIN_WINDOW_S:
        return None
    at = np.array([sample.captured_at for sample in samples])
    step_s = float(np.median(np.diff(at)))
    resampled = resample_uniformly(at, stack_joints([sample.raw for sample in samples]), step_s)
    width = round(SMOOTHING_WINDOW_S / step_s) | 1
    raw, filtered = (
        smooth_with_window(resampled, width),
        smooth_with_window(resample_uniformly(at, stack_joints([sample.filtered for sample in samples]), step_s), width),
    )
    if not len(raw) or not is_moving(resampled, raw, step_s):
        return None
    furthest = min(int(MAX_LAG_S / step_s), len(raw) // 3)
    shifts = np.arange(-min(furthest, 4), furthest + 1)
    return (
        None
        if (least := parabolic_minimum(shifted_distances(raw, filtered, shifts))) is None
        else float(shifts[0] + least) * step_s
    )


def stack_joints(joints: Sequence[np.ndarray]) -> np.ndarray:
    """Stack the joints (J, 3) of F frames to (F, 3 J) float64."""
    return np.array(joints, np.float64).reshape(len(joints), -1)


def resample_uniformly(times: np.ndarray, values: np.ndarray, step_s: float) -> np.ndarray:
    """Resample values (F, C) at times `times`, s, to a uniform grid by linear interpolation."""
    wanted = np.arange(times[0], times[-1], step_s)
    after = np.clip(np.searchsorted(times, wanted, side="right"), 1, len(times) - 1)
    share = ((wanted - times[after - 1]) / (times[after] - times[after - 1]))[:, None]
    return values[after - 1] + share * (values[after] - values[after - 1])


def smooth_with_window(values: np.ndarray, width: int) -> np.ndarray:
    """Convolve values (F, C) with a symmetric window of odd width; returns (F - width + 1, C)."""
    count = len(values) - width + 1
    return sum((share * values[k : k + count] for k, share in enumerate(hann_window(width))), np.zeros((count, values.shape[1])))


def hann_window(width: int) -> np.ndarray:
    """Hann window (width,) with sum 1."""
    shape = np.hanning(width + 2)[1:-1]
    return shape / shape.sum()


def is_moving(values: np.ndarray, smoothed: np.ndarray, step_s: float) -> bool:
    """Whether a motion (F, C), given also smoothed (`smoothed`), is significantly above noise.

    The noise is estimated from third differences, which remove smooth motion and amplify the variance of white noise by 20.
    """
    noise = np.mean(np.diff(values, 3, axis=0) ** 2) / 20
    left = np.diff(hann_window(len(values) - len(smoothed) + 1), prepend=0.0, append=0.0)
    least = max((MIN_SPEED * step_s) ** 2 / 3, MIN_NOISE_RATIO**2 * noise * float(left @ left))
    return bool(np.mean(np.diff(smoothed, axis=0) ** 2) > least)


def shifted_distances(raw: np.ndarray, filtered: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Mean squared distance of two motions (F, C) for each shift of the filtered one, frames."""
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


def parabolic_minimum(values: np.ndarray) -> float | None:
    """Sub-sample position of the minimum, by a parabola through three values; None if it is at an end."""
    k = int(np.argmin(values))
    if not 0 < k < len(values) - 1:
        return None
    before, here, after = values[k - 1 : k + 2]
    curvature = before - 2 * here + after
    return float(k + 0.5 * (before - after) / curvature) if curvature > 0 else None
