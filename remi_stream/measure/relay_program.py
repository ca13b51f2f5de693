"""What REMI's relay measures of its filters, with its definitions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from remi_stream.measure.window import NAN, Window

COLUMNS = (
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
"""Condition is the preset's name once more."""
FILE = "relay_filter_metrics_avg.csv"
ROWS = 480
SHORTEST_S = 1e-6
UNITS = {"poses_body": 1.0, "poses_root": 1.0, "trans": 1000.0}
"""The streams whose change is measured, and what a unit of them is in the table."""

Streams = Mapping[str, np.ndarray]


class Values(NamedTuple):
    """One packet's; changes are lengths of the difference to the packet before, betas' variance is over the ten of this one."""

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
    """Takes every packet before and after its filter."""

    def __init__(self) -> None:
        self._window = Window(ROWS)
        self._last: tuple[Streams, Streams] | None = None

    def take(self, at: float, since_last_s: float, filter_s: float, raw: Streams, filtered: Streams) -> Values:
        """Measure a packet received at this time, s; since_last_s: NaN for the first one; filter_s: spent in filtering."""
        fps = 0.0 if since_last_s <= SHORTEST_S else 1 / since_last_s
        both = raw, filtered
        moved = [change(name, k, both, self._last) for name in UNITS for k in (0, 1)]
        values = Values(fps, filter_s * 1000, *moved, *(variance(each["betas"]) for each in both))
        self._last = both
        self._window.add(at, values)
        return values

    def means(self, now: float) -> list[float]:
        """The means over the last five seconds, in the order of COLUMNS."""
        return self._window.means(now) or [NAN] * len(Values._fields)


def change(name: str, k: int, now: tuple[Streams, Streams], before: tuple[Streams, Streams] | None) -> float:
    """How far a stream has gone since the packet before, raw (k = 0) or filtered; NaN for the first packet."""
    if before is None:
        return NAN
    moved = np.subtract(now[k][name], before[k][name], dtype=np.float64).ravel()
    return UNITS[name] * math.sqrt(moved @ moved)


def variance(numbers: np.ndarray) -> float:
    """Over the numbers, however many; np.var takes three times as long over ten."""
    off = numbers.astype(np.float64).ravel()
    off -= off.sum() / len(off)
    return float(off @ off) / len(off)
