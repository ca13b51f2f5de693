"""Metrics of REMI's relay about its filters, with its definitions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from remi_stream.measure.window import NAN, SlidingWindow

RELAY_COLUMNS = (
    "Timestamp",
    "Condition",
    "FilterSetting",
    "Avg Relay Packet Processing FPS",
    "Avg Filter Latency (ms)",
    "Avg Raw Pose Body Change",
    "Avg Filtered Pose Body Change",
    "Avg Raw Pose Root Change",
    "Avg Filtered Pose Root Change",
    "Avg Raw Trans Change (mm)",
    "Avg Filtered Trans Change (mm)",
    "Avg Raw Betas Variance",
    "Avg Filtered Betas Variance",
)
"""Columns of REMI's file; Condition repeats the preset's name."""
RELAY_FILE = "relay_filter_metrics_avg.csv"
MAX_ROWS = 480
"""Size of the window's buffer."""
MIN_INTERVAL_S = 1e-6
"""For shorter intervals the rate is reported as 0."""
STREAM_SCALES = {"poses_body": 1.0, "poses_root": 1.0, "trans": 1000.0}
"""Streams whose change is measured, with the scale to the table's unit."""

StreamArrays = Mapping[str, np.ndarray]


class RelayValues(NamedTuple):
    """Values of one packet: norms of changes since the previous packet, and the variance among the ten betas of this one."""

    fps: float
    filter_ms: float
    raw_body: float
    filtered_body: float
    raw_root: float
    filtered_root: float
    raw_trans_mm: float
    filtered_trans_mm: float
    raw_betas: float
    filtered_betas: float


class RelayMeter:
    """Measures every packet before and after its filter."""

    def __init__(self) -> None:
        self._window = SlidingWindow(MAX_ROWS)
        self._last: tuple[StreamArrays, StreamArrays] | None = None

    def add(self, at: float, since_last_s: float, filter_s: float, raw: StreamArrays, filtered: StreamArrays) -> RelayValues:
        """Measure a packet received at this time, s. since_last_s: NaN for the first; filter_s: the filter's computing time."""
        fps = 0.0 if since_last_s <= MIN_INTERVAL_S else 1 / since_last_s
        both = raw, filtered
        changes = [stream_change(name, k, both, self._last) for name in STREAM_SCALES for k in (0, 1)]
        values = RelayValues(fps, filter_s * 1000, *changes, *(variance(each["betas"]) for each in both))
        self._last = both
        self._window.add(at, values)
        return values

    def means(self, now: float) -> list[float]:
        """Return the means over the last five seconds, in column order."""
        return self._window.means(now) or [NAN] * len(RelayValues._fields)


def stream_change(
    name: str, which: int, now: tuple[StreamArrays, StreamArrays], before: tuple[StreamArrays, StreamArrays] | None
) -> float:
    """Return the norm of a stream's change since the last packet, raw (k = 0) or filtered (k = 1); NaN for the first."""
    if before is None:
        return NAN
    difference = np.subtract(now[which][name], before[which][name], dtype=np.float64).ravel()
    return STREAM_SCALES[name] * math.sqrt(difference @ difference)


def variance(numbers: np.ndarray) -> float:
    """Return the variance; for ten numbers this is three times as fast as np.var."""
    deviations = numbers.astype(np.float64).ravel()
    deviations -= deviations.sum() / len(deviations)
    return float(deviations @ deviations) / len(deviations)
